public import Keys
import MessagePack

/// What a device of an account says at the account's place in the DHT: "I am one of its devices".
///
/// The value around it is signed by the account key. Source: accounts protocol, "Receipt and device announcement".
public struct DeviceAnnouncement: Sendable, Hashable {
    public let shortDeviceID: InfoHash
    /// The key of the device; absent only in announcements of old peers.
    public let deviceKey: RSAPublicKey?

    public init(of deviceKey: RSAPublicKey) {
        shortDeviceID = deviceKey.shortID
        self.deviceKey = deviceKey
    }

    /// Reads the data of the value.
    ///
    /// - Throws: `PayloadError.invalidField("pk")` also when the key is not the one that the short id names.
    public init(payload: [UInt8]) throws(PayloadError) {
        let fields = try Fields(payload)
        guard let short = try fields.bytes("dev").flatMap({ InfoHash($0) }), !short.isZero else {
            throw .invalidField("dev")
        }
        shortDeviceID = short
        if let spki = try fields.bytes("pk"), !spki.isEmpty {
            guard let key = try? RSAPublicKey(spki: spki), key.shortID == short else { throw .invalidField("pk") }
            deviceKey = key
        } else {
            deviceKey = nil
        }
    }

    /// The device id, when the announcement tells the key.
    public var deviceID: LongID? { deviceKey?.longID }

    /// The data of the value.
    public var payload: [UInt8] {
        var writer = MessagePackWriter()
        writer.writeMapHeader(count: deviceKey == nil ? 1 : 2)
        writer.write("dev")
        writer.write(binary: shortDeviceID.bytes)
        if let deviceKey {
            writer.write("pk")
            writer.write(binary: deviceKey.spki)
        }
        return writer.bytes
    }
}
