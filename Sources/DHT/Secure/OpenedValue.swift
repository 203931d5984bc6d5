public import Keys

/// A value as its reader may trust it: decrypted if it was encrypted, its signature checked if it has one.
public struct OpenedValue: Sendable, Equatable {
    /// The value itself, in the clear.
    public let value: Value
    /// Who signed it; `nil` for a plain value, which anybody may have put.
    public let signer: RSAPublicKey?
    /// Whether it was sealed for us, so that nobody else could read it.
    public let wasEncrypted: Bool

    public init(value: Value, signer: RSAPublicKey?, wasEncrypted: Bool) {
        self.value = value
        self.signer = signer
        self.wasEncrypted = wasEncrypted
    }
}
