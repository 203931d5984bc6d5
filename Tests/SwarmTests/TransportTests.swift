import Foundation
import GRDB
import Git
import Glibc
import Identity
import Keys
import Runtime
import TestSupport
import Testing

@testable import Swarm

/// A pipe of bytes that a task reads.
private struct Pipe {
    let bytes: AsyncStream<[UInt8]>
    let continuation: AsyncStream<[UInt8]>.Continuation

    init() {
        (bytes, continuation) = AsyncStream.makeStream()
    }

    func write(_ part: [UInt8]) {
        continuation.yield(part)
    }
}

@Suite struct TransportTests {
    @Test(.timeLimit(.minutes(1))) func `a channel is served and fetched over, session after session`() async throws {
        let pair = try Pair()
        let (up, down) = (Pipe(), Pipe())
        let (first, second, id) = (pair.first, pair.second, pair.id)
        let served = Task {
            var shown: [ObjectID] = []
            try await Conversation.serve(
                id,
                over: up.bytes,
                reading: first.queue,
                write: { bytes in
                    // In pieces, as a channel may deliver them.
                    for start in stride(from: 0, to: bytes.count, by: 1000) {
                        down.write(Array(bytes[start..<min(start + 1000, bytes.count)]))
                    }
                },
                finished: { shown.append($0.shown) }
            )
            return shown
        }
        var inbound = down.bytes.makeAsyncIterator()
        var heads: [ObjectID] = []
        for round in 0..<3 {
            if round > 0 { heads.append(try first.text("\(round)", in: id, at: Int64(10 * round)).id) }
            let fetched = try await Conversation.fetch(
                id,
                from: first.identity.deviceID,
                over: &inbound,
                reading: second.queue,
                write: { up.write($0) }
            )
            let result = try #require(fetched)
            if round == 0, case .objects = result { Issue.record("nothing was new") }
            _ = try second.absorb(result, into: id, from: first, at: Int64(10 * round + 5))
        }
        up.continuation.finish()
        let shown = try await served.value
        #expect(shown.count == 3)
        #expect(Array(shown.suffix(2)) == heads)
        #expect(try first.history(id) == second.history(id))
    }

    @Test(.timeLimit(.minutes(1))) func `a channel that ends early gives nothing`() async throws {
        let pair = try Pair()
        let down = Pipe()
        down.write(Array("00".utf8))
        down.continuation.finish()
        var inbound = down.bytes.makeAsyncIterator()
        let fetched = try await Conversation.fetch(
            pair.id,
            from: pair.first.identity.deviceID,
            over: &inbound,
            reading: pair.second.queue,
            write: { _ in }
        )
        #expect(fetched == nil)
    }

    @Test func `a text costs the wire one commit`() throws {
        let pair = try Pair()
        _ = try pair.first.text("one", in: pair.id, at: 10)
        guard case .objects(let objects, _) = try pair.second.fetch(pair.id, from: pair.first) else {
            Issue.record("nothing fetched")
            return
        }
        #expect(objects.objects.count == 1)
    }

    @Test func `haves begin with what the device has, then ours, ever further apart, down to the first`() throws {
        let pair = try Pair()
        let ids = try (0..<100).map { try pair.first.text("\($0)", in: pair.id, at: Int64(10 + $0)).id }
        try pair.first.queue.write { database in
            try Conversation.setShown(database, pair.id, head: ids[3], to: pair.second.identity.deviceID)
        }
        let haves = try pair.first.queue.read { database in
            let store = try ConversationStore(database, pair.id)
            return try FetchingSession.haves(of: store, toward: pair.second.identity.deviceID)
        }
        #expect(haves.contains(ids[3]))
        #expect(haves.firstIndex(of: ids[3]) ?? 9 < 2)
        #expect(haves.contains(ids[99]))
        #expect(haves.last == pair.id.commit)
        #expect(haves.count < 40)
        #expect(Set(haves).count == haves.count)
    }

    @Test func `a peer without the objects it shows is refused and nothing is kept`() throws {
        let pair = try Pair()
        let text = try pair.first.text("one", in: pair.id, at: 10)
        let next = try pair.first.text("two", in: pair.id, at: 11)
        let whole = try pair.first.queue.read { database in
            try ConversationStore(database, pair.id).object(next.id)
        }
        let objects = try ObjectStore([next.id: #require(whole)])
        let error = #expect(throws: SwarmError.self) {
            try pair.second.absorb(.objects(objects, head: next.id), into: pair.id, from: pair.first, at: 12)
        }
        guard case .refused(let refusal) = error else { return }
        #expect(refusal.rule == .incomplete)
        let seen = try pair.second.queue.read { database in
            try Conversation.hasSeen(database, pair.id, device: pair.first.identity.deviceID, commit: text.id)
        }
        #expect(!seen)
    }

    @Test(.enabled(if: hasGit, "git is not installed"))
    func `git clones from our server`() async throws {
        let pair = try Pair()
        _ = try pair.first.text("one", in: pair.id, at: 10)
        _ = try pair.second.text("two", in: pair.id, at: 11)
        _ = try pair.first.pull(pair.id, from: pair.second, at: 12)
        let listener = try OneConnection()
        let folder = try TemporaryFolder()
        let (queue, id) = (pair.first.queue, pair.id)
        let server = Thread {
            var session = ServingSession(id)
            guard let connection = listener.accept() else { return }
            defer { connection.close() }
            while let bytes = connection.read() {
                guard (try? session.receive(bytes)) != nil else { return }
                stepping: while let action = try? queue.read({ try session.next($0) }) {
                    switch action {
                    case .write(let bytes): connection.write(bytes)
                    case .wait: break stepping
                    case .finished: continue
                    }
                }
            }
        }
        server.start()
        let url = "git://127.0.0.1:\(listener.port)/\(pair.id.hex)"
        _ = try await run(["git", "clone", "--bare", "-q", url, "\(folder.path)/r"]).orThrow()
        let log = try await run(["git", "-C", "\(folder.path)/r", "log", "--format=%H", "main"]).orThrow()
        #expect(try Set(log.lines) == Set(pair.first.history(pair.id).map(\.id.hex)))
        _ = try await run(["git", "-C", "\(folder.path)/r", "fsck", "--strict"]).orThrow()
    }
}

/// A TCP listener for one connection on a port of the system's choice.
private final class OneConnection: Sendable {
    private let descriptor: Int32
    let port: UInt16

    struct Connection {
        let descriptor: Int32

        func read() -> [UInt8]? {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            return count > 0 ? Array(buffer[..<count]) : nil
        }

        func write(_ bytes: [UInt8]) {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes {
                    send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }

        func close() {
            Glibc.close(descriptor)
        }
    }

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let length = size
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && listen(descriptor, 1) == 0
                    && getsockname(descriptor, address, &size) == 0
            }
        }
        guard status else { throw CocoaError(.featureUnsupported) }
        port = UInt16(bigEndian: address.sin_port)
    }

    func accept() -> Connection? {
        let connection = Glibc.accept(descriptor, nil, nil)
        return connection >= 0 ? Connection(descriptor: connection) : nil
    }

    deinit {
        Glibc.close(descriptor)
    }
}
