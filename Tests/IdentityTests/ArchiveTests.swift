import Foundation
import Keys
import Runtime
import TestSupport
import Testing

@testable import Identity

@Suite struct ArchiveTests {
    private static let encrypted = Result {
        try JSONVector(file: "account-archive-encrypted", in: .module)["archives"].elements
    }

    @Test func `the archive of a real daemon without password is read`() throws {
        let vector = try VectorAccount.archiveVector.get()
        let archive = try VectorAccount.archive.get()
        check(archive, against: vector)
        #expect(!AccountArchive.needsPassword(vector["file_b64"].base64))
        let chain = try #require(archive.accountChain)
        let certificates = try JSONVector(file: "account-archive-plain", in: .module)["certificates"].elements
        #expect(chain.certificates.map(\.pem) == certificates.map { $0["pem"].text })
        #expect(archive.displayName == "Bob")
    }

    @Test(arguments: [0, 1]) func `sealed archives of a real daemon are read`(index: Int) throws {
        let vector = try Self.encrypted.get()[index]
        let file = vector["file_b64"].base64
        let archive = try AccountArchive(file: file, password: vector["password"].text)
        check(archive, against: vector)
        #expect(AccountArchive.needsPassword(file))
        let byKey = try AccountArchive(file: file, key: vector["key_hex"].hex)
        #expect(byKey.json == archive.json)
        if vector["ringAccountCRL_der_hex"].isPresent {
            #expect(archive.revocationList == vector["ringAccountCRL_der_hex"].hex)
            let id = try #require(InfoHash(hex: "1c604141faa7dc6b4d137869ff8774bb03de3e48"))
            let banned = try #require(archive.contacts[id])
            #expect(banned.isBanned && !banned.isActive)
            #expect(banned.added == WallTime(seconds: 1_795_216_938))
            #expect(archive.others["conversations"]?.object?.keys.first == "786e90f98e16644bd57ad46b2d05b274be882875")
        } else {
            #expect(archive.contacts.values.first?.added == WallTime(milliseconds: 1_700_000_000_123))
            #expect(archive.details["Some.unknownKey"] == "x")
        }
    }

    private func check(_ archive: AccountArchive, against vector: JSONVector) {
        #expect(archive.accountID.hex == vector["account_key_ids"]["sha1"].text)
        #expect(archive.accountKey.publicKey.longID.hex == vector["account_key_ids"]["sha256"].text)
        #expect(archive.authorityKey?.publicKey.shortID.hex == vector["ca_key_ids"]["sha1"].text)
        #expect(archive.ethereumKey?.secret == vector["eth_private_key_hex"].hex)
        #expect(archive.ethereumKey?.addressText == vector["eth_address"].text)
        let entries = vector["config_entries"]
        for name in entries.keys { #expect(archive.details[name] == entries[name].text) }
    }

    @Test func `the JSON of a real daemon is written again byte for byte`() throws {
        let file = try VectorAccount.archiveVector.get()["file_b64"].base64
        let json = try Compression.decompress(file, limit: AccountArchive.maximumSize)
        #expect(try JSON.decode(json).encoded == json)
        // All but the members of one device, which a real daemon should not have written either.
        guard case .object(var members) = try JSON.decode(json) else {
            Issue.record("No object")
            return
        }
        for name in AccountArchive.localDetails { members[name] = nil }
        #expect(try AccountArchive(json: json).json == JSON.object(members).encoded)
        for vector in try Self.encrypted.get() {
            let archive = try AccountArchive(file: vector["file_b64"].base64, key: vector["key_hex"].hex)
            #expect(try AccountArchive(json: archive.json).json == archive.json)
        }
    }

    @Test func `private keys of devices never leave with an archive`() throws {
        let archive = try VectorAccount.archive.get()
        let text = String(decoding: archive.json, as: UTF8.self)
        let hasKey = text.contains("TLS.privateKeyFile")
        #expect(!hasKey)
        #expect(text.utf8.allSatisfy { $0 < 0x80 })
    }

    @Test func `archives go both ways with and without password`() throws {
        var randomness = Randomness.seeded(2)
        let archive = try TestKeys.account().archive
        let plain = try archive.file(randomness: &randomness)
        #expect(plain.starts(with: [0x1F, 0x8B, 0x08]))
        #expect(try AccountArchive(file: plain).json == archive.json)
        #expect(try AccountArchive(file: plain).displayName == "Ünïcode 🐦")

        let sealed = try archive.file(password: "pässword", randomness: &randomness)
        #expect(try AccountArchive(file: sealed, password: "pässword").json == archive.json)
        #expect(throws: ArchiveError.wrongPassword) { try AccountArchive(file: sealed, password: "password") }
        #expect(throws: ArchiveError.passwordNeeded) { try AccountArchive(file: sealed) }
        let key = try AccountArchive.key(of: sealed, password: "pässword")
        #expect(try AccountArchive(file: sealed, key: key).accountID == archive.accountID)
        // A web server may have compressed the sealed file once more.
        let twice = Compression.compress(sealed, format: .gzip)
        #expect(try AccountArchive(file: twice, key: key).accountID == archive.accountID)
        #expect(AccountArchive.needsPassword(twice))
    }

    @Test func `damaged archives are refused`() throws {
        func gzip(_ text: String) -> [UInt8] { Compression.compress(Array(text.utf8), format: .gzip) }
        let table: [([UInt8], ArchiveError)] = [
            ([], .passwordNeeded),
            ([0x1F, 0x8B, 0x08], .passwordNeeded),
            (gzip("{"), .malformed),
            (gzip("{}"), .noAccountKey),
            (gzip("{\"ringAccountKey\":7}"), .noAccountKey),
            (gzip("{\"ringAccountKey\":\"AAAA\"}"), .noAccountKey),
            (Array("{\"a\":1}".utf8), .noAccountKey),
            ([UInt8](repeating: 0, count: AccountArchive.maximumSize + 1), .tooLarge),
            (
                Compression.compress(.init(repeating: 0x20, count: AccountArchive.maximumSize + 1), format: .gzip),
                .tooLarge
            ),
        ]
        for (file, error) in table { #expect(throws: error) { try AccountArchive(file: file) } }
        #expect(throws: ArchiveError.wrongPassword) { try AccountArchive(file: [1, 2, 3], password: "x") }
        #expect(throws: ArchiveError.malformed) {
            try AccountArchive(file: [1, 2, 3], key: .init(repeating: 0, count: 32))
        }
    }

    @Test func `members that cannot be read are skipped`() throws {
        let account = try TestKeys.account()
        guard case .object(var members) = try JSON.decode(account.archive.json) else {
            Issue.record("No object")
            return
        }
        members["ringCaKey"] = .text("!")
        members["ringAccountCert"] = .text(Base64.encode(Array(account.device.chain.pem.utf8)))
        members["ethKey"] = .number("5")
        members["ringAccountContacts"] = .object(["zz": .null, account.archive.accountID.hex: .object([:])])
        members[""] = .text("x")
        members["Some.list"] = .array([.null, .boolean(false), .number("-1.50e+3")])
        let archive = try AccountArchive(json: JSON.object(members).encoded)
        #expect(archive.authorityKey == nil && archive.accountChain == nil && archive.ethereumKey == nil)
        #expect(archive.contacts == [account.archive.accountID: ContactRecord()])
        #expect(archive.details[""] == nil)
        #expect(archive.others == ["Some.list": .array([.null, .boolean(false), .number("-1.50e+3")])])
    }

    @Test func `certificates are renewed only when they must be`() throws {
        var archive = try TestKeys.account().archive
        var randomness = Randomness.seeded(4)
        let before = archive.accountChain
        let now = VectorAccount.now
        var isRenewed = try archive.renewCertificates(at: now, randomness: &randomness)
        #expect(!isRenewed && archive.accountChain == before)
        let later = WallTime(seconds: now.seconds + Certificate.lifetimeInSeconds + 1)
        isRenewed = try archive.renewCertificates(at: later, randomness: &randomness)
        #expect(isRenewed && archive.accountChain != before)
        let device = try archive.enroll(deviceKey: TestKeys.all.get()[2], at: later, randomness: &randomness)
        try device.receipt.verify(for: device.identity, at: later)
        #expect(device.identity.accountID == archive.accountID)
        archive.accountChain = nil
        archive.authorityKey = nil
        #expect(throws: KeyError.unsupported) { try archive.renewCertificates(at: later, randomness: &randomness) }
        #expect(throws: KeyError.invalidParameter) {
            try archive.enroll(deviceKey: archive.accountKey, at: later, randomness: &randomness)
        }
    }
}

