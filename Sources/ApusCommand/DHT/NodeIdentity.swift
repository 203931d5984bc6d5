import Foundation
import Identity
import Keys
import Runtime

/// A node's key and certificate in files, as `dhtnode` keeps them: `PREFIX.pem` and `PREFIX.crt`.
///
/// Source: DHT protocol, "Identity files".
enum NodeIdentity {
    typealias Identity = (key: RSAPrivateKey, chain: CertificateChain)

    private static let sizeLimit = 256 << 10

    /// Reads a pair of files, or one file that holds both.
    static func load(_ name: String) throws -> Identity {
        var prefix = name
        for ending in [".pem", ".crt"] where name.hasSuffix(ending) { prefix.removeLast(ending.count) }
        let single = FileManager.default.fileExists(atPath: prefix + ".pem") ? prefix + ".pem" : name
        let keyText = try read(single)
        let certificateFile = prefix + ".crt"
        let chainText = FileManager.default.fileExists(atPath: certificateFile) ? try read(certificateFile) : keyText
        if keyText.contains("BEGIN ENCRYPTED PRIVATE KEY") {
            throw Failure(kind: .refused, sentence: "The key in \(single) is locked by a password; unlock it first.")
        }
        guard let key = try? RSAPrivateKey(pem: keyText) else {
            throw Failure(kind: .refused, sentence: "There is no RSA key in \(single).")
        }
        guard let chain = try? CertificateChain(pem: chainText) else {
            throw Failure(kind: .refused, sentence: "There is no certificate beside the key: \(certificateFile).")
        }
        guard chain.leaf.publicKey == key.publicKey else {
            throw Failure(kind: .refused, sentence: "The certificate in \(certificateFile) is not that of the key.")
        }
        return (key, chain)
    }

    static func exists(_ prefix: String) -> Bool {
        FileManager.default.fileExists(atPath: prefix + ".pem")
    }

    /// A new key with a certificate of an authority of its own; takes seconds.
    static func make(bits: Int = 4096) throws -> (Identity, authority: RSAPrivateKey) {
        let now = SystemTime().wallTime
        var randomness = Randomness.secure
        let authority = try RSAPrivateKey.generate(bits: bits)
        let root = try Certificate.issue(
            commonName: "DHT Node CA",
            for: authority.publicKey,
            by: nil,
            signedWith: authority,
            isAuthority: true,
            now: now,
            randomness: &randomness
        )
        let key = try RSAPrivateKey.generate(bits: bits)
        let leaf = try Certificate.issue(
            commonName: "DHT Node",
            for: key.publicKey,
            by: root,
            signedWith: authority,
            isAuthority: false,
            now: now,
            randomness: &randomness
        )
        return ((key, CertificateChain([leaf, root])), authority)
    }

    /// Writes the four files of an identity, readable for the user alone.
    static func save(_ identity: Identity, authority: RSAPrivateKey, to prefix: String) throws {
        let root = CertificateChain(Array(identity.chain.certificates.dropFirst()))
        let files = [
            (prefix + "_ca.pem", authority.pem), (prefix + "_ca.crt", root.pem),
            (prefix + ".crt", identity.chain.pem), (prefix + ".pem", identity.key.pem),
        ]
        for (path, text) in files { try PrivateFile.write(Array(text.utf8), to: path) }
    }

    private static func read(_ path: String) throws -> String {
        String(decoding: try PrivateFile.read(path, limit: sizeLimit), as: UTF8.self)
    }
}

/// Files that a user named, with sentences about what went wrong.
enum PrivateFile {
    static func read(_ path: String, limit: Int) throws -> [UInt8] {
        do {
            return try DurableFile.read(path, limit: limit)
        } catch .notFound {
            throw Failure(kind: .refused, sentence: "There is no file \(path).")
        } catch .tooLarge {
            throw Failure(kind: .refused, sentence: "The file \(path) is too large to be what it should be.")
        } catch {
            throw Failure(kind: .refused, sentence: "The file \(path) cannot be read.")
        }
    }

    /// Writes a whole file or nothing.
    static func write(_ content: [UInt8], to path: String) throws {
        let url = URL(fileURLWithPath: path).standardizedFileURL
        do {
            try DurableFile.write(content, to: url.lastPathComponent, in: url.deletingLastPathComponent().path)
        } catch {
            throw Failure(kind: .refused, sentence: "The file \(path) cannot be written.")
        }
    }
}
