import Foundation
import ICE
import Runtime
import TestSupport
import Testing

@Suite struct STUNTests {
    private static let password = Array("786cb503779544567aa0bd80".utf8)
    private static let transaction = STUNTransaction(high: 0x0102_0304_0506_0708, low: 0x090A_0B0C)

    private func frames() throws -> [(hex: [UInt8], key: [UInt8]?, parts: JSONVector)] {
        let file = try JSONVector(file: "connection-ice-tcp", in: .module)
        return file["connections"].elements.flatMap { $0["frames"].elements }.filter { $0["stun"].isPresent }.map {
            frame in
            let side = frame["message_integrity_key"].text.last.map(String.init)
            return (frame["hex"].hex, side.map { Array(file[$0]["pwd"].text.utf8) }, frame["stun"])
        }
    }

    @Test func `frames of a real negotiation are read, authentic, and written again byte for byte`() throws {
        let frames = try frames()
        #expect(frames.count == 16)
        for frame in frames {
            let received = try ReceivedSTUNMessage(frame.hex)
            #expect(received.hasIntegrity == (frame.key != nil))
            if let key = frame.key {
                #expect(received.isAuthentic(key: key))
                #expect(!received.isAuthentic(key: Self.password + [1]))
            }
            #expect(received.message.encode(key: frame.key) == frame.hex)
        }
    }

    @Test func `attributes of a real negotiation have the recorded values`() throws {
        for frame in try frames() {
            let message = try ReceivedSTUNMessage(frame.hex).message
            for attribute in frame.parts["attributes"].elements {
                let value = attribute[1]
                switch attribute[0].text {
                case "PRIORITY": #expect(message.priority == UInt32(value.unsigned))
                case "USERNAME": #expect(message.username == Array(value.text.utf8))
                case "XOR-MAPPED-ADDRESS": #expect(message.mappedAddress?.description == value.text)
                case "USE-CANDIDATE": #expect(message.nominates)
                default: break
                }
            }
        }
    }

    @Test(arguments: ["203.0.113.7", "2001:db8::1:2"]) func `mapped addresses survive the mask`(host: String) throws {
        let address = TransportAddress(host: try #require(IPAddress(host)), port: 40_000)
        let message = STUNMessage(
            kind: .success,
            transaction: Self.transaction,
            attributes: [.xorMappedAddress(address), .mappedAddress(address)]
        )
        let read = try ReceivedSTUNMessage(message.encode(key: Self.password))
        #expect(read.message == message)
        #expect(read.message.mappedAddress?.description.contains(host) == true)
    }

    @Test func `errors carry their code, reason and the attributes that were not understood`() throws {
        let message = STUNMessage(
            kind: .error,
            transaction: Self.transaction,
            attributes: [.errorCode(420, reason: "Unknown Attribute"), .unknownAttributes([0x7001, 0x7002, 0x7003])]
        )
        let read = try ReceivedSTUNMessage(message.encode()).message
        #expect(read == message)
        #expect(read.errorCode == 420)
    }

    @Test func `a changed byte anywhere is noticed`() throws {
        let message = STUNMessage(
            kind: .request,
            transaction: Self.transaction,
            attributes: [.priority(1), .useCandidate]
        )
        let bytes = message.encode(key: Self.password)
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 0x10
            #expect((try? ReceivedSTUNMessage(changed))?.isAuthentic(key: Self.password) != true)
        }
    }

