/// A total reader of MessagePack objects over borrowed bytes.
///
/// Nothing is copied until a field is kept: lengths and positions are answered as ranges into ``bytes``. Every read either
/// moves behind one object (or one container header) or throws and leaves the reader where it was.
/// Source: MessagePack specification 2.x; `docs/protocol/dht.md` names the conventions of the DHT.
public struct MessagePackReader: ~Escapable {
    public let bytes: RawSpan
    @usableFromInline var position = 0
    private let limits: MessagePackLimits
    @usableFromInline var itemsLeft: Int

    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan, limits: MessagePackLimits = .standard) {
        self.bytes = bytes
        self.limits = limits
        itemsLeft = limits.items
    }

    // What most objects are read with is compiled into the readers of other modules.

    @inlinable public var offset: Int { position }

    @inlinable public var isAtEnd: Bool { position >= bytes.byteCount }

    @inlinable var remaining: Int { bytes.byteCount - position }

    // MARK: Looking

    /// The kind of the next object, without reading it.
    @inlinable
    public func peek() throws(MessagePackError) -> MessagePackKind {
        guard remaining > 0 else { throw .truncated }
        switch byte(at: position) {
        case 0x00...0x7F, 0xCC...0xCF, 0xD0...0xD3, 0xE0...0xFF: return .integer
        case 0x80...0x8F, 0xDE, 0xDF: return .map
        case 0x90...0x9F, 0xDC, 0xDD: return .array
        case 0xA0...0xBF, 0xD9...0xDB: return .text
        case 0xC0: return .null
        case 0xC2, 0xC3: return .boolean
        case 0xC4...0xC6: return .binary
        case 0xCA, 0xCB: return .float
        case 0xC7...0xC9, 0xD4...0xD8: return .extended
        default: throw .reservedFormat
        }
    }

    /// Whether the next object is a text.
    @inlinable
    public func isNextText() throws(MessagePackError) -> Bool {
        if Self.isText(try nextFormat()) { return true }
        // Bytes that begin no object at all are reported as such.
        _ = try peek()
        return false
    }

    /// Whether the bytes at a range are the same as an ASCII text; for map keys without making a `String`.
    public func text(at range: Range<Int>, equals text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount, range.upperBound <= bytes.byteCount else { return false }
        return text.withUTF8Buffer { buffer in
            for index in 0..<buffer.count where unsafe buffer[index] != byte(at: range.lowerBound + index) {
                return false
            }
            return true
        }
    }

    /// A copy of the bytes at a range.
    public func copy(_ range: Range<Int>) -> [UInt8] {
        let part = bytes.extracting(range)
        return unsafe part.withUnsafeBytes { unsafe [UInt8]($0) }
    }

    // MARK: Scalars

    public mutating func readNull() throws(MessagePackError) {
        let kind = try peek()
        guard kind == .null else { throw .unexpected(kind) }
        try take(1)
    }

    public mutating func readBoolean() throws(MessagePackError) -> Bool {
        let kind = try peek()
        guard kind == .boolean else { throw .unexpected(kind) }
        let value = byte(at: position) == 0xC3
        try take(1)
        return value
    }

    /// An unsigned integer of any encoded width.
    @inlinable
    public mutating func readUInt64() throws(MessagePackError) -> UInt64 {
        let start = position
        let (magnitude, isNegative) = try readInteger()
        guard !isNegative else {
            position = start
            throw .integerOutOfRange
        }
        return magnitude
    }

    /// An unsigned integer that fits the wanted type.
    public mutating func readUnsigned<T: FixedWidthInteger & UnsignedInteger>(
        _ type: T.Type
    ) throws(MessagePackError) -> T {
        let start = position
        guard let value = T(exactly: try readUInt64()) else {
            position = start
            throw .integerOutOfRange
        }
        return value
    }

    /// A signed integer of any encoded width.
    public mutating func readInt64() throws(MessagePackError) -> Int64 {
        let start = position
        let (bits, isNegative) = try readInteger()
        if isNegative { return Int64(bitPattern: bits) }
        guard let value = Int64(exactly: bits) else {
            position = start
            throw .integerOutOfRange
        }
        return value
    }

    /// The value, or for a negative one its two's complement and `true`.
    @inlinable
    mutating func readInteger() throws(MessagePackError) -> (UInt64, Bool) {
        let format = try nextFormat()
        switch format {
        case 0x00...0x7F:
            try take(1)
            return (UInt64(format), false)
        case 0xE0...0xFF:
            try take(1)
            return (UInt64(bitPattern: Int64(Int8(bitPattern: format))), true)
        case 0xCC...0xCF:
            let width = 1 << Int(format - 0xCC)
            guard remaining > width else { throw .truncated }
            let value = bigEndian(at: position + 1, width: width)
            try take(1 + width)
            return (value, false)
        case 0xD0...0xD3:
            let width = 1 << Int(format - 0xD0)
            guard remaining > width else { throw .truncated }
            let shift = UInt64(64 - 8 * width)
            let value = Int64(bitPattern: bigEndian(at: position + 1, width: width) << shift) >> Int64(shift)
            try take(1 + width)
            return (UInt64(bitPattern: value), value < 0)
        default:
            throw try unexpected()
        }
    }

    // MARK: Text and bytes

    /// Where the bytes of a text stand.
    @inlinable
    public mutating func readTextRange() throws(MessagePackError) -> Range<Int> {
        let format = try nextFormat()
        guard Self.isText(format) else { throw try unexpected() }
        return try readBlob()
    }

    public mutating func readText() throws(MessagePackError) -> String {
        let start = position
        let range = try readTextRange()
        let part = bytes.extracting(range)
        guard let text = unsafe part.withUnsafeBytes({ unsafe String(validating: $0, as: UTF8.self) }) else {
            position = start
            throw .invalidText
        }
        return text
    }

    /// Where the bytes of a binary (or of a text, which older writers use for bytes) stand.
    @inlinable
    public mutating func readBinaryRange() throws(MessagePackError) -> Range<Int> {
        let format = try nextFormat()
        guard Self.isText(format) || (0xC4...0xC6).contains(format) else { throw try unexpected() }
        return try readBlob()
    }

    public mutating func readBinary() throws(MessagePackError) -> [UInt8] {
        copy(try readBinaryRange())
    }

    @inlinable
    mutating func readBlob() throws(MessagePackError) -> Range<Int> {
        let format = byte(at: position)
        if format & 0xE0 == 0xA0 { return try takeBlob(header: 1, length: Int(format & 0x1F)) }
        let width = format < 0xD9 ? 1 << Int(format - 0xC4) : 1 << Int(format - 0xD9)
        guard remaining > width else { throw .truncated }
        if width == 1 { return try takeBlob(header: 2, length: Int(byte(at: position + 1))) }
        return try takeBlob(header: 1 + width, length: Int(bigEndian(at: position + 1, width: width)))
    }

    @inlinable
    mutating func takeBlob(header: Int, length: Int) throws(MessagePackError) -> Range<Int> {
        guard length <= remaining - header else { throw .truncated }
        let start = position + header
        try take(header + length)
        return start..<start + length
    }

    // MARK: Containers

    /// The number of elements that follow.
    @inlinable
    public mutating func readArrayHeader() throws(MessagePackError) -> Int {
        let format = try nextFormat()
        guard format & 0xF0 == 0x90 || format & 0xFE == 0xDC else { throw try unexpected() }
        return try readContainer(fixed: 0x90, wide: 0xDC, bytesPerElement: 1)
    }

    /// The number of key and value pairs that follow.
    @inlinable
    public mutating func readMapHeader() throws(MessagePackError) -> Int {
        let format = try nextFormat()
        guard format & 0xF0 == 0x80 || format & 0xFE == 0xDE else { throw try unexpected() }
        return try readContainer(fixed: 0x80, wide: 0xDE, bytesPerElement: 2)
    }

    @inlinable
    mutating func readContainer(
        fixed: UInt8,
        wide: UInt8,
        bytesPerElement: Int
    ) throws(MessagePackError) -> Int {
        let format = byte(at: position)
        if format & 0xF0 == fixed {
            let count = Int(format & 0x0F)
            guard count <= (remaining - 1) / bytesPerElement else { throw .truncated }
            try take(1)
            return count
        }
        let width = format == wide ? 2 : 4
        guard remaining > width else { throw .truncated }
        let count = Int(bigEndian(at: position + 1, width: width))
        guard count <= (remaining - 1 - width) / bytesPerElement else { throw .truncated }
        try take(1 + width)
        return count
    }

    // MARK: Skipping

    /// Moves behind the next object, whatever it holds.
    ///
    /// - Returns: where the object stood.
    @discardableResult
    public mutating func skip() throws(MessagePackError) -> Range<Int> {
        let start = position
        do throws(MessagePackError) {
            try skip(depth: limits.depth)
        } catch {
            position = start
            throw error
        }
        return start..<position
    }

    private mutating func skip(depth: Int) throws(MessagePackError) {
        let children = try skipOne()
        guard children > 0 else { return }
        guard depth > 0 else { throw .tooDeep }
        for _ in 0..<children { try skip(depth: depth - 1) }
    }

    /// Moves behind a scalar or a container header.
    ///
    /// - Returns: the number of objects inside.
    private mutating func skipOne() throws(MessagePackError) -> Int {
        let format = try nextFormat()
        switch format {
        case 0x00...0x7F, 0xE0...0xFF, 0xC0, 0xC2, 0xC3: try take(1)
        case 0xA0...0xBF, 0xC4...0xC6, 0xD9...0xDB: _ = try readBlob()
        case 0x80...0x8F, 0xDE, 0xDF: return 2 * (try readMapHeader())
        case 0x90...0x9F, 0xDC, 0xDD: return try readArrayHeader()
        case 0xCC...0xCF: try takeChecked(1 + 1 << Int(format - 0xCC))
        case 0xD0...0xD3: try takeChecked(1 + 1 << Int(format - 0xD0))
        case 0xCA: try takeChecked(5)
        case 0xCB: try takeChecked(9)
        case 0xC1: throw .reservedFormat
        default: _ = try readExtended()
        }
        return 0
    }

    /// The type and the place of an extension object.
    public mutating func readExtended() throws(MessagePackError) -> (type: Int8, range: Range<Int>) {
        let kind = try peek()
        guard kind == .extended else { throw .unexpected(kind) }
        let format = byte(at: position)
        var header = 2
        let length: Int
        if format >= 0xD4 {
            length = 1 << Int(format - 0xD4)
        } else {
            let width = 1 << Int(format - 0xC7)
            guard remaining > width else { throw .truncated }
            length = Int(bigEndian(at: position + 1, width: width))
            header += width
        }
        guard remaining >= header, length <= remaining - header else { throw .truncated }
        let type = Int8(bitPattern: byte(at: position + header - 1))
        let start = position + header
        try take(header + length)
        return (type, start..<start + length)
    }

    /// A floating-point number of either width.
    public mutating func readDouble() throws(MessagePackError) -> Double {
        let kind = try peek()
        guard kind == .float else { throw .unexpected(kind) }
        let isSingle = byte(at: position) == 0xCA
        guard remaining >= (isSingle ? 5 : 9) else { throw .truncated }
        let bits = bigEndian(at: position + 1, width: isSingle ? 4 : 8)
        try take(isSingle ? 5 : 9)
        return isSingle ? Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits))) : Double(bitPattern: bits)
    }

    // MARK: Bytes

    @inlinable
    func nextFormat() throws(MessagePackError) -> UInt8 {
        guard remaining > 0 else { throw .truncated }
        return byte(at: position)
    }

    @inlinable
    static func isText(_ format: UInt8) -> Bool {
        format & 0xE0 == 0xA0 || (0xD9...0xDB).contains(format)
    }

    /// What is wrong with the kind of the next object; throws where even that cannot be told.
    @usableFromInline
    func unexpected() throws(MessagePackError) -> MessagePackError {
        .unexpected(try peek())
    }

    @inlinable
    func byte(at index: Int) -> UInt8 {
        unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
    }

    @inlinable
    func bigEndian(at index: Int, width: Int) -> UInt64 {
        var value: UInt64 = 0
        for step in 0..<width { value = value << 8 | UInt64(byte(at: index + step)) }
        return value
    }

    private mutating func takeChecked(_ count: Int) throws(MessagePackError) {
        guard remaining >= count else { throw .truncated }
        try take(count)
    }

    @inlinable
    mutating func take(_ count: Int) throws(MessagePackError) {
        guard itemsLeft > 0 else { throw .tooManyItems }
        itemsLeft -= 1
        position += count
    }
}
