import GRDB
import Identity
import Keys
import Logging
import NameRegistry
import Names
import Runtime

/// The names of contacts: how they are added by one, and how it is watched.
extension Account {
    /// How often is looked which names are due.
    private static var round: Duration { .seconds(3_600) }

    static func directory(for network: Network, folder: AccountFolder, time: any TimeSource) -> NameDirectory {
        // Beside the accounts, since which blocks were accepted is true for all of them.
        let shared = folder.path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(
            separator: "/"
        )
        return NameDirectory(
            NameDirectory.Configuration(
                servers: network.nameServers,
                cacheFolder: "\(shared)/\(NameDirectory.folderName)",
                trust: network.nameTrust
            ),
            time: time
        )
    }

    /// Asks other servers from now on; a registration that is under way goes on at its own.
    func useNameServers(_ servers: [NameServerAddress]) async {
        network.nameServers = servers
        let former = names
        names = Self.directory(for: network, folder: folder, time: time)
        await former.close()
        tasks.start { [weak self] in await self?.checkOwnName() }
    }

    /// What goes on in the background while the account runs.
    func startNames() {
        tasks.start { [weak self] in await self?.checkOwnName() }
        tasks.start { [weak self] in await self?.resumeRegistration() }
        tasks.start { [weak self] in
            while !Task.isCancelled {
                await self?.recheckDueNames()
                do { try await Task.sleep(for: Self.round) } catch { return }
            }
        }
    }

    // MARK: Adding

    /// Invites somebody by a registered name, or by an identifier.
    ///
    /// - Parameters:
    ///   - text: a name, `NAME@SERVER`, or an identifier.
    ///   - alias: what the user calls them.
    ///   - acceptsUnsigned: whether a name counts that nobody signed.
    /// - Returns: the contact, with the name pinned to it.
    /// - Throws: `ApusError` with a sentence.
    public func addContact(
        named text: String,
        alias: String = "",
        acceptsUnsigned: Bool = false
    ) async throws -> ContactInfo {
        let query: NameQuery
        do throws(NameQueryError) {
            query = try NameQuery(text)
        } catch {
            throw ApusError(.invalidIdentifier, error.sentence)
        }
        switch query.subject {
        case .account(let id): return try await addContact(id, alias: alias)
        case .name(let name):
            if let contact = try await contacts().first(where: { $0.name == name.text }) {
                nameIsUsed(of: contact)
                return contact
            }
            let lookup = try await lookUp(name, at: query.server)
            return try await addContact(try Self.account(of: lookup, acceptsUnsigned), pinning: lookup, alias: alias)
        }
    }

    private func lookUp(_ name: Name, at server: NameServerAddress?) async throws -> NameLookup {
        do throws(NameDirectoryError) {
            return try await names.verify(name, at: server)
        } catch {
            throw Self.apusError(error)
        }
    }

    private static func account(of lookup: NameLookup, _ acceptsUnsigned: Bool) throws(ApusError) -> InfoHash {
        switch lookup.answer {
        case .absent: throw ApusError(.nameNotFound, "Nobody is called “\(lookup.name)”, says \(lookup.server).")
        case .withdrawn: throw ApusError(.nameNotFound, "The name “\(lookup.name)” was given up for ever.")
        case .found(let account):
            guard acceptsUnsigned || lookup.assurance > .unsigned else {
                throw ApusError(
                    .nameUnsigned,
                    """
                    \(lookup.server) says that “\(lookup.name)” is \(account), but they have not signed that: the server \
                    could name anybody. Ask them for their identifier, or accept it with --accept-unsigned.
                    """
                )
            }
            return account
        }
    }

