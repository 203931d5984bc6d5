import Foundation
import Identity
import Keys
import Logging
import NIOPosix
import NameRegistry
import Names
import Runtime
import TestSupport
import Testing

@testable import Apus

/// An account, a plain old name server, and somebody whose name it is.
@Suite(.timeLimit(.minutes(4))) struct NamedAccountTests {
    private func service(_ folder: String, _ servers: [NameServerAddress] = []) throws -> ApusService {
        try ApusService(
            folder: folder,
            options: ApusService.Options(
                bootstrap: ["127.0.0.1:9"],
                bindAddress: "127.0.0.1",
                bindAddress6: nil,
                allowsLoopback: true,
                nameServers: servers
            ),
            group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    /// A signed record of a name of a fresh key.
    private func record(of name: String, key: RSAPrivateKey) throws -> LegacyNameServer.Record {
        let evidence = try NameEvidence.sign(try #require(Name(canonical: name)), with: key)
        return LegacyNameServer.Record(
            address: evidence.account.hex,
            owner: String(repeating: "cd", count: 20),
            publicKey: evidence.publicKeyText,
            signature: evidence.signatureText
        )
    }

    @Test func `an account registers a name, keeps it over restarts, and pins those of its contacts`() async throws {
        let folder = NSTemporaryDirectory() + "apus-names-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let legacy = LegacyNameServer()
        let http = try await legacy.start()
        let server = try #require(NameServerAddress(http.url))
        let service = try service(folder, [server])
        try await service.start()
        _ = try await service.createAccount(alias: "Ana", password: "secret", bootstrap: [])
        let account = try await service.account(named: nil)

        try await registers(account, legacy)
        try await pins(account, legacy)
        await service.stop()
        try await survives(folder, server, legacy)
        await http.stop()
    }

    private func registers(_ account: Account, _ legacy: LegacyNameServer) async throws {
        await refusal(.passwordNeeded) { try await account.registerName("ana", password: "") }
        await refusal(.wrongPassword) { try await account.registerName("ana", password: "wrong") }
        await refusal(.invalidName) { try await account.registerName("a b", password: "secret") }
        legacy["taken"] = LegacyNameServer.Record(address: String(repeating: "ab", count: 20))
        let taken = try await account.registerName("taken", password: "secret")
        #expect(taken.state == "taken")
        // The server is in trouble at first; the registration goes on by itself.
        legacy.failNext([503])
        let pending = try await account.registerName("Ana_1", password: "secret")
        #expect(pending.isPending && pending.name == "ana_1")
        await refusal(.registrationPending) { try await account.registerName("other", password: "secret") }
        let done = try await eventually(within: .seconds(60), "the name is registered") {
            try await account.registration().flatMap { $0.isPending ? nil : $0 }
        }
        #expect(done.state == "registered" && legacy["ana_1"]?.address == account.identity.accountID.hex)
        #expect(await account.info().registeredName == "ana_1")
        let again = try await account.registerName("ana_1", password: "secret")
        #expect(again.state == "alreadyYours")
        let events = try await account.events(after: 0)
        #expect(events.contains { $0.kind == .accountNameChanged })
    }

    private func pins(_ account: Account, _ legacy: LegacyNameServer) async throws {
        let (ben, mallory) = (try RSAPrivateKey.generate(bits: 2_048), try RSAPrivateKey.generate(bits: 2_048))
        legacy["ben"] = try record(of: "ben", key: ben)
        legacy["nobody-signed"] = LegacyNameServer.Record(address: String(repeating: "ef", count: 20))
        await refusal(.nameNotFound) { try await account.addContact(named: "unknown") }
        await refusal(.nameUnsigned) { try await account.addContact(named: "nobody-signed") }
        let unsigned = try await account.addContact(named: "nobody-signed", acceptsUnsigned: true)
        #expect(unsigned.nameAssurance == "unsigned")
        let contact = try await account.addContact(named: "Ben")
        #expect(contact.id == ben.publicKey.shortID.hex && contact.name == "ben" && contact.nameAssurance == "signed")

        // The server gives the name to somebody else: the contact stays who they were, and the user is warned once.
        legacy["ben"] = try record(of: "ben", key: mallory)
        let id = ben.publicKey.shortID
        for _ in 0..<2 {
            let row = try await account.contactRow(id)
            await account.recheckName(of: try #require(row))
        }
        let warnings = try await account.events(after: 0).filter { $0.kind == .contactNameWarning }
        #expect(warnings.count == 1 && warnings.first?.contact == id.hex)
        let kept = try await account.contact(named: "BEN")
        #expect(kept.id == id.hex && kept.nameConflict == mallory.publicKey.shortID.hex)
        let added = try await account.addContact(named: "ben")
        #expect(added.id == id.hex)
        let message = try await account.send("hello", to: kept)
        #expect(message.contact == id.hex)
    }

    private func survives(_ folder: String, _ server: NameServerAddress, _ legacy: LegacyNameServer) async throws {
        // The server cannot be reached: what is known stays.
        let offline = try service(folder, [.nowhere])
        try await offline.start()
        let account = try await offline.account(named: "Ana")
        await account.checkOwnName()
        #expect(await account.info().registeredName == "ana_1")
        #expect(try await account.contact(named: "ben").name == "ben")
        await offline.stop()
        // The server denies the name: it is not shown any more.
        legacy["ana_1"] = nil
        let online = try service(folder, [server])
        try await online.start()
        let again = try await online.account(named: "Ana")
        _ = try await eventually(within: .seconds(60), "the name is forgotten") {
            await again.info().registeredName == nil ? true : nil
        }
        // The choice of a server is stored.
        _ = try await online.setNameServer(server.text, of: again)
        await online.stop()
        let last = try service(folder)
        try await last.start()
        #expect(await last.accountInfos().map(\.nameServer) == [server.text])
        await last.stop()
    }

    private func refusal<Value>(_ code: ApusError.Code, _ work: () async throws -> Value) async {
        let error = await #expect(throws: ApusError.self) { _ = try await work() }
        #expect(error?.code == code)
    }
}
