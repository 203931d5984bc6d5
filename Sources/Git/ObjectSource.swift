import Runtime

/// An object as packs and stores keep it.
public struct DeflatedObject: Sendable {
    public let kind: ObjectKind
    /// The size of the content before compression.
    public let size: Int
    /// One zlib stream.
    public let stream: [UInt8]

    public init(kind: ObjectKind, size: Int, stream: [UInt8]) {
        self.kind = kind
        self.size = size
        self.stream = stream
    }

    public init(_ object: GitObject) {
        kind = object.kind
        size = object.content.count
        stream = Compression.compress(object.content, format: .zlib)
    }
}

/// Where objects are read from; valid only as long as the transaction behind it.
public protocol ObjectSource {
    /// The object of that name, `nil` when there is none.
    func object(_ id: ObjectID) throws -> GitObject?
    /// The same object in compressed form.
    func deflatedObject(_ id: ObjectID) throws -> DeflatedObject?
    /// The parsed tree of that name; sources that see the same trees often keep them.
    func tree(_ id: ObjectID) throws -> Tree
}

extension ObjectSource {
    public func deflatedObject(_ id: ObjectID) throws -> DeflatedObject? {
        try object(id).map { DeflatedObject($0) }
    }

    public func tree(_ id: ObjectID) throws -> Tree {
        try Tree(parsing: requiredObject(id, as: .tree))
    }

    /// The content of an object that must be there.
    public func requiredObject(_ id: ObjectID, as kind: ObjectKind) throws -> [UInt8] {
        guard let object = try object(id) else { throw GitError.missingObject(id) }
        guard object.kind == kind else { throw GitError.unexpectedKind(id) }
        return object.content
    }

    /// The entry at a path of slash-separated names below a tree.
    public func entry(at path: String, in tree: ObjectID) throws -> TreeEntry? {
        var current = tree
        let names = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for (index, name) in names.enumerated() {
            guard let entry = try self.tree(current)[name] else { return nil }
            if index == names.count - 1 { return entry }
            guard entry.isDirectory else { return nil }
            current = entry.id
        }
        return nil
    }
}

/// Objects in memory: what a pack held, what a commit is about to add, and the store of tests.
public struct ObjectStore: ObjectSource, Sendable {
    public private(set) var objects: [ObjectID: GitObject]

    public init(_ objects: [ObjectID: GitObject] = [:]) {
        self.objects = objects
    }

    @discardableResult
    public mutating func insert(_ object: GitObject) -> ObjectID {
        let id = object.id
        objects[id] = object
        return id
    }

    public func object(_ id: ObjectID) -> GitObject? {
        objects[id]
    }
}
