import CSecp256k1
import Runtime

/// Signs and recovers with libsecp256k1.
enum Secp256k1 {
    /// Written once before its first use; the library only reads it then, from any thread.
    private nonisolated(unsafe) static let context: OpaquePointer = {
        let context: OpaquePointer = unsafe secp256k1_context_create(UInt32(SECP256K1_CONTEXT_NONE))
        // Blinds the multiplications with secrets; nothing is wrong without it, so the result says nothing new.
        var randomness = Randomness.secure
        _ = unsafe secp256k1_context_randomize(context, randomness.bytes(32))
        return unsafe context
    }()

    /// The signature with the nonce of RFC 6979 and a low `s`.
    static func sign(_ hash: Word, secret: [UInt8]) throws(SignatureError) -> Signature {
        guard secret.count == 32 else { throw .invalidKey }
        var signature = secp256k1_ecdsa_recoverable_signature()
        guard unsafe secp256k1_ecdsa_sign_recoverable(context, &signature, hash.bytes, secret, nil, nil) == 1 else {
            throw .invalidKey
        }
        var compact = [UInt8](repeating: 0, count: 64)
        var parity: Int32 = 0
        _ = unsafe secp256k1_ecdsa_recoverable_signature_serialize_compact(context, &compact, &parity, &signature)
        // An id above 1 stands for an `r` that was reduced, which takes about 2^127 tries.
        guard let r = Word(compact[..<32]), let s = Word(compact[32...]),
            let result = UInt8(exactly: parity).flatMap({ Signature(r: r, s: s, parity: $0) })
        else { throw .invalidSignature }
        return result
    }

    /// The coordinates of the public point that signed, 64 bytes.
    static func recover(_ hash: Word, _ signature: Signature) throws(SignatureError) -> [UInt8] {
        var parsed = secp256k1_ecdsa_recoverable_signature()
        let compact = signature.r.bytes + signature.s.bytes
        var point = secp256k1_pubkey()
        guard
            unsafe secp256k1_ecdsa_recoverable_signature_parse_compact(
                context,
                &parsed,
                compact,
                Int32(signature.parity)
            ) == 1,
            unsafe secp256k1_ecdsa_recover(context, &point, &parsed, hash.bytes) == 1
        else { throw .invalidSignature }
        var encoded = [UInt8](repeating: 0, count: 65)
        var count = encoded.count
        _ = unsafe secp256k1_ec_pubkey_serialize(context, &encoded, &count, &point, UInt32(SECP256K1_EC_UNCOMPRESSED))
        return Array(encoded.dropFirst())
    }
}
