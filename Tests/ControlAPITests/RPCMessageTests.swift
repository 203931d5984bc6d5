import JSON
import NIOCore
import NIOEmbedded
import Runtime
import Testing

@testable import ControlAPI

@Suite struct RPCMessageTests {
    @Test func `a request is read`() throws {
        let line = #"{"jsonrpc":"2.0","id":7,"method":"message.send","params":{"to":"Bob","body":"é"}}"#
        let request = try RPCRequest.parse(Array(line.utf8))
        #expect(request.id == .integer(7))
        #expect(request.method == "message.send")
        #expect(request.params?["body"]?.string == "é")
    }

    @Test(arguments: [
        ("", RPCError.Code.parseError),
        ("{", .parseError),
        ("\u{0}", .parseError),
        ("[]", .invalidRequest),
        ("null", .invalidRequest),
        (#"{"id":1,"method":"x"}"#, .invalidRequest),
        (#"{"jsonrpc":"1.0","id":1,"method":"x"}"#, .invalidRequest),
        (#"{"jsonrpc":"2.0","id":1}"#, .invalidRequest),
        (#"{"jsonrpc":"2.0","id":1,"method":5}"#, .invalidRequest),
        (#"{"jsonrpc":"2.0","id":[1],"method":"x"}"#, .invalidRequest),
        (#"{"jsonrpc":"2.0","id":1.5,"method":"x"}"#, .invalidRequest),
    ])
    func `a malformed line is refused with its code`(line: String, code: RPCError.Code) {
        let error = #expect(throws: RPCError.self) { try RPCRequest.parse(Array(line.utf8)) }
        #expect(error?.code == code.rawValue)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `reading is total`(seed: UInt64) {
        var randomness = Randomness.seeded(seed)
        let line = Array(
            #"{"jsonrpc":"2.0","id":7,"method":"message.send","params":{"to":"Bob","n":[1,2.5,null]}}"#.utf8
        )
        for _ in 0..<500 {
            var bytes = line
            for _ in 0..<4 {
                bytes[Int.random(in: 0..<bytes.count, using: &randomness)] = UInt8.random(
                    in: 0...255,
                    using: &randomness
                )
            }
            _ = try? RPCRequest.parse(bytes)
        }
    }

    @Test func `an answer keeps the id and says result or error`() {
        let good = RPCResponse(id: .string("a"), result: .object(["x": .boolean(true)]))
        let bad = RPCResponse(id: nil, error: RPCError(code: .application, message: "No.", name: "contactNotFound"))
        #expect((try? JSONValue(encoding: good).line) == #"{"id":"a","jsonrpc":"2.0","result":{"x":true}}"#)
        let expected =
            #"{"error":{"code":-32000,"data":{"code":"contactNotFound"},"message":"No."},"id":null,"jsonrpc":"2.0"}"#
        #expect((try? JSONValue(encoding: bad).line) == expected)
    }
}

@Suite struct LineDecoderTests {
    private func lines(from pieces: [String]) throws -> [String] {
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(LineDecoder()))
        var found: [String] = []
        for piece in pieces {
            try channel.writeInbound(ByteBuffer(string: piece))
            while let line = try channel.readInbound(as: ByteBuffer.self) { found.append(String(buffer: line)) }
        }
        return found
    }

    @Test func `lines are cut wherever the pieces end`() throws {
        #expect(try lines(from: ["a\nbc", "d\n", "\n", "e"]) == ["a", "bcd", ""])
        #expect(try lines(from: ["ab\ncd\nef\n"]) == ["ab", "cd", "ef"])
    }

    @Test func `a line over the limit ends the connection`() throws {
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(LineDecoder()))
        let piece = ByteBuffer(repeating: UInt8(ascii: "x"), count: 1024 * 1024)
        #expect(throws: LineDecoder.LineTooLong.self) {
            for _ in 0..<5 { try channel.writeInbound(piece) }
        }
    }
}
