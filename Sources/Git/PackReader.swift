import Crypto
import Runtime

/// What a received pack may cost.
public struct PackLimits: Sendable {
    public var packBytes = 256 << 20
    public var objects = 1_000_000
    /// The size of one object after inflating.
    public var objectBytes = 64 << 20
    /// The size of all objects together after inflating.
    public var totalBytes = 512 << 20

    public init() {}

    public static let standard = PackLimits()
}

/// Reads packs of version 2 with plain objects and both kinds of deltas.
///
/// Source: gitformat-pack(5).
public enum PackReader {
    /// Reads all objects of a pack.
    ///
    /// Deltas are resolved without recursion, in any order of bases; what never finds its base (a cycle, or a base that is
    /// not in the pack) is refused unless `base` knows it. Throws ``GitError``, and what `base` throws.
    public static func read(
        _ pack: [UInt8],
        limits: PackLimits = .standard,
        base: (ObjectID) throws -> GitObject? = { _ in nil }
    ) throws -> ObjectStore {
        let count = try check(pack, limits: limits)
        var resolver = Resolver(limits: limits)
        var offset = 12
        for _ in 0..<count { try resolver.readEntry(of: pack, at: &offset) }
        guard offset == pack.count - 20 else { throw GitError.malformedPack("bytes behind the last object") }
        try resolver.resolve(base: base)
        return ObjectStore(resolver.objects)
    }

    /// Checks header, size and trailing hash.
    ///
    /// - Returns: how many objects the pack announces.
    @discardableResult
    public static func check(_ pack: [UInt8], limits: PackLimits = .standard) throws(GitError) -> Int {
        guard pack.count <= limits.packBytes else { throw .limitExceeded("size of a pack") }
        guard pack.count >= 32, pack[..<4].elementsEqual("PACK".utf8) else { throw .malformedPack("no header") }
        guard pack[4..<8].elementsEqual([0, 0, 0, 2]) else { throw .malformedPack("version") }
        let count = pack[8..<12].reduce(0) { $0 << 8 | Int($1) }
        guard count <= limits.objects else { throw .limitExceeded("objects of a pack") }
        // Every object takes at least a header byte and an empty zlib stream.
        guard count <= (pack.count - 32) / 9 else { throw .malformedPack("fewer objects than announced") }
        let hash = Insecure.SHA1.hash(data: pack[..<(pack.count - 20)])
        guard hash.elementsEqual(pack[(pack.count - 20)...]) else { throw .malformedPack("wrong hash") }
        return count
    }
}

private struct Resolver {
    private enum Base {
        case entry(Int)
        case name(ObjectID)
    }

    private let limits: PackLimits
    private var inflatedBytes = 0
    private var places: [Int: Int] = [:]
    private var resolved: [(index: Int, id: ObjectID, object: GitObject)] = []
    private var waitingForEntry: [Int: [Int]] = [:]
    private var waitingForName: [ObjectID: [Int]] = [:]
    private var deltas: [Int: [UInt8]] = [:]
    private(set) var objects: [ObjectID: GitObject] = [:]

    init(limits: PackLimits) {
        self.limits = limits
    }

    mutating func readEntry(of pack: [UInt8], at offset: inout Int) throws(GitError) {
        let end = pack.count - 20
        let start = offset
        let index = places.count
        let (kind, size) = try Self.header(pack, &offset, end)
        guard size <= limits.objectBytes else { throw .limitExceeded("size of an object") }
        let base: Base?
        switch kind {
        case 6: base = .entry(try entry(pack, &offset, end, start))
        case 7:
            guard end - offset >= ObjectID.byteCount,
                let name = ObjectID(pack[offset..<(offset + ObjectID.byteCount)])
            else { throw .malformedPack("truncated base") }
            offset += ObjectID.byteCount
            base = .name(name)
        default: base = nil
        }
        // DEFLATE never grows content more than about a thousandfold: a larger promise is a lie.
        guard size / 1100 <= end - offset else { throw .malformedPack("impossible size") }
        try count(size)
        let content: [UInt8]
        do {
            let part = unsafe pack.span.bytes.extracting(offset..<end)
            let result = try Compression.inflate(part, expecting: size)
            content = result.content
            offset += result.consumed
        } catch { throw .malformedPack("compression") }
        places[start] = index
        switch base {
        case .entry(let other):
            deltas[index] = content
            waitingForEntry[other, default: []].append(index)
        case .name(let name):
            deltas[index] = content
            waitingForName[name, default: []].append(index)
        case nil:
            guard let kind = ObjectKind(rawValue: kind) else { throw .malformedPack("kind of an object") }
            finish(index, GitObject(kind: kind, content: content))
        }
    }

    /// Rebuilds everything that was sent as a delta.
    mutating func resolve(base: (ObjectID) throws -> GitObject?) throws {
        try drain()
        // Only names are left that the pack does not hold itself, or cycles of them.
        for name in waitingForName.keys.sorted() {
            guard waitingForName[name] != nil, let object = try base(name) else { continue }
            try apply(waitingForName.removeValue(forKey: name) ?? [], to: object)
            try drain()
        }
        guard deltas.isEmpty else { throw GitError.malformedPack("delta without base") }
    }

    private mutating func drain() throws(GitError) {
        while let (index, id, object) = resolved.popLast() {
            if let dependents = waitingForEntry.removeValue(forKey: index) { try apply(dependents, to: object) }
            if let dependents = waitingForName.removeValue(forKey: id) { try apply(dependents, to: object) }
        }
    }

    private mutating func apply(_ dependents: [Int], to base: GitObject) throws(GitError) {
        for index in dependents {
            guard let delta = deltas.removeValue(forKey: index) else { continue }
            try count(try Delta.resultSize(delta))
            let content = try Delta.apply(delta, to: base.content, limit: limits.objectBytes)
            finish(index, GitObject(kind: base.kind, content: content))
        }
    }

    private mutating func finish(_ index: Int, _ object: GitObject) {
        let id = object.id
        objects[id] = object
        resolved.append((index, id, object))
    }

    private mutating func count(_ size: Int) throws(GitError) {
        inflatedBytes += size
        guard inflatedBytes <= limits.totalBytes else { throw .limitExceeded("size of all objects") }
    }

    private static func header(_ pack: [UInt8], _ offset: inout Int, _ end: Int) throws(GitError) -> (UInt8, Int) {
        guard offset < end else { throw .malformedPack("truncated") }
        var byte = pack[offset]
        offset += 1
        let kind = byte >> 4 & 7
        var size = Int(byte & 15)
        var shift = 4
        while byte & 0x80 != 0 {
            guard offset < end, shift <= 46 else { throw .malformedPack("size of an object") }
            byte = pack[offset]
            offset += 1
            size |= Int(byte & 0x7F) << shift
            shift += 7
        }
        return (kind, size)
    }

    private func entry(_ pack: [UInt8], _ offset: inout Int, _ end: Int, _ start: Int) throws(GitError) -> Int {
        var distance = -1
        var isLast = false
        while !isLast {
            guard offset < end, distance < 1 << 40 else { throw .malformedPack("base offset") }
            let byte = pack[offset]
            offset += 1
            distance = (distance + 1) << 7 | Int(byte & 0x7F)
            isLast = byte & 0x80 == 0
        }
        guard let index = places[start - distance] else { throw .malformedPack("base offset") }
        return index
    }
}
