/// Why an operation with a key failed.
///
/// No case tells why a box could not be opened: that would help somebody who sends made-up boxes.
public enum KeyError: Error, Equatable, Sendable {
    /// The bytes or the text are not a key.
    case malformed
    /// A key of another algorithm, or of a size outside ``RSAPublicKey/acceptedBitCounts``.
    case unsupported
    /// The box cannot be opened with this key or password.
    case cannotOpen
    /// A parameter is out of range, such as a salt that is too short.
    case invalidParameter
    /// The cryptographic library failed, for example for want of memory.
    case libraryFailure
}
