import DHT
import GRDB
import Identity
public import Keys
import Logging
import NameRegistry
import PeerLink
import Runtime
import Swarm

/// Invitations, both ways, and the list of contacts.
extension Account {
    /// How often one device gets the same invitation: stored values live ten minutes, so it is never missing for long.
    private static var trustInterval: Duration { .seconds(240) }

    /// How many invitations of strangers wait at most; further ones are not stored.
    private static var requestLimit: Int { 1000 }

    // MARK: What a person does

    /// Invites somebody: makes the conversation, stores both, and asks them until they answer.
    ///
    /// An invitation of theirs that waits for an answer is accepted instead.
    public func addContact(_ id: InfoHash, alias: String = "") async throws -> ContactInfo {
        guard id != identity.accountID else {
            throw ApusError(
                .invalidIdentifier,
                "This is your own identifier; give it to others so that they can add you."
            )
        }
        if try await read({ database in try RequestRow.exists(database, key: id.hex) }) {
            return try await acceptContact(id, alias: alias)
        }
        if let contact = try await contactRow(id), contact.isActive {
            return await info(of: contact)
        }
        let signer = signer
        let now = time.wallTime
        let timeline = timeline
        let contact = try await write { database in
            let conversation = try Conversation.createOneToOne(database, with: id, signer: signer, at: now)
            let known = try ContactRow.fetchOne(database, key: id.hex)
            let contact = ContactRow(
                id: id.hex,
                alias: alias,
                added: now.seconds,
                removed: 0,
                confirmed: false,
                banned: false,
                conversation: conversation.hex,
                invited: now.milliseconds,
                answerDue: false,
                registeredName: known?.registeredName ?? "",
                nameAssurance: known?.nameAssurance ?? "",
                nameServer: known?.nameServer ?? "",
                nameChecked: known?.nameChecked ?? 0,
                nameConflict: known?.nameConflict ?? ""
            )
            try contact.upsert(database)
            try timeline.append(.contactChanged, contact: id.hex, conversation: conversation.hex, at: now, in: database)
            return contact
        }
        watch(id)
        return await info(of: contact)
    }

    /// Accepts an invitation: stores the contact, tells them, and fetches the conversation until it is here.
    public func acceptContact(_ id: InfoHash, alias: String = "") async throws -> ContactInfo {
        let now = time.wallTime
        let timeline = timeline
        let contact = try await write { database -> ContactRow? in
            guard let request = try RequestRow.fetchOne(database, key: id.hex) else {
                return try ContactRow.fetchOne(database, key: id.hex)
            }
            let name = alias.isEmpty ? VCard(request.payload)?.displayName ?? "" : alias
            let known = try ContactRow.fetchOne(database, key: id.hex)
            let contact = ContactRow(
                id: id.hex,
                alias: name,
                added: now.seconds,
                removed: 0,
                confirmed: true,
                banned: false,
                conversation: request.conversation,
                invited: 0,
                answerDue: true,
                registeredName: known?.registeredName ?? "",
                nameAssurance: known?.nameAssurance ?? "",
                nameServer: known?.nameServer ?? "",
                nameChecked: known?.nameChecked ?? 0,
                nameConflict: known?.nameConflict ?? ""
            )
            try contact.upsert(database)
            try request.delete(database)
            if let conversation = ConversationID(hex: request.conversation) {
                try Conversation.prepareClone(database, conversation)
            }
            try timeline.append(
                .contactChanged,
                contact: id.hex,
                conversation: request.conversation,
                at: now,
                in: database
            )
            return contact
        }
        guard let contact, contact.isActive else {
            throw ApusError(.requestNotFound, "There is no invitation from \(id) to accept. See the list of contacts.")
        }
        watch(id)
        tasks.start { [weak self] in
            for chain in (try? await self?.knownDevices(of: id.hex)) ?? [] {
                await self?.sendDueTrust(to: chain, contact: contact)
                await self?.serve(chain, of: contact)
            }
        }
        return await info(of: contact)
    }

