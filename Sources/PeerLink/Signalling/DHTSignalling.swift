public import DHT
public import Identity
public import Keys
public import Logging

/// Connection requests and answers as encrypted values of the DHT.
///
/// Source: peer connections protocol, "Connection request over the DHT".
public struct DHTSignalling: Signalling {
    private let node: DHTNode
    private let identity: DeviceIdentity
    private let logger: Logger

    /// Messages that may wait for the connection manager; more are dropped.
    public static let capacity = 256

    /// - Parameters:
    ///   - node: a started node that signs and opens with the key of the device.
    ///   - identity: the device for which messages are heard.
    ///   - logger: for what goes wrong.
    public init(node: DHTNode, identity: DeviceIdentity, logger: Logger) {
        self.node = node
        self.identity = identity
        self.logger = logger
    }

    public func incoming() async -> AsyncStream<SignalledMessage> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: SignalledMessage.self,
            bufferingPolicy: .bufferingOldest(Self.capacity)
        )
        // Ends when the stream is let go, or when the node shuts down.
        let listening = Task {
            await withDiscardingTaskGroup { group in
                for keys in [SignallingKeys.short, .long] {
                    group.addTask { await listen(under: keys, into: continuation) }
                }
            }
            continuation.finish()
        }
        continuation.onTermination = { _ in listening.cancel() }
        return stream
    }

    private func listen(
        under keys: SignallingKeys,
        into continuation: AsyncStream<SignalledMessage>.Continuation
    ) async {
        for place in keys.places(of: identity.deviceID, shortID: identity.shortDeviceID) {
            for await event in await node.listen(at: place) {
                guard case .value(let opened) = event, let message = read(opened, under: keys) else { continue }
                continuation.yield(message)
            }
        }
    }

    /// Source: peer connections protocol, "Signature and encryption".
    private func read(_ opened: OpenedValue, under keys: SignallingKeys) -> SignalledMessage? {
        guard opened.wasEncrypted, let signer = opened.signer else { return nil }
        guard opened.value.userType == PeerMessage.userType else { return nil }
        guard opened.value.recipient == identity.shortDeviceID else { return nil }
        do throws(PeerMessageError) {
            return SignalledMessage(message: try PeerMessage(opened.value.data), signer: signer, keys: keys)
        } catch {
            logger.debug("Malformed connection request", metadata: ["signer": "\(signer.longID)", "error": "\(error)"])
            return nil
        }
    }

    public func send(_ message: PeerMessage, to device: CertificateChain, over keys: SignallingKeys) async throws {
        let value = Value(
            data: message.encode(),
            userType: PeerMessage.userType,
            pushType: message.isAnswer ? "" : message.connectionType
        )
        let places = keys.places(of: device.deviceID, shortID: device.shortDeviceID)
        let failures = await withTaskGroup(of: DHTError?.self) { group in
            for place in places {
                group.addTask {
                    do throws(DHTError) {
                        try await node.putEncrypted(value, at: place, for: device.leaf.publicKey)
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            var failures: [DHTError] = []
            for await failure in group {
                if let failure { failures.append(failure) }
            }
            return failures
        }
        // One place is enough: which one the device listens at depends on its age.
        if failures.count == places.count, let failure = failures.first { throw failure }
    }

    public func chain(ofSigner signer: RSAPublicKey) async throws -> CertificateChain? {
        try await node.findCertificate(shortID: signer.shortID, longID: signer.longID)
    }
}
