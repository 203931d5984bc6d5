/// Why the bytes of a `sip` channel are no SIP.
public enum SIPError: Error, Equatable, Sendable {
    case headTooLong
    case bodyTooLong
    case tooManyHeaders
    case invalidText
    case invalidStartLine
    case invalidHeader
    case invalidContentLength
}

/// Bounds on incoming messages.
public struct SIPLimits: Sendable {
    /// Bytes of start line and headers.
    public var headSize = 16 * 1024
    /// Bytes of a body; peers write at most 8000 bytes in a whole message.
    public var bodySize = 64 * 1024
    public var headerCount = 64

    public init() {}
}

/// Cuts a byte stream into SIP messages.
///
/// A message may span several pieces of input, and a piece may hold several messages. After an error the stream cannot
/// be resynchronised: its channel is to be closed.
public struct SIPParser: Sendable {
    private let limits: SIPLimits
    private var buffer: [UInt8] = []
    /// Bytes of the buffer that were already searched for the end of the head.
    private var searched = 0

    public init(limits: SIPLimits = SIPLimits()) {
        self.limits = limits
    }

    /// Takes more bytes and answers every message that is complete now.
    public mutating func receive(_ bytes: [UInt8]) throws(SIPError) -> [SIPMessage] {
        buffer.append(contentsOf: bytes)
        var messages: [SIPMessage] = []
        while let message = try nextMessage() { messages.append(message) }
        return messages
    }

    private mutating func nextMessage() throws(SIPError) -> SIPMessage? {
        // Empty lines between messages keep connections alive (RFC 5626 §3.5.1).
        let blank = buffer.prefix { $0 == 0x0D || $0 == 0x0A }.count
        if blank > 0 {
            buffer.removeFirst(blank)
            searched = 0
        }
        guard let headEnd = endOfHead() else {
            guard buffer.count <= limits.headSize else { throw .headTooLong }
            return nil
        }
        guard headEnd <= limits.headSize else { throw .headTooLong }
        var (message, length) = try Self.parseHead(buffer[..<headEnd], limits: limits)
        let bodyStart = headEnd + 4
        guard buffer.count - bodyStart >= length else {
            searched = max(0, headEnd - 3)
            return nil
        }
        message.body = Array(buffer[bodyStart..<bodyStart + length])
        buffer.removeFirst(bodyStart + length)
        searched = 0
        return message
    }

    /// The index of the empty line that ends the head.
    private mutating func endOfHead() -> Int? {
        var index = searched
        while index + 4 <= buffer.count {
            if buffer[index] == 0x0D, buffer[index + 1] == 0x0A, buffer[index + 2] == 0x0D, buffer[index + 3] == 0x0A {
                return index
            }
            index += 1
        }
        searched = max(0, buffer.count - 3)
        return nil
    }

    private static func parseHead(
        _ bytes: ArraySlice<UInt8>,
        limits: SIPLimits
    ) throws(SIPError) -> (SIPMessage, bodyLength: Int) {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .invalidText }
        var lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)[...]
        guard let first = lines.popFirst() else { throw .invalidStartLine }
        var message = SIPMessage(try parseStartLine(first), headers: [])
        var length = 0
        for line in lines {
            if line.first == " " || line.first == "\t" {
                guard let last = message.headers.indices.last else { throw .invalidHeader }
                message.headers[last].value += " " + trimmed(line)
                continue
            }
            guard let colon = line.firstIndex(of: ":"), colon > line.startIndex else { throw .invalidHeader }
            let name = trimmed(line[..<colon])
            let value = trimmed(line[line.index(after: colon)...])
            if ["content-length", "l"].contains(name.lowercased()) {
                guard let number = Int(value), number >= 0 else { throw .invalidContentLength }
                guard number <= limits.bodySize else { throw .bodyTooLong }
                length = number
                continue
            }
            guard message.headers.count < limits.headerCount else { throw .tooManyHeaders }
            message.headers.append(SIPMessage.Header(name, value))
        }
        return (message, length)
    }

    private static func parseStartLine(_ line: Substring) throws(SIPError) -> SIPMessage.StartLine {
        let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2 else { throw .invalidStartLine }
        if parts[0] == "SIP/2.0" {
            guard let status = Int(parts[1]), (100...699).contains(status) else { throw .invalidStartLine }
            return .response(status: status, reason: parts.count == 3 ? String(parts[2]) : "")
        }
        guard parts.count == 3, parts[2] == "SIP/2.0", !parts[0].isEmpty, !parts[1].isEmpty else {
            throw .invalidStartLine
        }
        return .request(method: String(parts[0]), uri: String(parts[1]))
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text.drop { $0 == " " || $0 == "\t" })
    }
}
