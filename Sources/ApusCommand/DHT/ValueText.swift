import DHT
import JSON
import Keys
import Runtime

/// A value for a person and for a program.
enum ValueText {
    /// What the data say, without what could steer a terminal.
    static func content(of value: Value) -> String {
        if value.isEncrypted { return "(encrypted, \(value.cypher.count) bytes)" }
        if let endpoint = ServiceAnnouncement.endpoint(of: value) { return "\(endpoint)" }
        if value.type == ValueType.certificate.number, let chain = CertificatePayload.chain(in: value.data) {
            return "certificate of the key \(chain.shortDeviceID)"
        }
        if let text = text(of: value) { return Output.safe(text) }
        let shown = value.data.prefix(24)
        let rest = value.data.count > shown.count ? "…" : ""
        return "(\(value.data.count) bytes) \(Hexadecimal.encode(Array(shown)))\(rest)"
    }

    /// The data as text, if they are that.
    static func text(of value: Value) -> String? {
        guard let text = String(validating: value.data, as: UTF8.self) else { return nil }
        guard value.userType != "text/plain" else { return text }
        let isPrintable = text.unicodeScalars.allSatisfy { scalar in
            scalar == "\n" || scalar == "\t" || scalar.properties.generalCategory != .control
        }
        return isPrintable ? text : nil
    }

    static func id(_ id: Value.ID) -> String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// Everything but the content, for the end of a line.
    static func details(of opened: OpenedValue) -> String {
        var parts: [String] = []
        let value = opened.value
        if !value.userType.isEmpty, value.userType != "text/plain" { parts.append(Output.safe(value.userType)) }
        if value.type != 0 { parts.append(name(ofType: value.type)) }
        if opened.wasEncrypted { parts.append("encrypted for you") }
        if let signer = opened.signer {
            parts.append("signed by \(signer.shortID.hex)")
            if value.sequence > 0 { parts.append("edition \(value.sequence)") }
        }
        return parts.joined(separator: ", ")
    }

    /// One line: id, content, details.
    static func line(_ opened: OpenedValue) -> String {
        let details = details(of: opened)
        return "\(id(opened.value.id))  \(content(of: opened.value))\(details.isEmpty ? "" : "  [\(details)]")"
    }

    static func name(ofType number: UInt16) -> String {
        switch number {
        case ValueType.userData.number: "user data"
        case ValueType.message.number: "DHT message"
        case ValueType.serviceAnnouncement.number: "service announcement"
        case ValueType.instantMessage.number: "instant message"
        case ValueType.trustRequest.number: "trust request"
        case ValueType.iceCandidates.number: "ICE candidates"
        case ValueType.certificate.number: "certificate"
        default: "type \(number)"
        }
    }

    /// The fields `id`, `type`, `user_type`, `size`, and `text` or `data` (base64), `signed_by`, `edition`, `encrypted`.
    static func fields(_ opened: OpenedValue) -> [String: JSONValue] {
        let value = opened.value
        var fields: [String: JSONValue] = [
            "id": .string(id(value.id)),
            "type": .integer(Int64(value.type)),
            "user_type": .string(value.userType),
            "size": .integer(Int64(value.size)),
            "encrypted": .boolean(opened.wasEncrypted),
        ]
        if let endpoint = ServiceAnnouncement.endpoint(of: value) { fields["address"] = .string("\(endpoint)") }
        if let text = text(of: value) {
            fields["text"] = .string(text)
        } else {
            fields["data"] = .string(Base64.encode(value.data))
        }
        if let signer = opened.signer {
            fields["signed_by"] = .string(signer.shortID.hex)
            fields["edition"] = .integer(Int64(value.sequence))
        }
        return fields
    }
}
