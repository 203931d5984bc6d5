import Foundation
import Keys
import NameRegistry
import Runtime
import Testing

@testable import Names

@Suite struct NameCacheTests {
    private let account = InfoHash(high: 1, middle: 2, low: 3)
    private let now = WallTime(seconds: 1_000_000)

    private func entry(_ account: InfoHash?, _ assurance: NameAssurance, at time: WallTime) -> NameCache.Entry {
        NameCache.Entry(account: account, assurance: assurance, server: .standard, time: time)
    }

    @Test(arguments: [(0, true), (86_399, true), (86_400, false), (-1, false)] as [(Int64, Bool)])
    func `signed answers hold for a day, and not before they were given`(age: Int64, isKnown: Bool) throws {
        var cache = NameCache()
        cache.remember(entry(account, .signed, at: now), for: try name("alice"))
        let later = WallTime(seconds: now.seconds + age)
        #expect((cache.fresh(try name("alice"), of: .standard, at: later) != nil) == isKnown)
        #expect(cache.fresh(try name("alice"), of: try server("other.example"), at: now) == nil)
    }

    @Test(arguments: [(0, true), (59, true), (60, false)] as [(Int64, Bool)])
    func `denials hold for a minute`(age: Int64, isKnown: Bool) throws {
        var cache = NameCache()
        cache.remember(entry(nil, .unsigned, at: now), for: try name("alice"))
        let later = WallTime(seconds: now.seconds + age)
        #expect((cache.fresh(try name("alice"), of: .standard, at: later) != nil) == isKnown)
    }

    @Test func `unsigned answers are not kept, and a denial does not make forgotten who signed`() throws {
        var cache = NameCache()
        let alice = try name("alice")
        cache.remember(entry(account, .unsigned, at: now), for: alice)
        #expect(cache.fresh(alice, of: .standard, at: now) == nil)
        cache.remember(entry(account, .signed, at: now), for: alice)
        cache.remember(entry(nil, .unsigned, at: WallTime(seconds: now.seconds + 90_000)), for: alice)
        #expect(cache.signer(of: alice, at: .standard) == account)
    }

    @Test(arguments: [1, 8, 100]) func `the cache never outgrows its capacity`(capacity: Int) throws {
        var cache = NameCache(capacity: capacity)
        for number in 0..<capacity * 3 {
            let time = WallTime(seconds: now.seconds + Int64(number))
            cache.remember(entry(account, .signed, at: time), for: try name("name-\(number)"))
            #expect(cache.count <= capacity)
        }
        let newest = try name("name-\(capacity * 3 - 1)")
        #expect(cache.fresh(newest, of: .standard, at: WallTime(seconds: now.seconds + 1_000)) != nil)
    }

    @Test func `what was stored is there after a restart, and damage costs nothing but the entry`() throws {
        let folder = NSTemporaryDirectory() + "names-cache-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var cache = NameCache()
        cache.remember(entry(account, .signed, at: now), for: try name("alice"))
        cache.remember(entry(nil, .unsigned, at: now), for: try name("nobody"))
        let file = NameCacheFile(folder: folder)
        try file.store(.standard, of: cache)
        var restored = NameCache()
        file.load(.standard, into: &restored)
        #expect(restored.count == 1)
        #expect(restored.fresh(try name("alice"), of: .standard, at: now)?.account == account)
        let path = try #require(FileManager.default.contentsOfDirectory(atPath: folder).first)
        for damaged in ["", "[]", #"{"version":1,"server":"https://ns.jami.net","names":[{},1]}"#] {
            try Data(damaged.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(path)"))
            var empty = NameCache()
            file.load(.standard, into: &empty)
            #expect(empty.count == 0)
        }
    }
}
