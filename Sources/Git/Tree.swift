/// One name in a tree.
public struct TreeEntry: Hashable, Sendable {
    /// The mode bits as git writes them in octal.
    public let mode: UInt32
    public let name: [UInt8]
    public let id: ObjectID

    public static let fileMode: UInt32 = 0o100644
    public static let directoryMode: UInt32 = 0o40000

    public init(mode: UInt32, name: [UInt8], id: ObjectID) {
        self.mode = mode
        self.name = name
        self.id = id
    }

    public static func file(_ name: some StringProtocol, _ id: ObjectID) -> TreeEntry {
        TreeEntry(mode: fileMode, name: Array(name.utf8), id: id)
    }

    public static func directory(_ name: some StringProtocol, _ id: ObjectID) -> TreeEntry {
        TreeEntry(mode: directoryMode, name: Array(name.utf8), id: id)
    }

    public var isDirectory: Bool { mode == Self.directoryMode }
    public var isFile: Bool { mode == Self.fileMode }
    /// The name as text, with replacement characters where it is not UTF-8.
    public var text: String { String(decoding: name, as: UTF8.self) }

    /// Git's order: byte by byte, a directory as if its name ended with a slash.
    func precedes(_ other: TreeEntry) -> Bool {
        let shared = min(name.count, other.name.count)
        for index in 0..<shared where name[index] != other.name[index] {
            return name[index] < other.name[index]
        }
        return byte(at: shared) < other.byte(at: shared)
    }

    private func byte(at index: Int) -> UInt8 {
        index < name.count ? name[index] : isDirectory ? UInt8(ascii: "/") : 0
    }
}

/// A directory of a commit: entries in git's order, each name once.
public struct Tree: Hashable, Sendable {
    public let entries: [TreeEntry]
    private let places: [[UInt8]: Int]

    public static let empty = Tree(sorted: [])
    /// The most entries that one tree may have.
    public static let entryLimit = 100_000

    /// Sorts entries into a tree; of several with one name the last stays.
    public init(_ entries: [TreeEntry]) {
        var unique: [[UInt8]: TreeEntry] = [:]
        for entry in entries { unique[entry.name] = entry }
        self.init(sorted: unique.values.sorted { $0.precedes($1) })
    }

    private init(sorted entries: [TreeEntry]) {
        self.entries = entries
        places = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.name, $0) })
    }

    /// Reads a tree object.
    ///
    /// Refused are names that no checkout could hold (empty, `.`, `..`, `.git`, with a slash), a name twice, wrong order.
    public init(parsing content: [UInt8]) throws(GitError) {
        var entries: [TreeEntry] = []
        var names: Set<[UInt8]> = []
        var offset = 0
        while offset < content.count {
            guard entries.count < Self.entryLimit else { throw .limitExceeded("entries of a tree") }
            var mode: UInt32 = 0
            let start = offset
            while offset < content.count, content[offset] != UInt8(ascii: " ") {
                let digit = content[offset]
                guard (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(digit), offset - start < 7 else {
                    throw .malformedTree("mode")
                }
                mode = mode << 3 | UInt32(digit - UInt8(ascii: "0"))
                offset += 1
            }
            guard offset > start, content[start] != UInt8(ascii: "0") else { throw .malformedTree("mode") }
            offset += 1
            guard offset < content.count, let end = content[offset...].firstIndex(of: 0) else {
                throw .malformedTree("truncated name")
            }
            let name = Array(content[offset..<end])
            try Self.checkName(name)
            offset = end + 1
            guard content.count - offset >= ObjectID.byteCount,
                let id = ObjectID(content[offset..<(offset + ObjectID.byteCount)])
            else { throw .malformedTree("truncated id") }
            offset += ObjectID.byteCount
            let entry = TreeEntry(mode: mode, name: name, id: id)
            if let last = entries.last, !last.precedes(entry) { throw .malformedTree("order") }
            guard names.insert(name).inserted else { throw .malformedTree("name twice") }
            entries.append(entry)
        }
        self.init(sorted: entries)
    }

    private static func checkName(_ name: [UInt8]) throws(GitError) {
        guard !name.isEmpty, name.count <= 4096, !name.contains(UInt8(ascii: "/")) else { throw .malformedTree("name") }
        let folded = name.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
        guard name != Array(".".utf8), name != Array("..".utf8), folded != Array(".git".utf8) else {
            throw .malformedTree("name")
        }
    }

    /// The entry of that name.
    public subscript(name: some Sequence<UInt8>) -> TreeEntry? {
        places[Array(name)].map { entries[$0] }
    }

    /// The bytes of the tree object.
    public var content: [UInt8] {
        var bytes: [UInt8] = []
        for entry in entries {
            bytes.append(contentsOf: String(entry.mode, radix: 8).utf8)
            bytes.append(UInt8(ascii: " "))
            bytes.append(contentsOf: entry.name)
            bytes.append(0)
            entry.id.append(to: &bytes)
        }
        return bytes
    }
}
