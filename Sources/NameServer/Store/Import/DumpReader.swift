import Foundation
import Keys

/// Reads the records of an old server's dump one after the other, without ever having the file in memory.
///
/// A dump is a JSON list of flat objects; a comma behind the last one is what old tools wrote. Used by one thread.
///
/// Source: names protocol, "Dumps of old servers".
final class DumpReader {
    /// The longest record that is read.
    static let maximumByteCount = 65_536
    private static let chunk = 1 << 18

    let byteCount: Int
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var start = 0
    private var bufferOffset: Int
    private(set) var hasEnded = false
    /// Whether the list was closed, so that nothing of it is missing.
    private(set) var isWhole = false

    /// Opens a file, and goes on behind the records before an offset.
    init(path: String, offset: Int) throws(NameImportError) {
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unreadable(reason: unsafe String(cString: strerror(errno))) }
        var information = stat()
        unsafe fstat(descriptor, &information)
        byteCount = Int(information.st_size)
        bufferOffset = offset
        lseek(descriptor, offset, SEEK_SET)
    }

    deinit {
        close(descriptor)
    }

    /// Where the next record is looked for.
    var offset: Int { bufferOffset + start }

    /// A text that differs between files: the size and a hash of the beginning.
    func fingerprint() throws(NameImportError) -> String {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, 0) }
        guard count >= 0 else { throw .unreadable(reason: unsafe String(cString: strerror(errno))) }
        return "\(byteCount)-\(InfoHash(hashing: bytes.prefix(count)).hex)"
    }

    /// The bytes of the next object; `nil` at the end.
    func next() throws(NameImportError) -> [UInt8]? {
        while true {
            guard let byte = try peek() else {
                hasEnded = true
                return nil
            }
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D, 0x2C, 0x5B: start += 1
            case 0x5D:
                start += 1
                isWhole = true
            case 0x7B: return try object()
            default: throw .noDump(offset: offset)
            }
        }
    }

    private func peek() throws(NameImportError) -> UInt8? {
        if start == buffer.count { guard try fill() else { return nil } }
        return buffer[start]
    }

    /// Reads more behind what is there; `false` at the end of the file.
    private func fill() throws(NameImportError) -> Bool {
        buffer.removeFirst(start)
        bufferOffset += start
        start = 0
        let old = buffer.count
        buffer.append(contentsOf: repeatElement(0, count: Self.chunk))
        let count = unsafe buffer.withUnsafeMutableBytes { buffer in
            unsafe read(descriptor, buffer.baseAddress.map { unsafe $0 + old }, Self.chunk)
        }
        buffer.removeLast(Self.chunk - max(0, count))
        guard count >= 0 else { throw .unreadable(reason: unsafe String(cString: strerror(errno))) }
        return count > 0
    }

    private func object() throws(NameImportError) -> [UInt8]? {
        var (length, depth, isText, isEscaped) = (0, 0, false, false)
        while true {
            while start + length == buffer.count {
                guard try fill() else {
                    // The file ends in the middle of a record.
                    hasEnded = true
                    return nil
                }
            }
            let byte = buffer[start + length]
            length += 1
            guard length <= Self.maximumByteCount else { throw .noDump(offset: offset) }
            switch byte {
            case _ where isEscaped: isEscaped = false
            case 0x5C where isText: isEscaped = true
            case 0x22: isText.toggle()
            case 0x7B where !isText: depth += 1
            case 0x7D where !isText: depth -= 1
            default: break
            }
            if depth == 0 {
                defer { start += length }
                return Array(buffer[start..<start + length])
            }
        }
    }
}
