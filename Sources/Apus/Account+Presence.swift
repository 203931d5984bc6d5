import DHT
import GRDB
import Identity
import Keys
import Logging
import PeerLink
import Runtime
import Swarm

/// Which devices of contacts are there, and how they are proved to be theirs.
extension Account {
    /// Pauses between look-ups of a certificate that is announced but not found yet.
    private static var certificatePauses: [Duration] {
        [.seconds(1), .seconds(2), .seconds(4), .seconds(8), .seconds(16)]
    }

    /// Watches the announcements of a contact's devices for as long as the account runs.
    func watch(_ contact: InfoHash) {
        guard watched.insert(contact).inserted else { return }
        tasks.start { [weak self, dht] in
            for await event in await dht.listen(at: contact) {
                guard let self else { return }
                switch event {
                case .value(let value): await self.heard(value, of: contact)
                case .expired(let id): await self.expired(id, of: contact)
                }
            }
        }
    }

    private func heard(_ opened: OpenedValue, of contact: InfoHash) async {
        guard opened.value.type == 0, opened.signer?.shortID == contact,
            let announcement = try? DeviceAnnouncement(payload: opened.value.data),
            announcement.shortDeviceID != identity.shortDeviceID
        else { return }
        announced[contact, default: [:]][announcement.shortDeviceID, default: []].insert(opened.value.id)
        guard lookups.insert(announcement.shortDeviceID).inserted else { return }
        tasks.start { [weak self] in
            await self?.identify(announcement, of: contact)
        }
    }

    private func expired(_ id: UInt64, of contact: InfoHash) async {
        for device in announced[contact]?.keys.sorted() ?? [] {
            announced[contact]?[device]?.remove(id)
            guard announced[contact]?[device]?.isEmpty == true else { continue }
            announced[contact]?[device] = nil
            if let chain = try? await knownDevice(shortID: device), await !isConnected(to: chain.deviceID) {
                schedule.deviceAbsent(chain.deviceID)
            }
        }
    }

    /// Finds the certificates of an announced device, and serves it.
    private func identify(_ announcement: DeviceAnnouncement, of contact: InfoHash) async {
        defer { lookups.remove(announcement.shortDeviceID) }
        if let known = try? await knownDevice(shortID: announcement.shortDeviceID), known.accountID == contact {
            await deviceAppeared(known)
            return
        }
        for pause in Self.certificatePauses {
            let longID = announcement.deviceID
            let found = try? await dht.findCertificate(shortID: announcement.shortDeviceID, longID: longID)
            if let chain = found, chain.shortDeviceID == announcement.shortDeviceID,
                let account = try? PeerRule.account(of: chain, at: time.wallTime), account == contact
            {
                await remember(chain)
                await deviceAppeared(chain)
                return
            }
            do { try await Task.sleep(for: pause) } catch { return }
        }
        logger.info(
            "no certificate for an announced device",
            metadata: ["contact": "\(contact)", "device": "\(announcement.shortDeviceID)"]
        )
    }

    /// The proved certificates of a device, from what is known or from the DHT.
    func chain(of signer: RSAPublicKey) async -> CertificateChain? {
        if let known = try? await knownDevice(shortID: signer.shortID), known.leaf.publicKey == signer { return known }
        let found = try? await dht.findCertificate(shortID: signer.shortID, longID: signer.longID)
        guard let chain = found, chain.leaf.publicKey == signer,
            (try? PeerRule.account(of: chain, at: time.wallTime)) != nil
        else { return nil }
        return chain
    }

    /// Keeps the certificates of a device, so that it can be reached before it is found again.
    func remember(_ chain: CertificateChain) async {
        guard let account = chain.accountID else { return }
        let row = DeviceRow(
            id: chain.deviceID.hex,
            shortId: chain.shortDeviceID.hex,
            account: account.hex,
            chain: chain.pem,
            seen: time.wallTime.seconds
        )
        do {
            try await database.pool.write { database in try row.upsert(database) }
        } catch {
            logger.error("a device could not be stored", metadata: ["reason": "\(error)"])
        }
    }

    func knownDevice(shortID: InfoHash) async throws -> CertificateChain? {
        let row = try await read { database in
            try DeviceRow.fetchOne(database, sql: "SELECT * FROM device WHERE shortId = ?", arguments: [shortID.hex])
        }
        return try row.map { try CertificateChain(pem: $0.chain) }
    }

    func knownDevice(_ device: LongID) async throws -> CertificateChain? {
        let row = try await read { database in try DeviceRow.fetchOne(database, key: device.hex) }
        return try row.map { try CertificateChain(pem: $0.chain) }
    }

    func knownDevices(of account: String) async throws -> [CertificateChain] {
        let rows = try await read { database in
            try DeviceRow.fetchAll(
                database,
                sql: "SELECT * FROM device WHERE account = ? ORDER BY seen DESC",
                arguments: [account]
            )
        }
        return rows.compactMap { try? CertificateChain(pem: $0.chain) }
    }

    func isConnected(to device: LongID) async -> Bool {
        await links?.connections().contains { $0.deviceID == device } ?? false
    }

    func isOnline(_ contact: InfoHash) async -> Bool {
        if announced[contact]?.isEmpty == false { return true }
        return await links?.connections().contains { $0.accountID == contact } ?? false
    }

    /// A device of a contact is announced: everything that waits for it is tried now.
    private func deviceAppeared(_ chain: CertificateChain) async {
        guard let account = chain.accountID, let contact = try? await contactRow(account), contact.isActive else {
            return
        }
        await sendDueTrust(to: chain, contact: contact)
        if contact.confirmed { await serve(chain, of: contact) }
    }
}
