public import Runtime

/// The out-of-dialog MESSAGE requests of one `sip` channel, both ways (RFC 3428).
///
/// A pure state machine: bytes and time go in, effects come out. Every sent message is answered exactly once, by the
/// peer's status, by the deadline, or by the end of the channel. Every request is answered at once.
public struct MessageSession: Sendable {
    /// Names a sent message in ``Effect/answered(_:_:)``.
    public typealias Token = UInt64

    /// The names and addresses in the headers.
    ///
    /// Addresses are decorative: everything is routed by the channel.
    public struct Endpoints: Sendable {
        /// Account ids as 40 hexadecimal digits.
        public var ownAccount: String
        public var peerAccount: String
        public var displayName: String
        public var ownHost: String
        public var ownPort: Int
        public var peerHost: String
        public var peerPort: Int

        public init(
            ownAccount: String,
            peerAccount: String,
            displayName: String,
            own: (host: String, port: Int),
            peer: (host: String, port: Int)
        ) {
            self.ownAccount = ownAccount
            self.peerAccount = peerAccount
            self.displayName = displayName
            ownHost = own.host
            ownPort = own.port
            peerHost = peer.host
            peerPort = peer.port
        }
    }

    /// A text that the peer sent.
    public struct Received: Equatable, Sendable {
        /// The peer's `Message-ID`, which tells repetitions apart.
        public var messageID: String
        /// Without parameters, in lower case.
        public var contentType: String
        public var body: [UInt8]
    }

    public enum Outcome: Equatable, Sendable {
        case status(Int)
        case timedOut
        case channelClosed
    }

    public enum Effect: Equatable, Sendable {
        case send([UInt8])
        case received(Received)
        case answered(Token, Outcome)
    }

    /// How long a response may take.
    ///
    /// Peers answer at once; the 32 s of RFC 3261 would only keep a dead connection in use.
    public static let responseTimeout = Duration.seconds(10)

    private struct Pending: Sendable {
        var token: Token
        var deadline: Instant
    }

    private let endpoints: Endpoints
    private var parser = SIPParser()
    private var pending: [String: Pending] = [:]
    private var randomness: Randomness

    public init(endpoints: Endpoints, randomness: Randomness) {
        self.endpoints = endpoints
        self.randomness = randomness
    }

    /// When ``timer(now:)`` wants to be called next.
    public var deadline: Instant? { pending.values.map(\.deadline).min() }

    /// Sends one text; `messageID` is 16 hexadecimal digits, and peers drop a repetition of one they know.
    public mutating func send(
        _ token: Token,
        contentType: String,
        body: [UInt8],
        messageID: String,
        date: WallTime,
        now: Instant
    ) -> [Effect] {
        let callID = uuid()
        pending[callID] = Pending(token: token, deadline: now + Self.responseTimeout)
        let name = endpoints.displayName.filter { $0 != "\"" && $0 != "\\" && !$0.isNewline }
        let from = (name.isEmpty ? "" : "\"\(name)\" ") + "<sip:\(endpoints.ownAccount)@ring.dht>;tag=\(uuid())"
        let own = "\(Self.bracketed(endpoints.ownHost)):\(endpoints.ownPort)"
        let peer = Self.bracketed(endpoints.peerHost)
        let message = SIPMessage(
            .request(
                method: "MESSAGE",
                uri: "sips:\(endpoints.peerAccount)@\(peer):\(endpoints.peerPort);transport=tls"
            ),
            headers: [
                .init("Via", "SIP/2.0/TLS \(own);rport;branch=z9hG4bKPj\(uuid());alias"),
                .init("Max-Forwards", "70"),
                .init("From", from),
                .init("To", "<sips:\(endpoints.peerAccount)@\(peer)>"),
                .init("Call-ID", callID),
                .init("CSeq", "\(UInt16.random(in: 1...60_000, using: &randomness)) MESSAGE"),
                .init("Date", CalendarText.string(for: date)),
                .init("Message-ID", messageID),
                .init("User-Agent", Self.userAgent),
                .init("Content-Type", contentType),
            ],
            body: body
        )
        return [.send(message.encoded)]
    }

    /// Takes bytes of the channel.
    ///
    /// - Throws: when the stream is no SIP; the channel is then to be closed, with ``channelClosed()``.
    public mutating func receive(_ bytes: [UInt8]) throws(SIPError) -> [Effect] {
        var effects: [Effect] = []
        for message in try parser.receive(bytes) {
            switch message.startLine {
            case .response(let status, _):
                guard status >= 200, let callID = message["Call-ID"], message.sequenceMethod == "MESSAGE",
                    let waiting = pending.removeValue(forKey: callID)
                else { continue }
                effects.append(.answered(waiting.token, .status(status)))
            case .request(let method, _):
                effects += answer(message, method: method)
            }
        }
        return effects
    }

    /// Gives up on messages whose answer is overdue.
    public mutating func timer(now: Instant) -> [Effect] {
        takePending { $0.deadline <= now }.map { .answered($0, .timedOut) }
    }

    /// Answers everything that still waits.
    public mutating func channelClosed() -> [Effect] {
        takePending { _ in true }.map { .answered($0, .channelClosed) }
    }

    private mutating func takePending(where matches: (Pending) -> Bool) -> [Token] {
        let taken = pending.filter { matches($0.value) }
        for callID in taken.keys { pending[callID] = nil }
        return taken.values.map(\.token).sorted()
    }

    private func answer(_ message: SIPMessage, method: String) -> [Effect] {
        guard method != "ACK" else { return [] }
        guard method == "MESSAGE" else { return [.send(response(to: message, 405, "Method Not Allowed"))] }
        let answer = Effect.send(response(to: message, 200, "OK"))
        guard let type = message["Content-Type"] else { return [answer] }
        let received = Received(
            messageID: message["Message-ID"] ?? message["imdn.Message-ID"] ?? "",
            contentType: String(type.prefix { $0 != ";" }).lowercased().filter { $0 != " " },
            body: message.body
        )
        return [answer, .received(received)]
    }

    private func response(to request: SIPMessage, _ status: Int, _ reason: String) -> [UInt8] {
        var headers: [SIPMessage.Header] = []
        var branch = "apus"
        if let via = request["Via"] {
            if let start = via.firstRange(of: "branch=") {
                branch = String(via[start.upperBound...].prefix { $0 != ";" })
            }
            let stamp = ";rport=\(endpoints.peerPort);received=\(endpoints.peerHost)"
            headers.append(.init("Via", via.replacing(";rport", with: stamp, maxReplacements: 1)))
        }
        for name in ["Call-ID", "From"] {
            if let value = request[name] { headers.append(.init(name, value)) }
        }
        if let to = request["To"] { headers.append(.init("To", to.contains(";tag=") ? to : "\(to);tag=\(branch)")) }
        if let sequence = request["CSeq"] { headers.append(.init("CSeq", sequence)) }
        return SIPMessage(.response(status: status, reason: reason), headers: headers).encoded
    }

    /// Peers parse the version after `Jami Daemon`; a hyphen anywhere after it would end it early.
    static let userAgent = "Jami Daemon 16.0.0 (linux; Apus)"

    private static func bracketed(_ host: String) -> String {
        host.contains(":") ? "[\(host)]" : host
    }

    private mutating func uuid() -> String {
        let hex = Hexadecimal.encode(randomness.bytes(16))
        var text = ""
        for (index, character) in hex.enumerated() {
            if [8, 12, 16, 20].contains(index) { text.append("-") }
            text.append(character)
        }
        return text
    }
}
