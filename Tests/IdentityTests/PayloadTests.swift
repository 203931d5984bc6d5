import Keys
import MessagePack
import Runtime
import TestSupport
import Testing

@testable import Identity

@Suite struct PayloadTests {
    private static let requests = Result {
        try JSONVector(file: "account-trust-request", in: .module)["values"].elements
    }
    private static let head = Result { try JSONVector(file: "account-msgpack-head", in: .module)["values"] }

    @Test func `locations are where real daemons look`() throws {
        let vector = try VectorAccount.identityVector.get()
        let device = try VectorAccount.device.get()
        #expect(Locations.inbox(of: device.shortDeviceID).hex == vector["inbox_location"].text)
        #expect(Locations.certificate(device.shortDeviceID).hex == vector["dht_certificate_location"].text)
        #expect(Locations.certificate(device.deviceID).hex == vector["dht_certificate_location_v3_5"].text)
        #expect(Locations.announcements(of: device.accountID).hex == vector["dht_announcement_location"].text)
        let peer = try JSONVector(file: "connection-peer-request", in: .module)["device_A"]
        let short = try #require(InfoHash(hex: peer["device_id_legacy_sha1"].text))
        let long = try #require(LongID(hex: peer["device_id_long_sha256"].text))
        #expect(Locations.peerRequests(short).hex == peer["listen_key_legacy"].text)
        #expect(Locations.peerRequests(long).hex == peer["listen_key_long"].text)
    }

