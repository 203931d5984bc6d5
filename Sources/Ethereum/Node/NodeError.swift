/// Why a node's answer is missing or cannot be used.
public enum NodeError: Error, Hashable, Sendable {
    /// No endpoint could be reached or answered as HTTP promises; the text names the last trouble.
    case unreachable(String)
    /// No answer in time.
    case timedOut
    /// The endpoint belongs to another chain than the expected one.
    case otherChain(expected: UInt64, actual: UInt64)
    /// An answer that is no JSON-RPC, of the wrong type, or contradicts itself; the text names what.
    case malformed(String)
    /// The node understood and says no.
    case refused(NodeRefusal)
    /// Too many requests wait already.
    case busy
    /// The answer would be larger than what is accepted.
    case tooLarge
    /// The waiting task was cancelled.
    case cancelled
}

/// The error object of a node's answer.
///
/// Source: JSON-RPC 2.0, section 5.1; EIP-1474, "Error codes".
public struct NodeRefusal: Hashable, Sendable {
    public static let maximumMessageLength = 1_024

    public let code: Int64
    /// The node's text, cut to ``maximumMessageLength`` bytes.
    public let message: String
    /// What the contract gave as its reason, when execution was reverted.
    public let revertData: [UInt8]?

    public init(code: Int64, message: String, revertData: [UInt8]? = nil) {
        self.code = code
        self.message = message
        self.revertData = revertData
    }

    public static let methodNotFound: Int64 = -32_601
    static let internalError: Int64 = -32_603
    static let limitExceeded: Int64 = -32_005
    static let reverted: Int64 = 3

    /// Whether a contract refused, and not the node.
    public var isRevert: Bool { code == Self.reverted || revertData != nil }

    /// The text that the contract gave (`Error(string)`), when it gave one.
    public var revertReason: String? {
        guard let revertData, let values = try? Self.error.decodeCall(revertData) else { return nil }
        return values.first?.bytes.map { String(decoding: $0, as: UTF8.self) }
    }

    private static let error = ABIFunction("Error", [.string])
}

extension NodeError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unreachable(let trouble): "No chain node could be reached: \(trouble)"
        case .timedOut: "The chain node did not answer in time"
        case .otherChain(let expected, let actual):
            "The chain node belongs to chain \(actual), expected was chain \(expected)"
        case .malformed(let what): "The chain node's answer is not usable: \(what)"
        case .refused(let refusal):
            if let reason = refusal.revertReason {
                "The contract refused: \(reason)"
            } else {
                "The chain node refused: \(refusal.message) (\(refusal.code))"
            }
        case .busy: "Too many requests to the chain node are waiting"
        case .tooLarge: "The chain node's answer is too large"
        case .cancelled: "The request to the chain node was cancelled"
        }
    }
}
