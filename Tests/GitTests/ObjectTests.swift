import Git
import TestSupport
import Testing

@Suite struct CommitTests {
    @Test func `commits of the real implementation keep id, parts and signed bytes`() throws {
        for entry in try vector("swarm-commits")["commits"].elements {
            let commit = try Commit(parsing: entry["object_hex"].hex)
            #expect(commit.id.hex == entry["id"].text)
            #expect(commit.signedPayload == entry["signed_payload_hex"].hex)
            #expect(commit.signature == Array(entry["signature_b64"].text.utf8))
            #expect(commit.author.email == entry["author_device"].text)
            #expect(commit.committer.seconds == Int64(entry["committer_time"].integer))
            #expect(commit.parents.map(\.hex) == entry["parents"].elements.map(\.text))
            #expect(String(decoding: commit.message, as: UTF8.self) == entry["message"].text)
            let again = Commit.signed(
                tree: commit.tree,
                parents: commit.parents,
                author: commit.author,
                committer: commit.committer,
                message: Array(commit.message),
                signature: entry["signature_b64"].text
            )
            #expect(again == commit.content)
        }
    }

    private static let tree = String(repeating: "1", count: 40)
    private static let person = "a <b> 5 +0000"

    @Test func `continuation lines belong to the signature and not to the signed bytes`() throws {
        let head = "tree \(Self.tree)\nauthor \(Self.person)\ncommitter \(Self.person)\n"
        let commit = try Commit(parsing: Array("\(head)signature ab\n cd\n ef\nother x\n y\n\nsignature no\n".utf8))
        #expect(commit.signature == Array("abcdef".utf8))
        #expect(commit.signedPayload == Array("\(head)other x\n y\n\nsignature no\n".utf8))
        #expect(Array(commit.message) == Array("signature no\n".utf8))
    }

    @Test func `a commit without signature is its own signed bytes`() throws {
        let text = "tree \(Self.tree)\nauthor \(Self.person)\ncommitter \(Self.person)\n\n"
        let commit = try Commit(parsing: Array(text.utf8))
        #expect(commit.signature == nil)
        #expect(commit.signedPayload == Array(text.utf8))
        #expect(commit.message.isEmpty)
    }

    @Test(
        arguments: [
            "",
            "\n",
            "tree \(tree)",
            "tree \(tree)\n\n",
            "tree 11\nauthor a <b> 5 +0000\ncommitter a <b> 5 +0000\n\n",
            "tree \(tree)\nauthor a <b> 5 +0000\n\n",
            "tree \(tree)\ncommitter a <b> 5 +0000\nauthor a <b> 5 +0000\n\n",
            "tree \(tree)\nparent 12\nauthor a <b> 5 +0000\ncommitter a <b> 5 +0000\n\n",
            "tree \(tree)\nauthor a <b> 5 +0000\nparent \(tree)\ncommitter a <b> 5 +0000\n\n",
            "tree \(tree)\ntree \(tree)\nauthor a <b> 5 +0000\ncommitter a <b> 5 +0000\n\n",
            "tree \(tree)\nauthor a b 5 +0000\ncommitter a <b> 5 +0000\n\n",
            "tree \(tree)\nauthor a <b<c> 5 +0000\ncommitter a <b> 5 +0000\n\n",
            "tree \(tree)\nauthor a <b> five +0000\ncommitter a <b> 5 +0000\n\n",
            "tree \(tree)\nauthor a <b> -5 +0000\ncommitter a <b> 5 +0000\n\n",
            "tree \(tree)\nauthor a <b> 5\ncommitter a <b> 5 +0000\n\n",
            "tree \(tree)\nauthor a <b> 99999999999999999999 +0000\ncommitter a <b> 5 +0000\n\n",
            "tree \(tree)\nauthor a <b> 5 +0000\ncommitter a <b> 5 +0000\nsignature a\nsignature b\n\n",
            "tree \(tree)\nauthor a <b> 5 +0000\ncommitter a <b> 5 +0000\nauthor a <b> 5 +0000\n\n",
            "tree \(tree)\nauthor a <b> 5 +0000\ncommitter a <b> 5 +0000\nsignature a",
        ]
    )
    func `a malformed commit is refused`(text: String) {
        #expect(throws: GitError.self) { try Commit(parsing: Array(text.utf8)) }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `reading commits is total`(seed: UInt64) throws {
        var mutations = ByteMutations(seed: seed)
        let original = try vector("swarm-commits")["commits"][3]["object_hex"].hex
        for _ in 0..<2_000 {
            let bytes = mutations.next(of: original)
            if let commit = try? Commit(parsing: bytes) { #expect(commit.signedPayload.count <= bytes.count) }
        }
    }
}

@Suite struct TreeTests {
    private let blob = GitObject(kind: .blob, content: []).id

