import Keys
import Runtime
import Testing

@testable import DHT

@Suite struct StorageTests {
    let key = InfoHash(hashing: "key")
    let sender = Endpoint(ipv4: 0x0A00_0001, port: 4222)

    private func decide(_ value: Value, over stored: Value? = nil, at key: InfoHash? = nil) -> StorePolicy.Decision {
        StorePolicy.decide(value, at: key ?? self.key, over: stored, from: sender, maximumSize: 65_536)
    }

    @Test func `a value at the size limit is stored, and none beyond`() {
        let largest = Value(id: 1, data: [UInt8](repeating: 0, count: 65_536))
        let larger = Value(id: 1, data: [UInt8](repeating: 0, count: 65_537))
        #expect(decide(largest) == .store(largest))
        #expect(decide(larger) == .refuse)
        #expect(decide(Value(id: 0)) == .refuse)
    }

    @Test func `the same value again is a refresh, another plain one is refused`() {
        let value = Value(id: 1, data: [1])
        #expect(decide(value, over: value) == .refresh)
        #expect(decide(Value(id: 1, data: [2]), over: value) == .refuse)
        #expect(decide(Value(id: 1, cypher: [2]), over: Value(id: 1, cypher: [1])) == .refuse)
    }

    @Test func `a newer edition by the same owner replaces a signed value once its signature was checked`() throws {
        let owner = try RSAPrivateKey.generate(bits: 2048)
        let vault = ValueVault(key: owner)
        let other = ValueVault(key: try RSAPrivateKey.generate(bits: 2048))
        func edition(_ sequence: UInt16, _ vault: ValueVault) throws -> Value {
            try #require(try vault.sign(Value(id: 1, data: [UInt8(sequence)], sequence: sequence)))
        }
        let second = try edition(2, vault)
        guard case .check(let check) = decide(try edition(3, vault), over: second) else {
            Issue.record("A newer edition is worth a check")
            return
        }
        #expect(check.isPassed)
        #expect(decide(try edition(1, vault), over: second) == .refuse)
        #expect(decide(try edition(3, other), over: second) == .refuse)
        var forged = try edition(3, vault)
        forged.data = [9]
        guard case .check(let forgedCheck) = decide(forged, over: second) else { return }
        #expect(!forgedCheck.isPassed)
    }

    @Test func `signatures of types that nobody registered are not checked`() {
        let value = Value(id: 1, type: 99, owner: [1], signature: [1])
        #expect(decide(value) == .store(value))
    }

    @Test func `a certificate is stored at the two places of its key only`() throws {
        let key = try RSAPrivateKey.generate(bits: 2048)
        var randomness = Randomness.seeded(1)
        let certificate = try Certificate.issue(
            commonName: "x",
            for: key.publicKey,
            by: nil,
            signedWith: key,
            isAuthority: true,
            now: WallTime(seconds: 1_800_000_000),
            randomness: &randomness
        )
        let value = Value(id: 1, type: 8, data: CertificatePayload.data(of: CertificateChain([certificate])))
        func passes(at place: InfoHash) -> Bool {
            guard case .check(let check) = decide(value, at: place) else { return false }
            return check.isPassed
        }
        #expect(passes(at: key.publicKey.shortID))
        #expect(passes(at: CertificatePayload.location(of: key.publicKey.longID)))
        #expect(!passes(at: self.key))
        guard case .check(let junk) = decide(Value(id: 1, type: 8, data: [1, 2])) else { return }
        #expect(!junk.isPassed)
    }

    @Test func `an announced service gets the address of its announcer`() throws {
        let claimed = Endpoint(ipv4: 0x0808_0808, port: 80)
        let real = Endpoint(ipv4: 0x0A00_0001, port: 80)
        func announcement(_ endpoint: Endpoint) -> Value {
            Value(id: 1, type: 2, data: [0xC4, 16] + SocketAddressBytes(endpoint).bytes)
        }
        #expect(decide(announcement(claimed)) == .store(announcement(real)))
        #expect(decide(announcement(Endpoint(ipv4: 1, port: 0))) == .refuse)
        #expect(decide(Value(id: 1, type: 2, data: [1])) == .refuse)
    }

    @Test func `over the quota goes what expires first of whoever uses most`() {
        var limits = Storage.Limits()
        limits.bytes = 16_000
        var storage = Storage(limits: limits)
        func store(_ id: UInt64, group: UInt64?, expires: Int64) -> [UInt64] {
            let value = Value(id: id, data: [UInt8](repeating: 0, count: 2000 - Storage.overhead))
            return storage.store(value, at: key, expires: Instant(nanoseconds: expires), group: group).map(\.id)
        }
        for id in 1...6 as ClosedRange<UInt64> { #expect(store(id, group: 1, expires: Int64(100 - id)).isEmpty) }
        for id in 7...8 as ClosedRange<UInt64> { #expect(store(id, group: 2, expires: 1).isEmpty) }
        #expect(storage.bytes == 16_000)
        #expect(store(20, group: nil, expires: 5).isEmpty)
        let removed = store(9, group: 2, expires: 50)
        #expect(removed == [6, 5])
        #expect(storage.bytes <= 16_000)
        #expect(storage.value(20, at: key) != nil)
    }

    @Test func `keys and values for a key are bounded`() {
        var limits = Storage.Limits()
        limits.keys = 2
        limits.valuesPerKey = 2
        var storage = Storage(limits: limits)
        for id in 1...2 as ClosedRange<UInt64> {
            #expect(storage.hasRoom(at: key))
            _ = storage.store(Value(id: id), at: key, expires: Instant(nanoseconds: 1), group: 1)
        }
        #expect(!storage.hasRoom(at: key))
        _ = storage.store(Value(id: 1), at: InfoHash(hashing: "b"), expires: Instant(nanoseconds: 1), group: 1)
        #expect(!storage.hasRoom(at: InfoHash(hashing: "c")))
        while storage.expireOne(at: Instant(nanoseconds: 2)) != nil {}
        #expect(storage.places.isEmpty && storage.bytes == 0 && storage.valueCount == 0)
    }

    @Test func `sockets of one listener and listeners of one key are bounded`() {
        var limits = Storage.Limits()
        limits.listenersPerKey = 10
        var storage = Storage(limits: limits)
        func listen(_ node: Int32, _ socket: UInt32) -> Bool? {
            storage.listen(
                .init(
                    node: NodeIndex(slot: node),
                    socket: socket,
                    query: Query(),
                    refreshed: Instant(),
                    isLegacy: false
                ),
                at: key
            )
        }
        for socket in 1...20 as ClosedRange<UInt32> { #expect(listen(1, socket) == true) }
        #expect(storage.listeners(at: key).map(\.socket) == Array(13...20))
        #expect(listen(1, 20) == false)
        #expect(listen(2, 1) == true && listen(3, 1) == true && listen(4, 1) == nil)
    }
}
