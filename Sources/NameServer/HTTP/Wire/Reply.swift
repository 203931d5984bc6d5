import NIOCore

/// What is sent back for one request.
struct Reply: Sendable {
    enum Status: Int, Sendable, CaseIterable {
        case ok = 200
        case accepted = 202
        case badRequest = 400
        case unauthorized = 401
        case forbidden = 403
        case notFound = 404
        case methodNotAllowed = 405
        case conflict = 409
        case tooManyRequests = 429
        case headersTooLarge = 431
        case internalError = 500
        case unavailable = 503

        var phrase: String {
            switch self {
            case .ok: "OK"
            case .accepted: "Accepted"
            case .badRequest: "Bad Request"
            case .unauthorized: "Unauthorized"
            case .forbidden: "Forbidden"
            case .notFound: "Not Found"
            case .methodNotAllowed: "Method Not Allowed"
            case .conflict: "Conflict"
            case .tooManyRequests: "Too Many Requests"
            case .headersTooLarge: "Request Header Fields Too Large"
            case .internalError: "Internal Server Error"
            case .unavailable: "Service Unavailable"
            }
        }
    }

    enum Content: String, Sendable {
        case json = "application/json"
        case text = "text/plain; version=0.0.4; charset=utf-8"
        case html = "text/html; charset=utf-8"
    }

    var status: Status
    var content: Content = .json
    var body: [UInt8]
    /// When the same request may be sent again, in seconds.
    var retryAfter: Int?
    var closesConnection = false

    init(_ status: Status, _ body: [UInt8], content: Content = .json, retryAfter: Int? = nil) {
        self.status = status
        self.body = body
        self.content = content
        self.retryAfter = retryAfter
    }

    init(_ status: Status, _ object: JSONText, retryAfter: Int? = nil) {
        self.init(status, object.bytes, retryAfter: retryAfter)
    }

    /// The whole message as it goes over the wire.
    func encoded(keepsConnection: Bool, hasBody: Bool, allocator: ByteBufferAllocator) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: 256 + (hasBody ? body.count : 0))
        if status == .ok, content == .json {
            buffer.writeStaticString("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ")
        } else {
            buffer.writeString(
                "HTTP/1.1 \(status.rawValue) \(status.phrase)\r\nContent-Type: \(content.rawValue)\r\nContent-Length: "
            )
        }
        buffer.writeDecimal(body.count)
        if let retryAfter { buffer.writeString("\r\nRetry-After: \(retryAfter)") }
        if status == .methodNotAllowed { buffer.writeStaticString("\r\nAllow: GET, HEAD, POST") }
        if content == .html {
            buffer.writeStaticString("\r\nContent-Security-Policy: default-src 'none'; style-src 'unsafe-inline'")
        }
        buffer.writeStaticString(keepsConnection ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n")
        if hasBody { buffer.writeBytes(body) }
        return buffer
    }
}

extension ByteBuffer {
    fileprivate mutating func writeDecimal(_ number: Int) {
        // A body has fewer than 10^18 bytes.
        var divisor = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            writeInteger(UInt8(truncatingIfNeeded: 0x30 + number / divisor % 10))
            divisor /= 10
        }
    }
}
