import Crypto
import Foundation
import Git
import Runtime
import TestSupport
import Testing

@Suite struct PackTests {
    @Test(arguments: ["swarm-pair", "swarm-group"])
    func `a pack with deltas made by git is read, and written again without`(name: String) throws {
        let bundle = try GitBundle(name)
        let store = try bundle.read()
        let head = try #require(bundle.heads["refs/heads/main"])
        let table = try CommitTable(store, from: head)
        #expect(table.nodes.count == (name == "swarm-pair" ? 14 : 101))
        let pack = PackWriter.pack(Array(store.objects.values))
        #expect(try PackReader.read(pack).objects == store.objects)
    }

    @Test func `a thin pack needs the object it builds on`() throws {
        let base = GitObject(kind: .blob, content: [1, 2, 3])
        let thin = Self.pack(count: 1, Self.entry(7, base: base.id.bytes, Self.delta(base: 3, adding: 4)))
        #expect(throws: GitError.malformedPack("delta without base")) { try PackReader.read(thin) }
        let known = ObjectStore([base.id: base])
        let store = try PackReader.read(thin) { known.object($0) }
        #expect(store.objects.values.map(\.content) == [[1, 2, 3, 4]])
    }

    private static func pack(count: Int, _ body: [UInt8], version: UInt8 = 2) -> [UInt8] {
        let size = withUnsafeBytes(of: UInt32(count).bigEndian) { Array($0) }
        let bytes = Array("PACK".utf8) + [0, 0, 0, version] + size + body
        return bytes + Array(Insecure.SHA1.hash(data: bytes))
    }

    private static func entry(_ kind: UInt8, size: Int? = nil, base: [UInt8] = [], _ content: [UInt8]) -> [UInt8] {
        var rest = (size ?? content.count) >> 4
        var header = [kind << 4 | UInt8((size ?? content.count) & 15)]
        while rest > 0 {
            header[header.count - 1] |= 0x80
            header.append(UInt8(rest & 0x7F))
            rest >>= 7
        }
        return header + base + Compression.compress(content, format: .zlib)
    }

    /// A delta that copies all of a base of up to 127 bytes and adds a byte.
    private static func delta(base: Int, adding byte: UInt8) -> [UInt8] {
        [UInt8(base), UInt8(base + 1), 0x90, UInt8(base), 1, byte]
    }

    @Test func `a delta may come before its base, and deltas may build on deltas`() throws {
        let base = GitObject(kind: .blob, content: [1, 2, 3])
        let middle = GitObject(kind: .blob, content: [1, 2, 3, 4])
        let body =
            Self.entry(7, base: middle.id.bytes, Self.delta(base: 4, adding: 5))
            + Self.entry(7, base: base.id.bytes, Self.delta(base: 3, adding: 4)) + Self.entry(3, base.content)
        let store = try PackReader.read(Self.pack(count: 3, body))
        #expect(Set(store.objects.values.map(\.content)) == [[1, 2, 3], [1, 2, 3, 4], [1, 2, 3, 4, 5]])
    }

    @Test func `an offset delta counts back from its own start`() throws {
        let base = Self.entry(3, [1, 2, 3])
        let body = base + Self.entry(6, base: [UInt8(base.count)], Self.delta(base: 3, adding: 9))
        let store = try PackReader.read(Self.pack(count: 2, body))
        #expect(Set(store.objects.values.map(\.content)) == [[1, 2, 3], [1, 2, 3, 9]])
    }

