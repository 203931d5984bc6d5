import Crypto
public import Runtime

/// AES-GCM with the initialisation vector in front and the tag behind, without additional data.
///
/// Source: DHT protocol, "AES-GCM container".
public enum AuthenticatedBox {
    /// The bytes that a box is longer than its content: 12 in front, 16 behind.
    public static let overhead = 28

    /// Seals with a key of 16, 24 or 32 bytes and a random vector.
    public static func seal(
        _ content: [UInt8],
        key: [UInt8],
        randomness: inout Randomness
    ) throws(KeyError) -> [UInt8] {
        try seal(content, key: key, vector: randomness.bytes(12))
    }

    /// Seals with a given vector of 12 bytes, which must never be used twice with one key.
    public static func seal(_ content: [UInt8], key: [UInt8], vector: [UInt8]) throws(KeyError) -> [UInt8] {
        guard isKeySize(key.count), vector.count == 12 else { throw .invalidParameter }
        do {
            let nonce = try AES.GCM.Nonce(data: vector)
            let sealed = try AES.GCM.seal(content, using: SymmetricKey(data: key), nonce: nonce)
            return vector + Array(sealed.ciphertext) + Array(sealed.tag)
        } catch {
            throw .libraryFailure
        }
    }

    /// Opens a box that has at least one byte of content.
    ///
    /// - Throws: `KeyError.cannotOpen`, whatever is wrong with the box or the key.
    public static func open(_ box: [UInt8], key: [UInt8]) throws(KeyError) -> [UInt8] {
        guard box.count > overhead, isKeySize(key.count) else { throw .cannotOpen }
        do {
            let sealed = try AES.GCM.SealedBox(combined: box)
            return Array(try AES.GCM.open(sealed, using: SymmetricKey(data: key)))
        } catch {
            throw .cannotOpen
        }
    }

    static func sealWithRandomKey(_ content: [UInt8]) throws(KeyError) -> (key: [UInt8], box: [UInt8]) {
        var randomness = Randomness.secure
        let key = randomness.bytes(32)
        return (key, try seal(content, key: key, randomness: &randomness))
    }

    private static func isKeySize(_ count: Int) -> Bool {
        count == 16 || count == 24 || count == 32
    }
}
