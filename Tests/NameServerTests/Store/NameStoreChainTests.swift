import Ethereum
import Foundation
import Keys
import NameRegistry
import NameServer
import Runtime
import TestSupport
import Testing

/// What every store keeps of the chain, and of the way there.
@Suite(.timeLimit(.minutes(2))) struct NameStoreChainTests {
    private static func hash(_ number: UInt64) -> Word { Word(hashing: Word(number).bytes) }

    private static func operation(_ sequence: UInt64, block: UInt64, name: Int) throws -> ChainOperation {
        ChainOperation(
            operation: JournalOperation(
                sequence: sequence,
                kind: .register,
                name: try Sample.name(name),
                owner: Sample.owner(name),
                account: Sample.account(name),
                evidenceDigest: Sample.evidence(name).digest
            ),
            block: block,
            blockHash: hash(block),
            logIndex: sequence,
            head: hash(1_000 + sequence)
        )
    }

    @Test(arguments: StoreEngine.available)
    func `the local log has the heads of the journal's vectors`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        let store = try await place.open()
        let vector = try JSONVector(file: "jns-contract", in: .module)["journal"].elements
        let real = try JSONVector(file: "jns-registration", in: .module)
        let evidence = NameEvidence(publicKey: real["spkiDerHex"].hex, signature: real["signatureHex"].hex)
        func owner(_ index: Int) throws -> Address { try #require(Address(hex: vector[index]["owner"].text)) }
        func account(_ index: Int) throws -> InfoHash { try #require(Address(hex: vector[index]["addr"].text)).hash }
        let names = try vector.map { try #require(Name(canonical: $0["name"].text)) }
        let first = Registration(name: names[0], account: try account(0), owner: try owner(0), evidence: evidence)
        let second = Registration(name: names[1], account: try account(1), owner: try owner(1), evidence: nil)
        _ = try await store.register(first, chained: false, at: Sample.time)
        _ = try await store.register(second, chained: false, at: Sample.time)
        let newOwner = try owner(2)
        let moved = try await store.write {
            try $0.append(.owner(newOwner), of: names[2], chained: false, at: Sample.time)
        }
        guard case .changed(let changed) = moved else {
            Issue.record("\(moved)")
            return
        }
        #expect(changed.record.owner == newOwner)
        let entries = try await store.read { try $0.localLog(from: 1, limit: 9) }
        #expect(entries.map(\.head) == vector.prefix(3).compactMap { Word(hex: $0["journal"].text) })
        #expect(entries.map(\.operation.digest) == vector.prefix(3).compactMap { Word(hex: $0["opHash"].text) })
        await store.close()
        let again = try await place.open()
        #expect(again.replay == LogReplayReport())
        await again.close()
    }

    @Test(arguments: StoreEngine.available)
    func `a name follows its owner to another account`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        let store = try await place.open()
        for number in 1...2 {
            _ = try await store.register(Sample.registration(number), chained: true, at: Sample.time)
        }
        let name = try Sample.name(1)
        let (taken, new) = (Sample.account(2), Sample.account(3))
        let refused = try await store.write {
            try $0.append(.account(taken, evidence: Sample.evidence(2)), of: name, chained: true, at: Sample.time)
        }
        let other = try Vector.some(try await store.find(taken))
        #expect(refused == .accountTaken(other))
        _ = try await store.write {
            try $0.append(.account(new, evidence: Sample.evidence(3)), of: name, chained: true, at: Sample.time)
        }
        let (found, old) = (try await store.find(new), try await store.find(Sample.account(1)))
        #expect(found?.record.name == name)
        #expect(found?.evidence == Sample.evidence(3))
        #expect(old == nil)
        let head = try await store.read { try $0.lastLocalEntry() }
        #expect(head?.operation.kind == .address)
        await store.close()
        try await place.expectSame(head: head, names: [2])
    }

    @Test(arguments: StoreEngine.available)
    func `a registration that is taken back stays so, also from the log alone`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        let store = try await place.open()
        for number in 1...2 {
            _ = try await store.register(Sample.registration(number), chained: true, at: Sample.time)
        }
        let name = try Sample.name(1)
        try await store.write { writer in
            try writer.remove(unacknowledged: name)
            try writer.set("x", for: "y")
        }
        let gone = try await store.find(name)
        #expect(gone == nil)
        // The account takes another name, and another account the name.
        let other = try await store.register(Sample.registration(3, account: 1), chained: false, at: Sample.time)
        let again = try await store.register(Sample.registration(1, account: 4), chained: false, at: Sample.time)
        #expect(other.isInserted)
        #expect(again.isInserted)
        let head = try await store.read { try $0.lastLocalEntry() }
        #expect(head?.operation.sequence == 4)
        await store.close()
        try await place.expectSame(head: head, names: [1, 2, 3])
        // A log that is written again from the database says the same.
        try FileManager.default.removeItem(atPath: place.logPath)
        let rewriting = try await place.open()
        #expect(rewriting.replay.appended == 4)
        await rewriting.close()
        try await place.expectSame(head: head, names: [1, 2, 3])
    }

    @Test(arguments: StoreEngine.available)
    func `chain operations and headers above a block are forgotten together`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        let store = try await place.open()
        let operations = try (1...6 as ClosedRange<UInt64>).map { number in
            try Self.operation(number, block: 10 + number / 2, name: Int(number % 2))
        }
        try await store.write { writer in
            try writer.append(operations)
            for number in 1...12 as ClosedRange<UInt64> {
                let (hash, parent) = (Self.hash(number), Self.hash(number - 1))
                try writer.append(ChainHead(number: number, hash: hash, parent: parent, isFinal: false), keeping: 8)
            }
        }
        let (kept, ofName) = try await store.read {
            (try $0.chainOperations(from: 2, limit: 3), try $0.chainOperations(of: try Sample.name(1)))
        }
        #expect(kept == Array(operations[1...3]))
        #expect(ofName == [operations[0], operations[2], operations[4]])
        let heads = try await store.read { try $0.chainHeads(limit: 100) }
        #expect(heads.map(\.number) == [12, 11, 10, 9, 8, 7, 6, 5])
        try await store.write { writer in
            try writer.removeChain(above: 11)
            try writer.setFinal(upTo: 10)
        }
        let last = try await store.read { try $0.lastChainOperation() }
        #expect(last == operations[2])
        let after = try await store.read { try $0.chainHeads(limit: 2) }
        #expect(after.map(\.isFinal) == [false, true])
        #expect(after.map(\.hash) == [Self.hash(11), Self.hash(10)])
        await store.close()
        withExtendedLifetime(place) {}
    }

    @Test(arguments: StoreEngine.available)
    func `records of the chain get their states and keep their evidence`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        let store = try await place.open()
        let registration = try Sample.registration(1)
        _ = try await store.register(registration, chained: true, at: Sample.time)
        try await store.write { try $0.setState(.included, block: 7, of: registration.name) }
        try await store.write { try $0.setFinal(upTo: 6) }
        let early = try await store.find(registration.name)
        #expect(early?.state == .included)
        try await store.write { try $0.setFinal(upTo: 7) }
        let final = try await store.find(registration.name)
        #expect(final?.state == .final)
        #expect(final?.block == 7)
        // A record of which only the digest is known, and then the bytes.
        let evidence = Sample.evidence(2)
        let record = NameRecord(
            name: try Sample.name(2),
            owner: Sample.owner(2),
            account: Sample.account(2),
            evidenceDigest: evidence.digest
        )
        let stored = StoredName(record: record, evidence: nil, state: .final, block: 9, created: Sample.time)
        try await store.write { try $0.put(stored) }
        let without = try await store.find(record.name)
        #expect(without == stored)
        try await store.write { try $0.put(evidence) }
        let with = try await store.find(record.name)
        let bytes = try await store.read { try $0.evidence(evidence.digest) }
        #expect(with?.evidence == evidence)
        #expect(bytes == evidence)
        var other = stored
        other.record = NameRecord(
            name: try Sample.name(3),
            owner: Sample.owner(3),
            account: Sample.account(2),
            evidenceDigest: .zero
        )
        let wrong = other
        await #expect(throws: NameStoreError.self) { try await store.write { try $0.put(wrong) } }
        let missing = try await store.find(Sample.name(3))
        #expect(missing == nil)
        await store.close()
        withExtendedLifetime(place) {}
    }

    @Test(arguments: StoreEngine.available)
    func `the outbox keeps its order and everything of an entry`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        let store = try await place.open()
        for number in 1...3 {
            _ = try await store.register(Sample.registration(number), chained: number != 2, at: Sample.time)
        }
        try await store.write { writer in
            try writer.enqueue(localSequence: 3)
            try writer.enqueue(localSequence: 2)
        }
        let queued = try await store.read { try $0.outbox(in: [.queued, .sent], limit: 9) }
        #expect(queued.map(\.localSequence) == [1, 3, 2])
        var entry = queued[1]
        entry.state = .sent
        entry.nonce = 0
        entry.transaction = [1, 2, 3]
        entry.transactionHash = Self.hash(1)
        entry.sentAt = WallTime(seconds: 5)
        entry.attempts = 2
        entry.nextTry = WallTime(seconds: 50)
        entry.error = "late"
        let (id, changed) = (entry.id, entry)
        try await store.write { try $0.update(changed) }
        await store.close()
        let again = try await place.open()
        let kept = try await again.read { try $0.outboxEntry(localSequence: 3) }
        #expect(kept == entry)
        #expect(kept?.id == id)
        let counts = try await again.read { try $0.outboxCounts() }
        #expect(counts == [.queued: 2, .sent: 1])
        let (none, missing) = try await again.read {
            (try $0.outbox(in: [], limit: 9), try $0.outboxEntry(localSequence: 77))
        }
        #expect(none == [])
        #expect(missing == nil)
        entry.id = 12_345
        let unknown = entry
        await #expect(throws: NameStoreError.self) { try await again.write { try $0.update(unknown) } }
        await again.close()
    }

    @Test(arguments: StoreEngine.available)
    func `conflicts are listed until they are resolved, and settings are kept`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        let store = try await place.open()
        let conflict = NameConflict(
            id: 0,
            name: try Sample.name(1),
            local: "{\"a\":1}",
            chain: "{\"ü\":2}",
            detected: Sample.time,
            resolution: nil
        )
        try await store.write { writer in
            try writer.append(conflict)
            try writer.append(conflict)
            try writer.set("dual", for: "mode")
            try writer.set("x", for: "gone")
            try writer.set(nil, for: "gone")
        }
        let first = try Vector.some(try await store.read { try $0.conflicts(unresolvedOnly: true, limit: 9) }.first)
        #expect(first.chain == conflict.chain)
        try await store.write { try $0.resolve(conflict: first.id, as: "ours") }
        let (open, all) = try await store.read {
            (try $0.conflicts(unresolvedOnly: true, limit: 9), try $0.conflicts(unresolvedOnly: false, limit: 9))
        }
        #expect(open.count == 1)
        #expect(all.map(\.resolution) == ["ours", nil])
        await store.close()
        let again = try await place.open()
        let (mode, gone) = try await again.read { (try $0.setting("mode"), try $0.setting("gone")) }
        #expect(mode == "dual")
        #expect(gone == nil)
        await again.close()
    }

    @Test(arguments: StoreEngine.available)
    func `the root of a snapshot is that of its records`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        let store = try await place.open()
        let empty = try await store.snapshotRoot()
        #expect(empty.root == .zero)
        for number in 1...7 {
            _ = try await store.register(Sample.registration(number), chained: false, at: Sample.time)
        }
        let name = try Sample.name(4)
        _ = try await store.write { try $0.append(.release, of: name, chained: false, at: Sample.time) }
        let root = try await store.snapshotRoot()
        let (tree, records) = try await store.read { try $0.snapshot() }
        #expect(root.count == 7)
        #expect(root.root == tree.root)
        #expect(records.map(\.name) == records.map(\.name).sorted())
        await store.close()
        withExtendedLifetime(place) {}
    }
}
