import Ethereum
import JSON
import Keys
import NameRegistry

/// Reads a part of a journal from JSON, and checks that it continues what is known.
///
/// The evidence of each entry must prove it, and each head must be the hash of all before. A chain also orders operations
/// whose evidence nobody has seen, or that proves nothing: a council imports digests, and contracts take any bytes. They
/// are read without evidence and count as unsigned.
/// Source: names protocol, "The journal as completeness proof".
struct JournalReader: Sendable {
    enum Problem: Error, Equatable, Sendable {
        /// The answer is no journal; asking again may help.
        case malformed(String)
        /// The origin has given another history before, or gives one that cannot be: it is not to be followed.
        case contradiction(String)
    }

    /// The last operation that is known, and the head after it.
    var sequence: UInt64
    var head: Word

    /// Reads an answer to a question for the known last operation and those behind it.
    ///
    /// - Returns: The new entries, each checked.
    func read(_ text: String) throws(Problem) -> JournalPage {
        guard let answer = JSONValue(parsing: text), let list = answer["entries"]?.array,
            let newest = answer["seq"]?.integer.flatMap({ UInt64(exactly: $0) }),
            let newestHead = answer["head"]?.string.flatMap({ Word(hex: $0) }), let kind = answer["journal"]?.string
        else { throw .malformed("the answer is no journal") }
        guard list.count <= RequestTarget.journalLimit else { throw .malformed("the answer has too many entries") }
        guard newest >= sequence else {
            throw .contradiction("it has \(newest) operations now, and had \(sequence) before")
        }
        var page = JournalPage(isOfChain: kind == "chain", sequence: newest, head: newestHead, entries: [])
        var (sequence, head) = (sequence, head)
        for (index, value) in list.enumerated() {
            let entry = try Self.entry(value)
            let number = entry.operation.sequence
            if index == 0, number == self.sequence, number > 0 {
                guard entry.head == self.head else {
                    throw .contradiction("its operation \(number) is another one than before")
                }
                continue
            }
            guard number == sequence + 1 else { throw .malformed("operation \(sequence + 1) is missing") }
            guard entry.head == entry.operation.head(after: head) else {
                throw .contradiction("operation \(number) does not hash to what the journal says")
            }
            (sequence, head) = (number, entry.head)
            page.entries.append(try Self.checked(entry, isOfChain: page.isOfChain))
        }
        if newest == sequence, newestHead != head {
            throw .contradiction("the head of its journal is not that of its operations")
        }
        guard newest == self.sequence || !page.entries.isEmpty else {
            throw .malformed("operation \(self.sequence + 1) is missing")
        }
        return page
    }

    private static func entry(_ value: JSONValue) throws(Problem) -> JournalPage.Entry {
        guard let number = value["seq"]?.integer.flatMap({ UInt64(exactly: $0) }), number > 0,
            let kind = value["op"]?.string.flatMap({ JournalOperation.Kind(text: $0) }),
            let name = value["name"]?.string.flatMap({ Name(canonical: $0) }),
            let owner = value["owner"]?.string.flatMap({ Address(hex: $0) }),
            let digest = value["evidence"]?.string.flatMap({ Word(hex: $0) }),
            let head = value["head"]?.string.flatMap({ Word(hex: $0) })
        else { throw .malformed("an operation of the journal is malformed") }
        var account: InfoHash?
        if let text = value["addr"]?.string {
            guard let parsed = AddressText.account(text) else { throw .malformed("operation \(number) has no address") }
            account = parsed
        }
        let operation = JournalOperation(
            sequence: number,
            kind: kind,
            name: name,
            owner: owner,
            account: account,
            evidenceDigest: digest
        )
        var evidence: NameEvidence?
        if let key = value["publicKey"]?.string, let signature = value["signature"]?.string {
            evidence = try? NameEvidence(publicKeyText: key, signatureText: signature)
        }
        return JournalPage.Entry(
            operation: operation,
            head: head,
            evidence: evidence,
            time: value["time"]?.integer,
            block: value["block"]?.integer.flatMap { UInt64(exactly: $0) }
        )
    }

    /// The entry, when its evidence is what the digest says and proves the operation.
    private static func checked(
        _ entry: JournalPage.Entry,
        isOfChain: Bool
    ) throws(Problem) -> JournalPage.Entry {
        let operation = entry.operation
        switch operation.kind {
        case .register, .address:
            guard let account = operation.account else {
                throw .contradiction("operation \(operation.sequence) gives a name to nobody")
            }
            guard !operation.evidenceDigest.isZero else { return entry }
            var unproved = entry
            unproved.evidence = nil
            let mayBeUnproved = isOfChain && operation.kind == .register
            guard let evidence = entry.evidence else {
                guard mayBeUnproved else {
                    throw .contradiction("operation \(operation.sequence) comes without its evidence")
                }
                return unproved
            }
            guard evidence.digest == operation.evidenceDigest else {
                throw .contradiction("operation \(operation.sequence) comes with other evidence")
            }
            do {
                try evidence.verify(operation.name, of: account)
            } catch {
                guard mayBeUnproved else {
                    throw .contradiction("the evidence of operation \(operation.sequence) is forged")
                }
                return unproved
            }
        case .transfer, .release:
            guard operation.account == nil, operation.evidenceDigest.isZero else {
                throw .contradiction("operation \(operation.sequence) has members that it cannot have")
            }
        }
        return entry
    }
}
