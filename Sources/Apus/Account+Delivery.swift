import DHT
import Foundation
import GRDB
import Git
import ICE
import Identity
import Keys
import Logging
import PeerLink
import Runtime
import SIP
import Swarm

/// Getting commits to the devices of contacts, and hearing of theirs.
extension Account {
    private static var notificationType: String { "application/im-gitmessage-id" }

    // MARK: Connections

    /// Only contacts and own devices may connect.
    func authorizes(_ chain: CertificateChain) async -> Bool {
        guard let account = try? PeerRule.account(of: chain, at: time.wallTime) else { return false }
        if account == identity.accountID { return true }
        guard let contact = try? await contactRow(account) else { return false }
        return contact.isActive
    }

    /// Which channels a connected device may open.
    func accepts(_ name: String, on connection: PeerConnection) async -> Bool {
        switch ChannelName(name) {
        case .text: return true
        case .git(let conversation):
            return (try? await mayServe(conversation, to: connection.accountID)) ?? false
        case nil: return false
        }
    }

    private func mayServe(_ conversation: ConversationID, to account: InfoHash) async throws -> Bool {
        try await read { database in
            guard try Conversation.isPresent(database, conversation) else { return false }
            switch try Conversation.role(database, conversation, of: account) {
            case .admin, .member, .invited: return true
            case .banned, .left, nil: return false
            }
        }
    }

    func opened(_ channel: PeerChannel) async {
        switch ChannelName(channel.name) {
        case .text: serveTexts(on: channel)
        case .git(let conversation): await serveGit(channel, conversation: conversation)
        case nil: await channel.close()
        }
    }

    func watchConnections(of links: ConnectionManager) async {
        for await event in await links.events() {
            switch event {
            case .connected(let connection):
                await remember(connection.chain)
                guard let contact = try? await contactRow(connection.accountID), contact.isActive else { continue }
                let chain = connection.chain
                tasks.start { [weak self] in await self?.serve(chain, of: contact) }
            case .disconnected(let connection):
                texts[connection.deviceID]?.removeAll { $0.channel.connection.id == connection.id }
            }
        }
    }

    /// Exchanges everything with a device of a contact: asks for its news and tells ours.
    func serve(_ chain: CertificateChain, of contact: ContactRow) async {
        guard isRunning, let conversation = ConversationID(hex: contact.conversation) else { return }
        fetch(conversation, from: chain)
        let target = Schedule.Target(device: chain.deviceID, conversation: conversation)
        let isMissing = try? await isMissingCommits(target)
        var orders = schedule.devicePresent(chain.deviceID, now: time.now)
        if isMissing == true { orders += schedule.commitsMissing(target, now: time.now) }
        perform(orders)
    }

    func isMissingCommits(_ target: Schedule.Target) async throws -> Bool {
        try await read { database in
            guard try Conversation.isPresent(database, target.conversation),
                let head = try Conversation.head(database, target.conversation)
            else { return false }
            return try !Conversation.hasSeen(database, target.conversation, device: target.device, commit: head)
        }
    }

    // MARK: Telling

    /// New commits of ours are stored: every device of the contact is told until it has them.
    func announceCommits(in conversation: ConversationID, to contact: String) async {
        let devices = (try? await knownDevices(of: contact)) ?? []
        for device in devices {
            let target = Schedule.Target(device: device.deviceID, conversation: conversation)
            perform(schedule.commitsMissing(target, now: time.now))
        }
    }

    /// After a restart: what devices lack is known from the database.
    func restoreSchedule() async throws {
        for contact in try await contactRows() where contact.isActive {
            guard let conversation = ConversationID(hex: contact.conversation) else { continue }
            for device in try await knownDevices(of: contact.id) {
                let target = Schedule.Target(device: device.deviceID, conversation: conversation)
                if try await isMissingCommits(target) { perform(schedule.commitsMissing(target, now: time.now)) }
            }
        }
    }

