import Ethereum
import Keys
package import NameRegistry
package import Runtime

/// Puts all names of a store into a registry on a chain, in batches; where it was interrupted, the chain itself tells.
///
/// Source: names protocol, "From SQL to a chain".
package struct ChainImport: Sendable {
    package struct Options: Sendable {
        /// Records in one transaction, at most what the contract takes.
        package var batch = 100
        /// The most gas of one transaction: EIP-7825.
        package var gas: UInt64 = 1 << 24
        /// Whether names whose evidence does not verify stay behind; otherwise they go without it.
        package var holdsBackInvalid = true
        package var blockTime = Duration.seconds(12)
        /// How often a transaction is sent again, with a higher price each time.
        package var attempts = 20

        package init() {}
    }

    package struct Report: Hashable, Sendable {
        package var imported = 0
        /// Names that the chain had already, with the same content.
        package var present = 0
        /// Names that the chain has with other content; nothing was overwritten.
        package var different: [Name] = []
        /// Names whose evidence does not verify.
        package var invalid: [Name] = []
        /// Names whose account has another name on the chain.
        package var accountTaken: [Name] = []
        package var transactions = 0

        package init() {}
    }

    package enum Failure: Error, Hashable, Sendable {
        case importClosed
        case refused(String)
        /// A transaction was not included, however much it paid.
        case notIncluded
    }

    private let store: any NameStore
    private let chain: any RegistryChain
    private let options: Options
    private let time: any TimeSource

    package init(
        store: any NameStore,
        chain: any RegistryChain,
        options: Options = Options(),
        time: any TimeSource = SystemTime()
    ) {
        self.store = store
        self.chain = chain
        self.options = options
        self.time = time
    }

    /// Imports in the order of the names.
    ///
    /// - Parameter progress: Hears how many names were looked at.
    /// - Returns: What was done.
    /// - Throws: ``Failure``, ``ChainReadError``, or what the store throws. The next run goes on where this one ended.
    package func run(progress: @Sendable (Int) -> Void = { _ in }) async throws -> Report {
        var report = Report()
        var last: Name?
        var looked = 0
        var size = min(options.batch, LogicContract.maximumBatchCount)
        while true {
            let (after, count) = (last, size)
            let page = try await store.read { try $0.records(after: after, limit: count) }
            guard let newest = page.last?.record.name else { return report }
            var looking = report
            let records = try await candidates(in: page, &looking)
            if !records.isEmpty {
                guard try await send(records, &looking) else {
                    // Too much for a block of this chain.
                    guard size > 1 else { throw Failure.refused("not even one record fits into a transaction") }
                    size /= 2
                    continue
                }
                looking.imported += records.count
            }
            report = looking
            last = newest
            looked += page.count
            progress(looked)
        }
    }

    /// The records of a page that the chain lacks.
    private func candidates(in page: [StoredName], _ report: inout Report) async throws -> [NameRecord] {
        var records: [NameRecord] = []
        for stored in page {
            var record = stored.record
            let name = record.name
            let found = try await chain.record(of: name)
            if let found {
                if found == record { report.present += 1 } else { report.different.append(record.name) }
                continue
            }
            if let account = record.account {
                if !isValid(stored, account) {
                    if !report.invalid.contains(record.name) { report.invalid.append(record.name) }
                    guard !options.holdsBackInvalid else { continue }
                    record = NameRecord(
                        name: record.name,
                        owner: record.owner,
                        account: account,
                        evidenceDigest: .zero
                    )
                }
                let other = try await chain.name(of: account)
                guard other == nil else {
                    report.accountTaken.append(record.name)
                    continue
                }
            }
            records.append(record)
        }
        return records
    }

    private func isValid(_ stored: StoredName, _ account: InfoHash) -> Bool {
        guard !stored.record.evidenceDigest.isZero else { return true }
        guard let evidence = stored.evidence, evidence.digest == stored.record.evidenceDigest else { return false }
        return (try? evidence.verify(stored.record.name, of: account)) != nil
    }

    /// Sends one batch and waits until it is in a block; `false` when it is too large.
    private func send(_ records: [NameRecord], _ report: inout Report) async throws -> Bool {
        let call = RegistryCall.importBatch(records)
        let estimate = try await chain.estimate(call)
        let gas: UInt64
        switch estimate {
        case .gas(let needed):
            gas = needed.addingReportingOverflow(needed / 8).partialValue
            guard gas <= options.gas else { return false }
        case .reverts("import closed"):
            throw Failure.importClosed
        case .reverts(""):
            return false
        case .reverts(let message):
            throw Failure.refused(message)
        }
        let nonce = try await chain.transactionCount()
        var fees = try await chain.suggestedFees()
        for _ in 0..<options.attempts {
            let transaction = try chain.sign(call, nonce: nonce, gas: gas, fees: fees)
            if case .refused(let reason) = await chain.submit(transaction) { throw Failure.refused(reason) }
            report.transactions += 1
            let deadline = time.now + options.blockTime * 3
            while time.now < deadline {
                try await Task.sleep(for: min(options.blockTime / 8, .seconds(1)))
                let count = try await chain.transactionCount()
                guard count > nonce else { continue }
                let last = records[records.count - 1]
                let found = try await chain.record(of: last.name)
                guard found == last else { throw Failure.refused("the batch was reverted") }
                return true
            }
            fees = fees.raised(cap: OutboxCore.Limits().fee)
        }
        throw Failure.notIncluded
    }
}
