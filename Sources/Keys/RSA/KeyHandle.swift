import CLibCrypto

/// Owns one key of libcrypto and frees it.
///
/// Sendable although it holds a pointer: the pointer never changes after `init`, the key behind it is never modified by
/// any method here, and libcrypto allows concurrent use of one `EVP_PKEY` by operations that each have a context of their
/// own, which every method makes for itself.
@safe final class KeyHandle: @unchecked Sendable {
    enum Algorithm: Sendable { case rsa, elliptic }

    private let key: OpaquePointer
    let algorithm: Algorithm
    let bitCount: Int

    /// Takes over the key, which is freed even when this throws.
    private init(taking key: OpaquePointer?) throws(KeyError) {
        guard let key = unsafe key else { throw Self.failure(.malformed) }
        if unsafe EVP_PKEY_is_a(key, "RSA") == 1 {
            algorithm = .rsa
        } else if unsafe EVP_PKEY_is_a(key, "EC") == 1 {
            algorithm = .elliptic
        } else {
            unsafe EVP_PKEY_free(key)
            throw .unsupported
        }
        unsafe self.key = key
        bitCount = Int(unsafe EVP_PKEY_get_bits(key))
    }

    deinit {
        unsafe EVP_PKEY_free(key)
    }

    // MARK: Making

    /// An RSA public key from its numbers, big-endian; a tenth of the cost of the library's own reader.
    static func publicKey(modulus: [UInt8], exponent: [UInt8]) throws(KeyError) -> KeyHandle {
        try LibCrypto.prepare()
        guard let context = unsafe EVP_PKEY_CTX_new_from_name(nil, "RSA", nil) else { throw failure(.libraryFailure) }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        guard unsafe EVP_PKEY_fromdata_init(context) == 1 else { throw failure(.libraryFailure) }
        // Parameters carry numbers in the byte order of the machine.
        #if _endian(little)
            var numbers = [UInt8](modulus.reversed()) + exponent.reversed()
        #else
            var numbers = modulus + exponent
        #endif
        var key: OpaquePointer?
        let isMade = unsafe numbers.withUnsafeMutableBytes { bytes in
            unsafe OSSL_PKEY_PARAM_RSA_N.withCString { modulusName in
                unsafe OSSL_PKEY_PARAM_RSA_E.withCString { exponentName in
                    func parameter(_ name: UnsafePointer<CChar>, _ range: Range<Int>) -> OSSL_PARAM {
                        unsafe OSSL_PARAM(
                            key: name,
                            data_type: UInt32(OSSL_PARAM_UNSIGNED_INTEGER),
                            data: bytes.baseAddress.map { unsafe $0 + range.lowerBound },
                            data_size: range.count,
                            return_size: Int.max
                        )
                    }
                    var parameters = unsafe [
                        parameter(modulusName, 0..<modulus.count),
                        parameter(exponentName, modulus.count..<modulus.count + exponent.count),
                        OSSL_PARAM(),
                    ]
                    return unsafe EVP_PKEY_fromdata(context, &key, publicKeySelection, &parameters) == 1
                }
            }
        }
        guard isMade else { throw failure(.malformed) }
        return unsafe try KeyHandle(taking: key)
    }

    /// `EVP_PKEY_PUBLIC_KEY`, a macro that is not imported: the public key and all parameters.
    private static let publicKeySelection: Int32 = 0x86

    /// A public key from exactly one DER SubjectPublicKeyInfo.
    static func publicKey(spki: [UInt8]) throws(KeyError) -> KeyHandle {
        unsafe try parse(spki) { cursor, count in unsafe d2i_PUBKEY(nil, cursor, count) }
    }

    /// A private key from exactly one DER PKCS#8 PrivateKeyInfo, or from the older bare RSA form.
    static func privateKey(der: [UInt8]) throws(KeyError) -> KeyHandle {
        unsafe try parse(der) { cursor, count in unsafe d2i_AutoPrivateKey(nil, cursor, count) }
    }

    private static func parse(
        _ bytes: [UInt8],
        with decode: (UnsafeMutablePointer<UnsafePointer<UInt8>?>, Int) -> OpaquePointer?
    ) throws(KeyError) -> KeyHandle {
        try LibCrypto.prepare()
        var consumed = 0
        let key = unsafe bytes.withUnsafeBufferPointer { buffer -> OpaquePointer? in
            guard let start = buffer.baseAddress else { return nil }
            var cursor: UnsafePointer<UInt8>? = unsafe start
            let key = unsafe decode(&cursor, buffer.count)
            consumed = unsafe cursor.map { unsafe start.distance(to: $0) } ?? 0
            return unsafe key
        }
        let handle = unsafe try KeyHandle(taking: key)
        guard consumed == bytes.count else { throw .malformed }
        return handle
    }

