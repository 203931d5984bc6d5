import NIOCore
import PeerLink
import Runtime
import Testing

@Suite struct MultiplexerTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    private func control(_ message: ControlMessage, on channel: UInt16 = 0) -> ByteBuffer {
        ByteBuffer(bytes: MultiplexMessage(channel: channel, data: message.encode()).encode())
    }

    private func data(_ bytes: [UInt8], on channel: UInt16) -> ByteBuffer {
        ByteBuffer(bytes: MultiplexMessage(channel: channel, data: bytes).encode())
    }

    private func sent(_ message: ControlMessage, on channel: UInt16 = 0) -> Multiplexer.Effect {
        .send(MultiplexMessage(channel: channel, data: message.encode()).encode())
    }

    @Test func `the client counts from 1 and the server from 0x8000`() throws {
        var client = Multiplexer(isClient: true)
        var server = Multiplexer(isClient: false)
        #expect(client.greeting() == [0x92, 0xCD, 0xFF, 0xFF, 0xC4, 4, 0x81, 0xA1, 0x76, 1])
        let (one, two) = (client.open("sip", now: at(0)), client.open("sip", now: at(0)))
        let other = server.open("sip", now: at(0))
        #expect(one?.number == 1)
        #expect(two?.number == 2)
        #expect(other?.number == 0x8000)
        #expect(one?.effects == [sent(.request(name: "sip", channel: 1))])
    }

    @Test func `a request is offered, answered once, and data follows`() {
        var multiplexer = Multiplexer(isClient: true)
        let offered = multiplexer.receive(control(.request(name: "sip", channel: 0x8000)))
        #expect(offered == [.requested(0x8000, name: "sip")])
        let early = multiplexer.receive(data([1], on: 0x8000))
        #expect(early.isEmpty)
        let first = multiplexer.answer(0x8000, accepting: true)
        #expect(first.isOpen)
        #expect(first.effects == [sent(.accept(name: "sip", channel: 0x8000))])
        let second = multiplexer.answer(0x8000, accepting: false)
        #expect(!second.isOpen && second.effects.isEmpty)
        let received = multiplexer.receive(data([2, 3], on: 0x8000))
        #expect(received == [.received(0x8000, [2, 3])])
        let ended = multiplexer.receive(data([], on: 0x8000))
        #expect(ended == [.ended(0x8000)])
        let late = multiplexer.receive(data([4], on: 0x8000))
        #expect(late.isEmpty)
        #expect(multiplexer.write([1], to: 0x8000) == nil)
    }

    @Test func `several messages in one control message are all handled`() {
        var multiplexer = Multiplexer(isClient: true)
        let both =
            ControlMessage.request(name: "a", channel: 5).encode()
            + ControlMessage.request(name: "b", channel: 6).encode()
            + ControlMessage.beaconRequest.encode()
        let effects = multiplexer.receive(data(both, on: 0))
        #expect(effects == [.requested(5, name: "a"), .requested(6, name: "b"), sent(.beaconReply, on: 65_535)])
    }

    @Test(arguments: [0, 65_535, 7] as [UInt16]) func `reserved and used numbers are declined`(number: UInt16) {
        var multiplexer = Multiplexer(isClient: true)
        _ = multiplexer.receive(control(.request(name: "first", channel: 7)))
        let effects = multiplexer.receive(control(.request(name: "sip", channel: number)))
        #expect(effects == [sent(.decline(name: "sip", channel: number))])
    }

    @Test func `names up to the limit are offered, longer ones are declined and not asked for`() {
        var multiplexer = Multiplexer(isClient: true)
        let (longest, longer) = (String(repeating: "x", count: 1_024), String(repeating: "x", count: 1_025))
        let offered = multiplexer.receive(control(.request(name: longest, channel: 1)))
        #expect(offered == [.requested(1, name: longest)])
        let declined = multiplexer.receive(control(.request(name: longer, channel: 2)))
        #expect(declined == [sent(.decline(name: longer, channel: 2))])
        let asked = multiplexer.open(longer, now: at(0))
        #expect(asked == nil)
    }

    @Test func `the 65th undecided request is declined`() {
        var multiplexer = Multiplexer(isClient: true)
        for number in 1...64 as ClosedRange<UInt16> {
            let effects = multiplexer.receive(control(.request(name: "n", channel: number)))
            #expect(effects == [.requested(number, name: "n")])
        }
        let declined = multiplexer.receive(control(.request(name: "n", channel: 65)))
        #expect(declined == [sent(.decline(name: "n", channel: 65))])
        _ = multiplexer.answer(1, accepting: false)
        let next = multiplexer.receive(control(.request(name: "n", channel: 66)))
        #expect(next == [.requested(66, name: "n")])
    }

    @Test func `no more channels are opened than the limit`() {
        var multiplexer = Multiplexer(isClient: true)
        for _ in 0..<MultiplexLimits.channels {
            let opened = multiplexer.open("n", now: at(0))
            #expect(opened != nil)
        }
        let over = multiplexer.open("n", now: at(0))
        #expect(over == nil)
        let declined = multiplexer.receive(control(.request(name: "n", channel: 0x9000)))
        #expect(declined == [sent(.decline(name: "n", channel: 0x9000))])
    }

    @Test func `answers to our requests are handled once, and unknown ones ignored`() throws {
        var multiplexer = Multiplexer(isClient: true)
        _ = multiplexer.open("a", now: at(0))
        _ = multiplexer.open("b", now: at(0))
        #expect(multiplexer.write([1], to: 1) == nil)
        let accepted = multiplexer.receive(control(.accept(name: "a", channel: 1)))
        #expect(accepted == [.opened(1)])
        let again = multiplexer.receive(control(.accept(name: "a", channel: 1)))
        #expect(again.isEmpty)
        let declined = multiplexer.receive(control(.decline(name: "b", channel: 2)))
        #expect(declined == [.refused(2, .declined)])
        let unknown = multiplexer.receive(control(.accept(name: "c", channel: 3)))
        #expect(unknown.isEmpty)
        #expect(multiplexer.write([1], to: 1) == MultiplexMessage(channel: 1, data: [1]).encode())
    }

    @Test func `a request without an answer times out, and a late ACCEPT is closed`() {
        var multiplexer = Multiplexer(isClient: true)
        _ = multiplexer.open("a", now: at(0))
        let early = multiplexer.timerFired(now: at(9_999))
        #expect(early.isEmpty)
        let due = multiplexer.timerFired(now: at(10_000))
        #expect(due == [.refused(1, .timedOut)])
        let late = multiplexer.receive(control(.accept(name: "a", channel: 1)))
        #expect(late == [.send(MultiplexMessage(channel: 1, data: []).encode())])
        #expect(multiplexer.channelCount == 0)
    }

    @Test func `a request that is given up is closed when the ACCEPT comes`() {
        var multiplexer = Multiplexer(isClient: true)
        _ = multiplexer.open("a", now: at(0))
        let closed = multiplexer.close(1)
        #expect(closed.isEmpty)
        let late = multiplexer.receive(control(.accept(name: "a", channel: 1)))
        #expect(late == [.send(MultiplexMessage(channel: 1, data: []).encode())])
        let timer = multiplexer.timerFired(now: at(10_000))
        #expect(timer.isEmpty)
    }

    @Test func `closing says so once`() {
        var multiplexer = Multiplexer(isClient: true)
        _ = multiplexer.open("a", now: at(0))
        _ = multiplexer.receive(control(.accept(name: "a", channel: 1)))
        let first = multiplexer.close(1)
        let second = multiplexer.close(1)
        #expect(first == [.send(MultiplexMessage(channel: 1, data: []).encode())])
        #expect(second.isEmpty)
    }

    @Test func `beacons go only to peers that know them, and their answers keep the connection`() {
        var multiplexer = Multiplexer(isClient: true)
        let before = multiplexer.beacon(now: at(0))
        #expect(before.isEmpty)
        _ = multiplexer.receive(control(.version(1), on: 65_535))
        let first = multiplexer.beacon(now: at(0))
        #expect(first == [sent(.beaconRequest, on: 65_535)])
        _ = multiplexer.beacon(now: at(2_900))
        _ = multiplexer.receive(control(.beaconReply, on: 65_535))
        let answered = multiplexer.timerFired(now: at(3_000))
        #expect(answered.isEmpty)
        let dead = multiplexer.timerFired(now: at(5_900))
        #expect(dead == [.close(.dead)])
    }

    @Test func `odd objects are survived up to a number`() {
        var multiplexer = Multiplexer(isClient: true)
        for _ in 0..<MultiplexLimits.oddObjects {
            let effects = multiplexer.receive(data([0xC0], on: 0))
            #expect(effects.isEmpty)
        }
        let last = multiplexer.receive(data([0xC0], on: 0))
        #expect(last == [.close(.misbehaviour)])
        let after = multiplexer.receive(control(.beaconRequest))
        #expect(after.isEmpty)
    }

    @Test func `a peer that asks without reading is closed`() {
        var multiplexer = Multiplexer(isClient: true)
        multiplexer.isWritable = false
        var isClosed = false
        for count in 1...2_000 where !isClosed {
            isClosed = multiplexer.receive(control(.beaconRequest, on: 65_535)).contains(.close(.misbehaviour))
            #expect(!isClosed || count == MultiplexLimits.unreadAnswers + 1)
        }
        #expect(isClosed)
    }

    @Test func `a stream that is no MessagePack ends the connection`() {
        var multiplexer = Multiplexer(isClient: true)
        let effects = multiplexer.receive(ByteBuffer(bytes: [0xC1]))
        #expect(effects == [.close(.malformedStream)])
    }

    @Test func `reading stops above the high mark and goes on below the low one`() {
        var budget = ReadBudget(high: 100, low: 50)
        let steps = [budget.add(100), budget.add(1), budget.add(50)]
        #expect(steps == [false, true, false])
        let back = [budget.release(100), budget.release(1), budget.release(50)]
        #expect(back == [false, true, false])
        #expect(budget.pending == 0)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `two multiplexers agree whatever they do`(seed: UInt64) {
        var randomness = Randomness.seeded(seed)
        var sides = [Multiplexer(isClient: true), Multiplexer(isClient: false)]
        var wires: [[UInt8]] = [sides[0].greeting(), sides[1].greeting()]
        var open: [Set<UInt16>] = [[], []]
        var offers: [[UInt16]] = [[], []]
        var received = [0, 0]
        var written = [0, 0]
        func perform(_ effects: [Multiplexer.Effect], _ side: Int) {
            for effect in effects {
                switch effect {
                case .send(let bytes): wires[side] += bytes
                case .requested(let number, _): offers[side].append(number)
                case .opened(let number): open[side].insert(number)
                case .received(_, let bytes): received[side] += bytes.count
                case .ended(let number): open[side].remove(number)
                case .refused: break
                case .close(let failure): Issue.record("closed: \(failure)")
                }
            }
        }
        for step in 0..<3_000 {
            let side = Int.random(in: 0...1, using: &randomness)
            switch Int.random(in: 0...6, using: &randomness) {
            case 0:
                if let opened = sides[side].open("n\(step)", now: at(0)) { perform(opened.effects, side) }
            case 1 where !offers[side].isEmpty:
                let number = offers[side].removeFirst()
                let (isOpen, effects) = sides[side].answer(number, accepting: Bool.random(using: &randomness))
                if isOpen { open[side].insert(number) }
                perform(effects, side)
            case 2:
                if let number = open[side].min(), let bytes = sides[side].write([1, 2, 3], to: number) {
                    wires[side] += bytes
                    written[side] += 3
                }
            case 3 where step % 5 == 0:
                if let number = open[side].max() {
                    open[side].remove(number)
                    perform(sides[side].close(number), side)
                }
            default:
                let count = Int.random(in: 0...wires[1 - side].count, using: &randomness)
                let piece = ByteBuffer(bytes: wires[1 - side].prefix(count))
                wires[1 - side].removeFirst(count)
                perform(sides[side].receive(piece), side)
            }
        }
        while !wires[0].isEmpty || !wires[1].isEmpty {
            for side in 0...1 {
                let piece = ByteBuffer(bytes: wires[1 - side])
                wires[1 - side] = []
                perform(sides[side].receive(piece), side)
            }
        }
        #expect(open[0] == open[1])
        #expect(written[0] > 100)
        #expect(received[1] <= written[0])
    }
}
