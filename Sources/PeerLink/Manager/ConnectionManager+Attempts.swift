import ICE
import Identity
import Keys
import Logging
import NIOCore
import Runtime
import Synchronization

extension ConnectionManager {
    // MARK: Asking

    /// Starts an attempt unless one of ours is under way already.
    func request(_ device: CertificateChain, type: String) {
        let id = device.deviceID
        guard devices[id]?.isRequesting == false else { return }
        devices[id]?.isRequesting = true
        began(with: id)
        // Every step inside has a deadline; the waiters get the outcome.
        Task {
            let result: Result<PeerConnection, PeerLinkError>
            do throws(PeerLinkError) {
                result = .success(try await connect(to: device, type: type))
            } catch {
                result = .failure(error)
            }
            devices[id]?.isRequesting = false
            await ended(with: id, result)
        }
    }

    private func connect(to device: CertificateChain, type: String) async throws(PeerLinkError) -> PeerConnection {
        let (session, slot) = try await gather(.controlled, with: device)
        do throws(PeerLinkError) {
            let id = UInt64.random(in: 1...PeerMessage.largestID, using: &randomness)
            let message = PeerMessage(
                id: id,
                description: session.localDescription.text,
                isAnswer: false,
                connectionType: type
            )
            let text = try await answer(to: message, from: device)
            let remote: ICEDescription
            do throws(ICEDescriptionError) {
                remote = try ICEDescription(text: text)
            } catch {
                throw .malformedAnswer
            }
            await session.start(with: remote)
            return try await finish(session, slot)
        } catch {
            await discard(session)
            throw error
        }
    }

    /// Sends a request and waits for its answer, which may be here before the network has confirmed the request.
    private func answer(to message: PeerMessage, from device: CertificateChain) async throws(PeerLinkError) -> String {
        let key = RequestKey(device: device.deviceID, id: message.id)
        let delay = TimeAmount.nanoseconds(configuration.answerTimeout.wholeNanoseconds)
        let deadline = eventLoopGroup.next().scheduleTask(in: delay) {
            // Ends after one step on this actor.
            _ = Task { await self.settle(key, .failure(.noAnswer)) }
        }
        defer { deadline.cancel() }
        let result = await withCheckedContinuation { (continuation: AnswerWaiter) in
            guard !isShutDown else {
                continuation.resume(returning: .failure(.shutDown))
                return
            }
            answers[key] = continuation
            // Ends when the network has confirmed or refused, or with signalling itself.
            Task {
                do {
                    try await signalling.send(message, to: device, over: .both)
                } catch {
                    logger.debug("Sending a request failed", metadata: ["error": "\(error)"])
                    settle(key, .failure(.signallingFailed))
                }
            }
        }
        return try result.get()
    }

    private func settle(_ key: RequestKey, _ result: Result<String, PeerLinkError>) {
        answers.removeValue(forKey: key)?.resume(returning: result)
    }

    // MARK: Being asked

    func received(_ incoming: SignalledMessage) {
        let signer = incoming.signer
        let message = incoming.message
        guard isRunning, signer.longID != identity.deviceID else { return }
        guard treated.insert(signer.shortID, message.id, isAnswer: message.isAnswer) else { return }
        if message.isAnswer {
            settle(RequestKey(device: signer.longID, id: message.id), .success(message.description))
            return
        }
        let connectionCount = devices.values.reduce(0) { $0 + $1.connections.count }
        guard admit(signer.shortID), answering < configuration.concurrentAnswers,
            connectionCount < configuration.connections
        else {
            logger.debug("Request over the limit", metadata: ["device": "\(signer.longID)"])
            return
        }
        answering += 1
        // Every step inside has a deadline; the peer sees a failure as silence.
        Task {
            await reply(to: incoming)
            answering -= 1
        }
    }

    private func admit(_ signer: InfoHash) -> Bool {
        let now = time.now
        if limiters.count > 1_024 {
            for signer in Array(limiters.keys) where limiters[signer]?.isIdle(at: now) == true {
                limiters[signer] = nil
            }
        }
        guard limiters.count <= 4_096 else { return false }
        let fresh = RateLimiter(quota: configuration.requestQuota, per: configuration.requestWindow)
        return limiters[signer, default: fresh].admit(at: now)
    }

