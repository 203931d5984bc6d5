/// Carries one request to one endpoint and its answer back.
///
/// The node's client bounds the time; a transport bounds the size of the answer and must end soon after its task is cancelled.
public protocol NodeTransport: Sendable {
    /// Sends a JSON text and returns the JSON text that is the answer.
    func exchange(_ body: [UInt8]) async throws(NodeTransportError) -> [UInt8]
}

/// Why an endpoint gave no answer.
public enum NodeTransportError: Error, Hashable, Sendable {
    /// No connection, a closed one, or an answer of HTTP other than success; the text names it.
    case unreachable(String)
    /// The answer is larger than what is accepted.
    case tooLarge
    case cancelled
}
