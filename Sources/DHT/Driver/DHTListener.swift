/// What happens at a key, from those values that are there already to the end of the listener.
///
/// Each value comes once. The sequence ends when its task is cancelled, when it is let go, or when the node is shut down.
/// It holds at most ``capacity`` events that nobody has taken yet; further ones are dropped.
public struct DHTListener: AsyncSequence, Sendable {
    public enum Event: Sendable {
        case value(OpenedValue)
        /// No node keeps the value of this id any more.
        case expired(Value.ID)
    }

    public static let capacity = 4096

    let events: AsyncStream<Event>

    public func makeAsyncIterator() -> AsyncStream<Event>.Iterator {
        events.makeAsyncIterator()
    }
}