    public func contacts() async throws -> [ContactInfo] {
        var list: [ContactInfo] = []
        for contact in try await contactRows() where contact.isActive || contact.banned {
            list.append(await info(of: contact))
        }
        let requests = try await read { database in try RequestRow.fetchAll(database) }
        for request in requests {
            list.append(
                ContactInfo(
                    id: request.id,
                    alias: VCard(request.payload)?.displayName ?? "",
                    state: .requested,
                    conversation: request.conversation,
                    online: false
                )
            )
        }
        return list
    }

    /// The contact that a person means: an identifier, a registered name, or an alias that only one contact has.
    ///
    /// The name that a contact was added by needs no look-up and means them, whatever others are called.
    public func contact(named text: String) async throws -> ContactInfo {
        let list = try await contacts()
        if let id = UserURI.accountID(in: text) {
            guard let contact = list.first(where: { $0.id == id.hex }) else {
                throw ApusError(.contactNotFound, "\(id) is no contact yet. Add it first.")
            }
            return contact
        }
        if let name = Name(folding: text), let contact = list.first(where: { $0.name == name.text }) {
            nameIsUsed(of: contact)
            return contact
        }
        let named = list.filter { $0.alias.lowercased() == text.lowercased() }
        guard let contact = named.first else {
            throw ApusError(.contactNotFound, "No contact is named “\(text)”. See the list of contacts.")
        }
        guard named.count == 1 else {
            throw ApusError(
                .contactNotFound,
                "\(named.count) contacts are named “\(text)”. Use the identifier instead."
            )
        }
        return contact
    }

    // MARK: Rows

    func contactRows() async throws -> [ContactRow] {
        try await read { database in try ContactRow.order(sql: "added, id").fetchAll(database) }
    }

    func contactRow(_ id: InfoHash) async throws -> ContactRow? {
        try await read { database in try ContactRow.fetchOne(database, key: id.hex) }
    }

    func info(of contact: ContactRow) async -> ContactInfo {
        let conversation = ConversationID(hex: contact.conversation)
        let isCloned = try? await read { database in
            try conversation.map { try Conversation.isPresent(database, $0) } ?? false
        }
        let state: ContactInfo.State =
            contact.banned
            ? .blocked : isCloned != true ? .joining : contact.confirmed ? .ready : .invited
        let id = InfoHash(hex: contact.id)
        return ContactInfo(
            id: contact.id,
            alias: contact.alias,
            state: state,
            conversation: contact.conversation,
            online: await id.asyncMap { await isOnline($0) } ?? false,
            name: contact.registeredName.isEmpty ? nil : contact.registeredName,
            nameAssurance: contact.registeredName.isEmpty ? nil : contact.nameAssurance,
            nameConflict: contact.nameConflict.isEmpty ? nil : contact.nameConflict
        )
    }

    // MARK: Asking others

    /// Sends the invitation or the answer that a device has not shown to know.
    func sendDueTrust(to chain: CertificateChain, contact: ContactRow) async {
        let isInvitation = !contact.confirmed
        guard isInvitation || contact.answerDue else { return }
        if let last = lastTrust[chain.deviceID], time.now - last < Self.trustInterval { return }
        lastTrust[chain.deviceID] = time.now
        let sent = await sendTrust(
            to: chain,
            conversation: contact.conversation,
            isConfirmation: !isInvitation,
            invited: contact.invited
        )
        if !sent { lastTrust[chain.deviceID] = nil }
        // The value lives for minutes only: asked again for as long as the device is there.
        tasks.start { [weak self] in
            do { try await Task.sleep(for: sent ? Self.trustInterval + .seconds(10) : .seconds(5)) } catch { return }
            guard let self, let account = chain.accountID, await self.isOnline(account),
                let contact = try? await self.contactRow(account), contact.isActive
            else { return }
            await self.sendDueTrust(to: chain, contact: contact)
        }
    }

