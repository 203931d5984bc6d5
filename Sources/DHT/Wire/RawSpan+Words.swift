import Keys

/// Total reads of words from borrowed bytes: outside the bytes everything is zero.
extension RawSpan {
    func byte(at offset: Int) -> UInt8 {
        guard offset >= 0, offset < byteCount else { return 0 }
        // The bounds were just checked.
        return unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    func word<T: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: T.Type) -> T {
        guard offset >= 0, offset + MemoryLayout<T>.size <= byteCount else { return 0 }
        // The bounds were just checked, and every bit pattern is an integer.
        return T(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// One to eight bytes as one number, so that keys are told apart by a comparison; zero for others.
    func shortText(at range: Range<Int>) -> UInt64 {
        // Without this, bytes behind a zero would be read as if it were not there.
        guard (1...8).contains(range.count), byte(at: range.lowerBound) != 0 else { return 0 }
        var text: UInt64 = 0
        for offset in range { text = text << 8 | UInt64(byte(at: offset)) }
        return text
    }

    func infoHash(at offset: Int) -> InfoHash {
        InfoHash(
            high: word(at: offset, as: UInt64.self),
            middle: word(at: offset + 8, as: UInt64.self),
            low: word(at: offset + 16, as: UInt32.self)
        )
    }

    func copy(_ range: Range<Int>) -> [UInt8] {
        guard range.lowerBound >= 0, range.upperBound <= byteCount else { return [] }
        // A range inside the bytes.
        return unsafe extracting(range).withUnsafeBytes { unsafe [UInt8]($0) }
    }
}
