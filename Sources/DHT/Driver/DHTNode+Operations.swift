public import Keys
import NIOCore
import NIOPosix
import Runtime

/// A get that somebody waits for.
struct GetWaiter {
    var continuation: CheckedContinuation<[OpenedValue], Never>
    var pipeline = ValuePipeline()
    var found: [OpenedValue] = []
    /// Tells it from others before it has begun.
    let ticket: UInt64
    /// Ends the get early.
    var isEnough: @Sendable (OpenedValue) -> Bool
}

/// Where the events of a listener go.
struct ListenerSink {
    var continuation: AsyncStream<DHTListener.Event>.Continuation
    var pipeline = ValuePipeline()
    var editions = Editions()
}

extension DHTNode {
    // MARK: Put

    /// Stores a value on the nodes closest to a key; returns when they have confirmed.
    ///
    /// A confirmation says that the value came, not that it was kept: nodes do not tell when they refuse one.
    ///
    /// - Parameters:
    ///   - value: with id 0 to have one drawn, which also saves asking the nodes whether the id is taken.
    ///   - key: where to store it.
    ///   - permanent: whether to keep the value there until ``cancelPut(at:id:)``.
    /// - Returns: the id of the value.
    /// - Throws: ``DHTError/Code/unreachable`` when nobody confirmed; a permanent value goes on trying.
    @discardableResult
    public func put(
        _ value: Value,
        at key: InfoHash,
        permanent: Bool = false
    ) async throws(DHTError) -> Value.ID {
        guard isRunning else { throw DHTError(.notRunning, "The node is not running") }
        guard !key.isZero else { throw DHTError(.invalidArgument, "The key is zero") }
        guard value.size <= Storage.Limits().valueSize else {
            throw DHTError(.invalidArgument, "The value has \(value.size) bytes, more than 64 KiB")
        }
        var value = value
        let isDrawn = value.id == 0
        if isDrawn { value.id = drawID() }
        let drawn = value
        let succeeded = await withCheckedContinuation { continuation in
            beginTurn()
            let operation = core.put(drawn, at: key, permanent: permanent, isIDDrawn: isDrawn, now: currentTime)
            puts[operation] = continuation
            endTurn()
        }
        guard succeeded else { throw DHTError(.unreachable, "No node confirmed the value") }
        return value.id
    }

    /// Signs a value and puts it; one that we put under the same id before is replaced by this newer edition.
    ///
    /// - Throws: ``DHTError/Code/invalidArgument`` when the value has had its last edition, which is the one of number 65 535.
    @discardableResult
    public func putSigned(
        _ value: Value,
        at key: InfoHash,
        permanent: Bool = false
    ) async throws(DHTError) -> Value.ID {
        guard let owner = ownKey else { throw DHTError(.noIdentity, "The node has no key to sign with") }
        var value = value
        if value.id == 0 {
            value.id = drawID()
        } else {
            let id = value.id
            let stored = try await get(key, filters: [.id(id)])
            for known in stored where known.signer == owner && known.value.sequence >= value.sequence {
                guard known.value.sequence < .max else {
                    throw DHTError(.invalidArgument, "The value has had its last edition")
                }
                value.sequence = known.value.sequence + 1
            }
        }
        let signed = try await compute { [vault, value] in try vault.sign(value) }
        return try await put(signed, at: key, permanent: permanent)
    }

    /// Signs a value, seals it for the owner of a key, and puts it.
    @discardableResult
    public func putEncrypted(
        _ value: Value,
        at key: InfoHash,
        for recipient: RSAPublicKey,
        permanent: Bool = false
    ) async throws(DHTError) -> Value.ID {
        guard ownKey != nil else { throw DHTError(.noIdentity, "The node has no key to sign with") }
        let sealed = try await compute { [vault] in try vault.seal(value, for: recipient) }
        return try await put(sealed, at: key, permanent: permanent)
    }

    /// Stops keeping a permanent value in the network; other nodes forget it when its time comes.
    public func cancelPut(at key: InfoHash, id: Value.ID) {
        guard isRunning else { return }
        turn { core, now in core.cancelPut(at: key, id: id, now: now) }
    }

    private func drawID() -> Value.ID {
        while true {
            let id = randomness.next()
            if id != 0 { return id }
        }
    }

    private func compute(_ work: @escaping @Sendable () throws -> Value?) async throws(DHTError) -> Value {
        do {
            if let value = try await pool.runIfActive(work) { return value }
        } catch {
            throw DHTError(.cryptography, "Cannot sign or seal the value: \(error)")
        }
        throw DHTError(.noIdentity, "The node has no key to sign with")
    }

    // MARK: Get