    @Test func `trust requests of 2023 go both ways`() throws {
        for vector in try Self.requests.get() where vector["inner_type"].integer == Int(TrustRequest.valueType) {
            let request = try TrustRequest(payload: vector["data_hex"].hex)
            let decoded = vector["data_decoded"]
            #expect(request.conversationID == decoded["conversationId"].text)
            #expect(request.isConfirmation == decoded["confirm"].boolean)
            #expect(request.invited == nil)
            #expect(request.payload(for: .daemon2023) == vector["data_hex"].hex)
            if !request.isConfirmation { #expect(VCard(request.card)?.displayName == "Bob") }
            // Whether the signature of the value holds as our own body encodes it.
            let body = try SignedBody(
                packed: [0x82, 0xA2, 0x69, 0x64, 0, 0xA3, 0x64, 0x61, 0x74] + vector["decrypted_hex"].hex
            )
            #expect(body.owner.longID.hex == vector["signer_sha256"].text)
            #expect(body.recipient?.hex == vector["recipient_sha1"].text)
            #expect(body.type == TrustRequest.valueType)
        }
    }

    @Test func `trust requests of 2026 go both ways`() throws {
        let vectors = try Self.head.get()
        let request = try TrustRequest(payload: vectors["trust_request_msg"]["hex"].hex)
        #expect(request.invited == WallTime(milliseconds: 1_700_000_000_123))
        #expect(request.card == Array("BEG".utf8))
        #expect(request.payload() == vectors["trust_request_msg"]["hex"].hex)
        let confirmation = TrustRequest(conversationID: request.conversationID, isConfirmation: true)
        #expect(confirmation.payload() == vectors["trust_request_confirm"]["hex"].hex)
        #expect(try TrustRequest(payload: confirmation.payload()) == confirmation)
    }

    @Test func `a card that is too long is left out`() throws {
        let limit = TrustRequest.maximumCardSize
        for count in [limit, limit + 1] {
            let request = TrustRequest(conversationID: "", card: .init(repeating: 0x20, count: count))
            #expect(try TrustRequest(payload: request.payload()).card.count == (count > limit ? 0 : count))
        }
    }

    @Test func `malformed trust requests are refused`() {
        let conversation = String(repeating: "a", count: 40)
        let table: [(MessagePackValue, PayloadError)] = [
            (.null, .malformed),
            (.array([]), .malformed),
            (.fields([:]), .foreignService),
            (.fields(["service": .text("other")]), .foreignService),
            (.fields(["service": .unsigned(1)]), .invalidField("service")),
            (.fields(["service": .text("cx.ring"), "conversationId": .text("abc")]), .invalidField("conversationId")),
            (
                .fields(["service": .text("cx.ring"), "conversationId": .text(conversation + "/..")]),
                .invalidField("conversationId")
            ),
            (.fields(["service": .text("cx.ring"), "confirm": .unsigned(1)]), .invalidField("confirm")),
            (.fields(["service": .text("cx.ring"), "payload": .array([])]), .invalidField("payload")),
            (.fields(["service": .text("cx.ring"), "invitedMs": .text("x")]), .invalidField("invitedMs")),
        ]
        for (value, error) in table { #expect(throws: error) { try TrustRequest(payload: value.encoded) } }
        #expect(throws: PayloadError.malformed) { try TrustRequest(payload: []) }
        #expect(throws: PayloadError.tooLarge) { try TrustRequest(payload: .init(repeating: 0xC0, count: 65_537)) }
        #expect(throws: Never.self) {
            try TrustRequest(payload: MessagePackValue.fields(["service": .text("cx.ring")]).encoded)
        }
    }

    @Test func `inbox messages of 2023 go both ways`() throws {
        for vector in try Self.requests.get() where vector["inner_type"].integer == Int(ImMessage.valueType) {
            let message = try ImMessage(payload: vector["data_hex"].hex)
            let decoded = vector["data_decoded"]
            #expect(message.id == decoded["id"].unsigned)
            #expect(message.body == decoded["msg"].text)
            #expect(message.mediaType == decoded["datatype"].text)
            #expect(message.date.seconds == Int64(decoded["date"].integer))
            #expect(message.payload == vector["data_hex"].hex)
            #expect(message.isAcknowledgement == decoded["datatype"].text.isEmpty)
            #expect(message.acknowledgement(at: message.date).isAcknowledgement)
        }
    }

    @Test func `malformed inbox messages are refused`() {
        let table: [(MessagePackValue, PayloadError)] = [
            (.text("x"), .malformed),
            (.fields([:]), .invalidField("id")),
            (.fields(["id": .negative(-1)]), .invalidField("id")),
            (.fields(["id": .unsigned(1), "msg": .binary([1])]), .invalidField("msg")),
            (.fields(["id": .unsigned(1), "date": .text("now")]), .invalidField("date")),
        ]
        for (value, error) in table { #expect(throws: error) { try ImMessage(payload: value.encoded) } }
    }

    @Test func `announcements must name the key that they carry`() throws {
        let keys = try TestKeys.all.get()
        let id = MessagePackValue.binary(keys[0].publicKey.shortID.bytes)
        let table: [(MessagePackValue, PayloadError)] = [
            (.fields([:]), .invalidField("dev")),
            (.fields(["dev": .binary([1, 2])]), .invalidField("dev")),
            (.fields(["dev": .binary(InfoHash.zero.bytes)]), .invalidField("dev")),
            (.fields(["dev": .text(keys[0].publicKey.shortID.hex)]), .invalidField("dev")),
            (.fields(["dev": id, "pk": .binary([1])]), .invalidField("pk")),
            (.fields(["dev": id, "pk": .binary(keys[1].publicKey.spki)]), .invalidField("pk")),
        ]
        for (value, error) in table { #expect(throws: error) { try DeviceAnnouncement(payload: value.encoded) } }
        let old = try DeviceAnnouncement(payload: MessagePackValue.fields(["dev": id]).encoded)
        #expect(old.deviceID == nil && old.shortDeviceID == keys[0].publicKey.shortID)
        #expect(try DeviceAnnouncement(payload: old.payload) == old)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `reading payloads is total`(seed: UInt64) throws {
        let requests = try Self.requests.get().map { $0["data_hex"].hex }
        let announcement = try VectorAccount.identityVector.get()["announcement_data_hex"].hex
        let contacts = try JSONVector(file: "account-files-2023", in: .module)["contacts"]["hex"].hex
        var mutations = ByteMutations(seed: seed)
        for _ in 0..<500 {
            for bytes in requests {
                let damaged = mutations.next(of: bytes)
                if let request = try? TrustRequest(payload: damaged) {
                    #expect(try TrustRequest(payload: request.payload()) == request)
                }
                if let message = try? ImMessage(payload: damaged) {
                    #expect(try ImMessage(payload: message.payload) == message)
                }
            }
            if let read = try? ContactList.decode(mutations.next(of: contacts)) {
                #expect(try ContactList.decode(ContactList.encode(read)) == read)
            }
            _ = try? DeviceAnnouncement(payload: mutations.next(of: announcement))
            _ = VCard(mutations.next(of: VCard(displayName: "x").bytes))
        }
    }
}
