/// Why the DHT could not do what it was asked for.
public struct DHTError: Error, Sendable, Equatable, CustomStringConvertible {
    public struct Code: Hashable, Sendable {
        private enum Kind { case notRunning, unreachable, invalidArgument, noIdentity, cryptography, bind }

        private let kind: Kind

        /// The node was not started, or is shut down.
        public static let notRunning = Code(kind: .notRunning)
        /// No other node took the value.
        public static let unreachable = Code(kind: .unreachable)
        public static let invalidArgument = Code(kind: .invalidArgument)
        /// The operation needs a key, and the node has none.
        public static let noIdentity = Code(kind: .noIdentity)
        public static let cryptography = Code(kind: .cryptography)
        /// The address is in use or not ours.
        public static let bind = Code(kind: .bind)
    }

    public let code: Code
    public let reason: String

    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    public static func == (left: DHTError, right: DHTError) -> Bool {
        left.code == right.code
    }

    public var description: String { reason }
}
