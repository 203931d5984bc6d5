import Foundation
import Runtime
import Testing

@testable import SIP

/// Real messages of a peer.
struct Captured: Decodable {
    struct Message: Decodable {
        var kind: String
        var direction: String
        var text: String
    }

    var messages: [Message]

    static func load() throws -> [Message] {
        let file = try #require(
            Bundle.module.url(forResource: "account-sip-messages", withExtension: "json", subdirectory: "Vectors")
        )
        return try JSONDecoder().decode(Captured.self, from: Data(contentsOf: file)).messages
    }
}

@Suite struct SIPParserTests {
    @Test func `captured messages are read and written again byte for byte`() throws {
        for captured in try Captured.load() {
            var parser = SIPParser()
            let bytes = Array(captured.text.utf8)
            let messages = try parser.receive(bytes)
            #expect(messages.count == 1)
            #expect(messages.first?.encoded == bytes)
        }
    }

    @Test func `a message may arrive byte by byte, and several at once`() throws {
        let all = try Captured.load().flatMap { Array($0.text.utf8) }
        var whole = SIPParser()
        var dripping = SIPParser()
        let expected = try whole.receive(all)
        var found: [SIPMessage] = []
        for byte in all { found += try dripping.receive([byte]) }
        #expect(found == expected)
        #expect(found.count == (try Captured.load().count))
    }

    @Test(arguments: [
        ("MESSAGE\r\n\r\n", SIPError.invalidStartLine),
        ("MESSAGE sips:x SIP/1.0\r\n\r\n", .invalidStartLine),
        ("SIP/2.0 99 low\r\n\r\n", .invalidStartLine),
        ("SIP/2.0 abc\r\n\r\n", .invalidStartLine),
        ("MESSAGE sips:x SIP/2.0\r\nno colon\r\n\r\n", .invalidHeader),
        ("MESSAGE sips:x SIP/2.0\r\n: nameless\r\n\r\n", .invalidHeader),
        ("MESSAGE sips:x SIP/2.0\r\n continued\r\n\r\n", .invalidHeader),
        ("MESSAGE sips:x SIP/2.0\r\nContent-Length: -1\r\n\r\n", .invalidContentLength),
        ("MESSAGE sips:x SIP/2.0\r\nContent-Length: 99999999999999999999\r\n\r\n", .invalidContentLength),
        ("MESSAGE sips:x SIP/2.0\r\nContent-Length: 70000\r\n\r\n", .bodyTooLong),
        ("MESSAGE sips:x SIP/2.0\r\n" + String(repeating: "A: b\r\n", count: 65) + "\r\n", .tooManyHeaders),
        (String(repeating: "x", count: 20_000), .headTooLong),
    ])
    func `a malformed message is refused with its reason`(text: String, reason: SIPError) {
        var parser = SIPParser()
        #expect(throws: reason) { try parser.receive(Array(text.utf8)) }
    }

    @Test func `bytes that are no text are refused`() {
        var parser = SIPParser()
        #expect(throws: SIPError.invalidText) {
            try parser.receive([0xFF, 0xFE] + Array("\r\n\r\n".utf8))
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `reading is total`(seed: UInt64) throws {
        var randomness = Randomness.seeded(seed)
        let seeds = try Captured.load().map { Array($0.text.utf8) }
        for _ in 0..<500 {
            var bytes = seeds[Int.random(in: 0..<seeds.count, using: &randomness)]
            for _ in 0..<Int.random(in: 1...8, using: &randomness) {
                bytes[Int.random(in: 0..<bytes.count, using: &randomness)] = UInt8.random(
                    in: 0...255,
                    using: &randomness
                )
            }
            var parser = SIPParser()
            _ = try? parser.receive(bytes)
        }
    }
}

@Suite struct MessageSessionTests {
    private let now = Instant(nanoseconds: 1_000_000_000)
    private let date = WallTime(seconds: 1_795_217_578)