    struct Malformed: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var bytes: [UInt8]
        var error: STUNError
    }

    private static func message(_ attributes: [UInt8]) -> [UInt8] {
        [0, 1, 0, UInt8(attributes.count), 0x21, 0x12, 0xA4, 0x42] + [UInt8](repeating: 5, count: 12) + attributes
    }

    static let malformed: [Malformed] = [
        .init(testDescription: "nothing", bytes: [], error: .notSTUN),
        .init(testDescription: "half a header", bytes: Array(message([])[..<19]), error: .notSTUN),
        .init(
            testDescription: "another cookie",
            bytes: [0, 1, 0, 0] + [UInt8](repeating: 0, count: 16),
            error: .notSTUN
        ),
        .init(testDescription: "first bits set", bytes: [0x80] + message([])[1...], error: .notSTUN),
        .init(testDescription: "length too long", bytes: Array(message([0, 6, 0, 0])[..<20]), error: .notSTUN),
        .init(testDescription: "length too short", bytes: message([]) + [0, 6, 0, 0], error: .notSTUN),
        .init(testDescription: "odd length", bytes: message([0, 6]), error: .notSTUN),
        .init(
            testDescription: "attribute longer than the message",
            bytes: message([0, 6, 0, 8, 1, 2, 3, 4]),
            error: .truncatedAttribute(6)
        ),
        .init(
            testDescription: "priority of two bytes",
            bytes: message([0, 0x24, 0, 2, 1, 2, 0, 0]),
            error: .malformedAttribute(0x24)
        ),
        .init(
            testDescription: "USE-CANDIDATE with a value",
            bytes: message([0, 0x25, 0, 1, 1, 0, 0, 0]),
            error: .malformedAttribute(0x25)
        ),
        .init(
            testDescription: "address of an unknown family",
            bytes: message([0, 1, 0, 8, 0, 3, 0, 1, 1, 2, 3, 4]),
            error: .malformedAttribute(1)
        ),
        .init(
            testDescription: "IPv6 address of four bytes",
            bytes: message([0, 0x20, 0, 8, 0, 2, 0, 1, 1, 2, 3, 4]),
            error: .malformedAttribute(0x20)
        ),
        .init(
            testDescription: "error code without a class",
            bytes: message([0, 9, 0, 4, 0, 0, 0, 20]),
            error: .malformedAttribute(9)
        ),
        .init(
            testDescription: "error code number 100",
            bytes: message([0, 9, 0, 4, 0, 0, 4, 100]),
            error: .malformedAttribute(9)
        ),
        .init(
            testDescription: "half an unknown attribute",
            bytes: message([0, 10, 0, 1, 1, 0, 0, 0]),
            error: .malformedAttribute(10)
        ),
        .init(
            testDescription: "short tie breaker",
            bytes: message([0x80, 0x29, 0, 4, 1, 2, 3, 4]),
            error: .malformedAttribute(0x8029)
        ),
        .init(
            testDescription: "short integrity",
            bytes: message([0, 8, 0, 4, 1, 2, 3, 4]),
            error: .malformedAttribute(8)
        ),
        .init(
            testDescription: "wrong fingerprint",
            bytes: message([0x80, 0x28, 0, 4, 1, 2, 3, 4]),
            error: .wrongFingerprint
        ),
        .init(
            testDescription: "fingerprint that is not last",
            bytes: message([0x80, 0x28, 0, 4, 1, 2, 3, 4, 0, 6, 0, 0]),
            error: .wrongFingerprint
        ),
        .init(
            testDescription: "attribute behind integrity",
            bytes: message([0, 8, 0, 20] + [UInt8](repeating: 0, count: 20) + [0, 6, 0, 0]),
            error: .bytesBehindIntegrity
        ),
        .init(
            testDescription: "33 attributes",
            bytes: message([UInt8]((0..<33).flatMap { _ in [0x7F, 0x01, 0, 0] as [UInt8] })),
            error: .tooManyAttributes
        ),
        .init(
            testDescription: "more than 2048 bytes",
            bytes: [0, 1, 8, 0, 0x21, 0x12, 0xA4, 0x42] + [UInt8](repeating: 0, count: 12 + 2048),
            error: .tooLong
        ),
    ]

    @Test(arguments: malformed) func `malformed bytes are refused`(_ input: Malformed) {
        #expect(throws: input.error) { try ReceivedSTUNMessage(input.bytes) }
    }

    @Test func `as many attributes as the limit are read`() throws {
        let bytes = Self.message((0..<32).flatMap { _ in [0x7F, 0x01, 0, 0] as [UInt8] })
        #expect(try ReceivedSTUNMessage(bytes).message.attributes.count == 32)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `reading is total and what was read is written the same`(seed: UInt64)
        throws
    {
        var mutations = ByteMutations(seed: seed)
        let originals = try frames().map(\.hex)
        for round in 0..<3_000 {
            let bytes = mutations.next(of: originals[round % originals.count])
            guard let read = try? ReceivedSTUNMessage(bytes) else { continue }
            #expect(try ReceivedSTUNMessage(read.message.encode()).message == read.message)
        }
    }
}