    // MARK: Writing

    /// The canonical DER SubjectPublicKeyInfo.
    func publicDER() throws(KeyError) -> [UInt8] {
        unsafe try Self.encode { output in unsafe i2d_PUBKEY(key, output) }
    }

    /// The DER PKCS#8 PrivateKeyInfo.
    func privateDER() throws(KeyError) -> [UInt8] {
        guard let info = unsafe EVP_PKEY2PKCS8(key) else { throw Self.failure(.libraryFailure) }
        defer { unsafe PKCS8_PRIV_KEY_INFO_free(info) }
        return unsafe try Self.encode { output in unsafe i2d_PKCS8_PRIV_KEY_INFO(info, output) }
    }

    private static func encode(
        _ write: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32
    ) throws(KeyError) -> [UInt8] {
        let size = write(nil)
        guard size > 0 else { throw failure(.libraryFailure) }
        var written: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, count in
            var cursor = buffer.baseAddress
            written = unsafe write(&cursor)
            count = written == size ? Int(size) : 0
        }
        guard written == size else { throw failure(.libraryFailure) }
        return bytes
    }

    // MARK: Using

    func sign(_ message: [UInt8], digest: SignatureDigest) throws(KeyError) -> [UInt8] {
        guard let context = unsafe EVP_MD_CTX_new() else { throw Self.failure(.libraryFailure) }
        defer { unsafe EVP_MD_CTX_free(context) }
        guard unsafe EVP_DigestSignInit(context, nil, digest.function, nil, key) == 1 else {
            throw Self.failure(.libraryFailure)
        }
        var size = 0
        guard unsafe EVP_DigestSign(context, nil, &size, message, message.count) == 1 else {
            throw Self.failure(.libraryFailure)
        }
        var signature = [UInt8](repeating: 0, count: size)
        guard unsafe EVP_DigestSign(context, &signature, &size, message, message.count) == 1 else {
            throw Self.failure(.libraryFailure)
        }
        return Array(signature.prefix(size))
    }

    func isValidSignature(_ signature: [UInt8], for message: [UInt8], digest: SignatureDigest) -> Bool {
        guard let context = unsafe EVP_MD_CTX_new() else { return false }
        defer { unsafe EVP_MD_CTX_free(context) }
        guard unsafe EVP_DigestVerifyInit(context, nil, digest.function, nil, key) == 1,
            unsafe EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
        else {
            ERR_clear_error()
            return false
        }
        return true
    }

    /// One RSAES-PKCS1-v1_5 block.
    func encryptBlock(_ plaintext: [UInt8]) throws(KeyError) -> [UInt8] {
        unsafe try withPaddingContext(failingWith: .libraryFailure, EVP_PKEY_encrypt_init) { context, output, size in
            unsafe EVP_PKEY_encrypt(context, output, size, plaintext, plaintext.count)
        }
    }

    func decryptBlock(_ block: [UInt8]) throws(KeyError) -> [UInt8] {
        unsafe try withPaddingContext(failingWith: .cannotOpen, EVP_PKEY_decrypt_init) { context, output, size in
            unsafe EVP_PKEY_decrypt(context, output, size, block, block.count)
        }
    }

    private func withPaddingContext(
        failingWith error: KeyError,
        _ start: (OpaquePointer?) -> Int32,
        _ run: (OpaquePointer, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<Int>) -> Int32
    ) throws(KeyError) -> [UInt8] {
        guard let context = unsafe EVP_PKEY_CTX_new_from_pkey(nil, key, nil) else {
            throw Self.failure(.libraryFailure)
        }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        var size = 0
        guard unsafe start(context) == 1, unsafe EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1,
            unsafe run(context, nil, &size) == 1
        else { throw Self.failure(error) }
        var output = [UInt8](repeating: 0, count: size)
        let isDone = unsafe output.withUnsafeMutableBufferPointer { buffer in
            unsafe run(context, buffer.baseAddress, &size) == 1
        }
        guard isDone, size <= output.count else { throw Self.failure(error) }
        output.removeSubrange(size...)
        return output
    }

    /// Empties the library's queue of errors, which belongs to the thread, and gives back the error to throw.
    private static func failure(_ error: KeyError) -> KeyError {
        ERR_clear_error()
        return error
    }
}

extension SignatureDigest {
    fileprivate var function: OpaquePointer? {
        switch self {
        case .sha256: unsafe EVP_sha256()
        case .sha384: unsafe EVP_sha384()
        case .sha512: unsafe EVP_sha512()
        }
    }
}