    /// The values at a key that can be trusted to be what they say, in the order in which they were found.
    ///
    /// Values with bad signatures and values sealed for others are left out. Returns after a minute at the latest, and
    /// at once when the task is cancelled, with what was found until then.
    public func get(_ key: InfoHash, filters: [ValueFilter] = []) async throws(DHTError) -> [OpenedValue] {
        try await get(key, filters: filters) { _ in false }
    }

    /// The values at a key; returns as soon as one is found that is enough.
    public func get(
        _ key: InfoHash,
        filters: [ValueFilter] = [],
        until isEnough: @escaping @Sendable (OpenedValue) -> Bool
    ) async throws(DHTError) -> [OpenedValue] {
        guard isRunning else { throw DHTError(.notRunning, "The node is not running") }
        guard !key.isZero else { throw DHTError(.invalidArgument, "The key is zero") }
        let ticket = takeTicket()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                beginTurn()
                let operation = core.get(key, filters: filters, now: currentTime)
                gets[operation] = GetWaiter(continuation: continuation, ticket: ticket, isEnough: isEnough)
                endTurn()
            }
        } onCancel: { [weak self, eventLoop] in
            eventLoop.execute { [weak self] in self?.assumeIsolated { $0.cancelGet(ticket) } }
        }
    }

    private func cancelGet(_ ticket: UInt64) {
        guard let operation = gets.first(where: { $0.value.ticket == ticket })?.key else { return }
        finishGet(operation, isEarly: true)
    }

    // MARK: Listen

    /// Hears of the values at a key: those that are there and those to come.
    public func listen(at key: InfoHash, filters: [ValueFilter] = []) -> DHTListener {
        let (stream, continuation) = AsyncStream.makeStream(
            of: DHTListener.Event.self,
            bufferingPolicy: .bufferingOldest(DHTListener.capacity)
        )
        guard isRunning, !key.isZero else {
            continuation.finish()
            return DHTListener(events: stream)
        }
        beginTurn()
        let operation = core.listen(at: key, filters: filters, now: currentTime)
        listeners[operation] = ListenerSink(continuation: continuation)
        continuation.onTermination = { [weak self, eventLoop] _ in
            eventLoop.execute { [weak self] in self?.assumeIsolated { $0.endListening(operation) } }
        }
        endTurn()
        return DHTListener(events: stream)
    }

    private func endListening(_ operation: OperationID) {
        guard listeners.removeValue(forKey: operation) != nil, isRunning else { return }
        turn { core, now in core.cancel(operation, now: now) }
    }

    // MARK: Opening

    /// Puts items behind those that wait already, so that they come out in order.
    func enqueue(_ items: [ValuePipeline.Item], for operation: OperationID) {
        for item in items {
            gets[operation]?.pipeline.append(item)
            listeners[operation]?.pipeline.append(item)
        }
        openNext(for: operation)
    }

    private func openNext(for operation: OperationID) {
        guard let items = gets[operation]?.pipeline.next() ?? listeners[operation]?.pipeline.next() else { return }
        let needsWork = items.contains {
            if case .value(let value) = $0 { value.isEncrypted || value.owner != nil } else { false }
        }
        guard needsWork else { return deliver(items.map { ($0, plain($0)) }, to: operation) }
        let open: @Sendable () -> [(ValuePipeline.Item, OpenedValue?)] = { [vault] in
            items.map { item in
                if case .value(let value) = item { (item, vault.open(value)) } else { (item, nil) }
            }
        }
        run(open) { node, opened in node.deliver(opened, to: operation) }
    }

    private func plain(_ item: ValuePipeline.Item) -> OpenedValue? {
        guard case .value(let value) = item else { return nil }
        return OpenedValue(value: value, signer: nil, wasEncrypted: false)
    }

    private func deliver(_ opened: [(ValuePipeline.Item, OpenedValue?)], to operation: OperationID) {
        gets[operation]?.pipeline.isDone()
        listeners[operation]?.pipeline.isDone()
        for (item, value) in opened {
            switch item {
            case .value:
                guard let value else { continue }
                if let listener = listeners[operation] {
                    if listeners[operation]?.editions.admit(value) == true {
                        listener.continuation.yield(.value(value))
                    }
                } else if let waiter = gets[operation] {
                    gets[operation]?.found.append(value)
                    if waiter.isEnough(value) { finishGet(operation, isEarly: true) }
                }
            case .expired(let id):
                listeners[operation]?.continuation.yield(.expired(id))
            case .finished:
                finishGet(operation, isEarly: false)
                listeners[operation]?.continuation.finish()
            }
        }
        openNext(for: operation)
    }

    private func finishGet(_ operation: OperationID, isEarly: Bool) {
        guard let waiter = gets.removeValue(forKey: operation) else { return }
        if isEarly { turn { core, now in core.cancel(operation, now: now) } }
        waiter.continuation.resume(returning: waiter.found.newestEditions)
    }
}
