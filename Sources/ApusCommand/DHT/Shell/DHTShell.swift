import DHT
import JSON
import Keys
import Runtime

/// Does what is asked for at the prompt of a node, and says what came of it.
actor DHTShell {
    private struct Listening {
        let key: DHTKey
        let task: Task<Void, Never>
    }

    let session: DHTSession
    /// Prints a line, or several.
    let say: @Sendable (String) -> Void
    let paint = Paint.standard
    private var listening: [Int: Listening] = [:]
    private var lastToken = 0

    init(session: DHTSession, say: @escaping @Sendable (String) -> Void) {
        self.session = session
        self.say = say
    }

    /// Does a command to its end; listeners go on behind.
    func perform(_ command: ShellCommand) async {
        do {
            try await run(command)
        } catch let failure as Failure {
            complain(failure.sentence)
        } catch let error as DHTError {
            complain("\(error.reason).")
        } catch {
            complain("\(error)")
        }
    }

    func complain(_ sentence: String) {
        emit(sentence, ["error": .string(sentence)])
    }

    func end() {
        for listener in listening.values { listener.task.cancel() }
        listening.removeAll()
    }

    func emit(_ text: String, _ fields: [String: JSONValue]) {
        say(session.options.json ? JSONValue.object(fields).line : text)
    }

    private func run(_ command: ShellCommand) async throws {
        switch command {
        case .help: say(ShellCommand.helpText)
        case .quit: break
        case .info: await showInfo()
        case .table: await showTable()
        case .searches(let key): await showSearches(key)
        case .storage(let key): await showStorage(key)
        case .addresses: await showAddresses()
        case .log(let key): toggleLog(key)
        case .connectivityChanged:
            await session.node.connectivityChanged()
            emit("All nodes are asked whether they are still there.", ["event": .string("connectivity")])
        case .bootstrap(let address): try await join(address)
        case .get(let key, let filters): try await get(key, filters)
        case .query(let key, let query): try await ask(key, query)
        case .listen(let key, let filters): await listen(key, filters)
        case .cancelListen(let key, let token): cancelListen(key, token)
        case .put(let key, let text, let isPermanent):
            let value = Value(data: Array(text.utf8), userType: "text/plain")
            try await put(key) { try await $0.put(value, at: key.hash, permanent: isPermanent) }
        case .cancelPut(let key, let id):
            await session.node.cancelPut(at: key.hash, id: id)
            emit("The value \(ValueText.id(id)) is kept there no longer.", ["cancelled": .string(ValueText.id(id))])
        case .putSigned(let key, let text):
            let value = Value(data: Array(text.utf8), userType: "text/plain")
            try await put(key) { try await $0.putSigned(value, at: key.hash) }
        case .putEncrypted(let key, let reader, let text):
            let value = Value(data: Array(text.utf8), userType: "text/plain")
            let publicKey = try await reader.publicKey(through: session.node)
            try await put(key) { try await $0.putEncrypted(value, at: key.hash, for: publicKey) }
        case .announce(let key, let port):
            // Those who store it put the address at which they see this node in place of zeros.
            let value = ServiceAnnouncement.value(port: port)
            try await put(key) { try await $0.put(value, at: key.hash) }
        }
    }

    // MARK: Values

    private func name(_ key: DHTKey) -> String {
        key.isHashed ? "\(Output.safe(key.text)) (\(key.hash))" : key.hash.hex
    }

    private func put(_ key: DHTKey, _ store: @Sendable (DHTNode) async throws -> Value.ID) async throws {
        let start = ContinuousClock.now
        let id = try await store(session.node)
        let time = start.duration(to: .now)
        emit(
            "Stored at \(name(key)) as \(ValueText.id(id)) within \(Phrase.time(time)).",
            [
                "event": .string("stored"), "key": .string(key.hash.hex), "id": .string(ValueText.id(id)),
                "seconds": .number(Phrase.number(time)),
            ]
        )
    }

    private func get(_ key: DHTKey, _ filters: [ValueFilter]) async throws {
        let start = ContinuousClock.now
        let values = try await session.node.get(key.hash, filters: filters)
        let time = start.duration(to: .now)
        for opened in values { show(opened, at: key, event: "value") }
        emit(
            "\(Phrase.count(values.count, "value")) at \(name(key)) within \(Phrase.time(time)).",
            [
                "event": .string("got"), "key": .string(key.hash.hex), "count": .integer(Int64(values.count)),
                "seconds": .number(Phrase.number(time)),
            ]
        )
    }

    private func ask(_ key: DHTKey, _ query: Query) async throws {
        let start = ContinuousClock.now
        let rows = try await session.node.query(key.hash, query)
        let time = start.duration(to: .now)
        for row in rows { emit(RowText.line(row), RowText.fields(row, key: key.hash)) }
        emit(
            "\(Phrase.count(rows.count, "row")) at \(name(key)) within \(Phrase.time(time)).",
            [
                "event": .string("answered"), "key": .string(key.hash.hex), "count": .integer(Int64(rows.count)),
                "seconds": .number(Phrase.number(time)),
            ]
        )
    }

    private func show(_ opened: OpenedValue, at key: DHTKey, event: String, prefix: String = "") {
        var fields = ValueText.fields(opened)
        fields["key"] = .string(key.hash.hex)
        fields["event"] = .string(event)
        emit("  \(prefix)\(ValueText.line(opened))", fields)
    }

    private func listen(_ key: DHTKey, _ filters: [ValueFilter]) async {
        let events = await session.node.listen(at: key.hash, filters: filters)
        lastToken += 1
        let token = lastToken
        emit(
            "Listening at \(name(key)); end it with: cl \(Output.safe(key.text)) \(token)",
            ["event": .string("listening"), "key": .string(key.hash.hex), "token": .integer(Int64(token))]
        )
        let prefix = "\(DisplayWidth.cut(Output.safe(key.text), to: 24)): "
        listening[token] = Listening(
            key: key,
            task: Task {
                for await event in events {
                    switch event {
                    case .value(let opened): show(opened, at: key, event: "value", prefix: prefix)
                    case .expired(let id):
                        emit(
                            "  \(prefix)\(ValueText.id(id))  (expired)",
                            [
                                "event": .string("expired"), "key": .string(key.hash.hex),
                                "id": .string(ValueText.id(id)),
                            ]
                        )
                    }
                }
            }
        )
    }

    private func cancelListen(_ key: DHTKey, _ token: Int) {
        guard let known = listening[token], known.key.hash == key.hash else {
            return complain("There is no listener \(token) at \(name(key)).")
        }
        known.task.cancel()
        listening[token] = nil
        emit("Listening no longer at \(name(key)).", ["event": .string("unlistened"), "token": .integer(Int64(token))])
    }

    // MARK: The node

    private func join(_ address: String) async throws {
        await session.node.bootstrap(address)
        emit("Joining through \(Output.safe(address)).", ["event": .string("joining"), "address": .string(address)])
    }

    private func toggleLog(_ key: DHTKey?) {
        let isOn = session.log.toggle(filter: key?.hash.hex)
        emit(isOn ? "Logging." : "Logging no longer.", ["event": .string("log"), "on": .boolean(isOn)])
    }
}
