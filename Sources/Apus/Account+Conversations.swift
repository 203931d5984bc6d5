import DHT
import Foundation
import GRDB
import Git
import Identity
import Keys
import Logging
import PeerLink
import Runtime
public import Swarm

/// Messages: what is written here, and what comes from the devices of contacts.
extension Account {
    /// The longest text that one message may hold, in bytes.
    public static let bodyLimit = 1024 * 1024

    // MARK: What a person does

    /// Stores a message in the conversation with a contact; when this returns, it will reach them.
    public func send(_ body: String, to contact: ContactInfo) async throws -> MessageInfo {
        guard !body.isEmpty else { throw ApusError(.messageEmpty, "There is nothing to send.") }
        guard body.utf8.count <= Self.bodyLimit else {
            throw ApusError(.messageTooLong, "A message may have at most \(Self.bodyLimit) bytes; send this as a file.")
        }
        guard let conversation = ConversationID(hex: contact.conversation) else {
            throw ApusError(.conversationNotFound, "There is no conversation with \(contact.id).")
        }
        let signer = signer
        let now = time.wallTime
        let timeline = timeline
        let author = identity.accountID.hex
        let message = try await write { database -> MessageInfo? in
            guard try Conversation.isPresent(database, conversation) else { return nil }
            let commit = try Conversation.commitText(database, in: conversation, body: body, signer: signer, at: now)
            let new = Timeline.NewMessage(
                id: commit.id.hex,
                conversation: conversation.hex,
                contact: contact.id,
                author: author,
                body: body,
                time: now,
                state: .stored
            )
            try timeline.record(new, at: now, in: database)
            return try Timeline.message(commit.id.hex, in: database)?.info
        }
        guard let message else {
            throw ApusError(
                .conversationNotReady,
                "The conversation with \(contact.alias.isEmpty ? contact.id : contact.alias) is still being fetched. Try again when they are online."
            )
        }
        await announceCommits(in: conversation, to: contact.id)
        return message
    }

    /// The history of a conversation, newest first.
    public func history(of conversation: ConversationID, limit: Int) async throws -> [HistoryEntry] {
        try await read { database in
            guard try Conversation.isPresent(database, conversation) else {
                throw ApusError(.conversationNotFound, "There is no conversation \(conversation.hex).")
            }
            return try Conversation.history(database, conversation, limit: limit).map { commit in
                HistoryEntry(
                    id: commit.id.hex,
                    parents: commit.parents.map(\.hex),
                    type: commit.type,
                    author: commit.author?.hex ?? "",
                    time: commit.time,
                    body: commit.body
                )
            }
        }
    }

    /// Writes a conversation as a bare git repository.
    public func export(_ conversation: ConversationID, to folder: String) async throws {
        try await read { database in
            guard try Conversation.isPresent(database, conversation) else {
                throw ApusError(.conversationNotFound, "There is no conversation \(conversation.hex).")
            }
            try Conversation.export(database, conversation, to: folder)
        }
    }

    // MARK: Messages for clients

    public func unread(limit: Int = 1000) async throws -> [MessageInfo] {
        try await read { database in try Timeline.unread(limit: limit, in: database).map(\.info) }
    }

    public func messages(conversation: String?, before: Int64 = .max, limit: Int = 100) async throws -> [MessageInfo] {
        try await read { database in
            try Timeline.latest(conversation: conversation, before: before, limit: limit, in: database).map(\.info)
        }
    }

    public func markRead(_ messages: [String]) async throws {
        try await database.pool.write { database in try Timeline.markRead(messages, in: database) }
    }

    /// Events after a sequence number, at most a thousand.
    public func events(after sequence: Int64) async throws -> [EventInfo] {
        try await read { database in try Timeline.events(after: sequence, limit: 1000, in: database) }
    }

    public func lastEvent() async throws -> Int64 {
        try await read { database in try Timeline.lastEvent(in: database) }
    }

    /// Wake-ups after which there may be new events; ends when the account stops.
    public nonisolated func eventSignals() async -> AsyncStream<Void> {
        await hub.subscribe()
    }

    // MARK: Fetching

