import Foundation
import Keys
import Runtime
import TestSupport
import Testing

@testable import Identity

@Suite struct AccountFolderTests {
    private let now = VectorAccount.now

    private func withFolder(_ body: (AccountFolder) throws -> Void) throws {
        let root = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: root) }
        try body(AccountFolder(path: root.appending(path: "deep/account").path()))
    }

    @Test func `a stored account opens again`() throws {
        let account = try TestKeys.account()
        var randomness = Randomness.seeded(1)
        try withFolder { folder in
            #expect(!folder.isComplete)
            try folder.store(account, randomness: &randomness)
            #expect(folder.isComplete)
            let device = try folder.openDevice(at: now)
            #expect(device.identity.chain == account.device.chain)
            #expect(device.identity.deviceID == account.device.deviceID)
            #expect(device.receipt == account.receipt)
            #expect(try folder.openArchive().json == account.archive.json)
            #expect(try !folder.archiveNeedsPassword())

            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            #expect(names == ["archive.gz", "device.crt", "device.key", "receipt", "receipt.sig"])
            for name in names { #expect(try permissions(folder.path + "/" + name) == 0o600) }
            #expect(try permissions(folder.path) == 0o700)
            // Storing once more replaces, also over the rest of an interrupted write.
            try Data().write(to: URL(filePath: folder.path + "/.archive.gz.new"))
            try folder.store(account, password: "x", randomness: &randomness)
            #expect(try folder.archiveNeedsPassword())
            #expect(throws: AccountFolderError.archive(.passwordNeeded)) { try folder.openArchive() }
            #expect(throws: AccountFolderError.archive(.wrongPassword)) { try folder.openArchive(password: "y") }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 5)
        }
    }

    private func permissions(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return (attributes[.posixPermissions] as? NSNumber)?.intValue ?? -1
    }

    @Test func `missing and damaged files are told apart`() throws {
        let account = try TestKeys.account()
        var randomness = Randomness.seeded(1)
        try withFolder { folder in
            #expect(throws: AccountFolderError.file(.notFound, name: "device.key")) { try folder.openDevice(at: now) }
            #expect(throws: AccountFolderError.file(.notFound, name: "archive.gz")) { try folder.openArchive() }
            try folder.store(account, randomness: &randomness)
            let other = try TestKeys.all.get()[0]
            let table: [(String, [UInt8], AccountFolderError)] = [
                ("device.key", [1], .key(.malformed)),
                ("device.key", Array(other.pem.utf8), .certificate(.unsupportedKey)),
                ("device.crt", [], .certificate(.empty)),
                ("device.crt", Array(account.device.chain.leaf.pem.utf8), .certificate(.noIssuer)),
                ("device.crt", .init(repeating: 0x20, count: 65_537), .file(.tooLarge, name: "device.crt")),
                ("receipt", [], .receipt(.empty)),
                ("receipt", [0x7B], .receipt(.malformed)),
                ("receipt", account.receipt.text + [0x20], .receipt(.wrongSignature)),
                ("receipt.sig", [1], .receipt(.wrongSignature)),
            ]
            for (name, content, error) in table {
                let url = URL(filePath: folder.path + "/" + name)
                let before = try Data(contentsOf: url)
                try Data(content).write(to: url)
                #expect(throws: error) { try folder.openDevice(at: now) }
                try before.write(to: url)
            }
            _ = try folder.openDevice(at: now)
        }
    }

    @Test func `a device whose certificates ran out is renewed from the archive`() throws {
        let account = try TestKeys.account()
        var randomness = Randomness.seeded(1)
        let later = WallTime(seconds: now.seconds + Certificate.lifetimeInSeconds + 1)
        try withFolder { folder in
            try folder.store(account, randomness: &randomness)
            #expect(throws: AccountFolderError.receipt(.certificate(.expired(at: 0)))) {
                try folder.openDevice(at: later)
            }
            let renewed = try folder.renewDevice(at: later, randomness: &randomness)
            #expect(renewed.identity.deviceID == account.device.deviceID)
            #expect(try folder.openDevice(at: later).identity.chain == renewed.identity.chain)
        }
    }

    @Test func `a folder that cannot be made is an error`() throws {
        var randomness = Randomness.seeded(1)
        let account = try TestKeys.account()
        #expect(throws: AccountFolderError.self) {
            try AccountFolder(path: "/proc/nothing/account").store(account, randomness: &randomness)
        }
    }
}