    @Test(
        arguments: [
            [],
            Array("PACK".utf8),
            pack(count: 0, [], version: 3),
            pack(count: 1, []),
            pack(count: 0, [1]),
            pack(count: 70_000_000, entry(3, [1])),
            pack(count: 1, entry(3, [1]) + [0]),
            pack(count: 2, entry(3, [1])),
            pack(count: 1, entry(0, [1])),
            pack(count: 1, entry(5, [1])),
            pack(count: 1, entry(3, size: 2, [1])),
            pack(count: 1, entry(3, size: 0, [1])),
            pack(count: 1, entry(3, size: 1 << 40, [1])),
            pack(count: 1, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
            pack(count: 1, [0x31, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
            pack(count: 1, entry(6, base: [0], delta(base: 1, adding: 1))),
            pack(count: 1, entry(6, base: [200, 1], delta(base: 1, adding: 1))),
            pack(count: 1, entry(6, base: [255, 255, 255, 255, 255, 255, 255, 255, 255, 1], [1])),
            pack(count: 1, entry(7, base: [UInt8](repeating: 3, count: 20), delta(base: 1, adding: 1))),
            pack(count: 1, [0x71] + [UInt8](repeating: 3, count: 9)),
        ] as [[UInt8]]
    )
    func `a malformed pack is refused`(bytes: [UInt8]) {
        #expect(throws: GitError.self) { try PackReader.read(bytes) }
    }

    @Test func `a wrong trailing hash is refused`() {
        var bytes = PackWriter.pack([GitObject(kind: .blob, content: [1])])
        bytes[bytes.count - 1] ^= 1
        #expect(throws: GitError.malformedPack("wrong hash")) { try PackReader.read(bytes) }
    }

    @Test(
        arguments: [
            [],
            [3],
            [4, 4, 0x90, 4],
            [3, 4, 0x90, 3],
            [3, 4, 0x90, 4],
            [3, 3, 0x91, 1, 3],
            [3, 3, 0x90],
            [3, 1, 0],
            [3, 1, 2, 7],
            [3, 1, 2, 7, 7],
            [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
        ] as [[UInt8]]
    )
    func `a malformed delta is refused`(delta: [UInt8]) {
        let base = Self.entry(3, [1, 2, 3])
        let body = base + Self.entry(6, base: [UInt8(base.count)], delta)
        #expect(throws: GitError.self) { try PackReader.read(Self.pack(count: 2, body)) }
    }

    @Test func `limits hold at the limit and refuse one more`() throws {
        let objects = [GitObject(kind: .blob, content: [1, 2, 3]), GitObject(kind: .blob, content: [4, 5])]
        let pack = PackWriter.pack(objects)
        var limits = PackLimits()
        (limits.packBytes, limits.objects, limits.objectBytes, limits.totalBytes) = (pack.count, 2, 3, 5)
        #expect(try PackReader.read(pack, limits: limits).objects.count == 2)
        for change in [\PackLimits.packBytes, \.objects, \.objectBytes, \.totalBytes] {
            var tighter = limits
            tighter[keyPath: change] -= 1
            #expect(throws: GitError.self) { try PackReader.read(pack, limits: tighter) }
        }
    }

    @Test func `a delta bomb is refused before it is built`() {
        let base = Self.entry(3, [UInt8](repeating: 0, count: 64))
        // Announces 2 GiB.
        let delta: [UInt8] = [64, 0x80, 0x80, 0x80, 0x80, 0x08, 0x90, 64]
        let body = base + Self.entry(6, base: [UInt8(base.count)], delta)
        #expect(throws: GitError.self) { try PackReader.read(Self.pack(count: 2, body)) }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `reading packs is total`(seed: UInt64) throws {
        var mutations = ByteMutations(seed: seed)
        let blob = GitObject(kind: .blob, content: Array("some content".utf8))
        let first = Self.entry(3, blob.content)
        let body =
            first + Self.entry(6, base: [UInt8(first.count)], Self.delta(base: 12, adding: 9))
            + Self.entry(7, base: blob.id.bytes, Self.delta(base: 12, adding: 8))
        let original = Self.pack(count: 3, body)
        for _ in 0..<2_000 {
            var bytes = mutations.next(of: original)
            if bytes.count > 20 {
                bytes.removeLast(20)
                bytes += Array(Insecure.SHA1.hash(data: bytes))
            }
            _ = try? PackReader.read(bytes)
        }
    }

    @Test(.enabled(if: hasGit, "git is not installed"))
    func `git accepts our packs and makes the same index`() async throws {
        let store = try GitBundle("swarm-group").read()
        let objects = store.objects.sorted { $0.key < $1.key }
        var writer = IndexedPackWriter(count: objects.count)
        for (id, object) in objects { writer.append(DeflatedObject(object), id: id) }
        let (pack, index, name) = writer.finish()
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/pack-\(name).pack"
        try Data(pack).write(to: URL(fileURLWithPath: path))
        _ = try await run(["git", "index-pack", "-o", "\(folder.path)/made.idx", path]).orThrow()
        let made = try Data(contentsOf: URL(fileURLWithPath: "\(folder.path)/made.idx"))
        #expect([UInt8](made) == index)
    }
}
