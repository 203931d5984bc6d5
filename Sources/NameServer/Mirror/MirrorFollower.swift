import AsyncHTTPClient
import Ethereum
public import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NameRegistry
public import Runtime
import Synchronization

/// Follows another server's journal into the own store, believing nothing that it has not checked.
///
/// What is stored is the origin's history operation by operation, so the own journal has the same heads. After a
/// restart it goes on where it was. When the origin contradicts what it said before, it stops for good and says so.
/// Source: names protocol, "The journal as completeness proof".
public final class MirrorFollower: Sendable {
    /// How it stands with the origin.
    public struct Status: Hashable, Sendable {
        public var origin: String
        /// The newest operation that the origin has told of.
        public var originSequence: UInt64 = 0
        /// Operations since the start whose evidence nobody could check; their names are served as unsigned.
        public var unproved = 0
        /// What goes wrong at the moment; retried unless it has stopped.
        public var problem: String?
        /// Whether the origin contradicted itself and is not followed any more.
        public var hasStopped = false

        /// How many operations the origin has more.
        public func behind(_ sequence: UInt64) -> UInt64 { originSequence > sequence ? originSequence - sequence : 0 }

        var stopReason: String? { hasStopped ? problem : nil }
    }

    public let origin: String
    private let store: any NameStore
    private let time: any TimeSource
    private let logger: Logger
    private let current: Mutex<Status>

    /// Between two questions when there is nothing new.
    static let pollInterval = Duration.seconds(2)
    static let requestPatience = TimeAmount.seconds(30)
    /// A full answer has about 2.5 MB.
    static let maximumAnswerSize = 16 * 1_024 * 1_024

    /// A mirror of the server at a URL such as `https://names.example`.
    public init(origin: String, store: any NameStore, time: any TimeSource = SystemTime(), logger: Logger) {
        var origin = origin
        while origin.last == "/" { origin.removeLast() }
        self.origin = origin
        self.store = store
        self.time = time
        self.logger = logger
        current = Mutex(Status(origin: origin))
    }

    public var status: Status { current.withLock { $0 } }

    /// Follows until its task is cancelled, or the origin has contradicted itself.
    public func run() async {
        let verifiers = NIOThreadPool(numberOfThreads: 2)
        verifiers.start()
        let client = HTTPClient(eventLoopGroup: MultiThreadedEventLoopGroup.singleton)
        var backoff = Backoff(initial: .seconds(1), cap: .seconds(60))
        var randomness = Randomness.secure
        while !Task.isCancelled, !status.hasStopped {
            var wait = Self.pollInterval
            do {
                if try await follow(with: client, verifiers) { wait = .zero }
                backoff.reset()
                current.withLock { $0.problem = nil }
            } catch let problem as JournalReader.Problem {
                wait = backoff.next(using: &randomness)
                report(problem)
            } catch {
                wait = backoff.next(using: &randomness)
                report(.malformed(Self.reason(of: error)))
            }
            try? await Task.sleep(for: wait)
        }
        try? await client.shutdown()
        try? await verifiers.shutdownGracefully()
    }

    private static func reason(of error: any Error) -> String {
        switch error {
        case let error as NameStoreError: "the own store failed: \(error.detail)"
        case is CancellationError: "the mirror is stopping"
        default: "it cannot be reached (\(error))"
        }
    }

    private func report(_ problem: JournalReader.Problem) {
        switch problem {
        case .malformed(let reason):
            current.withLock { $0.problem = "the origin \(origin) is not followed at the moment: \(reason)" }
            logger.warning("The origin cannot be followed", metadata: ["origin": "\(origin)", "reason": "\(reason)"])
        case .contradiction(let reason):
            let sentence =
                "the origin \(origin) contradicts itself: \(reason); this mirror has stopped and keeps what it had"
            current.withLock {
                $0.problem = sentence
                $0.hasStopped = true
            }
            logger.critical("\(sentence)", metadata: ["origin": "\(origin)", "reason": "\(reason)"])
        }
    }

    /// Asks once; true when there is more to ask for at once.
    private func follow(with client: HTTPClient, _ verifiers: NIOThreadPool) async throws -> Bool {
        let last = try await store.read { try $0.lastLocalEntry() }
        let reader = JournalReader(sequence: last?.operation.sequence ?? 0, head: last?.head ?? .zero)
        let limit = RequestTarget.journalLimit
        let url = "\(origin)/v2/journal?from=\(max(1, reader.sequence))&limit=\(limit)"
        var request = HTTPClientRequest(url: url)
        request.headers.add(name: "Accept", value: "application/json")
        let response = try await client.execute(request, timeout: Self.requestPatience)
        let body = try await response.body.collect(upTo: Self.maximumAnswerSize)
        guard response.status == .ok else {
            throw JournalReader.Problem.malformed("it answers with status \(response.status.code)")
        }
        let text = String(buffer: body)
        let page = try await verifiers.runIfActive { try reader.read(text) }
        current.withLock { $0.originSequence = page.sequence }
        guard !page.entries.isEmpty else { return false }
        try await store(page)
        let unproved = page.entries.count { $0.isUnproved }
        if unproved > 0 {
            current.withLock { $0.unproved += unproved }
            logger.warning("Names come without evidence", metadata: ["origin": "\(origin)", "count": "\(unproved)"])
        }
        return page.sequence > (page.entries.last?.operation.sequence ?? 0)
    }

    /// Stores a page in one transaction, unless something in it cannot be.
    private func store(_ page: JournalPage) async throws {
        let now = time.wallTime
        try await store.write { writer in
            for entry in page.entries {
                try Self.apply(entry, to: writer, at: entry.time.map { WallTime(milliseconds: $0) } ?? now)
                guard try writer.lastLocalEntry()?.head == entry.head else {
                    throw JournalReader.Problem.contradiction(
                        "operation \(entry.operation.sequence) does not fit to those before"
                    )
                }
            }
        }
    }

    private static func apply(
        _ entry: JournalPage.Entry,
        to writer: any NameStoreWriter,
        at time: WallTime
    ) throws {
        let operation = entry.operation
        let isApplied: Bool
        switch (operation.kind, operation.account) {
        case (.register, let account?):
            let (name, owner) = (operation.name, operation.owner)
            let registration =
                entry.isUnproved
                ? Registration(name: name, account: account, owner: owner, evidenceDigest: operation.evidenceDigest)
                : Registration(name: name, account: account, owner: owner, evidence: entry.evidence)
            if case .inserted = try writer.append(registration, chained: false, at: time) {
                isApplied = true
            } else {
                isApplied = false
            }
        case (.address, let account?):
            guard let evidence = entry.evidence else {
                throw JournalReader.Problem.contradiction("operation \(operation.sequence) has no evidence")
            }
            isApplied = try apply(.account(account, evidence: evidence), of: operation, to: writer, at: time)
        case (.transfer, _): isApplied = try apply(.owner(operation.owner), of: operation, to: writer, at: time)
        case (.release, _): isApplied = try apply(.release, of: operation, to: writer, at: time)
        case (.register, nil), (.address, nil): isApplied = false
        }
        guard isApplied else {
            throw JournalReader.Problem.contradiction(
                "operation \(operation.sequence) gives a name or an account twice"
            )
        }
    }

    private static func apply(
        _ change: NameChange,
        of operation: JournalOperation,
        to writer: any NameStoreWriter,
        at time: WallTime
    ) throws -> Bool {
        if case .changed = try writer.append(change, of: operation.name, chained: false, at: time) {
            true
        } else {
            false
        }
    }
}
