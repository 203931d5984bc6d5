import Ethereum
import Foundation
import Keys
import NameRegistry
import NameServer
import Runtime
import TestSupport
import Testing

/// What every store does, whatever database is below it.
@Suite(.timeLimit(.minutes(2))) struct NameStoreConformanceTests {
    @Test(arguments: StoreEngine.available)
    func `a registration is found by its name and by its account`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        defer { withExtendedLifetime(place) {} }
        let store = try await place.open()
        let registration = try Sample.registration(1)
        let outcome = try await store.register(registration, chained: false, at: Sample.time)
        let expected = StoredName(
            record: NameRecord(registration),
            evidence: registration.evidence,
            state: .accepted,
            block: nil,
            created: Sample.time
        )
        #expect(outcome == .inserted(expected))
        let byName = try await store.find(registration.name)
        let byAccount = try await store.find(registration.account)
        let missingName = try await store.find(Sample.name(2))
        let missingAccount = try await store.find(Sample.account(2))
        #expect(byName == expected)
        #expect(byAccount == expected)
        #expect(missingName == nil)
        #expect(missingAccount == nil)
        await store.close()
    }

    @Test(arguments: StoreEngine.available)
    func `the same registration again is identical, also after a restart`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        let first = try await place.open()
        _ = try await first.register(Sample.registration(1), chained: false, at: Sample.time)
        let again = try await first.register(Sample.registration(1), chained: false, at: WallTime(seconds: 9))
        #expect(again.isIdentical)
        await first.close()
        let second = try await place.open()
        let later = try await second.register(Sample.registration(1), chained: false, at: Sample.time)
        #expect(later.isIdentical)
        let count = try await second.read { try $0.recordCount() }
        let entries = try await second.read { try $0.localLog(from: 1, limit: 9).count }
        #expect(count == 1)
        #expect(entries == 1)
        await second.close()
    }

    @Test(arguments: StoreEngine.available)
    func `a taken name and an account with a name are refused with what is there`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        defer { withExtendedLifetime(place) {} }
        let store = try await place.open()
        _ = try await store.register(Sample.registration(1), chained: false, at: Sample.time)
        let stored = try Vector.some(try await store.find(Sample.name(1)))
        let otherAccount = try await store.register(Sample.registration(1, account: 2), chained: false, at: Sample.time)
        let otherOwner = try await store.register(Sample.registration(1, owner: 2), chained: false, at: Sample.time)
        let otherName = try await store.register(Sample.registration(3, account: 1), chained: false, at: Sample.time)
        #expect(otherAccount == .nameTaken(stored))
        #expect(otherOwner == .nameTaken(stored))
        #expect(otherName == .accountTaken(stored))
        await store.close()
    }

    @Test(arguments: StoreEngine.available)
    func `of many racing for a name in two stores exactly one wins`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        let stores = [try await place.open(), try await place.open()]
        let outcomes = try await withThrowingTaskGroup(of: RegistrationOutcome.self) { group in
            for contender in 0..<40 {
                let registration = try Sample.registration(7, account: contender)
                group.addTask {
                    try await stores[contender % 2].register(registration, chained: false, at: Sample.time)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let winners = outcomes.filter(\.isInserted)
        #expect(winners.count == 1)
        guard case .inserted(let winner)? = winners.first else { return }
        for outcome in outcomes where !outcome.isInserted { #expect(outcome == .nameTaken(winner)) }
        for store in stores {
            let found = try await store.find(Sample.name(7))
            #expect(found == winner)
            await store.close()
        }
    }

    @Test(arguments: StoreEngine.available)
    func `of many names racing for an account in two stores exactly one wins`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        let stores = [try await place.open(), try await place.open()]
        let outcomes = try await withThrowingTaskGroup(of: RegistrationOutcome.self) { group in
            for contender in 0..<40 {
                let registration = try Sample.registration(contender, account: 7, owner: 7)
                group.addTask {
                    try await stores[contender % 2].register(registration, chained: false, at: Sample.time)
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.filter(\.isInserted).count == 1)
        let entries = try await stores[0].read { try $0.localLog(from: 1, limit: 100) }
        #expect(entries.count == 1)
        for store in stores { await store.close() }
        // The shared log has one line, and a store opens on it again.
        let again = try await place.open()
        #expect(again.replay == LogReplayReport())
        await again.close()
    }

    @Test(arguments: StoreEngine.available)
    func `a withdrawn name stays taken and its account is free`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        defer { withExtendedLifetime(place) {} }
        let store = try await place.open()
        _ = try await store.register(Sample.registration(1), chained: false, at: Sample.time)
        let name = try Sample.name(1)
        let released = try await store.write { try $0.append(.release, of: name, chained: false, at: Sample.time) }
        guard case .changed(let tombstone) = released else {
            Issue.record("\(released)")
            return
        }
        #expect(tombstone.record.isWithdrawn)
        #expect(tombstone.record.account == nil)
        #expect(tombstone.evidence == nil)
        let again = try await store.register(Sample.registration(1), chained: false, at: Sample.time)
        #expect(again == .nameTaken(tombstone))
        let byAccount = try await store.find(Sample.account(1))
        #expect(byAccount == nil)
        let other = try await store.register(Sample.registration(2, account: 1), chained: false, at: Sample.time)
        #expect(other.isInserted)
        let change = try await store.write { try $0.append(.owner(.zero), of: name, chained: false, at: Sample.time) }
        #expect(change == .withdrawn(tombstone))
        let unknown = try await store.write {
            try $0.append(.release, of: try Sample.name(99), chained: false, at: Sample.time)
        }
        #expect(unknown == .unknown)
        await store.close()
    }

    @Test(arguments: StoreEngine.available)
    func `a body that throws leaves nothing behind and disturbs nobody`(_ engine: StoreEngine) async throws {
        struct Refused: Error {}
        let place = try await StorePlace(engine)
        let store = try await place.open()
        async let good = store.register(Sample.registration(1), chained: false, at: Sample.time)
        await #expect(throws: Refused.self) {
            try await store.write { writer in
                _ = try writer.append(Sample.registration(2), chained: true, at: Sample.time)
                throw Refused()
            }
        }
        async let another = store.register(Sample.registration(3), chained: false, at: Sample.time)
        let outcomes = try await [good, another]
        #expect(outcomes.filter(\.isInserted).count == 2)
        let refused = try await store.find(Sample.name(2))
        #expect(refused == nil)
        let (entries, waiting) = try await store.read {
            (try $0.localLog(from: 1, limit: 9), try $0.outbox(in: [.queued], limit: 9))
        }
        #expect(entries.map(\.operation.sequence) == [1, 2])
        #expect(waiting.isEmpty)
        await store.close()
        let again = try await place.open()
        #expect(again.replay == LogReplayReport())
        await again.close()
    }

    @Test(arguments: StoreEngine.available)
    func `records come in the order of their names`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        defer { withExtendedLifetime(place) {} }
        let store = try await place.open()
        let texts = ["zoe", "a-b", "a_b", "abc", "0ab", "-aa", "_aa"]
        for (number, text) in texts.enumerated() {
            let name = try Vector.some(Name(canonical: text))
            let registration = Registration(
                name: name,
                account: Sample.account(number),
                owner: Sample.owner(number),
                evidence: nil
            )
            _ = try await store.register(registration, chained: false, at: Sample.time)
        }
        let sorted = texts.compactMap { Name(canonical: $0) }.sorted()
        let first = try await store.read { try $0.records(after: nil, limit: 3) }
        let rest = try await store.read { try $0.nameRecords(after: sorted[2], limit: 9) }
        #expect(first.map(\.record.name) + rest.map(\.name) == sorted)
        #expect(first.allSatisfy { $0.evidence == nil && $0.record.evidenceDigest == .zero })
        await store.close()
    }

    @Test(arguments: StoreEngine.available)
    func `a closed store refuses everything and has answered everything`(_ engine: StoreEngine) async throws {
        let place = try await StorePlace(engine)
        defer { withExtendedLifetime(place) {} }
        let store = try await place.open()
        async let before = store.register(Sample.registration(1), chained: false, at: Sample.time)
        _ = try await store.register(Sample.registration(2), chained: false, at: Sample.time)
        await store.close()
        _ = try await before
        await #expect(throws: NameStoreError.closed) { try await store.find(Sample.name(1)) }
        await #expect(throws: NameStoreError.closed) {
            try await store.register(Sample.registration(3), chained: false, at: Sample.time)
        }
        await #expect(throws: NameStoreError.closed) { try await store.read { try $0.recordCount() } }
        await #expect(throws: NameStoreError.closed) { try await store.write { try $0.set("1", for: "a") } }
    }
}
