/// One SIP request or response (RFC 3261 §7), as it travels in the byte stream of a `sip` channel.
public struct SIPMessage: Equatable, Sendable {
    public enum StartLine: Equatable, Sendable {
        case request(method: String, uri: String)
        case response(status: Int, reason: String)
    }

    public struct Header: Equatable, Sendable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    public var startLine: StartLine
    /// In their order on the wire, without `Content-Length`, which follows from the body.
    public var headers: [Header]
    public var body: [UInt8]

    public init(_ startLine: StartLine, headers: [Header], body: [UInt8] = []) {
        self.startLine = startLine
        self.headers = headers
        self.body = body
    }

    /// The first header of a name, compared without regard to case.
    public subscript(name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// The method that `CSeq` names, for requests and responses alike.
    public var sequenceMethod: String? {
        self["CSeq"]?.split(separator: " ").last.map(String.init)
    }

    /// The bytes on the wire; `Content-Length` comes last and is padded as peers pad it.
    public var encoded: [UInt8] {
        var text: String
        switch startLine {
        case .request(let method, let uri): text = "\(method) \(uri) SIP/2.0\r\n"
        case .response(let status, let reason): text = "SIP/2.0 \(status) \(reason)\r\n"
        }
        for header in headers { text += "\(header.name): \(header.value)\r\n" }
        let digits = String(body.count)
        let padding = String(repeating: " ", count: body.isEmpty ? 1 : max(0, 5 - digits.count))
        text += "Content-Length: \(padding)\(digits)\r\n\r\n"
        return Array(text.utf8) + body
    }
}
