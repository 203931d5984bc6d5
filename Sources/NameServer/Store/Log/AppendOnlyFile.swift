import Foundation

/// A file of lines that is only appended to, except for cutting off what was never finished; used by one thread.
final class AppendOnlyFile {
    let path: String
    private let descriptor: Int32

    /// Opens or makes a file that only this user can read.
    init(path: String) throws(NameStoreError) {
        self.path = path
        let isNew = unsafe access(path, F_OK) != 0
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure("opened", path) }
        guard isNew else { return }
        do {
            // The name of a new file is durable only with its folder.
            try Self.synchronizeFolder(of: path)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    deinit {
        Glibc.close(descriptor)
    }

    private static func failure(_ what: String, _ path: String) -> NameStoreError {
        .notWritable(reason: "\(path) could not be \(what): \(unsafe String(cString: strerror(errno)))")
    }

    private static func synchronizeFolder(of path: String) throws(NameStoreError) {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("made durable", path) }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("made durable", path) }
    }

    func size() throws(NameStoreError) -> Int {
        var information = stat()
        guard unsafe fstat(descriptor, &information) == 0 else { throw Self.failure("looked at", path) }
        return Int(information.st_size)
    }

    func write(_ bytes: [UInt8]) throws(NameStoreError) {
        var written = 0
        while written < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(descriptor, buffer.baseAddress.map { unsafe $0 + written }, buffer.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.failure("written", path) }
            written += count
        }
    }

    /// Waits until everything is on the medium.
    func synchronize() throws(NameStoreError) {
        guard fdatasync(descriptor) == 0 else { throw Self.failure("made durable", path) }
    }

    /// Cuts off what is behind a length, durably.
    func cut(to length: Int) throws(NameStoreError) {
        guard ftruncate(descriptor, length) == 0, fsync(descriptor) == 0 else { throw Self.failure("repaired", path) }
    }

    /// At most so many bytes; fewer only at the end.
    func read(at offset: Int, count: Int) throws(NameStoreError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe pread(descriptor, buffer.baseAddress.map { unsafe $0 + filled }, count - filled, offset + filled)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw Self.failure("read", path) }
            if got == 0 { break }
            filled += got
        }
        bytes.removeLast(count - filled)
        return bytes
    }
}

extension AppendOnlyFile {
    private static let chunk = 1 << 20

    /// Hands over whole lines without their ends, from an offset on, each with the offset behind it.
    func forEachLine(
        from offset: Int,
        _ body: (ArraySlice<UInt8>, _ end: Int) throws(NameStoreError) -> Void
    ) throws(NameStoreError) {
        var position = offset
        while true {
            let bytes = try read(at: position, count: Self.chunk)
            var start = 0
            while let end = bytes[start...].firstIndex(of: 0x0A) {
                try body(bytes[start..<end], position + end + 1)
                start = end + 1
            }
            if bytes.count < Self.chunk { return }
            guard start > 0 else { throw .damaged(reason: "\(path) has an endless line at byte \(position)") }
            position += start
        }
    }

    /// Hands over whole lines from the end on until the body returns `false`.
    func forEachLineBackwards(
        _ body: (ArraySlice<UInt8>, _ end: Int) throws(NameStoreError) -> Bool
    ) throws(NameStoreError) {
        var end = try size()
        while end > 0 {
            let start = max(0, end - Self.chunk)
            let bytes = try read(at: start, count: end - start)
            // A line that begins before the chunk is read with the chunk before.
            guard let first = start == 0 ? 0 : bytes.firstIndex(of: 0x0A).map({ $0 + 1 }), first < bytes.count else {
                throw .damaged(reason: "\(path) has an endless line at byte \(start)")
            }
            var lineEnd = bytes.count - 1
            while lineEnd >= first {
                let lineStart = bytes[first..<lineEnd].lastIndex(of: 0x0A).map { $0 + 1 } ?? first
                guard try body(bytes[lineStart..<lineEnd], start + lineEnd + 1) else { return }
                lineEnd = lineStart - 1
            }
            end = start + first
        }
    }

    /// The offset behind the last whole line.
    func endOfLines() throws(NameStoreError) -> Int {
        var end = try size()
        while end > 0 {
            let start = max(0, end - Self.chunk)
            let bytes = try read(at: start, count: end - start)
            if let last = bytes.lastIndex(of: 0x0A) { return start + last + 1 }
            end = start
        }
        return 0
    }
}