    func perform(_ orders: [Schedule.Order]) {
        for order in orders {
            tasks.start { [weak self] in
                await self?.notify(order)
                await self?.attemptEnded(order.target)
            }
        }
        armScheduleTimer()
    }

    private func attemptEnded(_ target: Schedule.Target) {
        perform(schedule.attemptEnded(target, now: time.now))
    }

    private func armScheduleTimer() {
        scheduleTimer?.cancel()
        guard isRunning, let deadline = schedule.deadline else { return }
        let pause = max(deadline - time.now, .milliseconds(1))
        scheduleTimer = Task { [weak self] in
            do { try await Task.sleep(for: pause) } catch { return }
            await self?.scheduleTimerFired()
        }
    }

    private func scheduleTimerFired() {
        perform(schedule.timer(now: time.now))
    }

    /// One attempt: by text over a connection, and on the first one also through the DHT, whichever is faster.
    private func notify(_ order: Schedule.Order) async {
        let target = order.target
        guard let chain = try? await knownDevice(target.device), let account = chain.accountID,
            let head = try? await read({ database in try Conversation.head(database, target.conversation) })
        else { return }
        let note = CommitNotification(
            conversation: target.conversation.hex,
            commit: head.hex,
            device: identity.deviceID.hex
        )
        let token = UInt64.random(in: 1...(1 << 53), using: &randomness)
        let isConnected = await isConnected(to: target.device)
        if !isConnected, order.attempt == 1 {
            tasks.start { [weak self] in
                await self?.sendThroughDHT(note.encoded, type: Self.notificationType, token: token, to: chain)
            }
        }
        do {
            let channel = try await textChannel(to: chain, account: account)
            let outcome = await channel.send(
                contentType: Self.notificationType,
                body: Array(note.encoded.utf8),
                messageID: TextToken.text(token)
            )
            if outcome == .timedOut { await channel.channel.connection.close() }
        } catch {
            logger.debug("not connected", metadata: ["device": "\(target.device)", "reason": "\(error)"])
        }
    }

    private func sendThroughDHT(_ body: String, type: String, token: UInt64, to chain: CertificateChain) async {
        let message = ImMessage(id: token, body: body, mediaType: type, date: time.wallTime)
        var value = Value()
        value.type = ImMessage.valueType
        value.data = message.payload
        do {
            _ = try await dht.putEncrypted(
                value,
                at: Locations.inbox(of: chain.shortDeviceID),
                for: chain.leaf.publicKey
            )
        } catch {
            logger.debug("a message could not be put", metadata: ["reason": "\(error)"])
        }
    }

    // MARK: Texts

    private func textChannel(to chain: CertificateChain, account: InfoHash) async throws -> TextChannel {
        if let open = texts[chain.deviceID]?.last { return open }
        guard let links else { throw ApusError(.network, "The account is not running.") }
        let channel = try await links.open("sip", to: chain, type: Self.notificationType)
        // Another caller may have opened one meanwhile.
        if let open = texts[chain.deviceID]?.last {
            await channel.close()
            return open
        }
        return serveTexts(on: channel)
    }

    @discardableResult
    private func serveTexts(on channel: PeerChannel) -> TextChannel {
        let connection = channel.connection
        let endpoints = MessageSession.Endpoints(
            ownAccount: identity.accountID.hex,
            peerAccount: connection.accountID.hex,
            displayName: alias,
            own: Self.hostAndPort(connection.localAddress),
            peer: Self.hostAndPort(connection.remoteAddress)
        )
        let texts = TextChannel(channel, endpoints: endpoints, time: time, logger: logger)
        self.texts[connection.deviceID, default: []].append(texts)
        let chain = connection.chain
        tasks.start { [weak self] in
            await texts.run { [weak self] text in
                let body = String(decoding: text.body, as: UTF8.self)
                await self?.received(body, type: text.contentType, id: text.messageID, from: chain)
            }
            await self?.ended(texts, device: chain.deviceID)
        }
        return texts
    }

