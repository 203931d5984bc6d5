package import Keys
package import Runtime

/// A node of the DHT without sockets, clocks or threads.
///
/// Datagrams, times and commands go in; datagrams (``outbox``), events (``takeEvents()``) and a next deadline
/// (``nextDeadline``) come out. After every call a driver sends what is in the outbox, empties it, handles the events and
/// arms one timer. A class, since it is the one owner of its state; it must stay in one isolation domain.
package final class NodeCore {
    package struct Configuration: Sendable {
        package var id: InfoHash
        package var network: UInt32
        package var isClient: Bool
        /// Whether the nodes of the network do not come and go, so that they need to be told less often who listens.
        package var isStable: Bool
        /// Whether values of others are handed on to nodes that have come closer to their keys.
        package var maintainsStorage: Bool
        /// At most four characters.
        package var agent: String
        /// Those that there is a socket of.
        package var families: Endpoint.Families
        package var limits: NodeLimits
        package var types: ValueTypes

        package init(
            id: InfoHash,
            network: UInt32 = 0,
            isClient: Bool = false,
            isStable: Bool = false,
            maintainsStorage: Bool = false,
            agent: String = "ap1",
            families: Endpoint.Families = .both,
            limits: NodeLimits = NodeLimits(),
            types: ValueTypes = .standard
        ) {
            self.id = id
            self.network = network
            self.isClient = isClient
            self.isStable = isStable
            self.maintainsStorage = maintainsStorage
            self.agent = agent
            self.families = families
            self.limits = limits
            self.types = types
        }
    }

    /// What is to be done at a time.
    enum Wake: Sendable {
        case request(UInt32)
        case search(SearchID)
        case storage, storageMaintenance, confirm, sweep, rotation, bootstrap, parts
    }

    struct Socket {
        let search: SearchID
        let node: NodeIndex
        let listen: UInt64
    }

    struct PendingCheck {
        let check: StoreCheck
        let expires: Instant
        let group: UInt64
    }

    package let id: InfoHash
    let configuration: Configuration
    let writer: PacketWriter
    let wireLimits = WireLimits.standard
    var limits: NodeLimits { configuration.limits }
    var listenRefresh: Duration { configuration.isStable ? Timing.stableListenRefresh : Timing.listenRefresh }
    var types: ValueTypes { configuration.types }

    var randomness: Randomness
    /// Unix milliseconds at the origin of the monotonic clock.
    var wallOrigin: Int64 = 0

    /// Those that there is a socket of.
    private(set) var families: Endpoint.Families
    /// Those in which a node answered lately.
    private(set) var connected: Endpoint.Families = []
    var states: PerFamily<FamilyState>
    let nodes: NodeTable
    var requests: [UInt32: Request] = [:]
    var responseTimes = ResponseTimes()
    var searches: [SearchID: Search] = [:]
    var dirtySearches: [SearchID] = []
    var sockets: [UInt32: Socket] = [:]
    var operations: [OperationID: InfoHash] = [:]
    var storage: Storage
    var checks: [UInt64: PendingCheck] = [:]
    var reassembly = Reassembly()
    var tokens: TokenSecrets
    var rates: RateTable
    var answerRates: RateTable
    var blacklist: Set<Endpoint> = []
    var timers = DeadlineQueue<Wake>()
    var events: [NodeEvent] = []
    var nextNumber: UInt64 = 1

    package private(set) var status = NodeStatus.disconnected
    var statusMayHaveChanged = false
    var isStarted = false
    /// The addresses to start from are being looked up.
    var isResolving = false
    var bootstrapBackoff = Backoff(initial: Timing.bootstrapInitial, cap: Timing.bootstrapCap)
    var isBootstrapScheduled = false
    var confirmAt = Instant.distantFuture
    var storageWake = Instant.distantFuture
    /// Keys that the maintenance of the storage has not looked at yet, how many it looks at in one go, and when it begins
    /// anew.
    var maintained: [InfoHash] = []
    var maintenanceShare = 0
    var maintenanceBegins = Instant.longAgo
    var parts: PartQueue
    var isPartTimerSet = false

    package var outbox = Outbox()
    package internal(set) var counters = Counters()

    /// Counts since the start.
    package struct Counters: Sendable {
        package var received: UInt64 = 0
        package var malformed: UInt64 = 0
        package var limited: UInt64 = 0
        package var served: UInt64 = 0
        package var requested: UInt64 = 0
        package var expired: UInt64 = 0
    }

    package init(configuration: Configuration, randomness: Randomness) {
        id = configuration.id
        self.configuration = configuration
        self.randomness = randomness
        let limits = configuration.limits
        writer = PacketWriter(
            id: configuration.id,
            network: configuration.network,
            isClient: configuration.isClient,
            agent: configuration.agent
        )
        nodes = NodeTable(limit: limits.nodes)
        families = configuration.families
        states = PerFamily { _ in FamilyState(own: configuration.id, voteLimit: limits.addressVotes) }
        var storageLimits = Storage.Limits()
        storageLimits.bytes = limits.storedBytes
        storage = Storage(limits: storageLimits)
        tokens = TokenSecrets(using: &self.randomness)
        rates = RateTable(
            perAddress: limits.requestsPerAddress,
            total: limits.requests,
            addressLimit: limits.ratedAddresses
        )
        answerRates = RateTable(
            perAddress: limits.answeredBytesPerAddress,
            total: limits.answeredBytes,
            addressLimit: limits.ratedAddresses
        )
        parts = PartQueue(limits: limits.pacing)
    }

    // MARK: Inputs

    /// Begins to keep the node alive; tells it the time of day at this moment.
    ///
    /// The families are those that there is a socket of, if not those of the configuration.
    package func start(now: Instant, wallTime: WallTime, families: Endpoint.Families? = nil) {
        setWallTime(wallTime, now: now)
        guard !isStarted else { return }
        if let families { self.families = families }
        isStarted = true
        confirmAt = now + randomness.duration(in: Timing.confirmFirst)
        timers.insert(.confirm, at: confirmAt)
        timers.insert(.sweep, at: now + randomness.duration(in: Timing.sweep))
        if configuration.maintainsStorage {
            maintenanceBegins = now + Timing.storageMaintenance
            timers.insert(.storageMaintenance, at: maintenanceBegins)
        }
        timers.insert(.rotation, at: now + randomness.duration(in: Timing.secretRotation))
        isResolving = true
        statusMayHaveChanged = true
        scheduleBootstrap(at: now)
        settle(now)
    }

    /// Follows a change of the clock on the wall.
    package func setWallTime(_ wallTime: WallTime, now: Instant) {
        wallOrigin = wallTime.milliseconds &- now.nanoseconds / 1_000_000
    }

    package func receive(_ bytes: RawSpan, from sender: Endpoint, now: Instant) {
        counters.received += 1
        guard !sender.isMartian, !blacklist.contains(sender) else { return }
        guard let packet = try? Packet(decoding: bytes, limits: wireLimits) else {
            counters.malformed += 1
            return
        }
        guard packet.network == configuration.network else { return }
        accept(packet, bytes, from: sender, now: now)
        settle(now)
    }

    /// Does what is due.
    ///
    /// A late, early or needless call is harmless.
    package func timer(now: Instant) {
        while let wake = timers.popDue(at: now) {
            switch wake {
            case .request(let transaction): requestDue(transaction, now: now)
            case .search(let id): searchDue(id, now: now)
            case .storage: expireStorage(now: now)
            case .storageMaintenance: storageMaintenanceDue(now: now)
            case .confirm: confirmDue(now: now)
            case .sweep: sweepDue(now: now)
            case .rotation:
                tokens.rotate(using: &randomness)
                timers.insert(.rotation, at: now + randomness.duration(in: Timing.secretRotation))
            case .bootstrap: bootstrapDue(now: now)
            case .parts: isPartTimerSet = false
            }
        }
        settle(now)
    }

    package var nextDeadline: Instant? { timers.next }

    /// The events since the last call, in their order.
    package func takeEvents() -> [NodeEvent] {
        guard !events.isEmpty else { return [] }
        defer { events.removeAll(keepingCapacity: true) }
        return events
    }

    // MARK: Receiving

    private func accept(_ packet: Packet, _ bytes: RawSpan, from sender: Endpoint, now: Instant) {
        if packet.kind == .part {
            acceptPart(packet, bytes, from: sender, now: now)
            return
        }
        guard !packet.sender.isZero, packet.sender != id else { return }
        if case .request = packet.kind,
            !rates.admit(sender, now: now, isAcquaintance: isGood(packet.sender, at: sender, now: now))
        {
            counters.limited += 1
            return
        }
        var values = ValueArray(values: [])
        if let range = packet.values {
            guard let array = try? ValueArray(decoding: bytes.extracting(range), limits: wireLimits) else {
                counters.malformed += 1
                cannotTake(packet, from: sender, now: now)
                return
            }
            values = array
        }
        guard !values.announced.isEmpty else {
            dispatch(packet, bytes, values: values.values, from: sender, now: now)
            return
        }
        guard expectsParts(packet, bytes, from: sender, now: now) else { return }
        let key = Reassembly.Key(sender: sender, transaction: packet.transaction)
        let message = bytes.copy(0..<bytes.byteCount)
        if let whole = reassembly.open(key, message: message, values: values, now: now) {
            dispatch(whole, from: sender, now: now)
        }
    }

    private func acceptPart(_ packet: Packet, _ bytes: RawSpan, from sender: Endpoint, now: Instant) {
        guard let parts = packet.parts else { return }
        let key = Reassembly.Key(sender: sender, transaction: packet.transaction)
        let whole: Reassembly.Whole?
        do throws(WireError) {
            whole = try reassembly.add(bytes, parts: parts, key: key, limits: wireLimits, now: now)
        } catch {
            counters.malformed += 1
            return
        }
        if let whole { dispatch(whole, from: sender, now: now) }
    }

    private func dispatch(_ whole: Reassembly.Whole, from sender: Endpoint, now: Instant) {
        // A byte array has no padding, so its raw bytes are all initialised.
        let bytes = unsafe whole.message.span.bytes
        guard let packet = try? Packet(decoding: bytes, limits: wireLimits) else { return }
        dispatch(packet, bytes, values: whole.values, from: sender, now: now)
    }

    /// Whether it is worth collecting the values of a message; answers at once where it is not.
    private func expectsParts(_ packet: Packet, _ bytes: RawSpan, from sender: Endpoint, now: Instant) -> Bool {
        switch packet.kind {
        case .request(.put):
            guard accepts(packet, bytes, from: sender) else {
                fail(packet, .wrongToken(.put), to: sender)
                return false
            }
            return true
        case .request(.update):
            guard socket(packet.socket, of: packet.sender) != nil else {
                dispatch(packet, bytes, values: [], from: sender, now: now)
                return false
            }
            return true
        case .reply:
            if let request = requests[packet.transaction] { return request.receiver == sender }
            return socket(packet.transaction, of: packet.sender) != nil
        case .request, .failure, .legacyUpdate, .part:
            return false
        }
    }

    private func dispatch(
        _ packet: Packet,
        _ bytes: RawSpan,
        values: [Value],
        from sender: Endpoint,
        now: Instant
    ) {
        let node = noteContact(
            Contact(id: packet.sender, endpoint: sender),
            isClient: packet.isClient,
            evidence: .packet,
            now: now
        )
        states[sender.family].lastHeard = now
        switch packet.kind {
        case .request(let method):
            counters.served += 1
            serve(method, packet, bytes, values: values, node: node, from: sender, now: now)
        case .reply:
            if let node { answer(packet, bytes, values: values, node: node, from: sender, now: now) }
        case .failure(let code):
            if let node { fail(packet.transaction, code: code, node: node, now: now) }
        case .legacyUpdate:
            guard socket(packet.transaction, of: packet.sender) != nil else { return }
            hear(packet, values: [], socket: packet.transaction, now: now)
        case .part:
            break
        }
    }

    // MARK: Afterwards

    /// Brings everything to rest after an input.
    func settle(_ now: Instant) {
        updateStatus(now)
        while let id = dirtySearches.popLast() {
            guard let search = searches[id], search.isDirty else { continue }
            search.isDirty = false
            step(search, now: now)
            updateStatus(now)
        }
        if !parts.isEmpty { sendWaitingParts(now: now) }
        if let next = storage.nextExpiration, next < storageWake {
            storageWake = next
            timers.insert(.storage, at: next)
        }
        // A request that was answered in time is no reason to wake up.
        while case .request(let transaction) = timers.nextKey, requests[transaction] == nil { timers.removeNext() }
    }

    private func updateStatus(_ now: Instant) {
        guard statusMayHaveChanged else { return }
        statusMayHaveChanged = false
        for family in families.members {
            let new = currentStatus(of: family, now)
            if new != states[family].status { setStatus(new, of: family, now: now) }
        }
        let overall = families.members.map { states[$0].status }.max() ?? .disconnected
        guard overall != status else { return }
        status = overall
        events.append(.statusChanged(overall))
    }

    private func setStatus(_ new: NodeStatus, of family: Endpoint.Family, now: Instant) {
        let old = states[family].status
        states[family].status = new
        connected.remove(Endpoint.Families(family))
        switch new {
        case .connected:
            connected.insert(Endpoint.Families(family))
            bootstrapBackoff.reset()
            if !states[family].hasLookedUpItself { lookUpItself(in: family, now: now) }
        case .disconnected:
            states[family].hasLookedUpItself = false
            scheduleBootstrap(at: old == .connected ? now : bootstrapTime(now))
        case .connecting:
            // Operations wait now, so it is to be found out soon who is there.
            pingKnownNodes(of: family, now: now)
            scheduleConfirm(at: now + Timing.connectingCheck)
        }
        // An operation may wait for this family alone.
        if new != .connecting || old == .connected { markAllSearches() }
    }

    private func currentStatus(of family: Endpoint.Family, _ now: Instant) -> NodeStatus {
        var hasDubious = false
        for bucket in states[family].table.buckets {
            for index in bucket.nodes {
                let node = nodes[index]
                if node.isGood(at: now) { return .connected }
                if !node.isExpired { hasDubious = true }
            }
        }
        return hasDubious || states[family].bootstrapPings > 0 || isResolving ? .connecting : .disconnected
    }

    func takeNumber() -> UInt64 {
        defer { nextNumber += 1 }
        return nextNumber
    }
}

extension NodeCore {
    /// The time of day, in seconds since 1970.
    func unixSeconds(_ now: Instant) -> Int64 {
        (wallOrigin &+ now.nanoseconds / 1_000_000) / 1000
    }

    /// Where most peers see us, with port 0.
    package func publicAddress(of family: Endpoint.Family) -> Endpoint? {
        states[family].votes.winner
    }
}