@Suite struct JSONTests {
    @Test(arguments: [
        ("{}", "{}"), (" [ 1 , -0.5e+10 , true,false , null ] ", "[1,-0.5e+10,true,false,null]"),
        (#"{"b":1,"a":{"":"x"}}"#, #"{"a":{"":"x"},"b":1}"#),
        (#""é\u00e9\ud83d\udc26\/""#, #""\u00e9\u00e9\ud83d\udc26/""#),
        (#""\b\f\n\r\t\"\\\u0001""#, #""\b\f\n\r\t\"\\\u0001""#), (#""\ud83dx\udc26""#, #""\ufffdx\ufffd""#),
        (#""\ud83d\u0041""#, #""\ufffdA""#), ("7", "7"),
    ])
    func `JSON is read and written compactly`(text: String, written: String) throws {
        #expect(try String(decoding: JSON.decode(Array(text.utf8)).encoded, as: UTF8.self) == written)
    }

    @Test(arguments: [
        "", " ", "{", "}", "[1,]", "{,}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "01", "-", "1.", ".5", "1e",
        "+1", "tru",
        "nul", "\"", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\n\"", "1 2", "[1 2]", "NaN",
        "{\"a\":1 \"b\":2}",
    ])
    func `malformed JSON is refused`(text: String) {
        #expect(throws: JSON.Malformed.self) { try JSON.decode(Array(text.utf8)) }
    }

    @Test func `nesting is bounded`() throws {
        func nested(_ depth: Int) -> [UInt8] {
            .init(repeating: 0x5B, count: depth) + .init(repeating: 0x5D, count: depth)
        }
        _ = try JSON.decode(nested(JSON.maximumDepth))
        #expect(throws: JSON.Malformed.self) { try JSON.decode(nested(JSON.maximumDepth + 1)) }
        #expect(throws: JSON.Malformed.self) { try JSON.decode(.init(repeating: 0x5B, count: 1_000_000)) }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `reading JSON is total`(seed: UInt64) throws {
        let text = Array(#"{"a":[1,-2.5e3,"x\u00e9\ud83d\udc26é"],"b":{"c":null,"d":[true,false,{}]}}"#.utf8)
        var mutations = ByteMutations(seed: seed)
        for _ in 0..<2_000 {
            guard let value = try? JSON.decode(mutations.next(of: text)) else { continue }
            #expect(try JSON.decode(value.encoded) == value)
        }
    }
}
