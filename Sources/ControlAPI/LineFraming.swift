import NIOCore

/// The bytes of a connection cut at line feeds.
struct LineDecoder: NIOSingleStepByteToMessageDecoder {
    typealias InboundOut = ByteBuffer

    struct LineTooLong: Error {}

    /// The longest line; a message of the largest size that a conversation takes fits.
    static let lengthLimit = 4 * 1024 * 1024

    private var searched = 0

    mutating func decode(buffer: inout ByteBuffer) throws -> ByteBuffer? {
        let view = buffer.readableBytesView
        let start = view.index(view.startIndex, offsetBy: searched)
        guard let end = view[start...].firstIndex(of: UInt8(ascii: "\n")) else {
            searched = view.count
            guard view.count <= Self.lengthLimit else { throw LineTooLong() }
            return nil
        }
        let length = view.distance(from: view.startIndex, to: end)
        guard length <= Self.lengthLimit else { throw LineTooLong() }
        searched = 0
        let line = buffer.readSlice(length: length)
        buffer.moveReaderIndex(forwardBy: 1)
        return line
    }

    mutating func decodeLast(buffer: inout ByteBuffer, seenEOF: Bool) throws -> ByteBuffer? {
        try decode(buffer: &buffer)
    }
}
