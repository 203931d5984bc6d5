import Ethereum
import Keys
import NameRegistry
import Synchronization
import TestSupport

@testable import NameServer

/// A chain that does what its test says.
final class ChainDouble: ChainBackend {
    struct Script: Sendable {
        var stall: String?
        var inclusion: InclusionOutcome?
        var failure: ChainFailure?
        var growth = 0
        var relayed: [OwnerOperation] = []
        var revealed: [Registration] = []
        var committed: [Word] = []
    }

    let script = Mutex(Script())

    func change(_ body: (inout Script) -> Void) { script.withLock { body(&$0) } }

    private func check() throws(ChainFailure) {
        if let failure = script.withLock({ $0.failure }) { throw failure }
    }

    func status() async -> ChainStatus {
        ChainStatus(
            chainID: 1_551,
            council: Address(InfoHash(high: 1, middle: 0, low: 0)),
            store: Address(InfoHash(high: 2, middle: 0, low: 0)),
            logic: nil,
            head: 100,
            final: 90,
            lagSeconds: 3,
            stall: script.withLock { $0.stall },
            sequence: 7,
            journal: Word(9)
        )
    }

    func outboxHasGrown() { script.withLock { $0.growth += 1 } }

    func waitUntilIncluded(_ registration: Registration) async -> InclusionOutcome {
        while !Task.isCancelled {
            if let outcome = script.withLock({ $0.inclusion }) { return outcome }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return .notYet(reason: "cancelled")
    }

    func proof(of name: Name, at block: UInt64?) async throws(ChainFailure) -> String {
        try check()
        return #"{"name":"\#(name.text)","block":\#(block ?? 0)}"#
    }

    func proof(of account: InfoHash, at block: UInt64?) async throws(ChainFailure) -> String {
        try check()
        return #"{"account":"\#(account)","block":\#(block ?? 0)}"#
    }

    func commit(_ commitment: Word) async throws(ChainFailure) -> Word {
        try check()
        script.withLock { $0.committed.append(commitment) }
        return Word(1)
    }

    func reveal(_ registration: Registration, secret: Word) async throws(ChainFailure) -> RegistrationState {
        try check()
        script.withLock { $0.revealed.append(registration) }
        return .sent
    }

    func relay(_ operation: OwnerOperation) async throws(ChainFailure) -> Word {
        try check()
        script.withLock { $0.relayed.append(operation) }
        return Word(2)
    }
}
