public import Keys

/// A get, put or listen of the user of a node.
package struct OperationID: Hashable, Comparable, Sendable {
    package let number: UInt64

    package static func < (left: OperationID, right: OperationID) -> Bool {
        left.number < right.number
    }
}

/// How a node is connected to the network.
public enum NodeStatus: Int, Sendable, Comparable {
    /// No other node is known to be there.
    case disconnected
    /// Nodes have been asked and none has answered yet.
    case connecting
    /// At least one node answered lately.
    case connected

    public static func < (left: NodeStatus, right: NodeStatus) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// What a node answered to a ping.
public struct PingAnswer: Sendable, Equatable {
    public let id: InfoHash
    /// From the first packet to the answer, so with all of the pauses before others were sent.
    public let roundTrip: Duration
}

/// What the core wants its driver to know or do, besides sending datagrams.
package enum NodeEvent: Sendable {
    /// Values that a get found or a listener heard, each once.
    case values(OperationID, [Value])
    /// Rows that a query found, each once.
    case rows(OperationID, [FieldRow])
    /// Values that a listener heard of are gone.
    case expired(OperationID, [Value.ID])
    /// A ping of the user was answered, or will not be.
    case pinged(OperationID, PingAnswer?)
    /// A get or a put is over.
    case finished(OperationID, succeeded: Bool)
    case statusChanged(NodeStatus)
    /// Resolve the bootstrap addresses and call ``NodeCore/bootstrap(with:now:)``.
    case bootstrapDue
    /// Find out whether the check passes and call ``NodeCore/finishCheck(_:isPassed:now:)``.
    case check(UInt64, StoreCheck)
    /// Most peers see us at another address now.
    case publicAddressChanged(String?)
}
