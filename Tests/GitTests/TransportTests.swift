import Foundation
import Git
import TestSupport
import Testing

/// Runs a server over bytes and collects what it does.
struct ServerHarness {
    var server = UploadPackServer()
    let repository: MemoryRepository
    var writes: [[UInt8]] = []
    var reports: [UploadPackReport] = []

    init(_ repository: MemoryRepository) {
        self.repository = repository
    }

    mutating func feed(_ bytes: some Collection<UInt8>) throws {
        try server.receive(bytes)
        while true {
            switch try server.next(in: repository) {
            case .wait: return
            case .write(let bytes): writes.append(bytes)
            case .finished(let report): reports.append(report)
            }
        }
    }

    mutating func take() -> [UInt8] {
        defer { writes = [] }
        return Array(writes.joined())
    }

    /// The pack in the side band of what was written.
    mutating func takePack() throws -> [UInt8] {
        var reader = PacketLineReader()
        reader.append(take())
        var pack: [UInt8] = []
        while let line = try reader.next() {
            if case .data(let payload) = line, payload.first == 1 { pack += payload.dropFirst() }
        }
        return pack
    }
}

@Suite struct UploadPackVectorTests {
    private func repository(_ session: JSONVector, shown: ObjectID) throws -> MemoryRepository {
        let isPair = session["channel"].text.hasSuffix("ff992c20591ff519417a08967ab0f058fa81a6bd")
        return try MemoryRepository(GitBundle(isPair ? "swarm-pair" : "swarm-group").read(), head: shown)
    }

    private func packet(_ bytes: [UInt8]) throws -> [UInt8] {
        var reader = PacketLineReader()
        reader.append(bytes)
        guard case .data(let payload) = try reader.next() else { return [] }
        return payload
    }