    /// Asks the fetcher of a device and a conversation for another session.
    func fetch(_ conversation: ConversationID, from chain: CertificateChain) {
        let target = Schedule.Target(device: chain.deviceID, conversation: conversation)
        if let fetcher = fetchers[target] {
            fetcher.trigger()
            return
        }
        let fetcher = Fetcher(conversation: conversation, device: chain, account: self, logger: logger)
        fetchers[target] = fetcher
        tasks.start { await fetcher.run() }
        fetcher.trigger()
    }

    func openGitChannel(_ conversation: ConversationID, to device: CertificateChain) async throws -> PeerChannel {
        guard let links else { throw ApusError(.network, "The account is not running.") }
        let name = "git://\(device.deviceID.hex)/\(conversation.hex)"
        return try await links.open(name, to: device, type: "application/im-gitmessage-id")
    }

    /// Stores what a session brought: commits, place in the history, messages and events in one transaction.
    ///
    /// A history that breaks the rules is reported and left out; asking for it again would not make it better.
    func absorb(
        _ objects: ObjectStore,
        head: ObjectID,
        into conversation: ConversationID,
        from chain: CertificateChain
    ) async throws {
        let signer = signer
        let now = time.wallTime
        let timeline = timeline
        do {
            let outcome = try await write { database -> (wasCloned: Bool, hasMerged: Bool) in
                guard let contact = try Self.contact(of: conversation, in: database) else { return (false, false) }
                let isClone = try !Conversation.isPresent(database, conversation)
                let absorbed = try Conversation.absorb(
                    database,
                    objects,
                    head: head,
                    into: conversation,
                    from: chain.deviceID,
                    signer: signer,
                    at: now
                )
                try Self.record(
                    absorbed.newCommits,
                    of: contact,
                    signer: signer,
                    timeline: timeline,
                    at: now,
                    in: database
                )
                guard isClone else { return (false, absorbed.merge != nil) }
                _ = try Conversation.join(database, conversation, signer: signer, at: now)
                try Self.carryOver(to: conversation, contact: contact, signer: signer, at: now, in: database)
                try timeline.append(
                    .conversationReady,
                    contact: contact.id,
                    conversation: conversation.hex,
                    at: now,
                    in: database
                )
                return (true, false)
            }
            if outcome.wasCloned, let account = chain.accountID {
                await announceCommits(in: conversation, to: account.hex)
            }
            try await learned(of: chain.deviceID, in: conversation)
            if outcome.hasMerged { settle(conversation, with: chain) }
        } catch SwarmError.refused(let refusal) {
            logger.warning("a history was refused", metadata: ["conversation": "\(conversation)", "why": "\(refusal)"])
            try await write { database in
                // Told once: the same history comes with every notification.
                guard try TreatedIDs.isNew("refused:\(refusal.commit.hex)", at: now, in: database) else { return }
                let contact = try Self.contact(of: conversation, in: database)?.id
                try timeline.append(
                    .conversationRefused,
                    contact: contact,
                    conversation: conversation.hex,
                    reason: "Commit \(refusal.commit.hex) breaks a rule (\(refusal.rule.rawValue)): \(refusal.detail)",
                    at: now,
                    in: database
                )
            }
        }
    }

    /// Enters what new commits say into the timeline and the list of contacts.
    private static func record(
        _ commits: [CommitRecord],
        of contact: ContactRow,
        signer: CommitSigner,
        timeline: Timeline,
        at now: WallTime,
        in database: Database
    ) throws {
        for commit in commits where commit.type == MessageType.text {
            guard commit.editTarget == nil, commit.reactionTarget == nil, let author = commit.author else { continue }
            let new = Timeline.NewMessage(
                id: commit.id.hex,
                conversation: contact.conversation,
                contact: contact.id,
                author: author.hex,
                body: commit.body,
                time: WallTime(seconds: commit.time),
                state: author == signer.account ? .sent : .received
            )
            try timeline.record(new, at: now, in: database)
        }
        guard !contact.confirmed, commits.contains(where: { $0.author?.hex == contact.id }) else { return }
        var contact = contact
        contact.confirmed = true
        try contact.update(database)
        try timeline.append(.contactChanged, contact: contact.id, at: now, in: database)
    }

