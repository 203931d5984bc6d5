/// Why bytes are no canonical RLP of what was expected.
public enum RLPError: Error, Hashable, Sendable {
    case truncated
    case trailingBytes
    /// A length or a single byte in a longer form than needed.
    case notMinimal
    /// Lists within lists beyond ``RLP/maximumDepth``.
    case tooDeep
    /// A list instead of bytes, bytes instead of a list, or a field of another size or form than its type's.
    case unexpectedItem
}

/// Recursive length prefix: byte strings and lists of them, in their only valid form.
///
/// Source: Ethereum Yellow Paper, appendix B.
public enum RLP {
    /// Lists within lists; transactions and headers need three.
    public static let maximumDepth = 16

    /// Where an item lies in the bytes that it was read from.
    struct Item {
        let isList: Bool
        /// With its prefix.
        let whole: Range<Int>
        /// Without its prefix.
        let payload: Range<Int>
    }

    /// The item that starts at an offset and ends at most at another.
    static func item(in bytes: Span<UInt8>, at offset: Int, end: Int) throws(RLPError) -> Item {
        guard offset < end, end <= bytes.count else { throw .truncated }
        let prefix = bytes[offset]
        switch prefix {
        case ..<0x80:
            return Item(isList: false, whole: offset..<offset + 1, payload: offset..<offset + 1)
        case ..<0xB8:
            let item = try short(isList: false, count: Int(prefix - 0x80), at: offset, end: end)
            guard item.payload.count != 1 || bytes[item.payload.lowerBound] >= 0x80 else { throw .notMinimal }
            return item
        case ..<0xC0:
            return try long(isList: false, lengthCount: Int(prefix - 0xB7), in: bytes, at: offset, end: end)
        case ..<0xF8:
            return try short(isList: true, count: Int(prefix - 0xC0), at: offset, end: end)
        default:
            return try long(isList: true, lengthCount: Int(prefix - 0xF7), in: bytes, at: offset, end: end)
        }
    }

    /// The items of a list.
    static func items(of list: Item, in bytes: Span<UInt8>, limit: Int) throws(RLPError) -> [Item] {
        guard list.isList else { throw .unexpectedItem }
        var items: [Item] = []
        var offset = list.payload.lowerBound
        while offset < list.payload.upperBound {
            guard items.count < limit else { throw .unexpectedItem }
            let item = try item(in: bytes, at: offset, end: list.payload.upperBound)
            items.append(item)
            offset = item.whole.upperBound
        }
        return items
    }

    private static func short(isList: Bool, count: Int, at offset: Int, end: Int) throws(RLPError) -> Item {
        let start = offset + 1
        guard count <= end - start else { throw .truncated }
        return Item(isList: isList, whole: offset..<start + count, payload: start..<start + count)
    }

    private static func long(
        isList: Bool,
        lengthCount: Int,
        in bytes: Span<UInt8>,
        at offset: Int,
        end: Int
    ) throws(RLPError) -> Item {
        let start = offset + 1 + lengthCount
        guard start <= end else { throw .truncated }
        guard bytes[offset + 1] != 0 else { throw .notMinimal }
        var count: UInt64 = 0
        for index in offset + 1..<start { count = count << 8 | UInt64(bytes[index]) }
        guard count > 55 else { throw .notMinimal }
        guard count <= UInt64(end - start) else { throw .truncated }
        return Item(isList: isList, whole: offset..<start + Int(count), payload: start..<start + Int(count))
    }

    /// What goes before a payload of a size.
    static func prefix(isList: Bool, count: Int) -> [UInt8] {
        let base: UInt8 = isList ? 0xC0 : 0x80
        guard count > 55 else { return [base + UInt8(count)] }
        let length = UInt64(count).minimalBytes
        return [base + 55 + UInt8(length.count)] + length
    }
}
