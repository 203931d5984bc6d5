package import Keys
package import Runtime

/// What the user of the node asks for. Source: DHT protocol, "Client operations".
extension NodeCore {
    /// Looks for values: those stored here at once, then those of the network.
    ///
    /// Answers ``NodeEvent/values(_:_:)`` as they come, and ``NodeEvent/finished(_:succeeded:)`` once.
    package func get(_ key: InfoHash, filters: [ValueFilter] = [], now: Instant) -> OperationID {
        let operation = begin(at: key)
        let query = Query(filters: filters)
        guard !key.isZero, let search = search(for: key, now: now) else { return fail(operation) }
        var get = Get(operation: operation, query: query.onWire, asked: query, deadline: now + limits.operation)
        let own = storage.values(at: key).map(\.value).filter { query.matches($0) }
        for value in own { get.seen.insert(ValueMark(value)) }
        if !own.isEmpty { events.append(.values(operation, own)) }
        search.gets.append(get)
        mark(search)
        settle(now)
        return operation
    }

    /// Looks for some fields of values: of those stored here at once, then of those of the network.
    ///
    /// A query for whole values gets all fields. Answers ``NodeEvent/rows(_:_:)`` as they come, and
    /// ``NodeEvent/finished(_:succeeded:)`` once.
    package func query(_ key: InfoHash, _ query: Query, now: Instant) -> OperationID {
        let operation = begin(at: key)
        guard !key.isZero, let search = search(for: key, now: now) else { return fail(operation) }
        let fields = query.fields.isEmpty ? ValueField.allCases : query.fields
        let asked = Query(fields: fields, filters: query.filters)
        var get = Get(operation: operation, query: asked.onWire, asked: asked, deadline: now + limits.operation)
        get.rows = FoundRows(fields: fields, limit: limits.foundRows)
        search.gets.append(get)
        let own = storage.values(at: key).map { FieldRow($0.value, fields: ValueField.allCases) }
        deliver(rows: own, to: search, where: { $0.operation == operation })
        mark(search)
        settle(now)
        return operation
    }

    /// Stores a value here and on the nodes closest to its key.
    ///
    /// Answers ``NodeEvent/finished(_:succeeded:)`` once, when these nodes have confirmed.
    ///
    /// A permanent value is kept in the network until ``cancelPut(at:id:now:)``. The id must not be zero; whether it was
    /// drawn at random tells that nobody else can have used it.
    package func put(
        _ value: Value,
        at key: InfoHash,
        permanent: Bool,
        isIDDrawn: Bool,
        now: Instant
    ) -> OperationID {
        let operation = begin(at: key)
        let stored = storage.value(value.id, at: key)?.value
        // A signed value may only be replaced by a signed one, here as elsewhere.
        let isForeign = stored?.isSigned == true && !value.isSigned
        guard !key.isZero, value.id != 0, value.size <= storage.limits.valueSize, !isForeign,
            let search = search(for: key, now: now)
        else { return fail(operation) }
        keepOwn(value, at: key, permanent: permanent, now: now)
        for replaced in search.announces.indices where search.announces[replaced].id == value.id {
            let old = search.announces[replaced]
            finish(old, succeeded: old.value == value && acknowledgements(of: old.id, in: search) > 0)
        }
        remove([value.id], from: search)
        search.announces.append(
            Announce(
                id: value.id,
                value: value,
                encoded: value.encoded,
                created: unixSeconds(now),
                isPermanent: permanent,
                needsProbe: permanent || !(isIDDrawn || value.isSigned),
                deadline: now + limits.operation,
                waiting: [operation]
            )
        )
        mark(search)
        settle(now)
        return operation
    }

    /// Stops announcing a value and removes the copy that is stored here; others forget it when its time comes.
    package func cancelPut(at key: InfoHash, id: UInt64, now: Instant) {
        if let search = searches[key] {
            for announce in search.announces where announce.id == id { finish(announce, succeeded: false) }
            remove([id], from: search)
        }
        if storage.value(id, at: key)?.group == nil { removeStored([(key, id)], now: now) }
        settle(now)
    }

    /// Hears of all values at a key, those that are there and those to come, until ``cancel(_:now:)``.
    package func listen(at key: InfoHash, filters: [ValueFilter] = [], now: Instant) -> OperationID {
        let operation = begin(at: key)
        guard !key.isZero, let search = search(for: key, now: now) else { return fail(operation) }
        let query = Query(filters: filters)
        let own = storage.values(at: key).map(\.value).filter { query.matches($0) }
        // A listening that nobody uses any more has told its values already, so it cannot be joined.
        search.listens.append(
            Listen(
                id: takeNumber(),
                query: query,
                operations: [operation],
                cache: ListenCache(limit: limits.heardValues, variants: limits.heardVariants)
            )
        )
        for value in own { hearOwn(value, at: key, now: now) }
        mark(search)
        settle(now)
        return operation
    }

    /// Ends a get or a listen; a get answers no more events.
    package func cancel(_ operation: OperationID, now: Instant) {
        guard let key = operations.removeValue(forKey: operation), let search = searches[key] else { return }
        search.gets.removeAll { $0.operation == operation }
        for position in search.nodes.indices {
            search.nodes[position].answered.removeAll { $0 == operation }
        }
        for index in search.listens.indices where search.listens[index].operations.contains(operation) {
            search.listens[index].operations.removeAll { $0 == operation }
            if search.listens[index].operations.isEmpty { search.listens[index].lingersUntil = now }
        }
        mark(search)
        settle(now)
    }

    /// The network may be another one: nothing that was known is sure any more.
    package func connectivityChanged(now: Instant) {
        nodes.updateAll { node in
            node.lastSeen = .longAgo
            node.lastReply = .longAgo
            node.isExpired = false
            node.authErrors = 0
        }
        votes.removeAll()
        for key in searchOrder {
            guard let search = searches[key] else { continue }
            for position in search.nodes.indices {
                search.nodes[position].lastGetReply = .longAgo
                search.nodes[position].isCandidate = false
                for index in search.nodes[position].listening.indices {
                    search.nodes[position].listening[index].lastReply = .longAgo
                }
            }
        }
        statusMayHaveChanged = true
        hasLookedUpItself = false
        pingKnownNodes(now: now)
        scheduleConfirm(at: now)
        bootstrapBackoff.reset()
        scheduleBootstrap(at: now)
        settle(now)
    }

    // MARK: Inside

    private func begin(at key: InfoHash) -> OperationID {
        let operation = OperationID(number: takeNumber())
        operations[operation] = key
        return operation
    }

    private func fail(_ operation: OperationID) -> OperationID {
        operations[operation] = nil
        events.append(.finished(operation, succeeded: false))
        return operation
    }

    private func keepOwn(_ value: Value, at key: InfoHash, permanent: Bool, now: Instant) {
        let expires = permanent ? Instant.distantFuture : now + value.visibleValueType.lifetime
        let isNew = storage.value(value.id, at: key)?.value.hasSameContent(as: value) != true
        guard storage.hasRoom(at: key) else { return }
        let removed = storage.store(value, at: key, expires: expires, group: nil)
        report(removed: removed, now: now)
        if isNew { tellListeners(of: value, at: key, now: now) }
    }
}