    private func session(_ seed: UInt64 = 1) -> MessageSession {
        let endpoints = MessageSession.Endpoints(
            ownAccount: String(repeating: "a", count: 40),
            peerAccount: String(repeating: "b", count: 40),
            displayName: "Dave \"the\" peer",
            own: ("10.0.0.1", 1111),
            peer: ("10.0.0.2", 2222)
        )
        return MessageSession(endpoints: endpoints, randomness: .seeded(seed))
    }

    private func bytes(_ effects: [MessageSession.Effect]) -> [UInt8] {
        effects.flatMap { effect -> [UInt8] in
            if case .send(let bytes) = effect { return bytes }
            return []
        }
    }

    @Test func `a text goes over and its answer comes back`() throws {
        var sender = session(1)
        var receiver = session(2)
        let body = Array("{\"id\":\"1\"}".utf8)
        let sent = sender.send(
            7,
            contentType: "application/im-gitmessage-id",
            body: body,
            messageID: "00170534e0bea238",
            date: date,
            now: now
        )
        let taken = try receiver.receive(bytes(sent))
        let expected = MessageSession.Received(
            messageID: "00170534e0bea238",
            contentType: "application/im-gitmessage-id",
            body: body
        )
        #expect(taken.contains(.received(expected)))
        let answered = try sender.receive(bytes(taken))
        #expect(answered == [.answered(7, .status(200))])
        #expect(sender.deadline == nil)
        let again = try sender.receive(bytes(taken))
        #expect(again.isEmpty)
    }

    @Test func `a missing answer times out once`() {
        var sender = session()
        _ = sender.send(3, contentType: "text/plain", body: [], messageID: "1", date: date, now: now)
        let early = sender.timer(now: now + .seconds(9))
        let due = sender.timer(now: now + .seconds(10))
        let late = sender.timer(now: now + .seconds(90))
        #expect(early.isEmpty)
        #expect(due == [.answered(3, .timedOut)])
        #expect(late.isEmpty)
    }

    @Test func `the end of the channel answers what waits`() {
        var sender = session()
        _ = sender.send(1, contentType: "text/plain", body: [], messageID: "1", date: date, now: now)
        _ = sender.send(2, contentType: "text/plain", body: [], messageID: "2", date: date, now: now)
        let effects = sender.channelClosed()
        #expect(effects == [.answered(1, .channelClosed), .answered(2, .channelClosed)])
    }

    @Test func `the answer to a captured request is what a peer writes`() throws {
        let request = try #require(try Captured.load().first { $0.direction == "sent" && $0.kind == "text/plain" })
        var receiver = session()
        let effects = try receiver.receive(Array(request.text.utf8))
        let response = String(decoding: bytes(effects), as: UTF8.self)
        #expect(
            response.hasPrefix(
                "SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS 10.77.0.1:50178;rport=2222;received=10.0.0.2;branch="
            )
        )
        #expect(response.contains("To: <sips:1c604141faa7dc6b4d137869ff8774bb03de3e48@10.77.0.1>;tag=z9hG4bKPj"))
        #expect(response.hasSuffix("Content-Length:  0\r\n\r\n"))
    }

    @Test func `another method is refused`() throws {
        var receiver = session()
        let effects = try receiver.receive(Array("OPTIONS sips:x SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n".utf8))
        #expect(String(decoding: bytes(effects), as: UTF8.self).hasPrefix("SIP/2.0 405 "))
    }

    @Test func `dates are written as peers write them`() {
        #expect(CalendarText.string(for: WallTime(seconds: 1_795_217_578)) == "Fri Nov 20 23:32:58 2026")
        #expect(CalendarText.string(for: WallTime(seconds: 0)) == "Thu Jan  1 00:00:00 1970")
        #expect(CalendarText.string(for: WallTime(seconds: 951_782_400)) == "Tue Feb 29 00:00:00 2000")
    }
}
