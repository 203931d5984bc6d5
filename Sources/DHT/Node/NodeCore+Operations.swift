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
        guard let (wanted, families) = prepare(key, now: now) else { return fail(operation) }
        var get = Get(
            operation: operation,
            query: query.onWire,
            asked: query,
            deadline: now + limits.operation,
            parts: Parts(families)
        )
        let own = storage.values(at: key).map(\.value).filter { query.matches($0) }
        for value in own { get.seen.insert(ValueMark(value)) }
        if !own.isEmpty { events.append(.values(operation, own)) }
        if let heard = heardValues(query, in: wanted, at: key, now: now) {
            let more = heard.filter { query.matches($0) && get.seen.insert(ValueMark($0)).inserted }
            if !more.isEmpty { events.append(.values(operation, more)) }
            return succeed(operation)
        }
        wanted.gets.append(get)
        markSearches(at: key)
        settle(now)
        return operation
    }

    /// Looks for some fields of values: of those stored here at once, then of those of the network.
    ///
    /// A query for whole values gets all fields. Answers ``NodeEvent/rows(_:_:)`` as they come, and
    /// ``NodeEvent/finished(_:succeeded:)`` once.
    package func query(_ key: InfoHash, _ query: Query, now: Instant) -> OperationID {
        let operation = begin(at: key)
        guard let (wanted, families) = prepare(key, now: now) else { return fail(operation) }
        let fields = query.fields.isEmpty ? ValueField.allCases : query.fields
        let asked = Query(fields: fields, filters: query.filters)
        var get = Get(
            operation: operation,
            query: asked.onWire,
            asked: asked,
            deadline: now + limits.operation,
            parts: Parts(families)
        )
        get.rows = FoundRows(fields: fields, limit: limits.foundRows)
        wanted.gets.append(get)
        let own = storage.values(at: key).map { FieldRow($0.value, fields: ValueField.allCases) }
        deliver(rows: own, to: wanted, where: { $0.operation == operation })
        if let heard = heardValues(asked, in: wanted, at: key, now: now) {
            let rows = heard.map { FieldRow($0, fields: ValueField.allCases) }
            deliver(rows: rows, to: wanted, where: { $0.operation == operation })
            wanted.gets.removeLast()
            return succeed(operation)
        }
        markSearches(at: key)
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
        guard value.id != 0, value.size <= storage.limits.valueSize, !isForeign,
            let (wanted, families) = prepare(key, now: now)
        else { return fail(operation) }
        keepOwn(value, at: key, permanent: permanent, now: now)
        for replaced in wanted.announces.indices where wanted.announces[replaced].id == value.id {
            let old = wanted.announces[replaced]
            finish(old, succeeded: old.value == value && acknowledgements(of: old.id, at: key) > 0)
        }
        remove([value.id], at: key)
        wanted.announces.append(
            Announce(
                id: value.id,
                value: value,
                encoded: value.encoded,
                created: unixSeconds(now),
                isPermanent: permanent,
                needsProbe: permanent || !(isIDDrawn || value.isSigned),
                deadline: now + limits.operation,
                parts: Parts(families),
                waiting: [operation],
                lifetime: types.lifetime(of: value)
            )
        )
        markSearches(at: key)
        settle(now)
        return operation
    }

    /// Stops announcing a value and removes the copy that is stored here; others forget it when its time comes.
    package func cancelPut(at key: InfoHash, id: UInt64, now: Instant) {
        for announce in wanted(at: key)?.announces ?? [] where announce.id == id { finish(announce, succeeded: false) }
        remove([id], at: key)
        if storage.value(id, at: key)?.group == nil { removeStored([(key, id)], now: now) }
        settle(now)
    }

    /// Hears of all values at a key, those that are there and those to come, until ``cancel(_:now:)``.
    package func listen(at key: InfoHash, filters: [ValueFilter] = [], now: Instant) -> OperationID {
        let operation = begin(at: key)
        guard let (wanted, _) = prepare(key, now: now) else { return fail(operation) }
        join(wanted, at: key, operation: operation, filters: filters, now: now)
        markSearches(at: key)
        settle(now)
        return operation
    }

    /// Ends a get or a listen; a get answers no more events.
    package func cancel(_ operation: OperationID, now: Instant) {
        guard let key = operations.removeValue(forKey: operation), let wanted = wanted(at: key) else { return }
        wanted.gets.removeAll { $0.operation == operation }
        forget(operation, in: key)
        leave(wanted, operation: operation, now: now)
        markSearches(at: key)
        settle(now)
    }

    /// The network may be another one: nothing that was known is sure any more.
    package func connectivityChanged(now: Instant) {
        for family in families.members { forgetConnections(of: family, now: now) }
        statusMayHaveChanged = true
        scheduleConfirm(at: now)
        bootstrapBackoff.reset()
        scheduleBootstrap(at: now)
        settle(now)
    }

    private func forgetConnections(of family: Endpoint.Family, now: Instant) {
        nodes.updateAll(of: family) { node in
            node.lastSeen = .longAgo
            node.lastReply = .longAgo
            node.isExpired = false
            node.authErrors = 0
        }
        states[family].votes.removeAll()
        for search in searches(of: family) {
            for position in search.nodes.indices {
                search.nodes[position].lastGetReply = .longAgo
                search.nodes[position].isCandidate = false
                for index in search.nodes[position].listening.indices {
                    search.nodes[position].listening[index].lastReply = .longAgo
                }
            }
        }
        states[family].hasLookedUpItself = false
        pingKnownNodes(of: family, now: now)
    }

    // MARK: Inside

    /// Makes the searches for a key.
    ///
    /// - Returns: what is wanted there, and the families whose searches work on it; `nil` when there is none.
    private func prepare(_ key: InfoHash, now: Instant) -> (Wanted, Endpoint.Families)? {
        guard !key.isZero else { return nil }
        let searches = searches(for: key, now: now)
        guard let first = searches.first else { return nil }
        return (first.wanted, searches.reduce(into: []) { $0.insert(Endpoint.Families($1.family)) })
    }

    private func markSearches(at key: InfoHash) {
        for search in searches(at: key) { mark(search) }
    }

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

    private func succeed(_ operation: OperationID) -> OperationID {
        operations[operation] = nil
        events.append(.finished(operation, succeeded: true))
        return operation
    }

    private func keepOwn(_ value: Value, at key: InfoHash, permanent: Bool, now: Instant) {
        let expires = permanent ? Instant.distantFuture : now + types.lifetime(of: value)
        let isNew = storage.value(value.id, at: key)?.value.hasSameContent(as: value) != true
        guard storage.hasRoom(at: key) else { return }
        let removed = storage.store(value, at: key, expires: expires, group: nil)
        report(removed: removed, now: now)
        if isNew { tellListeners(of: value, at: key, now: now) }
    }
}
