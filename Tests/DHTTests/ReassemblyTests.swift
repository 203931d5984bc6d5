import Keys
import MessagePack
import Runtime
import Testing

@testable import DHT

@Suite struct ReassemblyTests {
    /// Held by reference, so that expectations can call what changes it.
    private final class Subject {
        var reassembly: Reassembly

        init(limits: Reassembly.Limits = .init()) {
            reassembly = Reassembly(limits: limits)
        }

        var isEmpty: Bool { reassembly.isEmpty }
        var count: Int { reassembly.count }

        func add(_ part: [UInt8], key: Reassembly.Key, at time: Instant = Instant()) throws -> Reassembly.Whole? {
            try reassembly.add(part.span.bytes, parts: 0..<part.count, key: key, limits: .standard, now: time)
        }

        func open(_ key: Reassembly.Key, message: [UInt8], values: ValueArray, now: Instant) -> Reassembly.Whole? {
            reassembly.open(key, message: message, values: values, now: now)
        }

        func expire(at now: Instant) { reassembly.expire(at: now) }
    }

    let key = Reassembly.Key(sender: Endpoint(ipv4: 1, port: 1), transaction: 1)
    let value = Value(id: 1, data: [UInt8](repeating: 3, count: 3000))

    private func part(_ offset: Int, _ count: Int = 1280, index: Int = 0) -> [UInt8] {
        let bytes = value.encoded
        let piece = offset < bytes.count ? Array(bytes[offset..<min(offset + count, bytes.count)]) : []
        return MessagePackValue.map([
            .init(.unsigned(UInt64(index)), .fields(["o": .unsigned(UInt64(offset)), "d": .binary(piece)]))
        ]).encoded
    }

    private func add(_ part: [UInt8], to reassembly: Subject, at time: Instant = Instant()) -> Reassembly.Whole? {
        try? reassembly.add(part, key: key, at: time)
    }

    private func open(_ reassembly: Subject, at time: Instant = Instant()) throws -> Reassembly.Whole? {
        let sizes = MessagePackValue.array([.unsigned(UInt64(value.encoded.count))]).encoded
        let array = try ValueArray(decoding: sizes.span.bytes)
        return reassembly.open(key, message: [1, 2, 3], values: array, now: time)
    }

    @Test(arguments: [[0, 1280, 2560], [2560, 1280, 0], [1280, 0, 2560], [0, 0, 1280, 1280, 2560]])
    func `parts are taken in any order`(offsets: [Int]) throws {
        let reassembly = Subject()
        #expect(try open(reassembly) == nil)
        var whole: [Reassembly.Whole] = []
        for offset in offsets { if let done = add(part(offset), to: reassembly) { whole.append(done) } }
        #expect(whole.map(\.values) == [[value]])
        #expect(whole.map(\.message) == [[1, 2, 3]])
        #expect(reassembly.isEmpty)
    }

    @Test func `parts that come before their message are kept`() throws {
        let reassembly = Subject()
        for offset in [0, 1280, 2560] { #expect(add(part(offset), to: reassembly) == nil) }
        #expect(try open(reassembly)?.values == [value])
        #expect(reassembly.isEmpty)
    }

    @Test func `a message that comes again goes on with what is there`() throws {
        let reassembly = Subject()
        _ = try open(reassembly)
        _ = add(part(0), to: reassembly)
        _ = add(part(2560), to: reassembly)
        #expect(try open(reassembly) == nil)
        #expect(add(part(1280), to: reassembly)?.values == [value])
    }

    @Test func `overlaps, empty parts, parts of others and parts beyond the end are ignored`() throws {
        let reassembly = Subject()
        _ = try open(reassembly)
        _ = add(part(1280), to: reassembly)
        for bad in [part(1000), part(1281), part(5000), part(0, index: 1), part(2000, 10)] {
            #expect(add(bad, to: reassembly) == nil)
        }
        _ = add(part(0), to: reassembly)
        #expect(add(part(2560), to: reassembly)?.values == [value])
    }

    @Test(arguments: [Duration.seconds(4), .seconds(11)]) func `what takes too long is forgotten`(pause: Duration)
        throws
    {
        let reassembly = Subject()
        _ = try open(reassembly)
        var time = Instant()
        // Parts that keep coming only help for so long.
        while time - Instant() < pause {
            if pause > .seconds(10), time - Instant() < .seconds(10) { _ = add(part(0), to: reassembly, at: time) }
            time = time + .seconds(1)
        }
        reassembly.expire(at: time)
        #expect(reassembly.isEmpty)
    }

    @Test func `sessions and early bytes are bounded`() throws {
        var limits = Reassembly.Limits()
        limits.sessions = 4
        limits.earlyBytes = 3000
        let reassembly = Subject(limits: limits)
        for number in 0..<20 as Range<UInt32> {
            let key = Reassembly.Key(sender: key.sender, transaction: number)
            let early = part(0)
            _ = try reassembly.add(early, key: key)
        }
        #expect(reassembly.count == 2)
        for number in 100..<120 as Range<UInt32> {
            let sizes = MessagePackValue.array([.unsigned(2000)]).encoded
            let array = try ValueArray(decoding: sizes.span.bytes)
            let key = Reassembly.Key(sender: key.sender, transaction: number)
            _ = reassembly.open(key, message: [1], values: array, now: Instant())
        }
        #expect(reassembly.count == 4)
    }

    @Test(arguments: [
        "c0", "90", "81c000", "8100c0", "810081a16f00", "810081a16400", "8100 82a16fcfffffffffffffffffa164c400",
        "81cfffffffffffffffff82a16f00a164c400",
    ])
    func `malformed parts are refused`(hex: String) throws {
        let reassembly = Subject()
        let bytes = try #require(Hexadecimal.decode(hex.filter { $0 != " " }))
        #expect(throws: WireError.self) {
            try reassembly.add(bytes, key: key)
        }
        #expect(reassembly.isEmpty)
    }
}
