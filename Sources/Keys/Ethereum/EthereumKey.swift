import CLibCrypto
public import Runtime

/// The secp256k1 key of an account, which owns its registered name on a chain.
///
/// Source: accounts protocol, "Keys and certificates".
public struct EthereumKey: Sendable {
    /// The 32 secret bytes.
    public let secret: [UInt8]
    /// The address: the last 20 bytes of the Keccak-256 hash of the public point.
    public let address: [UInt8]

    /// A key from 32 bytes that are a valid secret: not zero and below the order of the curve.
    public init(secret: [UInt8]) throws(KeyError) {
        guard secret.count == 32 else { throw .malformed }
        address = Array(Keccak256.hash(try Self.publicPoint(of: secret)).suffix(20))
        self.secret = secret
    }

    public static func generate(randomness: inout Randomness) throws(KeyError) -> EthereumKey {
        // All but one in 2^128 of the draws are valid.
        for _ in 0..<4 {
            do throws(KeyError) {
                return try EthereumKey(secret: randomness.bytes(32))
            } catch {
                guard error == .malformed else { throw error }
            }
        }
        throw .libraryFailure
    }

    /// Forty lower-case hexadecimal digits, without `0x`.
    public var addressText: String { Hexadecimal.encode(address) }

    /// The coordinates of the public point, 64 bytes.
    private static func publicPoint(of secret: [UInt8]) throws(KeyError) -> [UInt8] {
        try LibCrypto.prepare()
        guard let group = unsafe EC_GROUP_new_by_curve_name(NID_secp256k1) else { throw .libraryFailure }
        defer { unsafe EC_GROUP_free(group) }
        guard let scalar = unsafe BN_bin2bn(secret, Int32(secret.count), nil) else { throw .libraryFailure }
        defer { unsafe BN_clear_free(scalar) }
        guard unsafe BN_is_zero(scalar) == 0, unsafe BN_cmp(scalar, EC_GROUP_get0_order(group)) < 0 else {
            throw .malformed
        }
        unsafe BN_set_flags(scalar, BN_FLG_CONSTTIME)
        guard let point = unsafe EC_POINT_new(group) else { throw .libraryFailure }
        defer { unsafe EC_POINT_free(point) }
        var encoded = [UInt8](repeating: 0, count: 65)
        guard unsafe EC_POINT_mul(group, point, scalar, nil, nil, nil) == 1,
            unsafe EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, &encoded, encoded.count, nil) == 65
        else {
            ERR_clear_error()
            throw .libraryFailure
        }
        return Array(encoded.dropFirst())
    }
}
