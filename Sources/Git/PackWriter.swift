import Crypto

/// Writes a pack of version 2 without deltas, object by object.
public struct PackWriter: Sendable {
    private var hash = Insecure.SHA1()
    private var bytes: [UInt8] = []
    private var taken = 0

    /// - Parameter count: how many objects will be appended.
    public init(count: Int) {
        var header = Array("PACK".utf8) + [0, 0, 0, 2]
        for shift in stride(from: 24, through: 0, by: -8) { header.append(UInt8(truncatingIfNeeded: count >> shift)) }
        emit(header)
    }

    public mutating func append(_ object: DeflatedObject) {
        var header: [UInt8] = []
        var rest = object.size >> 4
        var byte = object.kind.rawValue << 4 | UInt8(object.size & 15)
        while rest > 0 {
            header.append(byte | 0x80)
            byte = UInt8(rest & 0x7F)
            rest >>= 7
        }
        header.append(byte)
        emit(header)
        emit(object.stream)
    }

    /// How many bytes were not taken yet.
    public var pending: Int { bytes.count - taken }

    var pendingBytes: ArraySlice<UInt8> { bytes[taken...] }

    /// Adds the trailing hash; nothing may be appended afterwards.
    public mutating func finish() {
        bytes.append(contentsOf: hash.finalize())
    }

    /// Takes up to some bytes off the front of what is pending.
    public mutating func take(_ count: Int) -> [UInt8] {
        let part = Array(bytes[taken...].prefix(count))
        taken += part.count
        if taken > bytes.count / 2 {
            bytes.removeFirst(taken)
            taken = 0
        }
        return part
    }

    private mutating func emit(_ part: [UInt8]) {
        hash.update(data: part)
        bytes.append(contentsOf: part)
    }

    /// A whole pack in one piece.
    public static func pack(_ objects: [GitObject]) -> [UInt8] {
        var writer = PackWriter(count: objects.count)
        for object in objects { writer.append(DeflatedObject(object)) }
        writer.finish()
        return writer.bytes
    }
}
