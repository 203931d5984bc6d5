import Identity
public import Keys

/// The way on which two devices find each other before there is a connection.
public protocol Signalling: Sendable {
    /// Messages for this device, each once; ends when signalling shuts down.
    ///
    /// Called once, by the connection manager.
    func incoming() async -> AsyncStream<SignalledMessage>

    /// Hands a message to the network; returns when it is stored where the device listens.
    func send(_ message: PeerMessage, to device: CertificateChain, over keys: SignallingKeys) async throws

    /// The certificates of the device that has signed a message; `nil` when nobody knows them.
    func chain(ofSigner signer: RSAPublicKey) async throws -> CertificateChain?
}

/// A message as it came in: who signed it, and under which kind of key it was put.
public struct SignalledMessage: Sendable {
    public var message: PeerMessage
    public var signer: RSAPublicKey
    public var keys: SignallingKeys

    public init(message: PeerMessage, signer: RSAPublicKey, keys: SignallingKeys) {
        self.message = message
        self.signer = signer
        self.keys = keys
    }
}

/// Under which DHT keys a device listens for requests.
///
/// Older devices listen under their short id, newer ones under the long id, some under both.
/// Source: peer connections protocol, "Keys".
public struct SignallingKeys: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    public static let short = SignallingKeys(rawValue: 1)
    public static let long = SignallingKeys(rawValue: 2)
    public static let both: SignallingKeys = [.short, .long]

    /// The places that belong to a device.
    public func places(of deviceID: LongID, shortID: InfoHash) -> [InfoHash] {
        var places: [InfoHash] = []
        if contains(.short) { places.append(Locations.peerRequests(shortID)) }
        if contains(.long) { places.append(Locations.peerRequests(deviceID)) }
        return places
    }
}
