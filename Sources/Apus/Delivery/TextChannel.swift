package import Logging
package import PeerLink
package import Runtime
package import SIP

/// One open `sip` channel to a device: sends texts and hands over those that come.
package actor TextChannel {
    package nonisolated let channel: PeerChannel
    private let time: any TimeSource
    private let logger: Logger
    private var session: MessageSession
    private var waiting: [MessageSession.Token: CheckedContinuation<MessageSession.Outcome, Never>] = [:]
    private var nextToken: MessageSession.Token = 1
    private var timer: Task<Void, Never>?
    private var timerDeadline: Instant?
    package private(set) var isOpen = true

    package init(_ channel: PeerChannel, endpoints: MessageSession.Endpoints, time: any TimeSource, logger: Logger) {
        self.channel = channel
        self.time = time
        self.logger = logger
        session = MessageSession(endpoints: endpoints, randomness: .secure)
    }

    /// Reads the channel until it ends.
    package func run(onText: @Sendable (MessageSession.Received) async -> Void) async {
        do {
            for try await bytes in channel.inbound {
                for effect in try session.receive(bytes) {
                    if case .received(let text) = effect {
                        await onText(text)
                    } else {
                        await perform(effect)
                    }
                }
            }
        } catch {
            logger.debug("text channel failed", metadata: ["reason": "\(error)"])
        }
        await close()
    }

    /// Sends one text and waits for its answer, at most ``MessageSession/responseTimeout``.
    package func send(contentType: String, body: [UInt8], messageID: String) async -> MessageSession.Outcome {
        guard isOpen else { return .channelClosed }
        let token = nextToken
        nextToken += 1
        let effects = session.send(
            token,
            contentType: contentType,
            body: body,
            messageID: messageID,
            date: time.wallTime,
            now: time.now
        )
        armTimer()
        return await withCheckedContinuation { continuation in
            waiting[token] = continuation
            // The answer comes through the run loop; writing must not hold the caller's turn of the actor.
            Task { for effect in effects { await self.perform(effect) } }
        }
    }

    /// Ends the channel; texts that wait are answered.
    package func close() async {
        guard isOpen else { return }
        isOpen = false
        timer?.cancel()
        for effect in session.channelClosed() { await perform(effect) }
        await channel.close()
    }

    private func perform(_ effect: MessageSession.Effect) async {
        switch effect {
        case .send(let bytes):
            do {
                try await channel.write(bytes)
            } catch {
                await close()
            }
        case .answered(let token, let outcome):
            waiting.removeValue(forKey: token)?.resume(returning: outcome)
        case .received: break
        }
    }

    private func armTimer() {
        guard let deadline = session.deadline, timerDeadline == nil || timer == nil else { return }
        timerDeadline = deadline
        let pause = deadline - time.now
        timer = Task {
            try? await Task.sleep(for: max(pause, .milliseconds(10)))
            guard !Task.isCancelled else { return }
            await self.timerFired()
        }
    }

    private func timerFired() async {
        timer = nil
        timerDeadline = nil
        let effects = session.timer(now: time.now)
        let hasTimedOut = !effects.isEmpty
        for effect in effects { await perform(effect) }
        if hasTimedOut {
            // The other end is gone without a word; whoever sends next opens a new connection.
            await close()
        } else {
            armTimer()
        }
    }
}