    @Test func `the empty blob and tree have their well-known names`() {
        #expect(blob.hex == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
        #expect(GitObject(kind: .tree, content: []).id.hex == "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
    }

    @Test func `directories sort as if their name ended with a slash`() throws {
        let entries = [TreeEntry.directory("a", blob), .file("a.b", blob), .file("a0", blob), .file("B", blob)]
        let tree = Tree(entries)
        #expect(tree.entries.map(\.text) == ["B", "a.b", "a", "a0"])
        #expect(try Tree(parsing: tree.content) == tree)
    }

    private static func raw(_ entries: (mode: String, name: String)...) -> [UInt8] {
        entries.flatMap { Array("\($0.mode) \($0.name)\0".utf8) + [UInt8](repeating: 7, count: 20) }
    }

    @Test(
        arguments: [
            Array("100644".utf8),
            Array("100644 a".utf8),
            Array("100644 a\0abc".utf8),
            raw(("", "a")),
            raw(("0644", "a")),
            raw(("10064x", "a")),
            raw(("99999999", "a")),
            raw(("100644", "")),
            raw(("100644", ".")),
            raw(("100644", "..")),
            raw(("40000", ".git")),
            raw(("40000", ".GIT")),
            raw(("100644", "a/b")),
            raw(("100644", "a"), ("100644", "a")),
            raw(("100644", "b"), ("100644", "a")),
            raw(("100644", "a"), ("100644", "a0"), ("40000", "a")),
        ]
    )
    func `a malformed tree is refused`(bytes: [UInt8]) {
        #expect(throws: GitError.self) { try Tree(parsing: bytes) }
    }