    /// Brings own messages of a conversation that was given up into the one that was kept.
    private static func carryOver(
        to conversation: ConversationID,
        contact: ContactRow,
        signer: CommitSigner,
        at now: WallTime,
        in database: Database
    ) throws {
        let stranded = try MessageRow.fetchAll(
            database,
            sql: "SELECT * FROM message WHERE contact = ? AND conversation <> ? AND state = 'stored' ORDER BY sequence",
            arguments: [contact.id, conversation.hex]
        )
        for message in stranded {
            let commit = try Conversation.commitText(
                database,
                in: conversation,
                body: message.body,
                signer: signer,
                at: now
            )
            try database.execute(
                sql: "UPDATE message SET id = ?, conversation = ? WHERE sequence = ?",
                arguments: [commit.id.hex, conversation.hex, message.sequence]
            )
        }
    }

    static func contact(of conversation: ConversationID, in database: Database) throws -> ContactRow? {
        try ContactRow.fetchOne(
            database,
            sql: "SELECT * FROM contact WHERE conversation = ? AND added > removed",
            arguments: [conversation.hex]
        )
    }

    // MARK: Serving

    /// Serves the sessions of one incoming `git` channel until it ends.
    func serveGit(_ channel: PeerChannel, conversation: ConversationID) async {
        let device = channel.connection.chain.deviceID
        do {
            try await Conversation.serve(
                conversation,
                over: channel.inbound,
                reading: database.pool,
                write: { try await channel.write($0) },
                finished: { report in
                    await self.shown(report.shown, of: conversation, to: device)
                    if report.served != nil { self.settle(conversation, with: channel.connection.chain) }
                }
            )
        } catch {
            logger.debug("git channel failed", metadata: ["device": "\(device)", "reason": "\(error)"])
        }
        await channel.close()
    }

    /// A session with a device has ended, in which it was shown our history up to a commit.
    private func shown(_ head: ObjectID, of conversation: ConversationID, to device: LongID) async {
        do {
            try await database.pool.write { database in
                try Conversation.setShown(database, conversation, head: head, to: device)
                // Whoever fetches the conversation has our acceptance.
                try database.execute(
                    sql: "UPDATE contact SET answerDue = 0 WHERE conversation = ?",
                    arguments: [conversation.hex]
                )
            }
            try await learned(of: device, in: conversation)
        } catch {
            logger.error("a fetch could not be recorded", metadata: ["reason": "\(error)"])
        }
    }

    /// How long a conversation must be quiet before two devices compare their heads once more.
    private static var quietPause: ClosedRange<Duration> { .milliseconds(1500) ... .milliseconds(2500) }

    /// Brings two devices to the same head after both have merged.
    ///
    /// Merges are made silently by whoever fetches, so that two devices can be left with different ones. Once it is quiet, a
    /// merge of ours that the device lacks is told, and otherwise the device is asked for one of its own.
    func settle(_ conversation: ConversationID, with chain: CertificateChain) {
        guard isRunning else { return }
        let target = Schedule.Target(device: chain.deviceID, conversation: conversation)
        settling[target]?.cancel()
        let pause = randomness.duration(in: Self.quietPause)
        settling[target] = Task { [weak self] in
            do { try await Task.sleep(for: pause) } catch { return }
            await self?.isQuiet(target, chain: chain)
        }
    }

    private func isQuiet(_ target: Schedule.Target, chain: CertificateChain) async {
        settling[target] = nil
        guard isRunning, let isMissing = try? await isMissingCommits(target) else { return }
        if isMissing {
            perform(schedule.commitsMissing(target, now: time.now))
        } else if await isConnected(to: target.device) {
            fetch(target.conversation, from: chain)
        }
    }

    /// What a device has may have grown: marks the messages that reached it, and goes on telling what it lacks.
    private func learned(of device: LongID, in conversation: ConversationID) async throws {
        let now = time.wallTime
        let timeline = timeline
        let hasAll = try await write { database in
            guard let head = try Conversation.head(database, conversation) else { return true }
            var reached: [String] = []
            for message in try Timeline.unsent(conversation: conversation.hex, in: database) {
                guard let commit = ObjectID(hex: message.id),
                    try Conversation.hasSeen(database, conversation, device: device, commit: commit)
                else { continue }
                reached.append(message.id)
            }
            try timeline.markSent(reached, at: now, in: database)
            return try Conversation.hasSeen(database, conversation, device: device, commit: head)
        }
        if hasAll { schedule.fetched(Schedule.Target(device: device, conversation: conversation)) }
    }
}
