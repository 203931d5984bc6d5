/// The lines of git's transport: four hexadecimal digits of length, then the payload.
///
/// Source: gitprotocol-common(5).
public enum PacketLine: Hashable, Sendable {
    case data([UInt8])
    /// `0000`, the end of a section.
    case flush

    /// The largest payload that the length can express within one write of a channel.
    public static let payloadLimit = 65_535 - 4
    public static let flushBytes = Array("0000".utf8)

    /// The line of a payload.
    public static func encode(_ payload: some Collection<UInt8>) -> [UInt8] {
        precondition(payload.count <= payloadLimit, "a packet line holds at most \(payloadLimit) bytes")
        let length = payload.count + 4
        var bytes: [UInt8] = []
        bytes.reserveCapacity(length)
        for shift in stride(from: 12, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: length >> shift & 15)
            bytes.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
        bytes.append(contentsOf: payload)
        return bytes
    }

    public static func encode(_ text: String) -> [UInt8] {
        encode(Array(text.utf8))
    }
}

/// Puts packet lines together from bytes that arrive in any pieces.
///
/// Holds at most one incomplete line beyond what the caller has not read yet.
public struct PacketLineReader: Sendable {
    private var buffer: [UInt8] = []
    private var start = 0

    public init() {}

    /// How many bytes wait to be read.
    public var waiting: Int { buffer.count - start }

    public mutating func append(_ bytes: some Collection<UInt8>) {
        if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next complete line, `nil` while it is incomplete.
    public mutating func next() throws(GitError) -> PacketLine? {
        guard buffer.count - start >= 4 else { return nil }
        var length = 0
        for byte in buffer[start..<(start + 4)] {
            switch byte {
            case 0x30...0x39: length = length << 4 | Int(byte - 0x30)
            case 0x41...0x46: length = length << 4 | Int(byte - 0x37)
            case 0x61...0x66: length = length << 4 | Int(byte - 0x57)
            default: throw .malformedPacketLine
            }
        }
        if length == 0 {
            start += 4
            return .flush
        }
        guard length >= 4 else { throw .malformedPacketLine }
        guard buffer.count - start >= length else { return nil }
        defer { start += length }
        return .data(Array(buffer[(start + 4)..<(start + length)]))
    }
}
