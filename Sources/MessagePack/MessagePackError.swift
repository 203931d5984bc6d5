/// Why bytes are not the MessagePack object that was asked for.
public enum MessagePackError: Error, Equatable, Sendable {
    /// The bytes end inside an object.
    case truncated
    /// The format byte `0xc1`, which MessagePack never uses.
    case reservedFormat
    /// Another kind of object stands where one of the wanted kind was expected.
    case unexpected(MessagePackKind)
    /// An integer does not fit the wanted width.
    case integerOutOfRange
    /// Text that is not UTF-8.
    case invalidText
    /// Containers are nested deeper than ``MessagePackLimits/depth``.
    case tooDeep
    /// More objects than ``MessagePackLimits/items``.
    case tooManyItems
    /// Bytes are left behind the object.
    case trailingBytes
}

/// The kinds of MessagePack objects.
public enum MessagePackKind: Equatable, Sendable {
    case null, boolean, integer, float, text, binary, array, map, extended
}

/// What a reader accepts at most.
///
/// Announced lengths are always checked against the bytes that remain, so no limit on length is needed here.
public struct MessagePackLimits: Sendable {
    /// Nesting depth of containers.
    public var depth: Int
    /// Objects in one read, containers and their elements alike.
    public var items: Int

    public init(depth: Int = 16, items: Int = 65_536) {
        self.depth = depth
        self.items = items
    }

    public static let standard = MessagePackLimits()
}
