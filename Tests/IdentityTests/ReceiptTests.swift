import Keys
import MessagePack
import Runtime
import TestSupport
import Testing

@testable import Identity

@Suite struct ReceiptTests {
    @Test func `a receipt is made byte for byte like a real daemon's`() throws {
        let vector = try VectorAccount.identityVector.get()
        let archive = try VectorAccount.archive.get()
        let device = try VectorAccount.device.get()
        let receipt = try Receipt.issue(
            for: device.key.publicKey,
            by: archive.accountKey,
            ethereumAddress: #require(archive.ethereumKey).addressText
        )
        #expect(String(decoding: receipt.text, as: UTF8.self) == vector["receipt"].text)
        #expect(receipt.signature == vector["receipt_signature_b64"].base64)
        #expect(receipt.announcement == vector["announcement_packed_hex"].hex)
        #expect(DeviceAnnouncement(of: device.key.publicKey).payload == vector["announcement_data_hex"].hex)
        let body = SignedBody(owner: archive.accountKey.publicKey, data: vector["announcement_data_hex"].hex)
        #expect(LongID(hashing: body.encoded).hex == vector["announcement_bytes_to_sign_sha256"].text)
    }

    @Test func `the receipt of a real daemon is accepted`() throws {
        let receipt = try VectorAccount.receipt.get()
        try receipt.verify(for: VectorAccount.device.get(), at: VectorAccount.now)
        #expect(try receipt.ethereumAddress == VectorAccount.archiveVector.get()["eth_address"].text)
    }

    @Test func `announcements of the DHT are read`() throws {
        let vector = try VectorAccount.identityVector.get()
        for packed in vector["dht_announcement_values_hex"].elements {
            let body = try SignedBody(packed: packed.hex)
            #expect(body.owner.shortID.hex == vector["dht_announcement_location"].text)
            let announcement = try DeviceAnnouncement(payload: body.data)
            #expect(try announcement.deviceID == VectorAccount.device.get().deviceID)
        }
    }

    @Test func `every condition of a receipt is checked`() throws {
        let account = try TestKeys.account()
        let keys = try TestKeys.all.get()
        let (device, receipt, now) = (account.device, account.receipt, VectorAccount.now)
        try receipt.verify(for: device, at: now)

        #expect(throws: ReceiptError.empty) { try Receipt(text: [], signature: [1]) }
        #expect(throws: ReceiptError.empty) { try Receipt(text: receipt.text, signature: []) }
        #expect(throws: ReceiptError.malformed) { try Receipt(text: [0x7B, 0x7D], signature: [1]) }
        #expect(throws: ReceiptError.malformed) {
            try Receipt(text: [UInt8](repeating: 0x20, count: Receipt.maximumSize + 1), signature: [1])
        }
        #expect(throws: ReceiptError.certificate(.expired(at: 0))) {
            try receipt.verify(for: device, at: WallTime(seconds: now.seconds + Certificate.lifetimeInSeconds + 1))
        }
        let unsigned = try Receipt(text: receipt.text + [0x20], signature: receipt.signature)
        #expect(throws: ReceiptError.wrongSignature) { try unsigned.verify(for: device, at: now) }

        let address = receipt.ethereumAddress
        let otherDevice = try Receipt.issue(for: keys[0].publicKey, by: keys[1], ethereumAddress: address)
        #expect(throws: ReceiptError.wrongDevice) { try otherDevice.verify(for: device, at: now) }

        func forged(_ change: (String) -> String) throws -> Receipt {
            let text = Array(change(String(decoding: receipt.text, as: UTF8.self)).utf8)
            return try Receipt(text: text, signature: keys[1].sign(text))
        }
        let otherAccount = try forged {
            $0.replacing(account.archive.accountID.hex, with: keys[0].publicKey.shortID.hex)
        }
        #expect(throws: ReceiptError.wrongAccount) { try otherAccount.verify(for: device, at: now) }

        let announcement = Base64.encode(receipt.announcement)
        let withoutKey = MessagePackValue.fields(["dev": .binary(device.shortDeviceID.bytes)]).encoded
        let bodies = [
            SignedBody(owner: keys[1].publicKey, data: withoutKey),
            SignedBody(owner: keys[1].publicKey, data: DeviceAnnouncement(of: keys[0].publicKey).payload),
            SignedBody(owner: keys[0].publicKey, data: DeviceAnnouncement(of: keys[2].publicKey).payload),
        ]
        for body in bodies {
            let key = try #require(keys.first { $0.publicKey == body.owner })
            let packed = try body.packed(id: 0, signedWith: key)
            let receipt = try forged { $0.replacing(announcement, with: Base64.encode(packed)) }
            #expect(throws: ReceiptError.wrongAnnouncement) { try receipt.verify(for: device, at: now) }
        }
        var damaged = account.announcement
        damaged[damaged.count - 1] ^= 1
        let wrong = try forged { $0.replacing(announcement, with: Base64.encode(damaged)) }
        #expect(throws: ReceiptError.wrongAnnouncement) { try wrong.verify(for: device, at: now) }
    }

    @Test func `a key must be that of the leaf`() throws {
        let account = try TestKeys.account()
        let keys = try TestKeys.all.get()
        #expect(throws: CertificateError.unsupportedKey) {
            try DeviceIdentity(chain: account.device.chain, key: keys[0])
        }
        #expect(throws: CertificateError.noIssuer) {
            try DeviceIdentity(chain: CertificateChain([account.device.chain.leaf]), key: keys[2])
        }
    }

    @Test func `an account of 4096 bits is created whole`() async throws {
        let account = try await NewAccount.create(displayName: "Swift", now: VectorAccount.now)
        try account.receipt.verify(for: account.device, at: VectorAccount.now)
        #expect(account.device.key.publicKey.bitCount == 4_096)
        #expect(try PeerRule.account(of: account.device.chain, at: VectorAccount.now) == account.archive.accountID)
        #expect(account.archive.displayName == "Swift")
        #expect(account.receiptSignature.count == 512)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `reading receipts and packed values is total`(seed: UInt64) throws {
        let account = try TestKeys.account()
        var mutations = ByteMutations(seed: seed)
        for _ in 0..<300 {
            let packed = mutations.next(of: account.announcement)
            if let body = try? SignedBody(packed: packed) {
                // Only what the signature does not cover may differ.
                #expect(body == (try SignedBody(packed: account.announcement)))
            }
            let text = mutations.next(of: account.receipt.text)
            if text != account.receipt.text, let read = try? Receipt(text: text, signature: account.receiptSignature) {
                #expect(throws: ReceiptError.wrongSignature) {
                    try read.verify(for: account.device, at: VectorAccount.now)
                }
            }
        }
    }
}