    /// What the headers of texts show; nobody routes by it.
    private static func hostAndPort(_ address: TransportAddress?) -> (host: String, port: Int) {
        guard let address else { return ("0.0.0.0", 0) }
        return (address.host.description, Int(address.port))
    }

    private func ended(_ channel: TextChannel, device: LongID) {
        texts[device]?.removeAll { $0 === channel }
        if texts[device]?.isEmpty == true { texts[device] = nil }
    }

    /// Treats a text of a proved device, however it came.
    private func received(_ body: String, type: String, id: String, from chain: CertificateChain) async {
        let now = time.wallTime
        if !id.isEmpty {
            let key = "text:\(chain.shortDeviceID):\(id)"
            let isNew = try? await database.pool.write { database in try TreatedIDs.isNew(key, at: now, in: database) }
            guard isNew == true else { return }
        }
        guard type == Self.notificationType, let note = CommitNotification(decoding: body),
            let conversation = ConversationID(hex: note.conversation), let account = chain.accountID,
            let contact = try? await contactRow(account), contact.isActive, contact.conversation == note.conversation
        else { return }
        var source = chain
        if note.device != chain.deviceID.hex, let device = LongID(hex: note.device),
            let other = try? await knownDevice(device), other.accountID == account
        {
            source = other
        }
        let isKnown = try? await read { database in
            guard let commit = ObjectID(hex: note.commit) else { return true }
            return try Conversation.contains(database, conversation, commit)
        }
        if isKnown == false { fetch(conversation, from: source) }
    }

    // MARK: Inbox

    /// Values of the inbox that are treated at once; looking up a stranger's certificate takes seconds.
    private static var inboxConcurrency: Int { 16 }

    /// Reads what others put into the inbox of this device.
    func readInbox() async {
        let events = await dht.listen(at: Locations.inbox(of: identity.shortDeviceID))
        await withTaskGroup(of: Void.self) { group in
            var underWay = 0
            for await event in events {
                guard case .value(let opened) = event, opened.wasEncrypted, let signer = opened.signer else { continue }
                if underWay == Self.inboxConcurrency {
                    await group.next()
                    underWay -= 1
                }
                group.addTask { await self.treat(opened, signer: signer) }
                underWay += 1
            }
        }
    }

    private func treat(_ opened: OpenedValue, signer: RSAPublicKey) async {
        guard signer.shortID != identity.shortDeviceID, let chain = await chain(of: signer) else { return }
        switch opened.value.type {
        case TrustRequest.valueType:
            guard let request = try? TrustRequest(payload: opened.value.data) else { return }
            await received(request, from: chain)
        case ImMessage.valueType:
            guard let message = try? ImMessage(payload: opened.value.data), !message.isAcknowledgement else { return }
            await acknowledge(message, from: chain)
            let type = message.mediaType.isEmpty ? "text/plain" : message.mediaType
            await received(message.body, type: type, id: TextToken.text(message.id), from: chain)
        default: break
        }
    }

    /// Peers look for the acknowledgement in the inbox of the one who acknowledges.
    private func acknowledge(_ message: ImMessage, from chain: CertificateChain) async {
        guard let account = chain.accountID, let contact = try? await contactRow(account), contact.isActive else {
            return
        }
        var value = Value()
        value.type = ImMessage.valueType
        value.data = message.acknowledgement(at: time.wallTime).payload
        let inbox = Locations.inbox(of: identity.shortDeviceID)
        let key = chain.leaf.publicKey
        tasks.start { [dht, value] in
            _ = try? await dht.putEncrypted(value, at: inbox, for: key)
        }
    }
}

/// The form of a message token in `Message-ID`.
private enum TextToken {
    static func text(_ token: UInt64) -> String {
        Hexadecimal.encode(stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: token >> UInt64($0)) })
    }
}
