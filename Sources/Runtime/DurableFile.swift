#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

// The functions below are named like methods, so they get names of their own here.
private let readBytes = unsafe read
private let writeBytes = unsafe write

/// Why a file could not be read or written.
public enum FileError: Error, Equatable, Sendable {
    case notFound
    /// Longer than the reader takes.
    case tooLarge
    /// The operating system refused; the number is `errno`.
    case system(Int32)
}

/// Small private files that are either wholly there or not at all, also after a loss of power.
///
/// Every call blocks.
package enum DurableFile {
    package static func read(_ path: String, limit: Int) throws(FileError) -> [UInt8] {
        let descriptor = retrying { unsafe open(path, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw errno == ENOENT ? .notFound : .system(errno) }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes { bytes in
                retrying { unsafe readBytes(descriptor, bytes.baseAddress, bytes.count) }
            }
            guard count >= 0 else { throw .system(errno) }
            guard count > 0 else { return content }
            guard content.count + count <= limit else { throw .tooLarge }
            content += buffer[..<count]
        }
    }

    /// Writes a file of mode 0600: to another name first, then under its own; each step reaches the disk before the next.
    package static func write(_ content: [UInt8], to name: String, in folder: String) throws(FileError) {
        let path = folder + "/" + name
        let temporary = folder + "/." + name + ".new"
        // What an interrupted write has left is of no use.
        unsafe unlink(temporary)
        let descriptor = retrying {
            unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        }
        guard descriptor >= 0 else { throw .system(errno) }
        do throws(FileError) {
            try fill(descriptor, with: content)
        } catch {
            close(descriptor)
            unsafe unlink(temporary)
            throw error
        }
        close(descriptor)
        guard unsafe rename(temporary, path) == 0 else {
            let code = errno
            unsafe unlink(temporary)
            throw .system(code)
        }
        try synchronizeFolder(folder)
    }

    /// Makes a folder of mode 0700 and those above it that are missing.
    package static func makeFolder(_ path: String) throws(FileError) {
        guard !path.isEmpty, unsafe mkdir(path, 0o700) != 0 else { return }
        switch errno {
        case EEXIST: return
        case ENOENT:
            let parent = parentFolder(of: path)
            guard parent != path else { throw .notFound }
            try makeFolder(parent)
            guard unsafe mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .system(errno) }
            try synchronizeFolder(parent)
        default: throw .system(errno)
        }
    }

    package static func exists(_ path: String) -> Bool {
        unsafe access(path, F_OK) == 0
    }

    private static func parentFolder(of path: String) -> String {
        var parts = path.split(separator: "/", omittingEmptySubsequences: true)
        guard !parts.isEmpty else { return path }
        parts.removeLast()
        let parent = (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
        return parent.isEmpty ? "." : parent
    }

    private static func fill(_ descriptor: Int32, with content: [UInt8]) throws(FileError) {
        guard fchmod(descriptor, 0o600) == 0 else { throw .system(errno) }
        var written = 0
        while written < content.count {
            let count = unsafe content.withUnsafeBytes { bytes in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[written...])
                return retrying { unsafe writeBytes(descriptor, rest.baseAddress, rest.count) }
            }
            guard count > 0 else { throw .system(errno) }
            written += count
        }
        guard retrying({ fsync(descriptor) }) == 0 else { throw .system(errno) }
    }

    private static func synchronizeFolder(_ path: String) throws(FileError) {
        let descriptor = retrying { unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw .system(errno) }
        defer { close(descriptor) }
        guard retrying({ fsync(descriptor) }) == 0 else { throw .system(errno) }
    }

    /// Repeats a call that a signal has interrupted.
    private static func retrying<Result: SignedInteger>(_ call: () -> Result) -> Result {
        while true {
            let result = call()
            guard result == -1, errno == EINTR else { return result }
        }
    }
}
