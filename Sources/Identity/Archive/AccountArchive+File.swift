import Keys
public import Runtime

extension AccountArchive {
    private static let gzipMark: [UInt8] = [0x1F, 0x8B, 0x08]

    /// Reads an archive file, in any of its forms.
    ///
    /// Opening a sealed one takes about half a second and 64 MiB. Source: accounts protocol, "File forms".
    ///
    /// - Parameters:
    ///   - file: the contents of the file.
    ///   - password: empty for none; not used for an archive that is not sealed.
    /// - Throws: `ArchiveError.wrongPassword`, `.passwordNeeded`, `.malformed`, `.noAccountKey` or `.tooLarge`.
    public init(file: [UInt8], password: String = "") throws(ArchiveError) {
        guard file.count <= Self.maximumSize else { throw .tooLarge }
        let content = try Self.inflateIfMarked(file)
        if Self.looksLikeJSON(content) {
            try self.init(json: content)
            return
        }
        guard !password.isEmpty else { throw .passwordNeeded }
        let opened: [UInt8]
        do throws(KeyError) {
            opened = try PasswordBox.open(content, password: password)
        } catch {
            throw error == .cannotOpen ? .wrongPassword : .key(error)
        }
        try self.init(json: Self.inflate(opened))
    }

    /// Reads an archive that was sealed with a password, by the key that the password gives.
    ///
    /// - Parameters:
    ///   - file: the contents of the file.
    ///   - key: what ``key(of:password:)`` gave.
    /// - Throws: `ArchiveError.wrongPassword` for another key, `.malformed`, `.noAccountKey` or `.tooLarge`.
    public init(file: [UInt8], key: [UInt8]) throws(ArchiveError) {
        guard file.count <= Self.maximumSize else { throw .tooLarge }
        let content = try Self.inflateIfMarked(file)
        guard content.count > PasswordBox.saltSize else { throw .malformed }
        let opened: [UInt8]
        do throws(KeyError) {
            opened = try AuthenticatedBox.open(Array(content[PasswordBox.saltSize...]), key: key)
        } catch {
            throw .wrongPassword
        }
        try self.init(json: Self.inflate(opened))
    }

    /// Whether an archive file asks for a password.
    public static func needsPassword(_ file: [UInt8]) -> Bool {
        guard let content = try? inflateIfMarked(file) else { return false }
        return !looksLikeJSON(content)
    }

    /// The key under which a sealed archive file is kept, for unlocking without the password later.
    public static func key(of file: [UInt8], password: String) throws(ArchiveError) -> [UInt8] {
        let content = try inflateIfMarked(file)
        guard content.count > PasswordBox.saltSize else { throw .malformed }
        do throws(KeyError) {
            return try PasswordBox.stretch(password: password, salt: Array(content[..<PasswordBox.saltSize]), count: 32)
        } catch {
            throw .key(error)
        }
    }

    /// The contents of an archive file: gzip without a password, else zlib in a password box with a new salt.
    public func file(password: String = "", randomness: inout Randomness) throws(ArchiveError) -> [UInt8] {
        guard !password.isEmpty else { return Compression.compress(json, format: .gzip) }
        do throws(KeyError) {
            let content = Compression.compress(json, format: .zlib)
            return try PasswordBox.seal(content, password: password, randomness: &randomness)
        } catch {
            throw .key(error)
        }
    }

    /// A web server may have compressed a sealed archive once more; random bytes may look compressed.
    private static func inflateIfMarked(_ file: [UInt8]) throws(ArchiveError) -> [UInt8] {
        var content = file
        for _ in 0..<2 where content.starts(with: gzipMark) {
            do throws(CompressionError) {
                content = try Compression.decompress(content, limit: maximumSize)
            } catch {
                guard error != .tooLarge else { throw .tooLarge }
                return content
            }
        }
        return content
    }

    private static func inflate(_ bytes: [UInt8]) throws(ArchiveError) -> [UInt8] {
        do throws(CompressionError) {
            return try Compression.decompress(bytes, limit: maximumSize)
        } catch {
            throw error == .tooLarge ? .tooLarge : .malformed
        }
    }

    private static func looksLikeJSON(_ content: [UInt8]) -> Bool {
        content.first { $0 != 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D } == 0x7B
    }
}
