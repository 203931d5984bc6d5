import CArgon2
import Crypto
public import Runtime

/// Boxes that open with a password: account archives and the values that link a device.
///
/// Each stretching takes about half a second and 64 MiB, so call from a thread that may block.
/// Source: DHT protocol, "Password container".
public enum PasswordBox {
    /// The bytes of salt in front of a box.
    public static let saltSize = 16

    /// Key material from a password: Argon2i, then the digest that fits the wanted count (20, 32 or 64 bytes at most).
    ///
    /// - Throws: `KeyError.invalidParameter` for a salt under 8 bytes or a count outside 1...64.
    public static func stretch(password: String, salt: [UInt8], count: Int) throws(KeyError) -> [UInt8] {
        guard (1...64).contains(count) else { throw .invalidParameter }
        return condense(try argon2(password: password, salt: salt), count: count)
    }

    /// Seals: salt, then an ``AuthenticatedBox`` under the stretched password.
    public static func seal(
        _ content: [UInt8],
        password: String,
        randomness: inout Randomness
    ) throws(KeyError) -> [UInt8] {
        let salt = randomness.bytes(saltSize)
        return try seal(content, password: password, salt: salt, vector: randomness.bytes(12))
    }

    public static func seal(
        _ content: [UInt8],
        password: String,
        salt: [UInt8],
        vector: [UInt8]
    ) throws(KeyError) -> [UInt8] {
        guard salt.count == saltSize else { throw .invalidParameter }
        let key = try stretch(password: password, salt: salt, count: 32)
        return salt + (try AuthenticatedBox.seal(content, key: key, vector: vector))
    }

    /// Opens a box.
    ///
    /// - Throws: `KeyError.cannotOpen` for a wrong password or a damaged box, which cannot be told apart.
    public static func open(_ box: [UInt8], password: String) throws(KeyError) -> [UInt8] {
        guard box.count > saltSize + AuthenticatedBox.overhead else { throw .cannotOpen }
        let key = try stretch(password: password, salt: Array(box[..<saltSize]), count: 32)
        return try AuthenticatedBox.open(Array(box[saltSize...]), key: key)
    }

    static func argon2(password: String, salt: [UInt8]) throws(KeyError) -> [UInt8] {
        guard salt.count >= 8, salt.count <= 1_024 else { throw .invalidParameter }
        let secret = Array(password.utf8)
        var output = [UInt8](repeating: 0, count: 32)
        let result = unsafe argon2i_hash_raw(
            16,
            65_536,
            1,
            secret,
            secret.count,
            salt,
            salt.count,
            &output,
            output.count
        )
        guard result == 0 else { throw .libraryFailure }
        return output
    }

    static func condense(_ bytes: [UInt8], count: Int) -> [UInt8] {
        switch count {
        case ...20: Array(Array(Insecure.SHA1.hash(data: bytes)).prefix(count))
        case ...32: Array(Array(SHA256.hash(data: bytes)).prefix(count))
        default: Array(Array(SHA512.hash(data: bytes)).prefix(count))
        }
    }
}