    @discardableResult
    func sendTrust(
        to chain: CertificateChain,
        conversation: String,
        isConfirmation: Bool,
        invited: Int64
    ) async -> Bool {
        let request = TrustRequest(
            conversationID: conversation,
            card: isConfirmation ? [] : VCard(displayName: alias).bytes,
            isConfirmation: isConfirmation,
            invited: isConfirmation ? nil : WallTime(milliseconds: invited)
        )
        var value = Value()
        value.type = TrustRequest.valueType
        value.data = request.payload()
        do {
            let inbox = Locations.inbox(of: chain.shortDeviceID)
            _ = try await dht.putEncrypted(value, at: inbox, for: chain.leaf.publicKey)
            return true
        } catch {
            logger.info("a trust request could not be sent", metadata: ["reason": "\(error)"])
            return false
        }
    }

    // MARK: Being asked

    /// Treats an incoming trust request of a proved device.
    func received(_ request: TrustRequest, from chain: CertificateChain) async {
        guard let account = chain.accountID, account != identity.accountID else { return }
        let now = time.wallTime
        let timeline = timeline
        do {
            let outcome = try await write { database -> (TrustDecision, ContactRow?) in
                var contact = try ContactRow.fetchOne(database, key: account.hex)
                let decision = TrustDecision.make(
                    isConfirmation: request.isConfirmation,
                    conversation: request.conversationID,
                    contact: contact
                )
                switch decision {
                case .ignored: break
                case .asked:
                    guard ConversationID(hex: request.conversationID) != nil else { return (.ignored, nil) }
                    let isKnown = try RequestRow.exists(database, key: account.hex)
                    guard try isKnown || RequestRow.fetchCount(database) < Self.requestLimit else {
                        return (.ignored, nil)
                    }
                    let row = RequestRow(
                        id: account.hex,
                        conversation: request.conversationID,
                        received: now.seconds,
                        payload: request.card
                    )
                    try row.upsert(database)
                    if !isKnown {
                        try timeline.append(
                            .contactRequested,
                            contact: account.hex,
                            conversation: request.conversationID,
                            at: now,
                            in: database
                        )
                    }
                case .confirmed:
                    guard contact?.confirmed == false else { break }
                    contact?.confirmed = true
                    try contact?.update(database)
                    try timeline.append(.contactChanged, contact: account.hex, at: now, in: database)
                case .adopted(let conversation, _):
                    guard let id = ConversationID(hex: conversation) else { return (.ignored, nil) }
                    contact?.confirmed = true
                    contact?.conversation = conversation
                    try contact?.update(database)
                    try Conversation.prepareClone(database, id)
                    try timeline.append(
                        .contactChanged,
                        contact: account.hex,
                        conversation: conversation,
                        at: now,
                        in: database
                    )
                }
                return (decision, contact)
            }
            guard outcome.0 != .ignored else { return }
            await remember(chain)
            await act(on: outcome.0, contact: outcome.1, chain: chain)
        } catch {
            logger.error("a trust request could not be stored", metadata: ["reason": "\(error)"])
        }
    }

    private func act(on decision: TrustDecision, contact: ContactRow?, chain: CertificateChain) async {
        let answer: String?
        switch decision {
        case .ignored, .asked: return
        case .confirmed(let conversation): answer = conversation
        case .adopted(let conversation, let answers): answer = answers ? conversation : nil
        }
        if let answer {
            await sendTrust(to: chain, conversation: answer, isConfirmation: true, invited: 0)
        }
        if let contact { await serve(chain, of: contact) }
    }
}

extension Optional {
    fileprivate func asyncMap<Result>(_ transform: (Wrapped) async -> Result) async -> Result? {
        guard let self else { return nil }
        return await transform(self)
    }
}
