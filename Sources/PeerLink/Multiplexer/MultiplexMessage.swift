import MessagePack
package import NIOCore

/// One message of the multiplexed byte stream: a channel number and bytes for it.
///
/// Source: peer connections protocol, "Message".
package struct MultiplexMessage: Hashable, Sendable {
    package var channel: UInt16
    package var data: [UInt8]

    /// Where channels are asked for and answered.
    package static let control: UInt16 = 0
    /// Where versions and beacons go.
    package static let meta: UInt16 = 65_535

    package init(channel: UInt16, data: [UInt8]) {
        self.channel = channel
        self.data = data
    }

    /// The message on the wire; data beyond the limit of one message is the caller's to split.
    package func encode() -> [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: data.count + 7)
        writer.writeArrayHeader(count: 2)
        writer.write(UInt64(channel))
        writer.write(binary: data)
        return writer.bytes
    }
}

/// Why a stream of messages cannot be read on.
package enum MultiplexStreamError: Error, Equatable, Sendable {
    /// Bytes that are no MessagePack.
    case malformed
    /// One object with more bytes than any message may have.
    case tooLong
}

/// Cuts the byte stream of a connection into messages; objects of another shape are skipped and counted.
package struct MultiplexDecoder: Sendable {
    private enum Step {
        case message(MultiplexMessage, end: Int)
        case other(end: Int)
        case incomplete
    }

    private var buffer = ByteBuffer()
    /// Whole objects that were not messages.
    package private(set) var skipped = 0

    package init() {}

    package mutating func append(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.discardReadBytes()
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The next whole message, or `nil` until more bytes come.
    package mutating func next() throws(MultiplexStreamError) -> MultiplexMessage? {
        while buffer.readableBytes > 0 {
            switch try step() {
            case .message(let message, let end):
                buffer.moveReaderIndex(forwardBy: end)
                return message
            case .other(let end):
                buffer.moveReaderIndex(forwardBy: end)
                skipped += 1
            case .incomplete:
                return nil
            }
        }
        return nil
    }

    private func step() throws(MultiplexStreamError) -> Step {
        let limits = MessagePackLimits(depth: 8, items: MultiplexLimits.oddObjectSize)
        var reader = MessagePackReader(buffer.readableBytesSpan, limits: limits)
        do throws(MessagePackError) {
            guard try reader.peek() == .array else { return try skip() }
            guard try reader.readArrayHeader() == 2, try reader.peek() == .integer else { return try skip() }
            guard let channel = UInt16(exactly: try reader.readInt64()) else { return try skip() }
            let kind = try reader.peek()
            guard kind == .binary || kind == .text else { return try skip() }
            let range = try reader.readBinaryRange()
            guard range.count <= MultiplexLimits.messageSize else { throw MessagePackError.tooManyItems }
            return .message(MultiplexMessage(channel: channel, data: reader.copy(range)), end: reader.offset)
        } catch .truncated {
            guard buffer.readableBytes <= MultiplexLimits.messageSize + 16 else { throw .tooLong }
            return .incomplete
        } catch .integerOutOfRange {
            return try skipOrFail()
        } catch .tooManyItems {
            throw .tooLong
        } catch {
            throw .malformed
        }
    }

    private func skipOrFail() throws(MultiplexStreamError) -> Step {
        do throws(MessagePackError) {
            return try skip()
        } catch {
            throw .malformed
        }
    }

    /// Skips one object that is no message; its size is bounded, since it is scanned again for every arriving piece.
    private func skip() throws(MessagePackError) -> Step {
        let limits = MessagePackLimits(depth: 8, items: MultiplexLimits.oddObjectSize)
        var reader = MessagePackReader(buffer.readableBytesSpan, limits: limits)
        do throws(MessagePackError) {
            return .other(end: try reader.skip().upperBound)
        } catch .truncated {
            guard buffer.readableBytes <= MultiplexLimits.oddObjectSize else { throw .tooManyItems }
            return .incomplete
        }
    }
}
