import Ethereum
import Foundation
import JSON
import Keys
import NameRegistry
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import NameServer

@Suite struct MirrorTests {
    private static func url(of origin: TestServer) -> String { "http://127.0.0.1:\(origin.port)" }

    /// Follows until the mirror has so many operations.
    private static func follow(_ mirror: TestServer, upTo sequence: UInt64) async throws {
        let follower = try #require(mirror.service.mirror)
        let following = Task { await follower.run() }
        try await eventually(within: .seconds(30), every: .milliseconds(20), "the mirror has \(sequence) operations") {
            try await sequenceAndHead(of: mirror.store).0 >= sequence ? () : nil
        }
        following.cancel()
        await following.value
    }

    private static func sequenceAndHead(of store: any NameStore) async throws -> (UInt64, Word) {
        let entry = try await store.read { try $0.lastLocalEntry() }
        return (entry?.operation.sequence ?? 0, entry?.head ?? .zero)
    }

    /// An account without evidence, which is made quickly.
    private static func registration(_ number: UInt32) -> Registration? {
        Name(canonical: "name-\(number)").map {
            Registration(
                name: $0,
                account: InfoHash(high: 5, middle: 5, low: number),
                owner: Address(InfoHash(high: 6, middle: 6, low: number)),
                evidence: nil
            )
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `a mirror has the same history, goes on after a restart and registers nothing`() async throws {
        try await TestServer.run { origin in
            #expect(try await origin.post(Person.ana, "alice").status == 200)
            #expect(try await origin.post(Person.ben, "bobby").status == 200)
            try await origin.store.write { writer in
                for number in 1...2_500 {
                    guard let registration = Self.registration(UInt32(number)) else { continue }
                    _ = try writer.append(registration, chained: false, at: WallTime(seconds: Int64(number)))
                }
                if let bobby = Name(canonical: "bobby"), let first = Name(canonical: "name-1") {
                    _ = try writer.append(.release, of: bobby, chained: false, at: WallTime(seconds: 9))
                    let owner = Address(InfoHash(high: 7, middle: 7, low: 7))
                    _ = try writer.append(.owner(owner), of: first, chained: false, at: WallTime(seconds: 9))
                }
            }
            try await TestServer.run(mirrorOf: Self.url(of: origin)) { mirror in
                try await Self.follow(mirror, upTo: 2_504)
                #expect(try await Self.sequenceAndHead(of: mirror.store) == Self.sequenceAndHead(of: origin.store))
                for target in ["/name/alice", "/name/name-2500", "/name/bobby", "/name/name-1/owner", "/v2/journal"] {
                    let (here, there) = (try await mirror.get(target).body, try await origin.get(target).body)
                    #expect(here == there, "\(target)")
                }
                let refused = try await mirror.post(Person(key: Person.ben.key, owner: Person.ben.owner), "bob")
                #expect(refused.status == 503)
                #expect(refused.body.contains("http://127.0.0.1:\(origin.port)"))
                // A second run of the same follower stands for a restart: it knows only what the store has.
                #expect(try await origin.post(Person.ben, "bob").status == 200)
                try await Self.follow(mirror, upTo: 2_505)
                #expect(try await mirror.get("/name/bob").status == 200)
                let status = try await mirror.get("/v2/status").body
                #expect(status.contains(#""origin":"http://127.0.0.1:\#(origin.port)","originSeq":2505"#))
            }
        }
    }

    /// Operations as a chain has them: one that a council imported, one whose evidence is junk, and a usual one.
    fileprivate static func chainOperations() throws -> [(ChainOperation, NameEvidence?)] {
        let imported = try Person.ana.registration(of: "imported")
        let junk = NameEvidence(publicKey: [1, 2, 3], signature: [4])
        let usual = try Person.ben.registration(of: "bobby")
        let contents: [(name: String, account: InfoHash, digest: Word, evidence: NameEvidence?)] = [
            ("imported", imported.account, imported.evidenceDigest, nil),
            ("junk", InfoHash(high: 5, middle: 5, low: 5), junk.digest, junk),
            ("bobby", usual.account, usual.evidenceDigest, usual.evidence),
        ]
        var head = Word.zero
        return try contents.enumerated().map { index, content in
            let operation = JournalOperation(
                sequence: UInt64(index + 1),
                kind: .register,
                name: try #require(Name(canonical: content.name)),
                owner: Person.ana.owner,
                account: content.account,
                evidenceDigest: content.digest
            )
            head = operation.head(after: head)
            let chained = ChainOperation(operation: operation, block: 7, blockHash: Word(7), logIndex: 0, head: head)
            return (chained, content.evidence)
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `names of a chain that nobody can prove are followed, and served as unsigned`() async throws {
        let operations = try Self.chainOperations()
        try await TestServer.run(mode: .chain, chain: ChainDouble()) { origin in
            try await origin.store.write { writer in
                for evidence in operations.compactMap(\.1) { try writer.put(evidence) }
                try writer.append(operations.map(\.0))
            }
            try await TestServer.run(mirrorOf: Self.url(of: origin)) { mirror in
                try await Self.follow(mirror, upTo: 3)
                #expect(try await Self.sequenceAndHead(of: mirror.store).1 == operations[2].0.head)
                #expect(try await mirror.get("/v2/status").body.contains(#""unproved":2"#))
                for name in ["imported", "junk"] {
                    let answer = try await mirror.get("/name/\(name)").body
                    #expect(answer.contains("addr") && !answer.contains("publickey"), "\(answer)")
                }
                #expect(try await mirror.get("/name/bobby").body.contains("publickey"))
                // The log alone holds the digests, too.
                let folder = try TemporaryFolder(named: "mirror")
                try FileManager.default.copyItem(atPath: mirror.logPath, toPath: folder.path + "/registrations.log")
                let rebuilt = try await SQLNameStore.sqlite(
                    SQLiteStoreConfiguration(path: folder.path + "/names.sqlite")
                )
                #expect(try await rebuilt.snapshotRoot().root == mirror.store.snapshotRoot().root)
                await rebuilt.close()
            }
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `an origin with another history is not followed any more, and the mirror says so`() async throws {
        try await TestServer.run { first in
            #expect(try await first.post(Person.ana, "alice").status == 200)
            try await TestServer.run { second in
                #expect(try await second.post(Person.ben, "alice").status == 200)
                try await TestServer.run(mirrorOf: Self.url(of: second)) { mirror in
                    let registration = try Person.ana.registration(of: "alice")
                    try await mirror.store.write { writer in
                        _ = try writer.append(registration, chained: false, at: WallTime(seconds: 1))
                    }
                    let follower = try #require(mirror.service.mirror)
                    await follower.run()
                    #expect(follower.status.hasStopped)
                    #expect(follower.status.problem?.contains("its operation 1 is another one than before") == true)
                    #expect(try await mirror.get("/healthz").status == 503)
                    #expect(try await mirror.get("/").body.contains("contradicts itself"))
                    #expect(try await mirror.get("/name/alice").body.contains(Person.ana.address))
                }
            }
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `an origin that cannot be reached is asked again, and the mirror answers meanwhile`() async throws {
        try await TestServer.run(mirrorOf: "http://127.0.0.1:1") { mirror in
            let follower = try #require(mirror.service.mirror)
            let following = Task { await follower.run() }
            try await eventually(within: .seconds(20), every: .milliseconds(20), "the mirror notices") {
                follower.status.problem != nil ? () : nil
            }
            #expect(!follower.status.hasStopped)
            #expect(try await mirror.get("/name/alice").status == 404)
            following.cancel()
            await following.value
        }
    }
}

/// Lies of an origin; each is named.
@Suite struct JournalReaderTests {
    /// Three operations with their heads, as an origin tells them.
    private static func journal() throws -> [String: JSONValue] {
        var (head, entries) = (Word.zero, [JSONValue]())
        let registrations = [try Person.ana.registration(of: "alice"), try Person.ben.registration(of: "bobby")]
        for (index, registration) in registrations.enumerated() {
            let operation = JournalOperation(
                sequence: UInt64(index + 1),
                kind: .register,
                name: registration.name,
                owner: registration.owner,
                account: registration.account,
                evidenceDigest: registration.evidenceDigest
            )
            head = operation.head(after: head)
            let entry = JournalPage.Entry(operation: operation, head: head, evidence: registration.evidence, time: 5)
            entries.append(try #require(JSONValue(parsing: String(decoding: entry.text.bytes, as: UTF8.self))))
        }
        return ["journal": "local", "seq": 2, "head": .string(head.hex), "entries": .array(entries)]
    }

    private static func read(
        _ journal: [String: JSONValue],
        sequence: UInt64 = 0,
        head: Word = .zero
    ) -> Result<JournalPage, JournalReader.Problem> {
        let reader = JournalReader(sequence: sequence, head: head)
        return Result { () throws(JournalReader.Problem) in try reader.read(JSONValue.object(journal).line) }
    }

    private static func problem(_ result: Result<JournalPage, JournalReader.Problem>) -> JournalReader.Problem? {
        if case .failure(let problem) = result { problem } else { nil }
    }

    /// The journal with a member of an entry replaced.
    private static func forged(_ index: Int, _ member: String, _ value: JSONValue?) throws -> [String: JSONValue] {
        var journal = try journal()
        var entries = journal["entries"]?.array ?? []
        var entry = entries[index].object ?? [:]
        entry[member] = value
        entries[index] = .object(entry)
        journal["entries"] = .array(entries)
        return journal
    }

    @Test func `a true journal is read, and continued from the known operation`() throws {
        let journal = try Self.journal()
        let all = try Self.read(journal).get()
        #expect(all.entries.map(\.operation.name.text) == ["alice", "bobby"])
        let rest = try Self.read(journal, sequence: 1, head: all.entries[0].head).get()
        #expect(rest.entries.map(\.operation.name.text) == ["bobby"])
        var last = journal
        last["entries"] = .array(Array((journal["entries"]?.array ?? []).suffix(1)))
        let none = try Self.read(last, sequence: 2, head: all.head).get()
        #expect(none.entries.isEmpty)
    }

    @Test func `every lie is a contradiction that is named`() throws {
        let ben = try Person.ben.registration(of: "alice")
        let lies: [(String, [String: JSONValue])] = [
            ("hash", try Self.forged(1, "name", "carol")),
            ("hash", try Self.forged(1, "addr", .string(Person.ana.address))),
            ("hash", try Self.forged(0, "owner", .string(Person.ben.owner.hex))),
            ("hash", try Self.forged(0, "op", "address")),
            ("hash", try Self.forged(0, "head", .string(Word(1).hex))),
            ("evidence", try Self.forged(0, "signature", .string(ben.evidence?.signatureText ?? ""))),
            ("evidence", try Self.forged(0, "publicKey", nil)),
        ]
        for (word, journal) in lies {
            guard case .contradiction(let reason)? = Self.problem(Self.read(journal)) else {
                Issue.record("A lie about \(word) was believed")
                continue
            }
            #expect(reason.contains(word), "\(reason)")
        }
    }

    @Test func `a history that was rewritten is a contradiction`() throws {
        let journal = try Self.journal()
        let shorter = Self.problem(Self.read(journal, sequence: 3, head: Word(3)))
        #expect(shorter == .contradiction("it has 2 operations now, and had 3 before"))
        let other = Self.problem(Self.read(journal, sequence: 1, head: Word(3)))
        #expect(other == .contradiction("its operation 1 is another one than before"))
    }

    @Test func `evidence that is missing in a server's own journal is a contradiction`() throws {
        let (operation, _) = try MirrorTests.chainOperations()[0]
        let entry = JournalPage.Entry(operation: operation.operation, head: operation.head)
        let page = JournalPage(isOfChain: false, sequence: 1, head: operation.head, entries: [entry])
        let text = String(decoding: page.reply.body, as: UTF8.self)
        let result = Result { () throws(JournalReader.Problem) in
            try JournalReader(sequence: 0, head: .zero).read(text)
        }
        #expect(Self.problem(result) == .contradiction("operation 1 comes without its evidence"))
    }

    @Test func `a signature over another name proves nothing`() throws {
        let evidence = try NameEvidence.sign(try #require(Name(canonical: "other")), with: Person.ana.key)
        let registration = try Person.ana.registration(of: "alice")
        let operation = JournalOperation(
            sequence: 1,
            kind: .register,
            name: registration.name,
            owner: registration.owner,
            account: registration.account,
            evidenceDigest: evidence.digest
        )
        let head = operation.head(after: .zero)
        let entry = JournalPage.Entry(operation: operation, head: head, evidence: evidence)
        let page = JournalPage(isOfChain: false, sequence: 1, head: head, entries: [entry])
        let text = String(decoding: page.reply.body, as: UTF8.self)
        let result = Result { () throws(JournalReader.Problem) in
            try JournalReader(sequence: 0, head: .zero).read(text)
        }
        #expect(Self.problem(result) == .contradiction("the evidence of operation 1 is forged"))
    }

    @Test(arguments: ["", "{}", "[]", #"{"journal":"local","seq":1,"head":"0x00","entries":[]}"#])
    func `an answer that is no journal is asked for again`(text: String) {
        let result = Result { () throws(JournalReader.Problem) in
            try JournalReader(sequence: 0, head: .zero).read(text)
        }
        guard case .malformed? = Self.problem(result) else {
            Issue.record("\(text) was read")
            return
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `reading a journal is total`(seed: UInt64) throws {
        var mutations = ByteMutations(seed: seed)
        let text = Array(JSONValue.object(try Self.journal()).line.utf8)
        for _ in 0..<300 {
            let damaged = String(decoding: mutations.next(of: text), as: UTF8.self)
            let page = try? JournalReader(sequence: 0, head: .zero).read(damaged)
            for entry in page?.entries ?? [] {
                #expect(entry.evidence?.digest ?? .zero == entry.operation.evidenceDigest)
            }
        }
    }
}
