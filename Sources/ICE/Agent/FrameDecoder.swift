public import NIOCore

/// Cuts a TCP stream into frames with a two-byte length.
///
/// Holds at most one incomplete frame, so never more than 65 537 bytes beyond what was appended last.
/// Source: RFC 4571 §2.
public struct FrameDecoder: Sendable {
    private var buffer = ByteBuffer()

    public init() {}

    /// Bytes that wait for the rest of their frame.
    public var pendingByteCount: Int { buffer.readableBytes }

    public mutating func append(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.discardReadBytes()
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The payload of the next whole frame; empty frames are skipped.
    public mutating func next() -> ByteBuffer? {
        while let length = buffer.getInteger(at: buffer.readerIndex, as: UInt16.self) {
            guard buffer.readableBytes >= 2 + Int(length) else { return nil }
            buffer.moveReaderIndex(forwardBy: 2)
            guard length > 0 else { continue }
            return buffer.readSlice(length: Int(length))
        }
        return nil
    }
}

/// The frames that this library emits.
public enum FrameLimits {
    /// Application bytes in one frame: a whole TLS record with its overhead.
    public static let payload = 16_384 + 256
}

extension ByteBuffer {
    /// Appends a payload as one frame, or as several when it is longer than ``FrameLimits/payload``.
    mutating func writeFrames(_ payload: ByteBuffer) {
        var rest = payload
        while let part = rest.readSlice(length: min(rest.readableBytes, FrameLimits.payload)), part.readableBytes > 0 {
            writeInteger(UInt16(part.readableBytes))
            writeImmutableBuffer(part)
        }
    }
}
