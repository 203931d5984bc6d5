import Keys
import MessagePack
import Runtime
import TestSupport
import Testing

@testable import Identity

@Suite struct ContactTests {
    private static let conversation = "396e24737c54453b68209c99007a5a297ca7892c"
    private static let other = "786e90f98e16644bd57ad46b2d05b274be882875"

    private static func time(_ seconds: Int64) -> WallTime { WallTime(seconds: seconds) }

    @Test func `contact files of 2023 go both ways`() throws {
        let files = try JSONVector(file: "account-files-2023", in: .module)
        for name in ["contacts", "contacts_banned"] {
            let vector = files[name]
            let contacts = try ContactList.decode(vector["hex"].hex)
            #expect(contacts.count == vector["decoded"].keys.count)
            for (id, record) in contacts {
                let decoded = vector["decoded"][id.hex]
                #expect(record.added.seconds == Int64(decoded["added"].integer))
                #expect(record.removed.seconds == Int64(decoded["removed"].integer))
                #expect(record.isConfirmed == decoded["confirmed"].boolean)
                #expect(record.isBanned == decoded["banned"].boolean)
                #expect(record.conversationID == decoded["conversationId"].text)
            }
            #expect(ContactList.encode(contacts, for: .daemon2023) == vector["hex"].hex)
        }
    }

    @Test func `contacts of 2026 go both ways`() throws {
        let vectors = try JSONVector(file: "account-msgpack-head", in: .module)["values"]
        for name in ["contact_active", "contact_banned"] {
            let bytes = vectors[name]["hex"].hex
            let record = try ContactRecord(MessagePackValue.decode(bytes))
            #expect(record.added == WallTime(milliseconds: 1_700_000_000_123))
            #expect(record.isActive == (name == "contact_active"))
            #expect(record.encoded().encoded == bytes)
        }
        let file = vectors["contacts_file"]["hex"].hex
        #expect(try ContactList.encode(ContactList.decode(file)) == file)
    }

    @Test func `one bad contact does not spoil the list`() throws {
        let good = ContactRecord(added: Self.time(5))
        let value = MessagePackValue.map([
            .init(.binary([1]), good.encoded()),
            .init(.binary(InfoHash(hashing: "a").bytes), .text("x")),
            .init(.binary(InfoHash(hashing: "b").bytes), .fields(["added": .text("x")])),
            .init(.binary(InfoHash(hashing: "c").bytes), good.encoded()),
        ])
        #expect(try ContactList.decode(value.encoded) == [InfoHash(hashing: "c"): good])
        #expect(throws: PayloadError.malformed) { try ContactList.decode([0x90]) }
        #expect(throws: PayloadError.malformed) { try ContactList.decode([]) }
    }

