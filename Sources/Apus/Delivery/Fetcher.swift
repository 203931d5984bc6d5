import Git
import Keys
import Logging
import PeerLink
import Runtime
import Swarm
import Synchronization

/// Fetches one conversation from one device, one session at a time.
///
/// Requests that come during a session are answered by one more session after it. The channel is kept between sessions.
/// A failed session is repeated a few times; after that the next notification or connection asks again.
final class Fetcher: Sendable {
    /// How long the peer may stay silent within a session.
    private static let silenceLimit = Duration.seconds(30)
    private static let pauses: [Duration] = [.seconds(1), .seconds(3), .seconds(10), .seconds(30)]

    private let conversation: ConversationID
    private let device: CertificateChain
    private weak let account: Account?
    private let logger: Logger
    private let requests: AsyncStream<Void>
    private let request: AsyncStream<Void>.Continuation

    init(conversation: ConversationID, device: CertificateChain, account: Account, logger: Logger) {
        self.conversation = conversation
        self.device = device
        self.account = account
        self.logger = logger
        (requests, request) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Asks for a session.
    func trigger() {
        request.yield()
    }

    /// Works until the task is cancelled.
    func run() async {
        var open: OpenChannel?
        var failures = 0
        var repetition: Task<Void, Never>?
        for await _ in requests {
            repetition?.cancel()
            do {
                guard let account else { return }
                let channel: OpenChannel
                if let open {
                    channel = open
                } else {
                    channel = OpenChannel(try await account.openGitChannel(conversation, to: device))
                    open = channel
                }
                try await session(on: channel, account: account)
                failures = 0
            } catch {
                await open?.channel.close()
                open = nil
                logger.debug(
                    "fetch failed",
                    metadata: ["device": "\(device.deviceID)", "attempt": "\(failures)", "reason": "\(error)"]
                )
                guard failures < Self.pauses.count else {
                    failures = 0
                    continue
                }
                // A request that comes earlier does not wait for the pause.
                let pause = Self.pauses[failures]
                failures += 1
                repetition = Task { [request] in
                    do { try await Task.sleep(for: pause) } catch { return }
                    request.yield()
                }
            }
        }
        repetition?.cancel()
        await open?.channel.close()
    }

    /// A channel with its reading position.
    private final class OpenChannel {
        let channel: PeerChannel
        var inbound: PeerChannel.Inbound.Iterator

        init(_ channel: PeerChannel) {
            self.channel = channel
            inbound = channel.inbound.makeAsyncIterator()
        }
    }

    private struct ChannelEnded: Error {}

    private func session(on open: OpenChannel, account: Account) async throws {
        let channel = open.channel
        let watchdog = Watchdog(limit: Self.silenceLimit) { await channel.close() }
        defer { watchdog.stop() }
        var inbound = WatchedBytes(bytes: open.inbound, watchdog: watchdog)
        defer { open.inbound = inbound.bytes }
        let fetched = try await Conversation.fetch(
            conversation,
            from: device.deviceID,
            over: &inbound,
            reading: account.database.pool,
            write: { try await channel.write($0) }
        )
        switch fetched {
        case .objects(let objects, let head):
            try await account.absorb(objects, head: head, into: conversation, from: device)
        case .upToDate(let head):
            try await account.absorb(ObjectStore(), head: head, into: conversation, from: device)
        case nil: throw ChannelEnded()
        }
    }
}

/// The bytes of a channel, each piece of which calms a watchdog.
private struct WatchedBytes: AsyncIteratorProtocol {
    var bytes: PeerChannel.Inbound.Iterator
    let watchdog: Watchdog

    mutating func next() async -> [UInt8]? {
        let piece = await bytes.next()
        watchdog.feed()
        return piece
    }
}

/// Does something when it was not fed for a while.
private final class Watchdog: Sendable {
    private let limit: Duration
    private let action: @Sendable () async -> Void
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(limit: Duration, action: @escaping @Sendable () async -> Void) {
        self.limit = limit
        self.action = action
        feed()
    }

    func feed() {
        let next = Task { [limit, action] in
            do { try await Task.sleep(for: limit) } catch { return }
            await action()
        }
        task.withLock { current in
            current?.cancel()
            current = next
        }
    }

    func stop() {
        task.withLock { $0?.cancel() }
    }
}
