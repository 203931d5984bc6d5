package import Keys
package import Runtime

/// How much of local discovery is done at most.
package struct DiscoveryLimits: Sendable {
    /// Questions that are answered in a second.
    package var answers = 16
    /// Nodes that are reported in a second.
    package var findings = 32
    /// Nodes that are remembered, so as not to be reported again soon.
    package var remembered = 256
    /// How long they are remembered.
    package var memory = Duration.seconds(60)

    package init() {}
}

/// Finds nodes on the local network and is found there: the rules, without sockets or clocks.
///
/// After every call the driver does the effects and arms a timer for ``nextDeadline``.
/// Source: DHT protocol, "Local discovery".
package struct DiscoveryCore: Sendable {
    package enum Effect: Equatable, Sendable {
        /// To the group of a family, on every interface.
        case multicast([UInt8], Endpoint.Family)
        case send([UInt8], to: Endpoint)
        /// A node that is worth a ping.
        case found(InfoHash, Endpoint)
    }

    /// When a question and an announcement are sent, counted from the moment at which others are wanted.
    package static let rounds: [Duration] = [.zero, .seconds(10), .seconds(30), .seconds(70)]

    private let id: InfoHash
    private let network: UInt32
    /// The ports of the node; a family without one is not announced.
    private let ports: [Endpoint.Family: UInt16]
    /// Whether others are told of this node.
    private let isAnnounced: Bool
    private let limits: DiscoveryLimits

    private var start = Instant()
    /// The next round; at the end nothing is sent until the next cause.
    private var round = DiscoveryCore.rounds.count
    private var answerRate: RateLimiter
    private var findingRate: RateLimiter
    private var known: [Endpoint: Instant] = [:]

    package init(
        id: InfoHash,
        network: UInt32,
        ports: [Endpoint.Family: UInt16],
        isAnnounced: Bool = true,
        limits: DiscoveryLimits = DiscoveryLimits()
    ) {
        self.id = id
        self.network = network
        self.ports = ports
        self.isAnnounced = isAnnounced
        self.limits = limits
        answerRate = RateLimiter(quota: limits.answers, per: .seconds(1))
        findingRate = RateLimiter(quota: limits.findings, per: .seconds(1))
    }

    /// When ``timer(now:)`` has something to do; `nil` when there is nothing.
    package var nextDeadline: Instant? {
        round < Self.rounds.count ? start + Self.rounds[round] : nil
    }

    /// Others are wanted: the node has started, or knows nobody any more.
    ///
    /// Rounds that are under way go on, so that a node that flaps does not flood the network.
    package mutating func begin(now: Instant) -> [Effect] {
        guard nextDeadline == nil else { return timer(now: now) }
        return restart(now: now)
    }

    /// The machine may be in another network now: all begins anew.
    package mutating func restart(now: Instant) -> [Effect] {
        known.removeAll(keepingCapacity: true)
        start = now
        round = 0
        return timer(now: now)
    }

    /// The node has others now, so it need not look for more.
    package mutating func rest() {
        round = Self.rounds.count
    }

    /// Sends what is due; a late, early or needless call is harmless.
    package mutating func timer(now: Instant) -> [Effect] {
        guard let deadline = nextDeadline, deadline <= now else { return [] }
        while let deadline = nextDeadline, deadline <= now { round += 1 }
        var effects: [Effect] = []
        for family in [Endpoint.Family.ipv4, .ipv6] where ports[family] != nil {
            effects.append(.multicast(DiscoveryMessage.query.encoded, family))
            if let announcement = announcement(family) { effects.append(.multicast(announcement, family)) }
        }
        return effects
    }

    /// Takes a datagram that came to the group, or in answer to a question.
    package mutating func receive(_ bytes: RawSpan, from sender: Endpoint, now: Instant) -> [Effect] {
        guard !sender.isMartian, let message = try? DiscoveryMessage(decoding: bytes) else { return [] }
        switch message {
        case .query:
            guard let answer = announcement(sender.family), answerRate.admit(at: now) else { return [] }
            return [.send(answer, to: sender)]
        case .announcement(let announcement):
            guard announcement.id != id, announcement.network == network, !sender.isLinkLocal else { return [] }
            let endpoint = sender.withPort(announcement.port)
            guard isNew(endpoint, now: now), findingRate.admit(at: now) else { return [] }
            known[endpoint] = now
            return [.found(announcement.id, endpoint)]
        }
    }

    private func announcement(_ family: Endpoint.Family) -> [UInt8]? {
        guard isAnnounced, let port = ports[family] else { return nil }
        return DiscoveryMessage.announcement(.init(id: id, port: port, network: network)).encoded
    }

    private mutating func isNew(_ endpoint: Endpoint, now: Instant) -> Bool {
        if let last = known[endpoint], now - last < limits.memory { return false }
        if known.count >= limits.remembered {
            known = known.filter { now - $0.value < limits.memory }
        }
        return known.count < limits.remembered
    }
}

extension Endpoint {
    /// Such an address means nothing without the interface it belongs to, which an endpoint does not say.
    fileprivate var isLinkLocal: Bool { family == .ipv6 && high >> 54 == 0x3FA }

    /// The same address with another port.
    func withPort(_ port: UInt16) -> Endpoint {
        switch family {
        case .ipv4: Endpoint(ipv4: UInt32(truncatingIfNeeded: low), port: port)
        case .ipv6: Endpoint(ipv6: high, low, port: port)
        }
    }
}
