/// A total reader of DER elements with definite lengths, over a range of bytes.
///
/// Tolerant where real certificates are: non-minimal lengths and negative or padded integers pass. Never recursive.
struct DERReader {
    /// An element: its tag, and where its content and the whole of it stand.
    struct Element {
        var tag: UInt8
        var content: Range<Int>
        var whole: Range<Int>
    }

    enum Failure: Error {
        case truncated
        case unexpectedTag
        case unsupportedLength
        case trailingBytes
    }

    enum Tag {
        static let boolean: UInt8 = 0x01
        static let integer: UInt8 = 0x02
        static let bitString: UInt8 = 0x03
        static let octetString: UInt8 = 0x04
        static let null: UInt8 = 0x05
        static let objectIdentifier: UInt8 = 0x06
        static let utcTime: UInt8 = 0x17
        static let generalizedTime: UInt8 = 0x18
        static let sequence: UInt8 = 0x30
        static let set: UInt8 = 0x31

        static func context(_ number: UInt8) -> UInt8 { 0xA0 | number }
    }

    let bytes: [UInt8]
    private(set) var offset: Int
    let end: Int

    init(_ bytes: [UInt8]) {
        self.init(bytes, 0..<bytes.count)
    }

    /// The range lies inside the bytes: it comes from an element that was read from them.
    init(_ bytes: [UInt8], _ range: Range<Int>) {
        self.bytes = bytes
        offset = range.lowerBound
        end = range.upperBound
    }

    var isAtEnd: Bool { offset >= end }
    var nextTag: UInt8? { isAtEnd ? nil : bytes[offset] }

    mutating func read() throws(Failure) -> Element {
        guard end - offset >= 2 else { throw .truncated }
        let tag = bytes[offset]
        // Tag numbers above 30 take more bytes; no certificate we read has them.
        guard tag & 0x1F != 0x1F else { throw .unexpectedTag }
        var start = offset + 2
        var length = Int(bytes[offset + 1])
        if length >= 0x80 {
            let width = length & 0x7F
            guard (1...4).contains(width) else { throw .unsupportedLength }
            guard end - start >= width else { throw .truncated }
            length = 0
            for index in start..<start + width { length = length << 8 | Int(bytes[index]) }
            start += width
        }
        guard length <= end - start else { throw .truncated }
        let element = Element(tag: tag, content: start..<start + length, whole: offset..<start + length)
        offset = start + length
        return element
    }

    mutating func read(_ tag: UInt8) throws(Failure) -> Element {
        let before = offset
        let element = try read()
        guard element.tag == tag else {
            offset = before
            throw .unexpectedTag
        }
        return element
    }

    mutating func readIfPresent(_ tag: UInt8) throws(Failure) -> Element? {
        nextTag == tag ? try read(tag) : nil
    }

    /// A reader over what is inside the next element.
    mutating func enter(_ tag: UInt8) throws(Failure) -> DERReader {
        DERReader(bytes, try read(tag).content)
    }

    func finish() throws(Failure) {
        guard isAtEnd else { throw .trailingBytes }
    }

    func slice(_ range: Range<Int>) -> [UInt8] {
        Array(bytes[range])
    }
}
