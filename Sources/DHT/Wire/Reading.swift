import Keys
import MessagePack

/// Reads with the errors of this layer.
extension MessagePackReader {
    mutating func object<T>(
        _ read: (inout MessagePackReader) throws(MessagePackError) -> T
    ) throws(WireError) -> T {
        do throws(MessagePackError) {
            return try read(&self)
        } catch {
            throw .malformed(error)
        }
    }

    /// Exactly twenty bytes.
    mutating func readInfoHash() throws(WireError) -> InfoHash {
        let range = try object { (reader) throws(MessagePackError) in try reader.readBinaryRange() }
        guard range.count == InfoHash.byteCount else { throw .invalid("id of \(range.count) bytes") }
        return bytes.infoHash(at: range.lowerBound)
    }

    /// A 32-bit number, also in its old form of four bytes.
    mutating func readIdentifier() throws(WireError) -> UInt32 {
        let kind = try object { (reader) throws(MessagePackError) in try reader.peek() }
        guard kind == .binary || kind == .text else {
            guard let number = UInt32(exactly: try number()) else { throw .malformed(.integerOutOfRange) }
            return number
        }
        let range = try object { (reader) throws(MessagePackError) in try reader.readBinaryRange() }
        guard range.count == 4 else { throw .invalid("transaction of \(range.count) bytes") }
        return bytes.word(at: range.lowerBound, as: UInt32.self)
    }

    /// Bytes in any of their three forms: binary, text, or an array of small integers.
    mutating func readBlob() throws(WireError) -> [UInt8] {
        let kind = try object { (reader) throws(MessagePackError) in try reader.peek() }
        guard kind == .array else {
            return try object { (reader) throws(MessagePackError) in try reader.readBinary() }
        }
        let count = try object { (reader) throws(MessagePackError) in try reader.readArrayHeader() }
        var result: [UInt8] = []
        result.reserveCapacity(min(count, 4096))
        for _ in 0..<count {
            result.append(try object { (reader) throws(MessagePackError) in try reader.readUnsigned(UInt8.self) })
        }
        return result
    }

    /// Walks over the entries of a map whose keys are text; entries with other keys are skipped.
    ///
    /// The closure must read or skip exactly the value of the key.
    mutating func readEntries(
        _ entry: (inout MessagePackReader, Range<Int>) throws(WireError) -> Void
    ) throws(WireError) {
        let count = try object { (reader) throws(MessagePackError) in try reader.readMapHeader() }
        for _ in 0..<count {
            guard try object({ (reader) throws(MessagePackError) in try reader.isNextText() }) else {
                try skipObject()
                try skipObject()
                continue
            }
            let key = try object { (reader) throws(MessagePackError) in try reader.readTextRange() }
            try entry(&self, key)
        }
    }

    mutating func skipObject() throws(WireError) {
        _ = try object { (reader) throws(MessagePackError) in try reader.skip() }
    }

    mutating func number() throws(WireError) -> UInt64 {
        try object { (reader) throws(MessagePackError) in try reader.readUInt64() }
    }

    mutating func arrayHeader() throws(WireError) -> Int {
        try object { (reader) throws(MessagePackError) in try reader.readArrayHeader() }
    }
}

extension MessagePackWriter {
    mutating func write(_ id: InfoHash) {
        writeBinaryHeader(count: InfoHash.byteCount)
        writeWords(of: id)
    }

    /// The twenty bytes alone.
    mutating func writeWords(of id: InfoHash) {
        write(word: id.high)
        write(word: id.middle)
        write(word: id.low)
    }
}
