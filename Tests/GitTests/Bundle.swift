import Foundation
import Git
import TestSupport

/// A bundle among the vectors of this target.
struct GitBundle {
    let heads: [String: ObjectID]
    let pack: [UInt8]

    init(_ name: String) throws {
        let file = try GitBundleFile(file: name, in: .module)
        heads = file.heads.compactMapValues { ObjectID(hex: $0) }
        pack = file.pack
    }

    func read(on base: ObjectStore = ObjectStore()) throws -> ObjectStore {
        try PackReader.read(pack) { base.object($0) }
    }
}

let hasGit = FileManager.default.isExecutableFile(atPath: "/usr/bin/git")

func vector(_ name: String) throws -> JSONVector {
    try JSONVector(file: name, in: .module)
}

extension CommitTable {
    /// The history that objects hold below a commit.
    init(_ store: ObjectStore, from head: ObjectID) throws {
        self.init()
        var pending = [head]
        while let id = pending.last {
            guard node(id) == nil else {
                pending.removeLast()
                continue
            }
            let commit = try Commit(parsing: store.requiredObject(id, as: .commit), id: id)
            let missing = commit.parents.filter { node($0) == nil }
            if missing.isEmpty {
                insert(id, parents: commit.parents, time: commit.committer.seconds)
            } else {
                pending += missing
            }
        }
    }
}

/// A repository in memory, as the serving side needs it.
struct MemoryRepository: UploadPackRepository {
    var store: ObjectStore
    var table: CommitTable
    var current: ObjectID

    init(_ store: ObjectStore, head: ObjectID) throws {
        self.store = store
        table = try CommitTable(store, from: head)
        current = head
    }

    func head() -> ObjectID? { current }
    func node(_ id: ObjectID) -> CommitNode? { table.node(id) }
    func object(_ id: ObjectID) -> GitObject? { store.object(id) }
    func tree(of commit: ObjectID) throws -> ObjectID {
        try Commit(parsing: store.requiredObject(commit, as: .commit)).tree
    }
}