    @Test func `records go through JSON`() throws {
        let records = [
            ContactRecord(), ContactRecord(added: Self.time(5), isConfirmed: true, conversationID: Self.conversation),
            ContactRecord(
                added: WallTime(milliseconds: 5_001),
                removed: WallTime(milliseconds: 6_002),
                bannedFlag: true
            ),
        ]
        for record in records { #expect(ContactRecord(json: record.json) == record) }
        #expect(ContactRecord(json: .null) == nil)
    }

    @Test func `adding, removing and adding again`() {
        var record = ContactRecord()
        #expect(!record.isActive && record.permission == .undefined)
        var changed = record.add(at: Self.time(10), isConfirmed: false, conversation: Self.conversation)
        #expect(changed && record.isActive && record.permission == .allowed)
        changed = record.add(at: Self.time(11), isConfirmed: false, conversation: Self.conversation)
        #expect(!changed && record.added == Self.time(10))
        changed = record.add(at: Self.time(12), isConfirmed: true, conversation: Self.conversation)
        #expect(changed && record.isConfirmed && record.added == Self.time(12))
        changed = record.remove(at: Self.time(13), ban: true)
        #expect(changed && record.isBanned && !record.isConfirmed && record.permission == .banned)
        #expect(record.conversationID.isEmpty)
        changed = record.remove(at: Self.time(14), ban: true)
        #expect(!changed && record.removed == Self.time(13))
        changed = record.remove(at: Self.time(15), ban: false)
        #expect(changed && record.permission == .undefined)
        // The clock was set back, and still the contact comes back.
        changed = record.add(at: Self.time(3), isConfirmed: false, conversation: "")
        #expect(changed && record.isActive && record.added > Self.time(15) && record.removed == Self.time(0))
        changed = record.remove(at: Self.time(1), ban: false)
        #expect(changed && !record.isActive)
    }

    @Test func `merging follows the rule of 2023`() {
        var record = ContactRecord(added: Self.time(10), conversationID: Self.conversation)
        var changed = record.merge(
            ContactRecord(added: Self.time(20), isConfirmed: true, conversationID: Self.other),
            as: .daemon2023
        )
        #expect(changed && record.conversationID == Self.other && record.isConfirmed)
        changed = record.merge(
            ContactRecord(added: Self.time(5), removed: Self.time(30), bannedFlag: true),
            as: .daemon2023
        )
        #expect(changed && record.isBanned && record.added == Self.time(20))
        var empty = ContactRecord(added: Self.time(20))
        changed = empty.merge(ContactRecord(added: Self.time(20), conversationID: Self.other), as: .daemon2023)
        #expect(!changed && empty.conversationID == Self.other)
    }

    @Test func `merging follows the rule of 2026`() {
        var record = ContactRecord(added: Self.time(10), conversationID: Self.conversation)
        var changed = record.merge(ContactRecord(added: Self.time(5), removed: Self.time(9), bannedFlag: true))
        #expect(!changed && record.isActive)
        changed = record.merge(ContactRecord(added: Self.time(10), isConfirmed: true))
        #expect(changed && record.isConfirmed && record.conversationID == Self.conversation)
        changed = record.merge(ContactRecord(added: Self.time(10), removed: Self.time(20), bannedFlag: true))
        #expect(changed && record.isBanned && !record.isConfirmed)
        changed = record.merge(ContactRecord(added: Self.time(30), conversationID: Self.other))
        #expect(changed && record.isActive && record.conversationID == Self.other)
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func `merges of 2026 agree in any order and repeat harmlessly`(
        seed: UInt64
    ) {
        var random = Randomness.seeded(seed)
        for _ in 0..<500 {
            let records = (0..<3).map { _ in
                // Times differ from device to device, as two presses of a button do.
                ContactRecord(
                    added: WallTime(milliseconds: Int64.random(in: 0...1 << 40, using: &random)),
                    removed: WallTime(milliseconds: Int64.random(in: 0...1 << 40, using: &random)),
                    isConfirmed: Bool.random(using: &random),
                    bannedFlag: Bool.random(using: &random)
                )
            }
            func merged(_ order: [Int]) -> ContactRecord {
                var result = records[order[0]]
                for index in order.dropFirst() { _ = result.merge(records[index]) }
                return result
            }
            let result = merged([0, 1, 2])
            #expect(result == merged([2, 1, 0]) && result == merged([1, 0, 2, 1, 0]))
        }
    }

    @Test func `permissions decide who is let in`() throws {
        let chain = try TestKeys.account().device.chain
        let account = try #require(chain.accountID)
        let now = VectorAccount.now
        func isAllowed(_ statuses: [InfoHash: Permission], allowsPublic: Bool = false, at time: WallTime = now) -> Bool
        {
            Permission.isAllowed(chain, allowsPublic: allowsPublic, at: time) { statuses[$0] ?? .undefined }
        }
        let authority = chain.certificates[2].publicKey.shortID
        #expect(!isAllowed([:]))
        #expect(isAllowed([:], allowsPublic: true))
        #expect(isAllowed([account: .allowed]))
        #expect(isAllowed([authority: .allowed]))
        #expect(isAllowed([chain.shortDeviceID: .allowed]))
        #expect(!isAllowed([account: .allowed, chain.shortDeviceID: .banned]))
        #expect(!isAllowed([account: .banned, chain.shortDeviceID: .allowed], allowsPublic: true))
        #expect(!isAllowed([authority: .banned], allowsPublic: true))
        #expect(!isAllowed([account: .allowed], at: WallTime(seconds: 0)))
        let forged = CertificateChain([chain.leaf, try VectorAccount.device.get().chain.certificates[1]])
        #expect(!Permission.isAllowed(forged, allowsPublic: true, at: now) { _ in .allowed })
    }

    @Test func `the account of a peer is the direct issuer of its device`() throws {
        let device = try VectorAccount.device.get()
        #expect(try PeerRule.account(of: device.chain, at: VectorAccount.now) == device.accountID)
        #expect(throws: CertificateError.noIssuer) {
            try PeerRule.account(of: CertificateChain([device.chain.leaf]), at: VectorAccount.now)
        }
    }

    @Test func `users are named in many ways`() {
        let id = "616ad68cdbf60479d54506b2377f63c53ee0fcc2"
        let table = [
            id, "jami:" + id, "ring:" + id, "jami://" + id, "ring:/" + id + "?x=1", "sips:" + id + "@host:5060",
            "<jami:" + id,
            id + id, id.uppercased(),
        ]
        for text in table { #expect(UserURI.accountID(in: text)?.hex == id) }
        for text in [
            "", "jami:", "bob", "jami:bob", String(id.dropLast()), "x" + id, "jami:" + id.dropFirst() + "g", "////",
        ] {
            #expect(UserURI.accountID(in: text) == nil)
        }
        #expect(InfoHash(hex: id).map(UserURI.text) == "jami:" + id)
    }

    @Test func `names travel in cards`() throws {
        let sample = try JSONVector(file: "account-files-2023", in: .module)["vcard_sample"].text
        #expect(VCard(Array(sample.utf8))?.displayName == "Dave")
        #expect(VCard(Array("BEGIN:VCARD\r\nFN;CHARSET=UTF-8:Zoë: a\r\nEND:VCARD".utf8))?.displayName == "Zoë: a")
        #expect(VCard(Array("hello".utf8))?.displayName == "")
        #expect(VCard([])?.displayName == "")
        #expect(VCard([0xFF]) == nil)
        #expect(VCard([UInt8](repeating: 0x20, count: VCard.maximumSize + 1)) == nil)
        for name in ["Bob", "", "Zoë 🐦", "a:b;c"] {
            #expect(VCard(VCard(displayName: name).bytes)?.displayName == name)
        }
        #expect(VCard(displayName: "x\r\nFN:y").text == "BEGIN:VCARD\nVERSION:2.1\nFN:x  FN:y\nEND:VCARD")
    }
}
