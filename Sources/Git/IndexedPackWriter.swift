import CZlib
import Crypto
import Runtime

/// Writes a pack together with its index of version 2.
///
/// Source: gitformat-pack(5).
public struct IndexedPackWriter {
    private struct Entry {
        let id: ObjectID
        let offset: Int
        let checksum: UInt32
    }

    private var writer: PackWriter
    private var entries: [Entry] = []

    /// - Parameter count: how many objects will be appended.
    public init(count: Int) {
        writer = PackWriter(count: count)
    }

    public mutating func append(_ object: DeflatedObject, id: ObjectID) {
        let offset = writer.pending
        writer.append(object)
        entries.append(Entry(id: id, offset: offset, checksum: writer.checksum(from: offset)))
    }

    /// The pack, its index, and the name that both files share.
    public consuming func finish() -> (pack: [UInt8], index: [UInt8], name: String) {
        writer.finish()
        let pack = writer.take(writer.pending)
        let sorted = entries.sorted { $0.id < $1.id }
        var index: [UInt8] = [0xFF, 0x74, 0x4F, 0x63]
        Self.append(2, to: &index)
        var counts = [Int](repeating: 0, count: 256)
        for entry in sorted { counts[Int(entry.id.bytes[0])] += 1 }
        var total = 0
        for count in counts {
            total += count
            Self.append(UInt32(truncatingIfNeeded: total), to: &index)
        }
        for entry in sorted { index += entry.id.bytes }
        for entry in sorted { Self.append(entry.checksum, to: &index) }
        var large: [Int] = []
        for entry in sorted {
            if entry.offset < 1 << 31 {
                Self.append(UInt32(entry.offset), to: &index)
            } else {
                Self.append(1 << 31 | UInt32(large.count), to: &index)
                large.append(entry.offset)
            }
        }
        for offset in large {
            Self.append(UInt32(truncatingIfNeeded: offset >> 32), to: &index)
            Self.append(UInt32(truncatingIfNeeded: offset), to: &index)
        }
        let packHash = Array(pack.suffix(20))
        index += packHash
        index += Array(Insecure.SHA1.hash(data: index))
        return (pack, index, Hexadecimal.encode(packHash))
    }

    private static func append(_ word: UInt32, to bytes: inout [UInt8]) {
        for shift in stride(from: 24, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: word >> UInt32(shift)))
        }
    }
}

extension PackWriter {
    /// CRC-32 of the bytes that are pending from a place on.
    fileprivate func checksum(from offset: Int) -> UInt32 {
        let part = pendingBytes[(pendingBytes.startIndex + offset)...]
        return unsafe part.withUnsafeBufferPointer { buffer in
            UInt32(truncatingIfNeeded: unsafe crc32(0, buffer.baseAddress, UInt32(clamping: buffer.count)))
        }
    }
}
