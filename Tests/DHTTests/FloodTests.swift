import Keys
import MessagePack
import Runtime
import Testing

@testable import DHT

/// More of everything than a node can bear: what it keeps stays within its limits, and others are answered as before.
@Suite(.timeLimit(.minutes(5))) struct FloodTests {
    /// A node with friends that are good, and a flood of packets that come in at a steady pace.
    private final class Flood {
        var harness: CoreHarness
        let friends: [CoreHarness.Peer]
        /// Datagrams that the core sent to others than the friends.
        var sent = 0
        var friendsAsked = 0
        var friendsAnswered = 0

        init(limits: NodeLimits = NodeLimits(), friends: Int = 1) {
            harness = CoreHarness(limits: limits)
            self.friends = (1...friends).map { CoreHarness.Peer($0) }
            for friend in self.friends { harness.befriend(friend) }
        }

        var core: NodeCore { harness.core }

        func receive(_ bytes: [UInt8], from sender: Endpoint) {
            core.receive(bytes.span.bytes, from: sender, now: harness.now)
            sent += core.outbox.datagrams.count
            core.outbox.removeAll()
        }

        func write(_ write: (inout MessagePackWriter) -> Void) -> [UInt8] {
            var writer = MessagePackWriter()
            write(&writer)
            return writer.bytes
        }

        /// Packets that come within a time, while a friend asks a hundred times whether the node is there.
        func run(_ count: Int, within duration: Duration, _ packet: (Int) -> ([UInt8], Endpoint)) {
            for number in 0..<count {
                harness.now = harness.now + duration / count
                let (bytes, sender) = packet(number)
                receive(bytes, from: sender)
                if number % max(count / 100, 1) == 0 { askAsFriend() }
                core.timer(now: harness.now)
                sent += core.outbox.datagrams.count
                core.outbox.removeAll()
                _ = core.takeEvents()
            }
        }

        func askAsFriend() {
            friendsAsked += 1
            let friend = friends[friendsAsked % friends.count]
            let answers = harness.receive(from: friend) { $0.ping(77, to: &$1) }
            if answers.contains(where: { $0.packet.transaction == 77 }) { friendsAnswered += 1 }
        }
    }

    let key = InfoHash(hashing: "key")

    private func bytes(_ write: (inout MessagePackWriter) -> Void) -> [UInt8] {
        var writer = MessagePackWriter()
        write(&writer)
        return writer.bytes
    }

    // MARK: Rates

    @Test func `ten times the rate of one address does not cost others their answers`() {
        let flood = Flood()
        let attacker = CoreHarness.Peer(2)
        let ping = bytes { attacker.writer.find(1, target: key, to: &$0) }
        flood.run(2 * 10_240, within: .seconds(2)) { _ in (ping, attacker.endpoint) }
        #expect(flood.friendsAnswered == flood.friendsAsked)
        // A thousand in each second, and at its edges a little more.
        #expect((2000...3100).contains(flood.sent))
    }

    @Test(arguments: Endpoint.Family.all)
    func `ten times the rate of all addresses does not cost good nodes their answers`(family: Endpoint.Family) {
        var limits = NodeLimits()
        limits.nodes = 2048
        let flood = Flood(limits: limits)
        flood.run(81_920, within: .seconds(1)) { number in
            let attacker = PacketWriter(id: InfoHash(high: UInt64(number) << 40, middle: 1, low: 1))
            let endpoint =
                switch family {
                case .ipv4: Endpoint(ipv4: 0x0B00_0000 + UInt32(number), port: 4222)
                // Each from a network of its own.
                case .ipv6: Endpoint(ipv6: 0x2001_0DB8_0000_0000 + UInt64(number), 1, port: 4222)
                }
            return (bytes { attacker.ping(1, to: &$0) }, endpoint)
        }
        #expect(flood.friendsAnswered == flood.friendsAsked)
        #expect(flood.core.rates.count <= limits.ratedAddresses)
        #expect(flood.core.nodes.count <= 2 * limits.nodes)
        #expect(flood.core.counters.limited > 60_000)
        // When it is over, the books of these addresses are closed.
        flood.harness.now = flood.harness.now + .seconds(5)
        for number in 0..<20_000 {
            let ping = bytes { PacketWriter(id: InfoHash(hashing: "late")).ping(1, to: &$0) }
            flood.receive(ping, from: Endpoint(ipv4: 0x0C00_0000 + UInt32(number), port: 1))
        }
        #expect(flood.core.rates.count <= limits.ratedAddresses)
    }

    @Test func `addresses of one IPv6 network count as one`() {
        let flood = Flood()
        flood.run(10_240, within: .seconds(1)) { number in
            let attacker = PacketWriter(id: InfoHash(hashing: "attacker"))
            return (
                bytes { attacker.ping(1, to: &$0) }, Endpoint(ipv6: 0x2001_0DB8 << 32, UInt64(number + 1), port: 1)
            )
        }
        #expect(flood.sent <= 1100)
        #expect(flood.core.rates.count <= 2)
        #expect(flood.friendsAnswered == flood.friendsAsked)
    }

    // MARK: Listens

    @Test func `eight thousand listens of one node are kept, and one value more is one update`() {
        let flood = Flood()
        let attacker = CoreHarness.Peer(2)
        let token = flood.harness.token(for: attacker)
        flood.run(8000, within: .seconds(10)) { number in
            let key = InfoHash(hashing: "key \(number)")
            let listen = bytes {
                attacker.writer.listen(1, key: key, socket: UInt32(number + 1), query: Query(), token: token, to: &$0)
            }
            return (listen, attacker.endpoint)
        }
        #expect(flood.core.storage.listenerCount == 8000)
        #expect(flood.friendsAnswered == flood.friendsAsked)
        flood.harness.put([Value(id: 1)], at: InfoHash(hashing: "key 77"), by: flood.friends[0])
        let updates = flood.core.requests.values.count { if case .update = $0.purpose { true } else { false } }
        #expect(updates == 1)
    }

    @Test func `listens of eight thousand nodes at one key are bounded, and so are the updates`() {
        let flood = Flood()
        var tokens: [[UInt8]] = []
        let attackers = (10..<8010).map { CoreHarness.Peer($0) }
        for attacker in attackers {
            tokens.append(flood.core.tokens.token(for: attacker.endpoint))
        }
        flood.run(8000, within: .seconds(4)) { number in
            let listen = bytes {
                attackers[number].writer.listen(1, key: key, socket: 5, query: Query(), token: tokens[number], to: &$0)
            }
            return (listen, attackers[number].endpoint)
        }
        let kept = flood.core.storage.listeners(at: key).count
        #expect(kept == Storage.Limits().listenersPerKey)
        #expect(flood.core.storage.listenerCount == kept)
        let before = flood.core.counters.requested
        flood.harness.put([Value(id: 1, data: [1])], at: key, by: flood.friends[0])
        #expect(flood.core.counters.requested - before <= UInt64(kept) + 8)
        #expect(flood.friendsAnswered == flood.friendsAsked)
    }

    @Test func `who listens everywhere fills its own share only, and its listens end`() {
        var storage = Storage()
        let limits = storage.limits
        func listen(_ number: Int, group: UInt64) -> Bool? {
            storage.listen(
                .init(
                    node: NodeIndex(slot: Int32(number % 7)),
                    socket: UInt32(number),
                    query: Query(),
                    refreshed: Instant(),
                    isLegacy: false,
                    group: group
                ),
                at: InfoHash(high: UInt64(number) << 20, middle: 0, low: 1)
            )
        }
        let registered = (0..<20_000).count { listen($0, group: 1) == true }
        #expect(registered == limits.listenersPerGroup)
        #expect(listen(30_000, group: 2) == true)
        #expect(storage.listenerCount == registered + 1)
        storage.sweep(at: Instant() + .seconds(601))
        #expect(storage.listenerCount == 0 && storage.places.isEmpty)
        #expect(listen(1, group: 1) == true)
    }

    @Test func `a thousand values for a thousand sockets are not a million updates`() {
        let flood = Flood()
        let attackers = (10..<138).map { CoreHarness.Peer($0) }
        // All behind one address, each with as many sockets as it may have.
        func endpoint(_ number: Int) -> Endpoint { Endpoint(ipv4: 0x0B00_0001, port: UInt16(1000 + number)) }
        for (number, attacker) in attackers.enumerated() {
            let token = flood.core.tokens.token(for: endpoint(number))
            for socket in 1...8 as ClosedRange<UInt32> {
                let listen = bytes {
                    attacker.writer.listen(1, key: key, socket: socket, query: Query(), token: token, to: &$0)
                }
                flood.harness.now = flood.harness.now + .milliseconds(2)
                flood.receive(listen, from: endpoint(number))
            }
        }
        #expect(flood.core.storage.listeners(at: key).count == 1024)
        flood.harness.now = flood.harness.now + .seconds(3)
        let before = flood.core.counters.requested
        let token = flood.core.tokens.token(for: endpoint(0))
        flood.run(1000, within: .seconds(1)) { number in
            let values = OutgoingValues([Value(id: UInt64(number + 1), data: [1]).encoded])
            let put = bytes {
                attackers[0].writer.put(1, key: key, values: values, created: nil, token: token, to: &$0)
            }
            return (put, endpoint(0))
        }
        // Eight megabytes in a second, at least a kilobyte each.
        #expect(flood.core.counters.requested - before < 20_000)
        #expect(flood.friendsAnswered == flood.friendsAsked)
    }

    // MARK: Storage

    @Test(arguments: [1, 500]) func `who fills the storage loses its own values`(size: Int) {
        var limits = NodeLimits()
        limits.storedBytes = 1 << 20
        let flood = Flood(limits: limits)
        for id in 1...20 as ClosedRange<UInt64> {
            flood.harness.put([Value(id: id, data: [1, 2, 3])], at: key, by: flood.friends[0])
        }
        let attacker = CoreHarness.Peer(2)
        let token = flood.core.tokens.token(for: attacker.endpoint)
        flood.run(9000, within: .seconds(10)) { number in
            let values = OutgoingValues([Value(id: 7, data: [UInt8](repeating: 1, count: size)).encoded])
            let place = InfoHash(hashing: "place \(number)")
            let put = bytes { attacker.writer.put(1, key: place, values: values, created: nil, token: token, to: &$0) }
            return (put, attacker.endpoint)
        }
        #expect(flood.core.storage.bytes <= limits.storedBytes)
        #expect(flood.core.storage.valueCount <= limits.storedBytes / Storage.overhead)
        #expect(flood.core.storage.values(at: key).count == 20)
        #expect(flood.friendsAnswered == flood.friendsAsked)
        // In time everything goes.
        flood.harness.now = flood.harness.now + .seconds(700)
        flood.core.timer(now: flood.harness.now)
        #expect(flood.core.storage.valueCount == 0 && flood.core.storage.bytes == 0)
    }

    @Test func `values of one key are bounded`() {
        let flood = Flood()
        let attacker = CoreHarness.Peer(2)
        let token = flood.core.tokens.token(for: attacker.endpoint)
        flood.run(6000, within: .seconds(8)) { number in
            let values = OutgoingValues([Value(id: UInt64(number + 1)).encoded])
            let put = bytes { attacker.writer.put(1, key: key, values: values, created: nil, token: token, to: &$0) }
            return (put, attacker.endpoint)
        }
        #expect(flood.core.storage.values(at: key).count == Storage.Limits().valuesPerKey)
        #expect(flood.friendsAnswered == flood.friendsAsked)
    }

    // MARK: Sessions and requests

    @Test func `parts of nobody and messages without parts leave room for a large value`() {
        let flood = Flood()
        let attackers = (10..<20).map { CoreHarness.Peer($0) }
        let sizes = OutgoingValues([Value(id: 1, data: [UInt8](repeating: 1, count: 60_000)).encoded])
        flood.run(5000, within: .seconds(2)) { number in
            let attacker = attackers[number % attackers.count]
            let token = flood.core.tokens.token(for: attacker.endpoint)
            let packet = bytes { output in
                if number % 2 == 0 {
                    attacker.writer.part(UInt32(number + 1), index: 0, offset: 0, bytes: [1], to: &output)
                } else {
                    attacker.writer.put(
                        UInt32(number + 1),
                        key: key,
                        values: sizes,
                        created: nil,
                        token: token,
                        to: &output
                    )
                }
            }
            return (packet, attacker.endpoint)
        }
        let limits = Reassembly.Limits()
        #expect(flood.core.reassembly.count <= limits.sessions)
        #expect(flood.friendsAnswered == flood.friendsAsked)
        // The sessions of each sender are bounded, and few can be full at a time.
        #expect(flood.core.reassembly.count <= attackers.count * limits.sessionsPerSender)
        flood.harness.now = flood.harness.now + .seconds(4)
        let value = Value(id: 4, data: [UInt8](repeating: 4, count: 5000))
        let friend = flood.friends[0]
        var answers = flood.harness.put([value], at: key, by: friend)
        for offset in stride(from: 0, to: value.encoded.count, by: 1280) {
            let piece = value.encoded[offset..<min(offset + 1280, value.encoded.count)]
            answers += flood.harness.receive(from: friend) {
                $0.part(10, index: 0, offset: offset, bytes: piece, to: &$1)
            }
        }
        #expect(answers.map(\.packet.valueID) == [4])
    }

    @Test func `parts of one sender leave room for those of others at the same time`() {
        let flood = Flood()
        let attacker = CoreHarness.Peer(2)
        let friend = flood.friends[0]
        for transaction in 1...2000 as ClosedRange<UInt32> {
            flood.receive(
                bytes { attacker.writer.part(transaction, index: 0, offset: 0, bytes: [1], to: &$0) },
                from: attacker.endpoint
            )
        }
        #expect(flood.core.reassembly.count == Reassembly.Limits().sessionsPerSender)
        let value = Value(id: 4, data: [UInt8](repeating: 4, count: 2000))
        var answers = flood.harness.put([value], at: key, by: friend)
        for offset in [0, 1280] {
            let piece = value.encoded[offset..<min(offset + 1280, value.encoded.count)]
            answers += flood.harness.receive(from: friend) {
                $0.part(10, index: 0, offset: offset, bytes: piece, to: &$1)
            }
        }
        #expect(answers.map(\.packet.valueID) == [4])
    }

    @Test func `a value in thousands of crumbs is not put together`() {
        let flood = Flood()
        let attacker = CoreHarness.Peer(2)
        let value = OutgoingValues([Value(id: 1, data: [UInt8](repeating: 1, count: 60_000)).encoded])
        let token = flood.core.tokens.token(for: attacker.endpoint)
        flood.receive(
            bytes { attacker.writer.put(1, key: key, values: value, created: nil, token: token, to: &$0) },
            from: attacker.endpoint
        )
        for offset in stride(from: 0, to: 60_000, by: 6) {
            let crumb = value.encoded[0][offset..<offset + 6]
            flood.receive(
                bytes { attacker.writer.part(1, index: 0, offset: offset, bytes: crumb, to: &$0) },
                from: attacker.endpoint
            )
        }
        #expect(flood.core.storage.valueCount == 0)
        #expect(flood.core.reassembly.count == 1)
    }

    @Test func `more operations than requests and searches that there is room for all end, each once`() {
        var limits = NodeLimits()
        limits.pendingRequests = 200
        limits.searches = 300
        limits.operation = .seconds(20)
        let flood = Flood(limits: limits, friends: 3)
        var waiting: Set<OperationID> = []
        var finished: [OperationID: Int] = [:]
        func takeEvents() {
            for case .finished(let operation, _) in flood.core.takeEvents() { finished[operation, default: 0] += 1 }
        }
        for number in 0..<2000 {
            let key = InfoHash(hashing: "key \(number)")
            if number % 3 == 0 {
                let value = Value(id: 1, data: [1])
                let now = flood.harness.now
                waiting.insert(flood.core.put(value, at: key, permanent: false, isIDDrawn: true, now: now))
            } else {
                waiting.insert(flood.core.get(key, now: flood.harness.now))
            }
            takeEvents()
        }
        #expect(flood.core.requests.count <= limits.pendingRequests)
        #expect(flood.core.searches.count <= 2 * limits.searches)
        flood.askAsFriend()
        #expect(flood.friendsAnswered == 1)
        for _ in 0..<100 {
            _ = flood.harness.wait(.seconds(1))
            takeEvents()
        }
        #expect(waiting.allSatisfy { finished[$0] == 1 })
        #expect(flood.core.requests.count <= limits.pendingRequests)
    }

    // MARK: Nodes

    @Test func `fake ids near ours do not drive good nodes out`() throws {
        var limits = NodeLimits()
        limits.nodes = 2048
        let flood = Flood(limits: limits, friends: 60)
        let core = flood.core
        func goodMembers() -> Set<InfoHash> {
            let known = Set(flood.friends.map(\.id))
            let members = core.states[.ipv4].table.buckets.flatMap(\.nodes).map { core.nodes[$0].id }
            return Set(members).intersection(known)
        }
        let before = goodMembers()
        #expect(before.count > 15)
        flood.run(20_000, within: .seconds(20)) { number in
            var id = core.id
            // They share more and more bits with us, and none of them ever answers.
            id.low ^= UInt32(truncatingIfNeeded: number + 1)
            id.middle ^= UInt64(number % 64)
            let attacker = PacketWriter(id: id)
            let endpoint = Endpoint(ipv4: 0x0B00_0000 + UInt32(number), port: 4222)
            return (bytes { attacker.find(1, target: id, to: &$0) }, endpoint)
        }
        #expect(goodMembers().isSuperset(of: before))
        #expect(core.nodes.count <= 2 * limits.nodes)
        #expect(core.states[.ipv4].table.buckets.count <= 161)
        #expect(core.requests.count < 2000)
        #expect(flood.friendsAnswered == flood.friendsAsked)
        // Others are told of good nodes only.
        let friend = flood.friends[0]
        let answer = flood.harness.receive(from: friend) { $0.find(1, target: core.id, to: &$1) }
        let told = try #require(answer.first)
        var contacts: [InfoHash] = []
        _ = CompactNodes.visit(told.bytes.span.bytes, told.packet.nodes4 ?? 0..<0, family: .ipv4) {
            contacts.append($0.id)
        }
        #expect(contacts.count == 8 && Set(contacts).isSubset(of: before))
    }

    @Test func `the list of those who are not heard is bounded`() {
        var limits = NodeLimits()
        limits.blacklist = 16
        let flood = Flood(limits: limits)
        for number in 10..<110 {
            let peer = CoreHarness.Peer(number)
            flood.harness.befriend(peer)
            _ = flood.core.get(InfoHash(hashing: "\(number)"), now: flood.harness.now)
            for request in flood.harness.sent() where request.receiver == peer.endpoint {
                let bytes = bytes {
                    peer.writer.acknowledgement(request.packet.transaction, to: CoreHarness.own, to: &$0)
                }
                flood.receive(bytes, from: peer.endpoint)
            }
        }
        #expect(flood.core.blacklist.count == limits.blacklist)
        flood.askAsFriend()
        #expect(flood.friendsAnswered == 1)
    }
}
