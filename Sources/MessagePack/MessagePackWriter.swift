/// Writes MessagePack in its canonical form: the shortest encoding of every integer and length.
public struct MessagePackWriter: Sendable {
    @usableFromInline var buffer: [UInt8] = []

    @inlinable public var bytes: [UInt8] { buffer }

    public init(reservingCapacity capacity: Int = 0) {
        buffer.reserveCapacity(capacity)
    }

    public mutating func writeNull() {
        buffer.append(0xC0)
    }

    public mutating func write(_ value: Bool) {
        buffer.append(value ? 0xC3 : 0xC2)
    }

    public mutating func write(_ value: UInt64) {
        switch value {
        case 0..<0x80: buffer.append(UInt8(value))
        case 0x80...0xFF: writeFormat(0xCC, value, width: 1)
        case 0x100...0xFFFF: writeFormat(0xCD, value, width: 2)
        case 0x1_0000...0xFFFF_FFFF: writeFormat(0xCE, value, width: 4)
        default: writeFormat(0xCF, value, width: 8)
        }
    }

    // Not generic, since generic code of another module is several times slower.

    public mutating func write(_ value: UInt32) {
        write(UInt64(value))
    }

    public mutating func write(_ value: UInt16) {
        write(UInt64(value))
    }

    public mutating func write(_ value: UInt8) {
        write(UInt64(value))
    }

    public mutating func write(_ value: some UnsignedInteger & FixedWidthInteger) {
        write(UInt64(value))
    }

    public mutating func write(_ value: Int64) {
        let bits = UInt64(bitPattern: value)
        switch value {
        case 0...: write(UInt64(value))
        case -32 ... -1: buffer.append(UInt8(truncatingIfNeeded: value))
        case -0x80 ..< -32: writeFormat(0xD0, bits, width: 1)
        case -0x8000 ..< -0x80: writeFormat(0xD1, bits, width: 2)
        case -0x8000_0000 ..< -0x8000: writeFormat(0xD2, bits, width: 4)
        default: writeFormat(0xD3, bits, width: 8)
        }
    }

    public mutating func write(_ value: Double) {
        writeFormat(0xCB, value.bitPattern, width: 8)
    }

    public mutating func write(_ text: String) {
        let count = text.utf8.count
        switch count {
        case 0..<32: buffer.append(0xA0 | UInt8(count))
        case 32...0xFF: writeFormat(0xD9, UInt64(count), width: 1)
        case 0x100...0xFFFF: writeFormat(0xDA, UInt64(count), width: 2)
        default: writeFormat(0xDB, UInt64(count), width: 4)
        }
        buffer.append(contentsOf: text.utf8)
    }

    /// A text of at most 31 bytes that is known when the program is built, such as a key.
    @inlinable
    public mutating func write(key text: StaticString) {
        let count = text.utf8CodeUnitCount
        precondition(count < 32, "a key is short")
        unsafe append(count: 1 + count) { output in
            // The text of a literal stays where it is for as long as the program runs.
            unsafe output[0] = 0xA0 | UInt8(count)
            for index in 0..<count { unsafe output[1 + index] = text.utf8Start[index] }
        }
    }

    public mutating func write(binary: [UInt8]) {
        writeBinaryHeader(count: binary.count)
        buffer += binary
    }

    public mutating func write(binary: some Collection<UInt8>) {
        writeBinaryHeader(count: binary.count)
        buffer.append(contentsOf: binary)
    }

    public mutating func writeBinaryHeader(count: Int) {
        switch count {
        case 0..<0x100: writeFormat(0xC4, UInt64(count), width: 1)
        case 0x100...0xFFFF: writeFormat(0xC5, UInt64(count), width: 2)
        default: writeFormat(0xC6, UInt64(count), width: 4)
        }
    }

    public mutating func writeArrayHeader(count: Int) {
        writeContainer(count, fixed: 0x90, wide: 0xDC)
    }

    public mutating func writeMapHeader(count: Int) {
        writeContainer(count, fixed: 0x80, wide: 0xDE)
    }

    public mutating func writeExtended(type: Int8, data: some Collection<UInt8>) {
        switch data.count {
        case 1, 2, 4, 8, 16: buffer.append(0xD4 + UInt8(data.count.trailingZeroBitCount))
        case 0..<0x100: writeFormat(0xC7, UInt64(data.count), width: 1)
        case 0x100...0xFFFF: writeFormat(0xC8, UInt64(data.count), width: 2)
        default: writeFormat(0xC9, UInt64(data.count), width: 4)
        }
        buffer.append(UInt8(bitPattern: type))
        buffer.append(contentsOf: data)
    }

    /// Appends bytes that are one or more whole MessagePack objects already.
    public mutating func write(encoded: [UInt8]) {
        buffer += encoded
    }

    /// Appends bytes that are one or more whole MessagePack objects already.
    public mutating func write(encoded: some Collection<UInt8>) {
        buffer.append(contentsOf: encoded)
    }

    /// Appends bytes of which the closure must initialise every one.
    @inlinable
    public mutating func append(count: Int, _ initialize: (UnsafeMutableRawBufferPointer) -> Void) {
        buffer.append(addingCapacity: count) { output in
            // There is room for that many bytes, and the caller promises to initialise them.
            unsafe output.withUnsafeMutableBufferPointer { memory, initialized in
                unsafe initialize(
                    UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(memory)[..<count])
                )
                initialized = count
            }
        }
    }

    /// Appends an integer as it stands, for binaries that are made of words.
    public mutating func write(word: UInt64) {
        write(word, width: 8)
    }

    /// Appends an integer as it stands, for binaries that are made of words.
    public mutating func write(word: UInt32) {
        write(UInt64(word), width: 4)
    }

    /// Appends an integer as it stands, for binaries that are made of words.
    public mutating func write(word: UInt16) {
        write(UInt64(word), width: 2)
    }

    private mutating func write(_ word: UInt64, width: Int) {
        buffer.append(addingCapacity: 8) { output in
            // There is room for eight bytes, of which those that count come first.
            unsafe output.withUnsafeMutableBufferPointer { memory, count in
                let room = UnsafeMutableRawBufferPointer(memory)
                unsafe room.storeBytes(of: (word << UInt64(64 - 8 * width)).bigEndian, as: UInt64.self)
                count += width
            }
        }
    }

    /// Forgets what was written and keeps the memory, so that one writer serves many messages.
    public mutating func removeAll() {
        buffer.removeAll(keepingCapacity: true)
    }

    private mutating func writeContainer(_ count: Int, fixed: UInt8, wide: UInt8) {
        switch count {
        case 0..<16: buffer.append(fixed | UInt8(count))
        case 16...0xFFFF: writeFormat(wide, UInt64(count), width: 2)
        default: writeFormat(wide + 1, UInt64(count), width: 4)
        }
    }

    private mutating func writeFormat(_ format: UInt8, _ value: UInt64, width: Int) {
        buffer.append(addingCapacity: 9) { output in
            // There is room for nine bytes, of which those that count come first.
            unsafe output.withUnsafeMutableBufferPointer { memory, count in
                let room = UnsafeMutableRawBufferPointer(memory)
                unsafe room.storeBytes(of: format, as: UInt8.self)
                unsafe room.storeBytes(
                    of: (value << UInt64(64 - 8 * width)).bigEndian,
                    toByteOffset: 1,
                    as: UInt64.self
                )
                count += 1 + width
            }
        }
    }
}
