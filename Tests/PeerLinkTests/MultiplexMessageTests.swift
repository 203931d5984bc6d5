import Foundation
import NIOCore
import PeerLink
import Runtime
import TestSupport
import Testing

@Suite struct MultiplexMessageTests {
    private func decode(_ bytes: [UInt8], pieces: Int = 1 << 20) throws -> (messages: [MultiplexMessage], skipped: Int)
    {
        var decoder = MultiplexDecoder()
        var messages: [MultiplexMessage] = []
        for start in stride(from: 0, to: bytes.count, by: pieces) {
            decoder.append(ByteBuffer(bytes: bytes[start..<min(start + pieces, bytes.count)]))
            while let message = try decoder.next() { messages.append(message) }
        }
        return (messages, decoder.skipped)
    }

    @Test func `channel messages have the recorded encodings`() throws {
        let vectors = try JSONVector(file: "connection-encodings", in: .module)["channel_messages"].elements
        #expect(vectors.count == 13)
        for vector in vectors {
            let channel = UInt16(vector["channel"].unsigned)
            let message = MultiplexMessage(channel: channel, data: vector["payload_hex"].hex)
            #expect(message.encode() == vector["encoded_hex"].hex, "\(vector["name"].text)")
            #expect(try decode(vector["encoded_hex"].hex).messages == [message])
        }
    }

    @Test(arguments: ["connection-mux", "connection-mux-2026"], [1, 7, 4_096])
    func `recorded sessions are read in any pieces and written the same`(file: String, pieces: Int) throws {
        let records = try JSONVector(file: file, in: .module)["messages"].elements
        for side in ["A", "B"] {
            let sent = records.filter { $0["from"].text == side }
            let stream = sent.flatMap { record in
                record["hex"].isPresent
                    ? record["hex"].hex
                    : record["hex_header"].hex + [UInt8](repeating: 0, count: record["len"].integer)
            }
            let (messages, skipped) = try decode(stream, pieces: pieces)
            #expect(skipped == 0)
            #expect(messages.count == sent.count)
            #expect(messages.flatMap { $0.encode() } == stream)
            #expect(messages.map { Int($0.channel) } == sent.map { $0["channel"].integer })
        }
    }

    @Test func `control messages of recorded sessions are understood`() throws {
        for record in try JSONVector(file: "connection-mux", in: .module)["messages"].elements
        where record["channel"].integer == 0 {
            let message = try #require(try decode(record["hex"].hex).messages.first)
            let meaning = record["meaning"]
            let channel = UInt16(meaning["channel"].unsigned)
            let expected: ControlMessage =
                meaning["state"].integer == 0
                ? .request(name: meaning["name"].text, channel: channel)
                : .accept(name: meaning["name"].text, channel: channel)
            let (read, odd) = ControlMessage.decode(message.data)
            #expect(read == [expected])
            #expect(odd == 0)
            #expect(expected.encode() == message.data)
        }
    }

    struct Input: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var bytes: [UInt8]
    }

    @Test(arguments: [
        Input(testDescription: "a number", bytes: [7]),
        Input(testDescription: "an array of three", bytes: [0x93, 1, 2, 3]),
        Input(testDescription: "an array of one", bytes: [0x91, 1]),
        Input(testDescription: "an empty array", bytes: [0x90]),
        Input(testDescription: "a map", bytes: [0x81, 0xA1, 0x76, 1]),
        Input(testDescription: "a text as channel", bytes: [0x92, 0xA1, 0x30, 0xC4, 0]),
        Input(testDescription: "a channel above 65535", bytes: [0x92, 0xCE, 0, 1, 0, 0, 0xC4, 0]),
        Input(testDescription: "a negative channel", bytes: [0x92, 0xFF, 0xC4, 0]),
        Input(testDescription: "a number as data", bytes: [0x92, 1, 2]),
        Input(testDescription: "null", bytes: [0xC0]),
    ]) func `objects of another shape are skipped`(input: Input) throws {
        let message = MultiplexMessage(channel: 5, data: [1])
        let (messages, skipped) = try decode(input.bytes + message.encode())
        #expect(messages == [message])
        #expect(skipped == 1)
    }

    @Test(arguments: [
        Input(testDescription: "the reserved format", bytes: [0xC1]),
        Input(testDescription: "the reserved format inside", bytes: [0x92, 1, 0xC1]),
        Input(testDescription: "nesting without end", bytes: [UInt8](repeating: 0x91, count: 100)),
    ]) func `bytes that are no MessagePack end the stream`(input: Input) {
        #expect(throws: MultiplexStreamError.malformed) { try decode(input.bytes) }
    }

    @Test func `data as text and numbers of any width are accepted`() throws {
        let expected = MultiplexMessage(channel: 5, data: [0x61])
        #expect(try decode([0x92, 0xCE, 0, 0, 0, 5, 0xA1, 0x61]).messages == [expected])
        #expect(try decode([0x92, 0xD0, 5, 0xC6, 0, 0, 0, 1, 0x61]).messages == [expected])
    }

    @Test func `a message of the greatest size is read and a greater one ends the stream`() throws {
        let greatest = MultiplexMessage(channel: 1, data: [UInt8](repeating: 1, count: 65_535))
        #expect(try decode(greatest.encode(), pieces: 9_000).messages == [greatest])
        let greater: [UInt8] = [0x92, 1, 0xC6, 0, 1, 0, 0] + [UInt8](repeating: 1, count: 65_536)
        #expect(throws: MultiplexStreamError.tooLong) { try decode(greater, pieces: 9_000) }
        let absurd: [UInt8] = [0x92, 1, 0xC6, 0xFF, 0xFF, 0xFF, 0xFF] + [UInt8](repeating: 1, count: 70_000)
        #expect(throws: MultiplexStreamError.tooLong) { try decode(absurd, pieces: 9_000) }
    }

    @Test func `an odd object that does not end is not collected`() {
        let bytes: [UInt8] = [0xC6, 0, 0, 0xFF, 0xFF] + [UInt8](repeating: 1, count: 10_000)
        #expect(throws: MultiplexStreamError.tooLong) { try decode(bytes, pieces: 1_000) }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `decoding is total`(seed: UInt64) throws {
        var mutations = ByteMutations(seed: seed)
        let stream = try JSONVector(file: "connection-mux-2026", in: .module)["messages"].elements.flatMap {
            $0["hex"].hex
        }
        for _ in 0..<2_000 {
            let bytes = mutations.next(of: stream)
            guard let whole = try? decode(bytes), let split = try? decode(bytes, pieces: 3) else { continue }
            #expect(whole.messages == split.messages)
            for message in whole.messages { _ = ControlMessage.decode(message.data) }
        }
    }
}
