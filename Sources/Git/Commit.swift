/// Who wrote a commit, and when.
public struct Person: Hashable, Sendable {
    public let name: String
    public let email: String
    /// Seconds since 1970.
    public let seconds: Int64
    /// The time zone as written, `+0000` in conversations.
    public let offset: String

    public init(name: String, email: String, seconds: Int64, offset: String = "+0000") {
        self.name = name
        self.email = email
        self.seconds = seconds
        self.offset = offset
    }

    var text: String { "\(name) <\(email)> \(seconds) \(offset)" }
}

/// A parsed commit that keeps its bytes, since its name and its signature are over them.
///
/// Source: conversations protocol, "Commit object".
public struct Commit: Hashable, Sendable {
    public let content: [UInt8]
    public let id: ObjectID
    public let tree: ObjectID
    public let parents: [ObjectID]
    public let author: Person
    public let committer: Person
    /// The value of the `signature` header, continuation lines joined; `nil` when there is none.
    public let signature: [UInt8]?
    /// The bytes behind the empty line.
    public var message: ArraySlice<UInt8> { content[messageStart...] }
    /// What the signature is over: the content without the lines of the signature header.
    public var signedPayload: [UInt8] {
        guard let signatureLines else { return content }
        return Array(content[..<signatureLines.lowerBound]) + content[signatureLines.upperBound...]
    }

    private let messageStart: Int
    private let signatureLines: Range<Int>?

    /// The most parents that are read.
    public static let parentLimit = 64

    /// Reads a commit of a given name; the name is not checked again.
    ///
    /// Accepted are the headers tree, parent, author and committer in git's order, each of the others at most once where it
    /// has a meaning here; unknown headers are kept in ``content`` only.
    public init(parsing content: [UInt8], id: ObjectID? = nil) throws(GitError) {
        var reader = HeaderReader(content)
        guard let tree = ObjectID(hex: Self.text(try reader.require("tree"))) else { throw .malformedCommit("tree") }
        var parents: [ObjectID] = []
        while let line = reader.take("parent") {
            guard parents.count < Self.parentLimit else { throw .limitExceeded("parents of a commit") }
            guard let parent = ObjectID(hex: Self.text(line)) else { throw .malformedCommit("parent") }
            parents.append(parent)
        }
        let author = try Self.person(try reader.require("author"))
        let committer = try Self.person(try reader.require("committer"))
        let rest = try reader.finish()

        self.content = content
        self.id = id ?? ObjectID(hashing: content, as: .commit)
        self.tree = tree
        self.parents = parents
        self.author = author
        self.committer = committer
        signature = rest.signature
        signatureLines = rest.signatureLines
        messageStart = reader.offset
    }

    /// The bytes of an unsigned commit: what a signature is made over, or a complete commit without one.
    public static func payload(
        tree: ObjectID,
        parents: [ObjectID],
        author: Person,
        committer: Person,
        message: [UInt8]
    ) -> [UInt8] {
        header(tree: tree, parents: parents, author: author, committer: committer) + [UInt8(ascii: "\n")] + message
    }

    /// A complete commit with its `signature` header (one line, standard base64).
    public static func signed(
        tree: ObjectID,
        parents: [ObjectID],
        author: Person,
        committer: Person,
        message: [UInt8],
        signature: String
    ) -> [UInt8] {
        header(tree: tree, parents: parents, author: author, committer: committer)
            + Array("signature \(signature)\n\n".utf8) + message
    }

    private static func header(tree: ObjectID, parents: [ObjectID], author: Person, committer: Person) -> [UInt8] {
        var text = "tree \(tree.hex)\n"
        for parent in parents { text += "parent \(parent.hex)\n" }
        text += "author \(author.text)\ncommitter \(committer.text)\n"
        return Array(text.utf8)
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes, as: UTF8.self)
    }

    /// `name <email> seconds offset`; the name may be empty, the e-mail holds no angle bracket.
    private static func person(_ line: ArraySlice<UInt8>) throws(GitError) -> Person {
        guard let open = line.firstIndex(of: UInt8(ascii: "<")), let close = line.lastIndex(of: UInt8(ascii: ">")),
            open < close
        else { throw .malformedCommit("person") }
        let email = line[(open + 1)..<close]
        guard !email.contains(where: { $0 == UInt8(ascii: "<") || $0 == UInt8(ascii: ">") }) else {
            throw .malformedCommit("e-mail")
        }
        let words = line[(close + 1)...].split(separator: UInt8(ascii: " "))
        guard words.count == 2, let first = words[0].first, (0x30...0x39).contains(first),
            let seconds = Int64(text(words[0]))
        else { throw .malformedCommit("time") }
        let name = line[..<open]
        return Person(
            name: text(name.last == UInt8(ascii: " ") ? name.dropLast() : name),
            email: text(email),
            seconds: seconds,
            offset: text(words[1])
        )
    }
}

/// Walks the header lines of a commit.
private struct HeaderReader {
    private let content: [UInt8]
    private(set) var offset = 0

    init(_ content: [UInt8]) {
        self.content = content
    }

    private func lineEnd() -> Int? {
        content[offset...].firstIndex(of: UInt8(ascii: "\n"))
    }

    /// The value of the next line if that line has this name.
    mutating func take(_ name: StaticString) -> ArraySlice<UInt8>? {
        guard let end = lineEnd() else { return nil }
        let line = content[offset..<end]
        let count = name.utf8CodeUnitCount
        guard line.count > count, line[line.startIndex + count] == UInt8(ascii: " "), line.starts(with: name.utf8)
        else {
            return nil
        }
        offset = end + 1
        return line.dropFirst(count + 1)
    }

    mutating func require(_ name: StaticString) throws(GitError) -> ArraySlice<UInt8> {
        guard let value = take(name) else { throw .malformedCommit("no \(name)") }
        return value
    }

    /// Reads the remaining headers and the empty line.
    mutating func finish() throws(GitError) -> (signature: [UInt8]?, signatureLines: Range<Int>?) {
        var signature: [UInt8]?
        var lines: Range<Int>?
        var isInSignature = false
        while true {
            guard let end = lineEnd() else { throw .malformedCommit("no empty line") }
            let start = offset
            guard end > start else {
                offset = end + 1
                return (signature, lines)
            }
            if content[start] == UInt8(ascii: " ") {
                if isInSignature {
                    signature?.append(contentsOf: content[(start + 1)..<end])
                    lines = (lines?.lowerBound ?? start)..<(end + 1)
                }
                offset = end + 1
                continue
            }
            isInSignature = false
            for name in ["tree", "parent", "author", "committer"] as [StaticString] where take(name) != nil {
                throw .malformedCommit("misplaced \(name)")
            }
            if let value = take("signature") {
                guard signature == nil else { throw .malformedCommit("second signature") }
                signature = Array(value)
                lines = start..<(end + 1)
                isInSignature = true
            }
            offset = end + 1
        }
    }
}

extension StaticString {
    fileprivate var utf8: [UInt8] {
        withUTF8Buffer { unsafe Array($0) }
    }
}
