import ICE
import NIOCore
import Runtime
import Testing

@Suite struct ICEAgentTests {
    private static let password = "0123456789012345678901"

    /// An agent at 10.0.0.1 and the description of a peer at 10.0.0.2.
    private func agent(_ role: ICEAgent.Role, limits: ICELimits = ICELimits()) throws -> ICEAgent {
        let address = LocalAddress(host: try #require(IPAddress("10.0.0.1")), listeningPort: 5_000)
        return ICEAgent(role: role, addresses: [address], limits: limits, randomness: .seeded(1))
    }

    private func peer(_ ports: [UInt16] = [7_000], kind: String = "host") throws -> ICEDescription {
        let lines = ports.map { "H\($0) 1 TCP 2130706431 10.0.0.2 \($0) typ \(kind) tcptype passive\n" }
        return try ICEDescription(text: "wxyz\n\(Self.password)\n" + lines.joined())
    }

    private func address(_ text: String, _ port: UInt16) throws -> TransportAddress {
        TransportAddress(host: try #require(IPAddress(text)), port: port)
    }

    private func at(_ milliseconds: Int64) -> Instant {
        Instant(nanoseconds: milliseconds * 1_000_000)
    }

    private func sent(_ effects: [ICEAgent.Effect]) throws -> [ReceivedSTUNMessage] {
        try effects.compactMap { effect in
            guard case .send(_, let bytes) = effect else { return nil }
            return try ReceivedSTUNMessage(bytes)
        }
    }

    private func frame(_ bytes: [UInt8]) -> ByteBuffer { ByteBuffer(bytes: bytes) }

    private func success(to request: ReceivedSTUNMessage, _ mapped: TransportAddress) -> ByteBuffer {
        let answer = STUNMessage(
            kind: .success,
            transaction: request.message.transaction,
            attributes: [.xorMappedAddress(mapped)]
        )
        return frame(answer.encode(key: Array(Self.password.utf8)))
    }

    private func request(to agent: ICEAgent, nominates: Bool = false, _ more: [STUNAttribute] = []) -> [UInt8] {
        let role: STUNAttribute =
            agent.role == .controlled ? .iceControlling(tieBreaker: 1) : .iceControlled(tieBreaker: 1)
        let name = Array("\(agent.localDescription.usernameFragment):wxyz".utf8)
        let message = STUNMessage(
            kind: .request,
            transaction: STUNTransaction(high: 1, low: 2),
            attributes: [.priority(1), role, .username(name)] + (nominates ? [.useCandidate] : []) + more
        )
        return message.encode(key: Array(agent.localDescription.password.utf8))
    }

    @Test func `dials are paced and loopback, link-local and active candidates are left out`() throws {
        var agent = try agent(.controlling)
        let text =
            "wxyz\n\(Self.password)\n"
            + "H 1 TCP 9 127.0.0.1 1 typ host tcptype passive\nH 1 TCP 9 fe80::1 1 typ host tcptype passive\n"
            + "H 1 TCP 9 10.0.0.9 9 typ host tcptype active\nH 1 TCP 9 224.0.0.1 1 typ host tcptype passive\n"
            + "H 1 TCP 8 10.0.0.3 1 typ host tcptype passive\nH 1 TCP 9 10.0.0.2 1 typ host tcptype passive\n"
            + "H 1 TCP 7 10.0.0.2 1 typ host tcptype passive\nH 1 TCP 7 2001:db8::1 1 typ host tcptype passive\n"
        let first = agent.handle(.remoteDescription(try ICEDescription(text: text)), now: at(0))
        #expect(first == [.connect(.dialled(0), to: try address("10.0.0.2", 1))])
        let early = agent.handle(.timer, now: at(49))
        #expect(early.isEmpty)
        let second = agent.handle(.timer, now: at(50))
        #expect(second == [.connect(.dialled(1), to: try address("10.0.0.3", 1))])
    }

    @Test func `the controlling side nominates the first direct pair at once, and only that`() throws {
        var agent = try agent(.controlling)
        _ = agent.handle(.remoteDescription(try peer([7_000, 7_001])), now: at(0))
        _ = agent.handle(.timer, now: at(50))
        let local = try address("10.0.0.1", 1_234)
        let first = try sent(agent.handle(.connected(.dialled(0), local: local), now: at(60)))
        let second = try sent(agent.handle(.connected(.dialled(1), local: local), now: at(60)))
        #expect(first.count == 1 && second.count == 1)
        #expect(first[0].message.nominates == false)
        #expect(first[0].message.username == Array("wxyz:\(agent.localDescription.usernameFragment)".utf8))
        #expect(first[0].isAuthentic(key: Array(Self.password.utf8)))
        let nomination = try sent(agent.handle(.frame(.dialled(0), success(to: first[0], local)), now: at(70)))
        #expect(nomination.map(\.message.nominates) == [true])
        let other = try sent(agent.handle(.frame(.dialled(1), success(to: second[0], local)), now: at(71)))
        #expect(other.isEmpty)
        let end = agent.handle(.frame(.dialled(0), success(to: nomination[0], local)), now: at(80))
        #expect(end == [.stopListening, .selected(.dialled(0))])
        let application = agent.handle(.frame(.dialled(0), frame([22, 3, 1])), now: at(90))
        #expect(application == [.deliver(frame([22, 3, 1]))])
        let lingering = agent.handle(.timer, now: at(3_080))
        #expect(lingering == [.close(.dialled(1))])
    }

    @Test func `a nomination that fails moves on to the next valid pair`() throws {
        var agent = try agent(.controlling)
        _ = agent.handle(.remoteDescription(try peer([7_000, 7_001])), now: at(0))
        _ = agent.handle(.timer, now: at(50))
        let local = try address("10.0.0.1", 1_234)
        let first = try sent(agent.handle(.connected(.dialled(0), local: local), now: at(60)))
        let second = try sent(agent.handle(.connected(.dialled(1), local: local), now: at(60)))
        _ = agent.handle(.frame(.dialled(0), success(to: first[0], local)), now: at(70))
        _ = agent.handle(.frame(.dialled(1), success(to: second[0], local)), now: at(71))
        let next = agent.handle(.closed(.dialled(0)), now: at(80))
        #expect(try sent(next).map(\.message.nominates) == [true])
    }

    @Test func `a relayed pair waits for a better one`() throws {
        var agent = try agent(.controlling)
        _ = agent.handle(.remoteDescription(try peer(kind: "relay")), now: at(0))
        let local = try address("10.0.0.1", 1_234)
        let check = try sent(agent.handle(.connected(.dialled(0), local: local), now: at(60)))
        let answer = agent.handle(.frame(.dialled(0), success(to: check[0], local)), now: at(70))
        #expect(answer.isEmpty)
        let late = agent.handle(.timer, now: at(470))
        #expect(try sent(late).map(\.message.nominates) == [true])
    }

    @Test func `a relay that refuses is dialled again every half second`() throws {
        var agent = try agent(.controlling)
        _ = agent.handle(.remoteDescription(try peer(kind: "relay")), now: at(0))
        var now: Int64 = 0
        var dials = 1
        while dials < 30 {
            _ = agent.handle(.connectFailed(.dialled(0)), now: at(now))
            now += 500
            let effects = agent.handle(.timer, now: at(now))
            guard effects.contains(.connect(.dialled(0), to: try address("10.0.0.2", 7_000))) else { break }
            dials += 1
        }
        #expect(dials == 25)
    }

    @Test func `an early check is answered at once and checked back when the description is there`() throws {
        var agent = try agent(.controlled)
        let (local, remote) = (try address("10.0.0.1", 5_000), try address("10.0.0.2", 40_000))
        _ = agent.handle(.accepted(.accepted(1), local: local, remote: remote), now: at(0))
        let answer = try sent(agent.handle(.frame(.accepted(1), frame(request(to: agent))), now: at(1)))
        #expect(answer.count == 1)
        #expect(answer[0].message.kind == .success)
        #expect(answer[0].message.mappedAddress == remote)
        #expect(answer[0].isAuthentic(key: Array(agent.localDescription.password.utf8)))
        let start = agent.handle(.remoteDescription(try peer()), now: at(5))
        let back = try sent(start)
        #expect(back.count == 1)
        #expect(back[0].message.priority == 1_862_270_975)
        #expect(start.contains { if case .send(.accepted(1), _) = $0 { true } else { false } })
    }

    @Test func `a repeated check gets the same answer`() throws {
        var agent = try agent(.controlled)
        let (local, remote) = (try address("10.0.0.1", 5_000), try address("10.0.0.2", 40_000))
        _ = agent.handle(.accepted(.accepted(1), local: local, remote: remote), now: at(0))
        let bytes = frame(request(to: agent))
        let first = agent.handle(.frame(.accepted(1), bytes), now: at(1))
        let second = agent.handle(.frame(.accepted(1), bytes), now: at(2))
        #expect(first == second)
    }

    @Test func `the controlled side follows the first application bytes`() throws {
        var agent = try agent(.controlled)
        let local = try address("10.0.0.1", 5_000)
        _ = agent.handle(.remoteDescription(try peer()), now: at(0))
        for number in 1...2 {
            let remote = try address("10.0.0.2", UInt16(40_000 + number))
            _ = agent.handle(.accepted(.accepted(number), local: local, remote: remote), now: at(0))
            let nominates = number == 1
            let effects = agent.handle(
                .frame(.accepted(number), frame(request(to: agent, nominates: nominates))),
                now: at(1)
            )
            let checks = try sent(effects).filter { $0.message.kind == .request }
            #expect(checks.count == 1)
            _ = agent.handle(.frame(.accepted(number), success(to: checks[0], local)), now: at(2))
        }
        let bytes = frame([22, 3, 1, 0, 1])
        let effects = agent.handle(.frame(.accepted(2), bytes), now: at(3))
        #expect(effects == [.stopListening, .close(.dialled(0)), .selected(.accepted(2)), .deliver(bytes)])
    }

    @Test func `application bytes without an authentic check close the connection`() throws {
        var agent = try agent(.controlled)
        let (local, remote) = (try address("10.0.0.1", 5_000), try address("10.0.0.2", 40_000))
        _ = agent.handle(.accepted(.accepted(1), local: local, remote: remote), now: at(0))
        let effects = agent.handle(.frame(.accepted(1), frame([22, 3, 1])), now: at(1))
        #expect(effects == [.close(.accepted(1))])
    }

    @Test func `a peer that claims our role is refused`() throws {
        var agent = try agent(.controlled)
        let (local, remote) = (try address("10.0.0.1", 5_000), try address("10.0.0.2", 40_000))
        _ = agent.handle(.accepted(.accepted(1), local: local, remote: remote), now: at(0))
        let bytes = request(to: agent, [.iceControlled(tieBreaker: 9)])
        let answer = try sent(agent.handle(.frame(.accepted(1), frame(bytes)), now: at(1)))
        #expect(answer.map(\.message.errorCode) == [487])
    }

    @Test func `an attribute that must be understood and is not is named`() throws {
        var agent = try agent(.controlled)
        let (local, remote) = (try address("10.0.0.1", 5_000), try address("10.0.0.2", 40_000))
        _ = agent.handle(.accepted(.accepted(1), local: local, remote: remote), now: at(0))
        let bytes = request(to: agent, [.other(type: 0x7ABC, value: [])])
        let answer = try sent(agent.handle(.frame(.accepted(1), frame(bytes)), now: at(1)))
        #expect(answer[0].message.attributes.contains(.unknownAttributes([0x7ABC])))
    }

    @Test func `checks with a wrong password are not answered, and end the connection when they go on`() throws {
        var agent = try agent(.controlled)
        let (local, remote) = (try address("10.0.0.1", 5_000), try address("10.0.0.2", 40_000))
        _ = agent.handle(.accepted(.accepted(1), local: local, remote: remote), now: at(0))
        var bytes = request(to: agent)
        let message = try ReceivedSTUNMessage(bytes).message
        bytes = message.encode(key: Array("wrong".utf8))
        for _ in 0..<8 {
            let effects = agent.handle(.frame(.accepted(1), frame(bytes)), now: at(1))
            #expect(effects.isEmpty)
        }
        let last = agent.handle(.frame(.accepted(1), frame(bytes)), now: at(1))
        #expect(last == [.close(.accepted(1))])
    }

    @Test func `accepted connections are limited in number and in time`() throws {
        var limits = ICELimits()
        limits.acceptedConnections = 3
        var agent = try agent(.controlled, limits: limits)
        let local = try address("10.0.0.1", 5_000)
        for number in 1...4 {
            let remote = try address("10.0.0.2", UInt16(40_000 + number))
            let effects = agent.handle(.accepted(.accepted(number), local: local, remote: remote), now: at(0))
            #expect(effects == (number == 4 ? [.close(.accepted(4))] : []))
        }
        let late = agent.handle(.timer, now: at(15_000))
        #expect(late == [.close(.accepted(1)), .close(.accepted(2)), .close(.accepted(3))])
    }

    @Test func `without any pair the agent fails after waiting for the peer`() throws {
        var agent = try agent(.controlling)
        _ = agent.handle(.remoteDescription(try peer()), now: at(0))
        _ = agent.handle(.connectFailed(.dialled(0)), now: at(100))
        let early = agent.handle(.timer, now: at(10_099))
        #expect(early.isEmpty)
        let end = agent.handle(.timer, now: at(10_100))
        #expect(end == [.stopListening, .failed(.noValidPair)])
    }

    @Test func `a connect attempt and a check without an answer are given up`() throws {
        var agent = try agent(.controlling)
        _ = agent.handle(.remoteDescription(try peer([7_000, 7_001])), now: at(0))
        _ = agent.handle(.timer, now: at(50))
        _ = agent.handle(.connected(.dialled(0), local: try address("10.0.0.1", 1)), now: at(100))
        let check = agent.handle(.timer, now: at(8_100))
        #expect(check == [.close(.dialled(0))])
        let connect = agent.handle(.timer, now: at(15_050))
        #expect(connect == [.close(.dialled(1))])
        let end = agent.handle(.timer, now: at(25_050))
        #expect(end == [.stopListening, .failed(.noValidPair)])
    }

    @Test func `the selected connection is kept alive, and its loss is the end`() throws {
        var agent = try agent(.controlled)
        let (local, remote) = (try address("10.0.0.1", 5_000), try address("10.0.0.2", 40_000))
        _ = agent.handle(.accepted(.accepted(1), local: local, remote: remote), now: at(0))
        _ = agent.handle(.frame(.accepted(1), frame(request(to: agent, nominates: true))), now: at(1))
        _ = agent.handle(.frame(.accepted(1), frame([22])), now: at(2))
        var indications = 0
        var now: Int64 = 2
        while now < 100_000 {
            now += 100
            let effects = try sent(agent.handle(.timer, now: at(now)))
            for message in effects {
                #expect(message.message.kind == .indication)
                #expect(message.message.attributes.isEmpty)
                indications += 1
            }
        }
        #expect((4...5).contains(indications))
        let again = try sent(agent.handle(.frame(.accepted(1), frame(request(to: agent))), now: at(now)))
        #expect(again.map(\.message.kind) == [.success])
        let end = agent.handle(.closed(.accepted(1)), now: at(now))
        #expect(end == [.stopListening, .failed(.connectionLost)])
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func `any bytes in any order are survived`(seed: UInt64) throws {
        var randomness = Randomness.seeded(seed)
        var agent = try agent(seed % 2 == 0 ? .controlling : .controlled)
        let (local, remote) = (try address("10.0.0.1", 5_000), try address("10.0.0.2", 40_000))
        let valid = [request(to: agent), request(to: agent, nominates: true)]
        for step in 0..<2_000 {
            let number = Int.random(in: 0...5, using: &randomness)
            let id: ICEAgent.ConnectionID = Bool.random(using: &randomness) ? .accepted(number) : .dialled(number)
            let input: ICEAgent.Input
            switch Int.random(in: 0...6, using: &randomness) {
            case 0: input = .accepted(id, local: local, remote: remote)
            case 1: input = .connected(id, local: local)
            case 2: input = .connectFailed(id)
            case 3 where step % 50 == 0: input = .closed(id)
            case 4: input = .frame(id, frame(valid[step % 2]))
            case 5 where step == 100: input = .remoteDescription(try peer([7_000, 7_001, 7_002]))
            case 6: input = .timer
            default: input = .frame(id, frame(randomness.bytes(Int.random(in: 0...60, using: &randomness))))
            }
            let effects = agent.handle(input, now: at(Int64(step) * 20))
            #expect(effects.count < 200)
        }
    }
}
