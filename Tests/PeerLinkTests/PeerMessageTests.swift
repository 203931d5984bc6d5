import Foundation
import ICE
import Keys
import MessagePack
import PeerLink
import TestSupport
import Testing

@Suite struct PeerMessageTests {
    private func file() throws -> JSONVector {
        try JSONVector(file: "connection-peer-request", in: .module)
    }

    @Test(arguments: ["request_B_to_A", "answer_A_to_B"]) func `recorded messages are read and written the same`(
        name: String
    ) throws {
        let record = try file()[name]
        let message = try PeerMessage(record["data_hex"].hex)
        let expected = record["data_decoded"]
        #expect(message.id == expected["id"].unsigned)
        #expect(message.description == expected["ice_msg"].text)
        #expect(message.isAnswer == expected["isAnswer"].boolean)
        #expect(message.connectionType == expected["connType"].text)
        #expect(message.encode() == record["data_hex"].hex)
        #expect(try ICEDescription(text: message.description).text == message.description)
    }

    @Test(arguments: ["device_A", "device_B"]) func `listening keys come from both ids`(name: String) throws {
        let device = try file()[name]
        let long = try #require(LongID(hex: device["device_id_long_sha256"].text))
        let short = try #require(InfoHash(hex: device["device_id_legacy_sha1"].text))
        let places = SignallingKeys.both.places(of: long, shortID: short)
        #expect(places.map(\.hex) == [device["listen_key_legacy"].text, device["listen_key_long"].text])
        #expect(SignallingKeys.long.places(of: long, shortID: short) == [places[1]])
    }

    @Test func `missing keys have empty values and unknown ones are skipped`() throws {
        let empty = try PeerMessage([0x80])
        #expect(empty == PeerMessage(id: 0, description: "", isAnswer: false))
        let fields: MessagePackValue = .fields(["new": .array([.null]), "isAnswer": .boolean(true), "id": .unsigned(7)])
        #expect(try PeerMessage(fields.encoded) == PeerMessage(id: 7, description: "", isAnswer: true))
    }

    struct Malformed: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var bytes: [UInt8]
        var error: PeerMessageError
    }

    @Test(arguments: [
        Malformed(testDescription: "nothing", bytes: [], error: .malformed(.truncated)),
        Malformed(testDescription: "no map", bytes: [0x90], error: .malformed(.unexpected(.array))),
        Malformed(testDescription: "half a map", bytes: [0x81, 0xA2, 0x69, 0x64], error: .malformed(.truncated)),
        Malformed(
            testDescription: "id as text",
            bytes: [0x81, 0xA2, 0x69, 0x64, 0xA1, 0x31],
            error: .malformed(.unexpected(.text))
        ),
        Malformed(
            testDescription: "negative id",
            bytes: [0x81, 0xA2, 0x69, 0x64, 0xFF],
            error: .malformed(.integerOutOfRange)
        ),
        Malformed(testDescription: "number as key", bytes: [0x81, 1, 1], error: .malformed(.unexpected(.integer))),
        Malformed(testDescription: "too long", bytes: [UInt8](repeating: 0xC0, count: 32_769), error: .tooLong),
    ]) func `malformed messages are refused`(input: Malformed) {
        #expect(throws: input.error) { try PeerMessage(input.bytes) }
    }

    @Test(arguments: [1, 2] as [UInt64]) func `reading is total`(seed: UInt64) throws {
        var mutations = ByteMutations(seed: seed)
        let original = try file()["request_B_to_A"]["data_hex"].hex
        for _ in 0..<2_000 {
            guard let message = try? PeerMessage(mutations.next(of: original)) else { continue }
            #expect(try PeerMessage(message.encode()) == message)
        }
    }
}