    @Test func `the same name as file and as directory is refused`() {
        let bytes = Self.raw(("100644", "a"), ("100644", "a.b"), ("40000", "a"))
        #expect(throws: GitError.malformedTree("name twice")) { try Tree(parsing: bytes) }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `reading trees is total`(seed: UInt64) {
        var mutations = ByteMutations(seed: seed)
        let original = Self.raw(("40000", "admins"), ("40000", "devices"), ("100644", "profile.vcf"))
        for _ in 0..<2_000 {
            let bytes = mutations.next(of: original)
            if let tree = try? Tree(parsing: bytes) { #expect(tree.content == bytes) }
        }
    }

    @Test func `an editor adds and removes files and forgets empty directories`() throws {
        var store = ObjectStore()
        let blob = store.insert(GitObject(kind: .blob, content: [1]))
        var editor = TreeEditor()
        editor.set("a/b/c", to: blob)
        editor.set("d", to: blob)
        let first = try editor.apply(to: nil, from: store, into: &store)
        #expect(try store.entry(at: "a/b/c", in: first)?.id == blob)
        #expect(try store.entry(at: "a/b", in: first)?.isDirectory == true)
        #expect(try store.entry(at: "a/b/c/d", in: first) == nil)
        #expect(try store.entry(at: "", in: first) == nil)

        var removal = TreeEditor()
        removal.remove("a/b/c")
        let second = try removal.apply(to: first, from: store, into: &store)
        #expect(try store.tree(second).entries.map(\.text) == ["d"])
        let changes = try TreeDiff.changes(from: first, to: second, in: store)
        #expect(changes.map(\.path) == ["a/b/c"])
        #expect(changes.first?.old?.id == blob)
        #expect(changes.first?.new == nil)
    }

    @Test func `a difference is seen for content, mode, and file against directory`() throws {
        var store = ObjectStore()
        let blob = store.insert(GitObject(kind: .blob, content: [1]))
        let inner = store.insert(GitObject(kind: .tree, content: Tree([.file("x", blob)]).content))
        let old = store.insert(GitObject(kind: .tree, content: Tree([.file("a", blob), .file("b", blob)]).content))
        let entries = [TreeEntry(mode: 0o100755, name: Array("a".utf8), id: blob), .directory("b", inner)]
        let new = store.insert(GitObject(kind: .tree, content: Tree(entries).content))
        let changes = try TreeDiff.changes(from: old, to: new, in: store)
        #expect(Set(changes.map(\.path)) == ["a", "b", "b/x"])
        #expect(try TreeDiff.changes(from: old, to: old, in: store).isEmpty)
    }
}

@Suite struct TreeMergeTests {
    private func tree(_ files: [String: UInt8], in store: inout ObjectStore) throws -> ObjectID {
        var editor = TreeEditor()
        for (path, content) in files { editor.set(path, to: store.insert(GitObject(kind: .blob, content: [content]))) }
        return try editor.apply(to: nil, from: store, into: &store)
    }

    private func merge(
        _ base: [String: UInt8],
        _ ours: [String: UInt8],
        _ theirs: [String: UInt8],
        resolve: TreeMerge.Resolver = { _, _, _, _ in nil }
    ) throws -> (result: ObjectID, store: ObjectStore) {
        var store = ObjectStore()
        let trees = try [base, ours, theirs].map { try tree($0, in: &store) }
        let source = store
        let result = try TreeMerge.merge(
            base: trees[0],
            ours: trees[1],
            theirs: trees[2],
            from: source,
            into: &store,
            resolve: resolve
        )
        return (result, store)
    }

    @Test func `changes of both sides come together`() throws {
        let (result, made) = try merge(
            ["a/1": 1, "a/2": 1, "b": 1],
            ["a/1": 2, "a/2": 1, "b": 1, "ours": 1],
            ["a/1": 1, "c/d": 3, "b": 1]
        )
        var store = made
        #expect(try result == tree(["a/1": 2, "b": 1, "ours": 1, "c/d": 3], in: &store))
    }

    @Test func `the same change on both sides is no conflict`() throws {
        let (result, made) = try merge(["a": 1, "b": 1], ["a": 2], ["a": 2])
        var store = made
        #expect(try result == tree(["a": 2], in: &store))
    }

    @Test(
        arguments: [
            (["f": 1], ["f": 2], ["f": 3]),
            (["f": 1], ["f": 2], [:]),
            ([:], ["f": 2], ["f": 3]),
            (["f": 1], ["f/x": 2], ["f": 3]),
            (["d/f": 1], [:], ["d/f": 3]),
        ] as [([String: UInt8], [String: UInt8], [String: UInt8])]
    )
    func `different changes of one file conflict`(sides: ([String: UInt8], [String: UInt8], [String: UInt8])) {
        #expect(throws: GitError.self) { try merge(sides.0, sides.1, sides.2) }
        #expect(throws: GitError.self) { try merge(sides.0, sides.2, sides.1) }
    }

    @Test func `a resolver may keep one side`() throws {
        let (result, made) = try merge(["f": 1], ["f": 2], ["f": 3]) { _, _, ours, _ in ours }
        var store = made
        #expect(try result == tree(["f": 2], in: &store))
    }
}
