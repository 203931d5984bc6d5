import CZlib

/// Why bytes could not be inflated.
public enum CompressionError: Error, Equatable, Sendable {
    /// No DEFLATE stream, or a broken one.
    case malformed
    /// The stream ends too early.
    case truncated
    /// The content is longer than allowed (or, for an announced size, than announced).
    case tooLarge
}

/// DEFLATE in its two usual wrappings, with a bound on what comes out.
public enum Compression {
    public enum Format: Sendable {
        /// RFC 1950.
        case zlib
        /// RFC 1952.
        case gzip

        fileprivate var windowBits: Int32 {
            switch self {
            case .zlib: 15
            case .gzip: 15 + 16
            }
        }
    }

    private static let chunkSize = 64 * 1024
    /// Lets zlib tell zlib and gzip headers apart.
    private static let automaticWindowBits: Int32 = 15 + 32

    /// Compresses bytes into one stream.
    public static func compress(_ bytes: [UInt8], format: Format) -> [UInt8] {
        var stream = unsafe z_stream()
        let status = unsafe deflateInit2_(
            &stream,
            Z_DEFAULT_COMPRESSION,
            Z_DEFLATED,
            format.windowBits,
            8,
            Z_DEFAULT_STRATEGY,
            ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size)
        )
        precondition(status == Z_OK, "zlib refused fixed parameters")
        defer { unsafe deflateEnd(&stream) }

        let bound = unsafe Int(deflateBound(&stream, UInt(bytes.count)))
        // zlib reads `next_in` only, its type is not const for historical reasons.
        return unsafe bytes.withUnsafeBufferPointer { input in
            unsafe [UInt8](unsafeUninitializedCapacity: bound) { output, count in
                unsafe stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                unsafe stream.avail_in = UInt32(input.count)
                unsafe stream.next_out = output.baseAddress
                unsafe stream.avail_out = UInt32(output.count)
                let status = unsafe deflate(&stream, Z_FINISH)
                precondition(status == Z_STREAM_END, "deflateBound promised enough room")
                count = unsafe output.count - Int(stream.avail_out)
            }
        }
    }

    /// Inflates one zlib or gzip stream, told apart by its header, into at most `limit` bytes.
    public static func decompress(_ bytes: [UInt8], limit: Int) throws(CompressionError) -> [UInt8] {
        // A byte array has no padding, so its raw bytes are all initialised.
        try inflate(
            unsafe bytes.span.bytes,
            windowBits: automaticWindowBits,
            capacity: min(limit, chunkSize),
            limit: limit
        )
        .content
    }

    /// Inflates one zlib stream at the front of the bytes whose content has an announced size.
    ///
    /// - Returns: the content and how many bytes of the input the stream took.
    public static func inflate(
        _ bytes: RawSpan,
        expecting size: Int
    ) throws(CompressionError) -> (content: [UInt8], consumed: Int) {
        let result = try inflate(bytes, windowBits: Format.zlib.windowBits, capacity: size, limit: size)
        guard result.content.count == size else { throw .malformed }
        return result
    }

    private static func inflate(
        _ bytes: RawSpan,
        windowBits: Int32,
        capacity: Int,
        limit: Int
    ) throws(CompressionError) -> (content: [UInt8], consumed: Int) {
        var stream = unsafe z_stream()
        let status = unsafe inflateInit2_(&stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(status == Z_OK, "zlib refused fixed parameters")
        defer { unsafe inflateEnd(&stream) }

        var content: [UInt8] = []
        content.reserveCapacity(capacity)
        let result: Result<Int, CompressionError> = unsafe bytes.withUnsafeBytes { raw in
            let input = unsafe raw.bindMemory(to: UInt8.self)
            unsafe stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            unsafe stream.avail_in = UInt32(clamping: input.count)
            // One byte over the limit tells a stream that ends there from one that goes on.
            let room = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: min(limit, chunkSize) + 1)
            defer { unsafe room.deallocate() }
            while true {
                unsafe stream.next_out = room.baseAddress
                unsafe stream.avail_out = UInt32(room.count)
                let status = unsafe CZlib.inflate(&stream, Z_NO_FLUSH)
                let produced = unsafe room.count - Int(stream.avail_out)
                guard content.count + produced <= limit else { return .failure(.tooLarge) }
                unsafe content.append(contentsOf: UnsafeBufferPointer(rebasing: room[..<produced]))
                switch status {
                case Z_STREAM_END: return unsafe .success(input.count - Int(stream.avail_in))
                case Z_OK: continue
                case Z_BUF_ERROR: return .failure(.truncated)
                default: return .failure(.malformed)
                }
            }
        }
        return (content, try result.get())
    }
}
