/// A host and a port as users write them: `host`, `host:port`, `1.2.3.4:port`, `[::1]:port`.
package struct HostAddress: Hashable, Sendable {
    package static let defaultPort = 4222

    package let host: String
    package let port: Int

    package init?(_ text: String) {
        let trimmed = text.filter { !$0.isWhitespace }
        var host = Substring(trimmed)
        var port: Substring?
        if trimmed.hasPrefix("[") {
            guard let end = trimmed.firstIndex(of: "]") else { return nil }
            host = trimmed[trimmed.index(after: trimmed.startIndex)..<end]
            let rest = trimmed[trimmed.index(after: end)...]
            if rest.hasPrefix(":") { port = rest.dropFirst() } else if !rest.isEmpty { return nil }
        } else if trimmed.count(where: { $0 == ":" }) == 1, let colon = trimmed.firstIndex(of: ":") {
            host = trimmed[..<colon]
            port = trimmed[trimmed.index(after: colon)...]
        }
        guard !host.isEmpty else { return nil }
        if let port {
            guard let number = UInt16(port), number > 0 else { return nil }
            self.port = Int(number)
        } else {
            self.port = Self.defaultPort
        }
        self.host = String(host)
    }
}