    private func reply(to incoming: SignalledMessage) async {
        let signer = incoming.signer
        guard let remote = try? ICEDescription(text: incoming.message.description) else { return }
        guard let device = try? await signalling.chain(ofSigner: signer), device.leaf.publicKey == signer else {
            logger.debug("Request of an unknown device", metadata: ["device": "\(signer.longID)"])
            return
        }
        guard isValid(device), await authorize(device), isRunning else { return }
        if let isFresh = configuration.isFreshRequest, await !isFresh(incoming.message.id) { return }
        began(with: device.deviceID)
        let result: Result<PeerConnection, PeerLinkError>
        do throws(PeerLinkError) {
            result = .success(try await answer(incoming, of: device, remote))
        } catch {
            logger.debug("Answering failed", metadata: ["device": "\(signer.longID)", "error": "\(error)"])
            result = .failure(error)
        }
        await ended(with: device.deviceID, result)
    }

    private func answer(
        _ incoming: SignalledMessage,
        of device: CertificateChain,
        _ remote: ICEDescription
    ) async throws(PeerLinkError) -> PeerConnection {
        let (session, slot) = try await gather(.controlling, with: device)
        let answer = PeerMessage(
            id: incoming.message.id,
            description: session.localDescription.text,
            isAnswer: true
        )
        await session.start(with: remote)
        // Ends when the network has confirmed or refused; a failure shows as a negotiation without a peer.
        Task { try? await signalling.send(answer, to: device, over: incoming.keys) }
        do throws(PeerLinkError) {
            return try await finish(session, slot)
        } catch {
            await discard(session)
            throw error
        }
    }

    // MARK: Both

    /// Where the event loop leaves the connection that it has made on the selected channel.
    final class Slot: Sendable {
        private let connection = Mutex<PeerConnection?>(nil)

        var value: PeerConnection? {
            get { connection.withLock { $0 } }
            set { connection.withLock { $0 = newValue } }
        }
    }

    private func gather(
        _ role: ICEAgent.Role,
        with device: CertificateChain
    ) async throws(PeerLinkError) -> (ICESession, Slot) {
        guard let security else { throw .insecure }
        serial += 1
        let (id, slot, time, logger) = (serial, Slot(), time, logger)
        let isClient = role == .controlling
        let timeout = configuration.handshakeTimeout
        let hooks = PeerConnection.Hooks(
            accept: accept,
            opened: channelOpened,
            // Ends after one step on this actor.
            closed: { connection in Task { await self.closed(connection) } }
        )
        let opened: ICESession
        do throws(ICEError) {
            let session = try await ICESession.gather(
                role: role,
                configuration: ICEConfiguration(
                    allowsLoopback: configuration.allowsLoopback,
                    limits: configuration.ice
                ),
                on: eventLoopGroup.next(),
                time: time,
                logger: logger
            ) { channel in
                let connection = PeerConnection(
                    id: id,
                    channel: channel,
                    chain: device,
                    isInitiator: !isClient,
                    handshakeTimeout: timeout,
                    hooks: hooks,
                    time: time,
                    logger: logger
                )
                slot.value = connection
                let handler = try security.handler(isClient: isClient, expecting: device, time: time)
                let top = LinkHandler(connection: connection, security: handler)
                try channel.pipeline.syncOperations.addHandlers([top])
                try channel.pipeline.syncOperations.addHandler(handler, position: .before(top))
            }
            sessions[ObjectIdentifier(session)] = session
            opened = session
        } catch {
            throw .unreachable(error)
        }
        guard !isShutDown else {
            await discard(opened)
            throw .shutDown
        }
        return (opened, slot)
    }

    private func discard(_ session: ICESession) async {
        sessions[ObjectIdentifier(session)] = nil
        await session.close()
    }

    private func finish(_ session: ICESession, _ slot: Slot) async throws(PeerLinkError) -> PeerConnection {
        do throws(ICEError) {
            _ = try await session.selected()
        } catch {
            throw .unreachable(error)
        }
        guard let connection = slot.value else { throw .closed }
        try await connection.established()
        // From here on the connection itself is what shutdown closes.
        sessions[ObjectIdentifier(session)] = nil
        return connection
    }
}

/// Requests and answers that were seen, as far back as they can come again.
struct TreatedRequests {
    private struct Key: Hashable {
        var signer: InfoHash
        var id: UInt64
        var isAnswer: Bool
    }

    static let limit = 4_096
    private var known: Set<Key> = []
    private var order: [Key] = []
    private var next = 0

    /// - Returns: whether it is new.
    mutating func insert(_ signer: InfoHash, _ id: UInt64, isAnswer: Bool) -> Bool {
        let key = Key(signer: signer, id: id, isAnswer: isAnswer)
        guard known.insert(key).inserted else { return false }
        if order.count < Self.limit {
            order.append(key)
        } else {
            known.remove(order[next])
            order[next] = key
            next = (next + 1) % Self.limit
        }
        return true
    }
}
