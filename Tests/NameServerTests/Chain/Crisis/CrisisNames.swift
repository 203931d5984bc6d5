import JSON
import Keys
import NameRegistry
import Synchronization
import TestSupport

/// What clients asked a server for, what they were told, and what look-ups have ever shown.
final class CrisisNames: Sendable {
    private struct State {
        var statuses: [String: [UInt]] = [:]
        var shown: [String: Set<String>] = [:]
    }

    private let state = Mutex(State())

    static func account(_ name: String) -> InfoHash { InfoHash(hashing: "account of \(name)") }

    /// The names that were acknowledged.
    var acknowledged: [String] {
        state.withLock { $0.statuses.filter { $0.value.contains(200) }.keys.sorted() }
    }

    var asked: [String] { state.withLock { $0.statuses.keys.sorted() } }
    var open: [String] { Set(asked).subtracting(acknowledged).sorted() }

    /// Names that look-ups have shown with more than one address.
    var ambiguous: [String] { state.withLock { $0.shown.filter { $0.value.count > 1 }.keys.sorted() } }

    func statuses(of names: [String]) -> Set<UInt> {
        state.withLock { state in Set(names.flatMap { state.statuses[$0] ?? [] }) }
    }

    /// Asks for a name once.
    @discardableResult func post(_ name: String, at server: ServerProcess) async -> UInt {
        let status = await server.register(name, Self.account(name))
        state.withLock { $0.statuses[name, default: []].append(status) }
        return status
    }

    /// Asks for all of them at the same time, once each.
    func post(_ names: [String], at server: ServerProcess) async {
        await withDiscardingTaskGroup { group in
            for name in names { group.addTask { await self.post(name, at: server) } }
        }
    }

    /// Asks for all of them until each is answered for good, as clients do.
    func register(_ names: [String], at server: ServerProcess, within patience: Duration) async {
        let deadline = ContinuousClock.now + patience
        await withDiscardingTaskGroup { group in
            for name in names {
                group.addTask {
                    while await ![200, 403].contains(self.post(name, at: server)), .now < deadline {
                        try? await Task.sleep(for: .milliseconds(200))
                    }
                }
            }
        }
    }

    /// Looks a name up; the address that the server shows, or `nil`.
    @discardableResult func find(_ name: String, at server: ServerProcess) async -> String? {
        guard let address = await server.get("/name/\(name)").body["addr"]?.string else { return nil }
        state.withLock { _ = $0.shown[name, default: []].insert(address) }
        return address
    }

    /// Looks names up, one after another, until its task is cancelled.
    func watch(_ server: @Sendable () -> ServerProcess?) async {
        while !Task.isCancelled {
            for name in asked.shuffled().prefix(20) where !Task.isCancelled {
                if let server = server() { await find(name, at: server) }
                try? await Task.sleep(for: .milliseconds(20))
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }
}