    private func addContact(_ id: InfoHash, pinning lookup: NameLookup, alias: String) async throws -> ContactInfo {
        _ = try await addContact(id, alias: alias)
        let now = time.wallTime
        let timeline = timeline
        let row = try await write { database -> ContactRow? in
            guard var contact = try ContactRow.fetchOne(database, key: id.hex) else { return nil }
            guard contact.registeredName != lookup.name.text else { return contact }
            contact.registeredName = lookup.name.text
            contact.nameAssurance = lookup.assurance.text
            contact.nameServer = lookup.server.text
            contact.nameChecked = now.milliseconds
            contact.nameConflict = ""
            try contact.update(database)
            try timeline.append(.contactChanged, contact: id.hex, at: now, in: database)
            return contact
        }
        guard let row else { throw ApusError(.contactNotFound, "\(id) is no contact any more.") }
        return await info(of: row)
    }

    static func apusError(_ error: NameDirectoryError) -> ApusError {
        ApusError(error.lies.isEmpty ? .network : .nameServerLied, error.sentence)
    }

    // MARK: Watching

    /// A contact was chosen by name: whether that still holds is looked up in the background, now and then.
    func nameIsUsed(of contact: ContactInfo) {
        guard let id = InfoHash(hex: contact.id) else { return }
        tasks.start { [weak self] in
            guard let self, let row = try? await self.contactRow(id), NameRecheck.isDue(row, at: self.time.wallTime)
            else { return }
            await self.recheckName(of: row)
        }
    }

    private func recheckDueNames() async {
        for contact in (try? await contactRows()) ?? [] where NameRecheck.isDue(contact, at: time.wallTime) {
            await recheckName(of: contact)
        }
    }

    /// Looks up a contact's name again; what is found never changes the contact.
    func recheckName(of contact: ContactRow) async {
        guard let name = Name(canonical: contact.registeredName) else { return }
        let server = NameServerAddress(contact.nameServer).flatMap {
            names.configuration.servers.contains($0) ? nil : $0
        }
        guard let lookup = try? await names.lookup(name, at: server, isFresh: true) else { return }
        let now = time.wallTime
        let timeline = timeline
        do {
            try await write { database in
                guard var row = try ContactRow.fetchOne(database, key: contact.id),
                    row.registeredName == contact.registeredName
                else { return }
                row.nameChecked = now.milliseconds
                switch NameRecheck.make(lookup.answer, for: row) {
                case .unchanged: break
                case .settled:
                    row.nameConflict = ""
                    try timeline.append(.contactChanged, contact: row.id, at: now, in: database)
                case .warn(let other):
                    row.nameConflict = other.hex
                    try timeline.append(
                        .contactNameWarning,
                        contact: row.id,
                        reason: """
                            The name server \(lookup.server) says that “\(name)” is \(other) now. Your contact stays \
                            \(row.id); ask them by another way before you trust the new one.
                            """,
                        at: now,
                        in: database
                    )
                }
                try row.update(database)
            }
        } catch {
            logger.error("a name's check could not be stored", metadata: ["reason": "\(error)"])
        }
    }

    // MARK: The own name

    func registeredName() async -> String? {
        try? await read { database in try OwnNameRow.fetchOne(database)?.name }
    }

    /// Looks up what the account is called: a name that is found is stored, one that is denied is forgotten, and an error
    /// changes nothing.
    func checkOwnName() async {
        guard let lookup = try? await names.whois(identity.accountID) else { return }
        await setOwnName(lookup.name?.name, server: lookup.server)
    }

    func setOwnName(_ name: Name?, server: NameServerAddress) async {
        let now = time.wallTime
        let timeline = timeline
        let id = identity.accountID.hex
        do {
            try await write { database in
                guard try OwnNameRow.fetchOne(database)?.name != name?.text else { return }
                if let name {
                    try OwnNameRow(name: name.text, server: server.text).upsert(database)
                } else {
                    try OwnNameRow.deleteAll(database)
                }
                try timeline.append(.accountNameChanged, contact: id, reason: name?.text, at: now, in: database)
            }
        } catch {
            logger.error("the account's name could not be stored", metadata: ["reason": "\(error)"])
        }
    }
}
