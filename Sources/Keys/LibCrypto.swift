import CLibCrypto

/// The set-up of libcrypto, once for the process.
enum LibCrypto {
    /// Keeps libcrypto whole until the process is gone.
    ///
    /// By default it frees its tables when `exit` is called, while other threads may still be verifying or signing.
    private static let isReady = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil) == 1

    /// Asked first by everything that makes an object of the library, so that no operation of it comes earlier.
    static func prepare() throws(KeyError) {
        guard isReady else { throw .libraryFailure }
    }
}
