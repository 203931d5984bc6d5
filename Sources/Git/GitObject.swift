/// What a git object is; the raw values are those of packs.
public enum ObjectKind: UInt8, Hashable, Sendable {
    case commit = 1
    case tree = 2
    case blob = 3
    case tag = 4

    var name: String {
        switch self {
        case .commit: "commit"
        case .tree: "tree"
        case .blob: "blob"
        case .tag: "tag"
        }
    }
}

/// A git object: its kind and its bytes, without the header.
public struct GitObject: Hashable, Sendable {
    public let kind: ObjectKind
    public let content: [UInt8]

    public init(kind: ObjectKind, content: [UInt8]) {
        self.kind = kind
        self.content = content
    }

    /// The object's name; hashes the content on every call.
    public var id: ObjectID { ObjectID(hashing: content, as: kind) }
}

/// Why git bytes were refused.
public enum GitError: Error, Equatable, Sendable {
    case malformedCommit(String)
    case malformedTree(String)
    case malformedPack(String)
    case malformedDelta
    case malformedPacketLine
    /// The other side of a transport session said or did what the protocol does not allow.
    case protocolViolation(String)
    /// Something that a peer can make grow went over its named limit.
    case limitExceeded(String)
    case missingObject(ObjectID)
    case unexpectedKind(ObjectID)
    /// Two sides changed the same file.
    case mergeConflict(path: String)
}