    @Test(arguments: 0..<4) func `our server takes the requests of real clients`(index: Int) throws {
        let session = try vector("swarm-git-transport")["sessions"][index]
        let frames = session["frames"].elements
        let shown = try #require(ObjectID(hex: String(decoding: frames[1]["hex"].hex[4..<44], as: UTF8.self)))
        var harness = ServerHarness(try repository(session, shown: shown))
        var theirPack: [UInt8] = []
        for frame in frames {
            if frame["from"].text == "client" {
                try harness.feed(frame["hex"].hex)
            } else if let payload = try? packet(frame["hex"].hex), payload.first == 1 {
                theirPack += payload.dropFirst()
            }
        }
        #expect(harness.writes.allSatisfy { $0.count <= 65_535 })
        #expect(harness.writes[0].starts(with: frames[1]["hex"].hex[..<167]))
        #expect(harness.reports.last?.shown == shown)
        #expect(harness.reports.last?.served == (theirPack.isEmpty ? nil : shown))
        guard !theirPack.isEmpty else { return }
        let table = harness.repository.table
        let ours = try PackReader.read(harness.takePack())
        let theirs = try PackReader.read(theirPack)
        let commits = { (store: ObjectStore) in Set(store.objects.filter { $0.value.kind == .commit }.keys) }
        #expect(commits(ours).allSatisfy { table.node($0) != nil })
        #expect(commits(ours) == commits(theirs))
        // Theirs repeats the trees that the client has.
        #expect(Set(ours.objects.keys).isSubset(of: theirs.objects.keys))
        if session["kind"].text == "clone" { #expect(ours.objects == theirs.objects) }
    }

    @Test(arguments: 0..<4) func `our client takes the answers of real servers`(index: Int) throws {
        let session = try vector("swarm-git-transport")["sessions"][index]
        let frames = session["frames"].elements
        let names = session["channel"].text.split(separator: "/").map(String.init)
        var client = UploadPackClient(repository: names[2], host: names[1])
        #expect(client.request == frames[0]["hex"].hex)
        var pack: [UInt8] = []
        var ends = 0
        for frame in frames where frame["from"].text == "server" {
            // Byte by byte: no piece of a channel has to be a whole line.
            for byte in frame["hex"].hex {
                try client.receive([byte])
                switch try client.next() {
                case .wait: continue
                case .advertised(let head):
                    if session["kind"].text == "up-to-date" {
                        #expect(client.decline() == PacketLine.flushBytes)
                        ends += 1
                    } else {
                        let wanted = client.want(head, haves: [])
                        if session["kind"].text == "clone" { #expect(wanted == frames[2]["hex"].hex) }
                    }
                case .write(let bytes):
                    #expect(bytes == PacketLine.flushBytes)
                    ends += 1
                    guard case .fetched(_, let fetched) = try client.next() else { continue }
                    pack = fetched
                case .fetched: Issue.record("the end was not announced")
                }
            }
        }
        #expect(ends == 1)
        if session["kind"].text != "up-to-date" { #expect(try !PackReader.read(pack).objects.isEmpty) }
    }
}

@Suite struct UploadPackServerTests {
    private let repository: MemoryRepository
    private let order: [ObjectID]

    init() throws {
        let bundle = try GitBundle("swarm-group")
        let head = try #require(bundle.heads["refs/heads/main"])
        repository = try MemoryRepository(bundle.read(), head: head)
        order = try LinearOrder.newestFirst(from: head, in: repository.table)
    }

    private static let request = PacketLine.encode("git-upload-pack /x\0host=y\0")
    private func want(_ id: ObjectID) -> [UInt8] {
        PacketLine.encode("want \(id.hex) side-band-64k include-tag \n") + PacketLine.flushBytes
    }
    private func have(_ id: ObjectID) -> [UInt8] { PacketLine.encode("have \(id.hex)\n") }
    private static let done = PacketLine.encode("done\n")
    private static let unknown = ObjectID(hashing: [1], as: .blob)

    @Test func `an old commit is served although the head went on`() throws {
        var harness = ServerHarness(repository)
        try harness.feed(Self.request + want(order[50]) + Self.done)
        let objects = try PackReader.read(harness.takePack())
        #expect(objects.object(order[50]) != nil)
        #expect(objects.object(order[0]) == nil)
    }

    @Test func `only what the known commits lack is sent`() throws {
        var harness = ServerHarness(repository)
        // A text on an unchanged tree is one commit.
        let pair = try #require(
            order.first { id in
                guard let parents = repository.table.node(id)?.parents, parents.count == 1 else { return false }
                return (try? repository.tree(of: id)) == (try? repository.tree(of: parents[0]))
            }
        )
        let parent = try #require(repository.table.node(pair)?.parents.first)
        try harness.feed(Self.request + want(pair) + have(parent) + Self.done)
        let written = harness.writes.map { String(decoding: $0, as: UTF8.self) }
        #expect(written[1] == "0031ACK \(parent.hex)\n")
        #expect(try PackReader.read(harness.takePack()).objects.keys.map { $0 } == [pair])
    }

    @Test func `no have known gets a bare refusal, a known one is acknowledged`() throws {
        var harness = ServerHarness(repository)
        try harness.feed(Self.request + want(order[0]))
        _ = harness.take()
        try harness.feed(have(Self.unknown) + PacketLine.flushBytes)
        #expect(String(decoding: harness.take(), as: UTF8.self) == "0008NAK\n")
        try harness.feed(have(order[7]) + have(order[9]) + PacketLine.flushBytes)
        #expect(String(decoding: harness.take(), as: UTF8.self) == "003aACK \(order[7].hex) continue\n0008NAK\n")
        try harness.feed(Self.done)
        #expect(String(decoding: harness.writes[0], as: UTF8.self) == "0031ACK \(order[7].hex)\n")
        #expect(harness.reports.isEmpty)
        try harness.feed(PacketLine.flushBytes)
        #expect(harness.reports == [UploadPackReport(shown: order[0], served: order[0])])
    }

    @Test func `sessions follow each other, and a lost end is made good by the next start`() throws {
        var harness = ServerHarness(repository)
        try harness.feed(Self.request + PacketLine.flushBytes)
        #expect(harness.reports == [UploadPackReport(shown: order[0], served: nil)])
        try harness.feed(Self.request + want(order[0]) + Self.done)
        #expect(harness.reports.count == 1)
        try harness.feed(Self.request)
        #expect(harness.reports.last == UploadPackReport(shown: order[0], served: order[0]))
        try harness.feed(PacketLine.flushBytes)
        #expect(harness.reports.count == 3)
        try harness.feed(PacketLine.flushBytes + PacketLine.encode("nonsense") + PacketLine.flushBytes)
        #expect(harness.reports.count == 3)
    }

    @Test(arguments: [1, 3, 7, 1000]) func `requests may arrive in any pieces`(size: Int) throws {
        var whole = ServerHarness(repository)
        var pieces = ServerHarness(repository)
        let bytes = Self.request + want(order[0]) + have(order[30]) + Self.done + PacketLine.flushBytes
        try whole.feed(bytes)
        for start in stride(from: 0, to: bytes.count, by: size) {
            try pieces.feed(bytes[start..<min(start + size, bytes.count)])
        }
        #expect(pieces.writes == whole.writes)
        #expect(pieces.reports == whole.reports)
    }

    @Test func `a client without side band gets the bare pack, one with the small band small packets`() throws {
        var bare = ServerHarness(repository)
        try bare.feed(Self.request + PacketLine.encode("want \(order[0].hex)\n") + PacketLine.flushBytes + Self.done)
        let pack = Array(bare.writes[2...].joined())
        #expect(try PackReader.read(pack).objects.count == repository.store.objects.count)
        var small = ServerHarness(repository)
        let want = PacketLine.encode("want \(order[0].hex) side-band\n") + PacketLine.flushBytes
        try small.feed(Self.request + want + Self.done)
        #expect(small.writes.allSatisfy { $0.count <= 1000 })
        #expect(try small.takePack() == pack)
    }

    @Test(
        arguments: [
            Array("zzzz".utf8),
            Array("0001".utf8),
            Array("0003".utf8),
            request + PacketLine.encode("want nothing\n"),
            request + PacketLine.encode("want \n"),
            request + done,
            request + PacketLine.encode("want \(unknown.hex)\n") + PacketLine.flushBytes + done,
        ]
    )
    func `a broken request ends the channel`(bytes: [UInt8]) {
        var harness = ServerHarness(repository)
        #expect(throws: GitError.self) { try harness.feed(bytes) }
    }

    @Test func `more than the bound of unread bytes ends the channel`() throws {
        var server = UploadPackServer()
        try server.receive([UInt8](repeating: 0x66, count: UploadPackServer.inputLimit))
        #expect(throws: GitError.limitExceeded("unread bytes of a session")) { try server.receive([1]) }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `serving is total`(seed: UInt64) throws {
        var mutations = ByteMutations(seed: seed)
        let original =
            Self.request + want(order[90]) + have(order[95]) + have(Self.unknown) + PacketLine.flushBytes + Self.done
            + PacketLine.flushBytes
        for _ in 0..<300 {
            var harness = ServerHarness(repository)
            try? harness.feed(mutations.next(of: original))
        }
    }
}

@Suite struct UploadPackClientTests {
    private static let head = ObjectID(hashing: [2], as: .blob)
    private static let advertisement =
        PacketLine.encode("\(head.hex) HEAD\0side-band-64k\n") + PacketLine.encode("\(head.hex) refs/heads/main\n")
        + PacketLine.flushBytes
    private static let pack = PackWriter.pack([GitObject(kind: .blob, content: [2])])

    private func run(_ bytes: [UInt8]) throws -> [UploadPackClient.Action] {
        var client = UploadPackClient(repository: "x", host: "y")
        var actions: [UploadPackClient.Action] = []
        try client.receive(bytes)
        while true {
            let action = try client.next()
            if action == .wait { return actions }
            if case .advertised(let head) = action { _ = client.want(head, haves: [Self.head]) }
            actions.append(action)
        }
    }

    @Test func `acknowledgements and progress are skipped`() throws {
        let answer =
            PacketLine.encode("ACK \(Self.head.hex) continue\n") + PacketLine.encode("NAK\n")
            + PacketLine.encode([2] + Array("progress".utf8)) + PacketLine.encode([1] + Self.pack)
            + PacketLine.flushBytes
        #expect(
            try run(Self.advertisement + answer) == [
                .advertised(Self.head), .write(PacketLine.flushBytes), .fetched(head: Self.head, pack: Self.pack),
            ]
        )
    }

    @Test(
        arguments: [
            PacketLine.flushBytes,
            PacketLine.encode("ERR no\n"),
            PacketLine.encode("\(head.hex) refs/heads/other\n") + PacketLine.flushBytes,
            PacketLine.encode("\(String(repeating: "0", count: 40)) capabilities^{}\0x\n") + PacketLine.flushBytes,
            advertisement + PacketLine.flushBytes,
            advertisement + PacketLine.encode("ERR no\n"),
            advertisement + PacketLine.encode("NAK\n") + PacketLine.flushBytes,
            advertisement + PacketLine.encode([3] + Array("failed".utf8)),
            advertisement + PacketLine.encode([9] + Array("what".utf8)),
            advertisement + PacketLine.encode([]),
            advertisement + PacketLine.encode([1] + Array("PACK".utf8)) + PacketLine.flushBytes,
            advertisement + PacketLine.encode([1] + pack.dropLast() + [0]) + PacketLine.flushBytes,
        ] as [[UInt8]]
    )
    func `a broken answer is refused`(bytes: [UInt8]) {
        #expect(throws: GitError.self) { try run(bytes) }
    }

    @Test func `a pack over the limit is refused while it arrives`() throws {
        var limits = PackLimits()
        limits.packBytes = 100
        var client = UploadPackClient(repository: "x", host: "y", limits: limits)
        try client.receive(Self.advertisement)
        _ = try client.next()
        _ = client.want(Self.head, haves: [])
        try client.receive(PacketLine.encode([1] + [UInt8](repeating: 0, count: 101)))
        #expect(throws: GitError.limitExceeded("size of a pack")) { try client.next() }
    }

    @Test func `the one write of a client stays within a channel's frame`() {
        var client = UploadPackClient(repository: "x", host: "y")
        let haves = (0..<5000).map { ObjectID(hashing: Array("\($0)".utf8), as: .blob) }
        #expect(client.want(Self.head, haves: haves).count <= 65_535)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `fetching is total`(seed: UInt64) {
        var mutations = ByteMutations(seed: seed)
        let answer = PacketLine.encode("NAK\n") + PacketLine.encode([1] + Self.pack) + PacketLine.flushBytes
        for _ in 0..<1_000 { _ = try? run(mutations.next(of: Self.advertisement + answer)) }
    }

    @Test(.enabled(if: hasGit, "git is not installed"))
    func `git serves our client`() async throws {
        let bundle = try GitBundle("swarm-pair")
        let folder = try TemporaryFolder()
        let url = try #require(
            Bundle.module.url(forResource: "swarm-pair", withExtension: "bundle", subdirectory: "Vectors")
        )
        _ = try await TestSupport.run(["git", "clone", "--bare", "-q", url.path, "\(folder.path)/r"]).orThrow()
        let head = try #require(bundle.heads["refs/heads/main"])
        var client = UploadPackClient(repository: "x", host: "y")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/git")
        process.arguments = ["upload-pack", "\(folder.path)/r"]
        let (input, output) = (Pipe(), Pipe())
        (process.standardInput, process.standardOutput) = (input, output)
        try process.run()
        var fetched: [UInt8] = []
        reading: while true {
            let bytes = [UInt8](output.fileHandleForReading.availableData)
            guard !bytes.isEmpty else { break }
            try client.receive(bytes)
            while true {
                switch try client.next() {
                case .wait: continue reading
                case .advertised(let shown):
                    #expect(shown == head)
                    try input.fileHandleForWriting.write(contentsOf: Data(client.want(shown, haves: [])))
                case .write: continue
                case .fetched(_, let pack):
                    fetched = pack
                    break reading
                }
            }
        }
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
        #expect(try PackReader.read(fetched).objects == bundle.read().objects)
    }
}
