import Ethereum
import Foundation
import GRDB
import Identity
import Keys
import Logging
import NIOPosix
import NameRegistry
public import Names
import Runtime

/// Registering a name for the account.
extension Account {
    /// Asks the name server for a name, and goes on asking while it is in trouble.
    ///
    /// What is asked for is stored first; it survives restarts and is tried until it is decided, until `patience` is over or
    /// until ``stopRegistration()``. The first attempt is waited for.
    ///
    /// - Parameters:
    ///   - text: the name; capitals are folded.
    ///   - password: the archive's, whose key signs the name.
    ///   - patience: for how long a server in trouble is asked again.
    /// - Returns: how it ended, or that it is under way.
    /// - Throws: `ApusError` for what cannot be asked for.
    public func registerName(
        _ text: String,
        password: String,
        patience: Duration = RegistrationSchedule.standardPatience
    ) async throws -> NameRegistrationInfo {
        guard let name = Name(folding: text) else {
            throw ApusError(
                .invalidName,
                "“\(text)” cannot be a name: names have 3 to 32 of the characters a–z, 0–9, _ and -."
            )
        }
        if let pending = try await registration(), pending.isPending, pending.name != name.text {
            throw ApusError(
                .registrationPending,
                "The registration of “\(pending.name)” is still under way. Stop it first: apus name stop"
            )
        }
        let signed = try await sign(name, password: password)
        let now = time.wallTime
        let deadline = WallTime(milliseconds: now.milliseconds &+ max(patience, .zero).wholeMilliseconds)
        let row = NameRegistrationRow(
            name: name.text,
            owner: signed.owner.hash.hex,
            publicKey: Data(signed.evidence?.publicKey ?? []),
            signature: Data(signed.evidence?.signature ?? []),
            server: names.configuration.servers[0].text,
            requested: now.milliseconds,
            deadline: deadline.milliseconds,
            state: NameRegistrationRow.pending,
            reason: ""
        )
        try await write { database in try row.upsert(database) }
        let outcome = await attempt(row)
        if !outcome.isFinal { pursue(row, after: outcome) }
        return try await registration() ?? row.info
    }

    /// The registration that is under way, or how the last one ended.
    public func registration() async throws -> NameRegistrationInfo? {
        try await read { database in try NameRegistrationRow.fetchOne(database)?.info }
    }

    /// Gives up a registration that is under way; what a server has accepted already stays.
    ///
    /// - Returns: whether one was under way.
    public func stopRegistration() async throws -> Bool {
        try await write { database in
            guard let row = try NameRegistrationRow.fetchOne(database), row.isPending else { return false }
            return try row.delete(database)
        }
    }

    func resumeRegistration() async {
        guard let row = try? await read({ database in try NameRegistrationRow.fetchOne(database) }), row.isPending
        else {
            return
        }
        let outcome = await attempt(row)
        if !outcome.isFinal { pursue(row, after: outcome) }
    }

    // MARK: Signing

    private func sign(_ name: Name, password: String) async throws -> Registration {
        let folder = folder
        let account = identity.accountID
        // Opening a sealed archive and signing keep a processor busy.
        let result = try await NIOThreadPool.singleton.runIfActive {
            Result { try Self.registration(of: name, for: account, from: folder, password: password) }
        }
        do {
            return try result.get()
        } catch AccountFolderError.archive(.passwordNeeded) {
            throw ApusError(
                .passwordNeeded,
                "The account's archive is locked; its password is needed to sign the name."
            )
        } catch AccountFolderError.archive(.wrongPassword) {
            throw ApusError(.wrongPassword, "This is not the password of the account's archive.")
        } catch let error as ApusError {
            throw error
        } catch {
            throw ApusError(.identity, "The account's keys cannot be used to sign the name: \(error)")
        }
    }

    private static func registration(
        of name: Name,
        for account: InfoHash,
        from folder: AccountFolder,
        password: String
    ) throws -> Registration {
        let archive = try folder.openArchive(password: password)
        guard let owner = archive.ethereumKey.flatMap({ Address($0.address) }) else {
            throw ApusError(.identity, "The account's archive has no key that can own a name.")
        }
        guard archive.accountID == account else {
            throw ApusError(.identity, "The archive in the account's folder is that of another account.")
        }
        let evidence = try NameEvidence.sign(name, with: archive.accountKey)
        return Registration(name: name, account: account, owner: owner, evidence: evidence)
    }

    // MARK: Asking

    /// One attempt, stored with what came of it.
    private func attempt(_ row: NameRegistrationRow) async -> RegistrationOutcome {
        guard let name = Name(canonical: row.name), let owner = Address(hex: row.owner),
            let server = NameServerAddress(row.server)
        else { return .refused(status: 0, reason: "what was stored of it cannot be read") }
        let evidence = NameEvidence(publicKey: Array(row.publicKey), signature: Array(row.signature))
        let registration = Registration(name: name, account: identity.accountID, owner: owner, evidence: evidence)
        let outcome = await names.register(registration, at: server)
        // A name that the account has stays known, also when the user gave up meanwhile.
        switch outcome {
        case .registered, .alreadyYours: await setOwnName(name, server: server)
        case .accountHasName(let other): await setOwnName(other, server: server)
        case .taken, .refused, .undecided: break
        }
        let state = outcome.isFinal ? outcome.code : NameRegistrationRow.pending
        await note(state, outcome.sentence(of: name, at: server), for: row)
        return outcome
    }

    /// Goes on asking; the one loop that does so for a registration.
    private func pursue(_ row: NameRegistrationRow, after outcome: RegistrationOutcome) {
        tasks.start { [weak self] in
            var outcome = outcome
            var schedule = RegistrationSchedule(deadline: WallTime(milliseconds: row.deadline))
            while let next = await self?.nextAttempt(of: row, after: outcome, &schedule) {
                do { try await Task.sleep(for: next) } catch { return }
                guard let self, await self.isStillWanted(row) else { return }
                outcome = await self.attempt(row)
            }
        }
    }

    /// How long to wait; `nil` when nothing is to be done any more.
    private func nextAttempt(
        of row: NameRegistrationRow,
        after outcome: RegistrationOutcome,
        _ schedule: inout RegistrationSchedule
    ) async -> Duration? {
        let now = time.wallTime
        switch schedule.next(after: outcome, at: now, using: &randomness) {
        case .finished: return nil
        case .retry(let next): return .milliseconds(next.milliseconds - now.milliseconds)
        case .expired:
            await note(
                "expired",
                "The name server was in trouble all the time. Ask for the name again later.",
                for: row
            )
            return nil
        }
    }

    private func isStillWanted(_ row: NameRegistrationRow) async -> Bool {
        let stored = try? await read { database in try NameRegistrationRow.fetchOne(database) }
        return stored?.isPending == true && stored?.requested == row.requested
    }

    private func note(_ state: String, _ reason: String, for row: NameRegistrationRow) async {
        let now = time.wallTime
        let timeline = timeline
        let id = identity.accountID.hex
        do {
            try await write { database in
                guard var stored = try NameRegistrationRow.fetchOne(database), stored.isPending,
                    stored.requested == row.requested
                else { return }
                stored.state = state
                stored.reason = reason
                try stored.update(database)
                guard !stored.isPending else { return }
                try timeline.append(.accountNameChanged, contact: id, reason: reason, at: now, in: database)
            }
        } catch {
            logger.error("a registration could not be stored", metadata: ["reason": "\(error)"])
        }
    }
}
