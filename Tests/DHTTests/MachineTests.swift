import Keys
import MessagePack
import Runtime
import TestSupport
import Testing

@testable import DHT

/// A core that is fed with everything at once: honest, damaged, late and hostile packets, and commands of its user.
@Suite struct MachineTests {
    private struct Crowd {
        var harness: CoreHarness
        var randomness: Randomness
        var mutations: ByteMutations
        var tokens: [Int: [UInt8]] = [:]
        var requests: [CoreHarness.Sent] = []
        var operations: [OperationID] = []
        /// Gets and puts that nobody has cancelled.
        var waiting: Set<OperationID> = []
        var finished: [OperationID: Int] = [:]
        var pings: Set<OperationID> = []
        var answeredPings: [OperationID: Int] = [:]

        init(seed: UInt64) {
            var limits = NodeLimits()
            limits.nodes = 48
            limits.searches = 8
            limits.pendingRequests = 200
            limits.storedBytes = 200_000
            limits.heardValues = 20
            limits.blacklist = 10
            limits.operation = .seconds(20)
            harness = CoreHarness(limits: limits)
            harness.core.start(now: harness.now, wallTime: WallTime(seconds: 1_800_000_000))
            randomness = .seeded(seed)
            mutations = ByteMutations(seed: seed)
        }

        /// Peers of two numbers share an id, one for each family.
        func peer(_ number: Int) -> CoreHarness.Peer {
            CoreHarness.Peer(number / 2 + 1, over: number % 2 == 0 ? .ipv4 : .ipv6)
        }

        func number(of endpoint: Endpoint) -> Int {
            switch endpoint.family {
            case .ipv4: Int(endpoint.low) - 0x0A00_0001 << 1
            case .ipv6: Int(endpoint.high & 0xFFFF) - 1 << 1 | 1
            }
        }

        mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &randomness) }
        mutating func key() -> InfoHash { InfoHash(hashing: "key \(below(12))") }

        mutating func value() -> Value {
            let id = UInt64(below(6))
            let data = randomness.bytes(below(10) == 0 ? 3000 : below(50))
            switch below(6) {
            case 0: return Value(id: id, cypher: data + [1])
            case 1: return Value(id: id, type: 99, data: data, owner: [1], sequence: UInt16(below(9)), signature: [1])
            case 2: return Value(id: id, type: [0, 1, 2, 3, 4, 5, 8][below(7)], data: data)
            default: return Value(id: id, data: data, userType: "u")
            }
        }

        /// A request of a peer, with its right token most of the time.
        mutating func request(_ number: Int) -> [UInt8] {
            let peer = self.peer(number)
            var output = MessagePackWriter()
            let token = below(8) == 0 ? randomness.bytes(below(70)) : tokens[number] ?? []
            let transaction = UInt32(below(50) + 1)
            let socket = below(3) == 0 ? harness.core.sockets.keys.sorted().first ?? 5 : UInt32(below(5))
            let key = key()
            let values = OutgoingValues((0..<below(4)).map { _ in value().encoded })
            switch below(9) {
            case 0: peer.writer.ping(transaction, to: &output)
            case 1: peer.writer.find(transaction, target: key, to: &output)
            case 2:
                peer.writer.get(
                    transaction,
                    key: key,
                    query: Query(fields: below(2) == 0 ? [.id, .owner] : []),
                    to: &output
                )
            case 3, 4: peer.writer.put(transaction, key: key, values: values, created: nil, token: token, to: &output)
            case 5: peer.writer.refresh(transaction, key: key, valueID: UInt64(below(6)), token: token, to: &output)
            case 6: peer.writer.listen(transaction, key: key, socket: socket, query: Query(), token: token, to: &output)
            case 7: peer.writer.update(transaction, key: key, socket: socket, values: values, token: token, to: &output)
            default:
                peer.writer.part(transaction, index: below(3), offset: 1280 * below(3), bytes: [1, 2, 3], to: &output)
            }
            return output.bytes
        }

        /// The answer to something that the core asked: right, empty, an error, or none at all.
        mutating func answer() {
            guard !requests.isEmpty else { return }
            let request = requests.remove(at: below(requests.count))
            let number = number(of: request.receiver)
            guard (1..<100).contains(number) else { return }
            let peer = self.peer(number)
            var output = MessagePackWriter()
            let transaction = request.packet.transaction
            switch below(8) {
            case 0: return
            case 1: peer.writer.failure(transaction, .wrongToken(.put), to: &output)
            case 2: peer.writer.failure(transaction, .unknownStorage, to: &output)
            case 3: peer.writer.acknowledgement(transaction, to: CoreHarness.own, to: &output)
            case 4: peer.writer.confirmation(transaction, of: UInt64(below(6)), to: CoreHarness.own, to: &output)
            default:
                var answer = PacketWriter.Answer(token: [1, 2, 3])
                let told = (0..<below(9)).map { _ in self.peer(below(90) + 1).contact }
                answer.nodes4 = told.filter { $0.endpoint.family == .ipv4 }
                answer.nodes6 = told.filter { $0.endpoint.family == .ipv6 }
                if below(2) == 0 { answer.values = OutgoingValues((0..<below(3)).map { _ in value().encoded }) }
                if below(4) == 0 { answer.rows = ([.id, .owner, .sequence], [value(), value()]) }
                peer.writer.answer(transaction, answer, to: CoreHarness.own, to: &output)
            }
            take(harness.receive(output.bytes, from: peer.endpoint))
        }

        mutating func command() {
            let core = harness.core
            switch below(11) {
            case 8:
                let query = Query(fields: below(2) == 0 ? [.id] : [], filters: below(2) == 0 ? [.sequence(1)] : [])
                operations.append(core.query(key(), query, now: harness.now))
                waiting.formUnion(operations.suffix(1))
            case 0:
                operations.append(core.get(key(), now: harness.now))
                waiting.formUnion(operations.suffix(1))
            case 1, 2:
                let put = core.put(
                    value(),
                    at: key(),
                    permanent: below(2) == 0,
                    isIDDrawn: below(2) == 0,
                    now: harness.now
                )
                waiting.insert(put)
            case 3: operations.append(core.listen(at: key(), now: harness.now))
            case 4:
                guard !operations.isEmpty else { return }
                let cancelled = operations[below(operations.count)]
                core.cancel(cancelled, now: harness.now)
                waiting.remove(cancelled)
            case 5: core.cancelPut(at: key(), id: UInt64(below(6)), now: harness.now)
            case 6: if below(20) == 0 { core.connectivityChanged(now: harness.now) }
            case 7:
                pings.insert(core.ping(peer(below(90) + 1).endpoint, now: harness.now))
            case 9:
                let refused = (0..<below(30)).map { _ in peer(below(90) + 1).endpoint }
                core.cannotReach(Set(refused), now: harness.now)
            default: core.bootstrap(with: [peer(below(90) + 1).endpoint], now: harness.now)
            }
            take(harness.sent())
        }

        mutating func take(_ sent: [CoreHarness.Sent]) {
            for message in sent {
                if case .request = message.packet.kind { requests.append(message) }
                if let token = message.content["r"]?["token"]?.bytes {
                    tokens[number(of: message.receiver)] = token
                }
            }
            if requests.count > 60 { requests.removeFirst(requests.count - 60) }
            for event in harness.core.takeEvents() {
                switch event {
                case .finished(let operation, _): finished[operation, default: 0] += 1
                case .pinged(let operation, _): answeredPings[operation, default: 0] += 1
                case .check(let number, _): harness.core.finishCheck(number, isPassed: below(2) == 0, now: harness.now)
                case .bootstrapDue:
                    harness.core.bootstrap(with: [peer(below(90) + 1).endpoint], now: harness.now)
                default: break
                }
            }
        }

        mutating func step() {
            let number = below(90) + 1
            switch below(10) {
            case 0...3: take(harness.receive(request(number), from: peer(number).endpoint))
            case 4: take(harness.receive(mutations.next(of: request(number)), from: peer(number).endpoint))
            case 5...7: answer()
            case 8: command()
            default: take(harness.wait(.milliseconds([10, 300, 2000, 30_000][below(4)])))
            }
        }
    }

    private func check(_ core: NodeCore) {
        let waiting = core.requests.values.count { $0.node != nil }
        let families = Endpoint.Family.all
        let nodes = families.flatMap { core.nodes.all(of: $0) }
        #expect(nodes.reduce(0) { $0 + Int($1.pendingRequests) } == waiting)
        #expect(families.reduce(0) { $0 + core.states[$1].bootstrapPings } == core.requests.count - waiting)
        #expect(families.allSatisfy { core.nodes.count(of: $0) <= 48 })
        #expect(families.allSatisfy { core.states[$0].searchOrder.count <= 8 })
        #expect(core.searches.count == families.reduce(0) { $0 + core.states[$1].searchOrder.count })
        #expect(core.requests.count <= 200)
        #expect(core.blacklist.count <= 10)
        let stored = core.storage.places.values.flatMap(\.values)
        #expect(core.storage.valueCount == stored.count)
        #expect(core.storage.bytes == stored.reduce(0) { $0 + $1.charge })
        #expect(core.storage.bytes <= 200_000)
        for (number, socket) in core.sockets {
            let search = core.searches[socket.search]
            let listening = search?.nodes.flatMap(\.listening).filter { $0.socket == number }
            #expect(listening?.count == 1)
        }
        for search in core.searches.values {
            #expect(search.nodes.count <= Timing.searchNodes + Timing.toleratedBadNodes + 1)
            let known = Set(search.announces.map(\.id))
            #expect(search.nodes.allSatisfy { Set($0.announcing.keys).isSubset(of: known) })
        }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func `whatever comes in whatever order, the books of the core balance`(seed: UInt64) {
        var crowd = Crowd(seed: seed)
        for round in 0..<3000 {
            crowd.step()
            if round % 500 == 499 { check(crowd.harness.core) }
        }
        // In the end every operation but the listens is over.
        for _ in 0..<20 { crowd.take(crowd.harness.wait(.seconds(10))) }
        check(crowd.harness.core)
        #expect(crowd.waiting.allSatisfy { crowd.finished[$0] == 1 })
        #expect(crowd.finished.values.allSatisfy { $0 == 1 })
        #expect(crowd.waiting.count > 60)
        #expect(crowd.pings.count > 10 && crowd.pings.allSatisfy { crowd.answeredPings[$0] == 1 })
        #expect(crowd.harness.core.counters.served > 500)
        #expect(crowd.harness.core.counters.requested > 500)
        for search in crowd.harness.core.searches.values {
            #expect(search.gets.isEmpty)
            #expect(search.announces.allSatisfy { $0.isPermanent && $0.waiting.isEmpty })
        }
    }
}
