import JSON
package import Keys
package import NameRegistry

/// A server's record of a name, checked as far as the record itself allows.
///
/// Source: names protocol, "The legacy API".
package struct NameAnswer: Hashable, Sendable {
    package let account: InfoHash
    /// Verified evidence; `nil` where the server shows none.
    package let evidence: NameEvidence?
    /// The server says that its chain does not have the name as final yet.
    package let isPending: Bool

    package var assurance: NameAssurance { evidence == nil ? .unsigned : .signed }

    package init(account: InfoHash, evidence: NameEvidence?, isPending: Bool = false) {
        self.account = account
        self.evidence = evidence
        self.isPending = isPending
    }

    /// Reads the answer to a question for a name; `nil` where nobody has it.
    ///
    /// Costs a check of an RSA signature where the answer has one.
    package static func read(_ reply: NameServerReply, for name: Name) throws(NameServerFault) -> NameAnswer? {
        guard let record = try AnswerReader.record(of: reply) else { return nil }
        guard let address = record["addr"], address != .null, address != "" else { return nil }
        guard let told = record["name"]?.string else { throw .malformed("it does not say which name it is about") }
        guard told == name.text else { throw .lie(.otherName(AnswerReader.excerpt(told))) }
        guard let account = AnswerReader.account(address) else {
            throw .malformed("its address is no identifier of an account")
        }
        let evidence = try AnswerReader.evidence(in: record, key: "publickey")
        if let evidence { try AnswerReader.verify(evidence, of: account, for: name) }
        let isPending = ["accepted", "sent", "included"].contains(record["state"]?.string)
        return NameAnswer(account: account, evidence: evidence, isPending: isPending)
    }

    /// Reads the answer to a question for an account's name; `nil` where it has none.
    package static func readName(_ reply: NameServerReply, of account: InfoHash) throws(NameServerFault) -> Name? {
        guard let record = try AnswerReader.record(of: reply) else { return nil }
        guard let told = record["name"], told != .null, told != "" else { return nil }
        guard let name = told.string.flatMap({ Name(canonical: $0) }) else {
            throw .malformed("what it calls a name is none")
        }
        if let address = record["addr"] {
            guard let other = AnswerReader.account(address) else {
                throw .malformed("its address is no identifier of an account")
            }
            guard other == account else { throw .lie(.otherAccount(other)) }
        }
        return name
    }
}

/// What the answers of name servers have in common.
enum AnswerReader {
    /// The JSON object of an answer; `nil` for "not found".
    static func record(of reply: NameServerReply) throws(NameServerFault) -> JSONValue? {
        switch reply.status {
        case 200..<300: return try object(reply.body)
        case 404: return nil
        default: throw fault(of: reply)
        }
    }

    static func object(_ body: [UInt8]) throws(NameServerFault) -> JSONValue {
        guard let value = JSONValue(parsing: String(decoding: body, as: UTF8.self)) else {
            throw .malformed("it is no JSON")
        }
        guard value.object != nil else { throw .malformed("it is no JSON object") }
        return value
    }

    /// What an answer means that is neither a success nor "not found".
    ///
    /// Clients of others take most numbers from 400 to 499 for "not found"; here nobody is told that a name is free because
    /// a server is busy.
    static func fault(of reply: NameServerReply) -> NameServerFault {
        switch reply.status {
        case 429, 500...: .trouble(status: reply.status, retryAfterSeconds: reply.retryAfterSeconds)
        default: .refused(status: reply.status, reason: reason(reply))
        }
    }

    /// The sentence or code that a server gave with a refusal.
    static func reason(_ reply: NameServerReply) -> String? {
        let value = try? object(reply.body)
        return (value?["message"]?.string ?? value?["error"]?.string).map { excerpt($0) }
    }

    static func account(_ value: JSONValue) -> InfoHash? {
        guard let text = value.string else { return nil }
        let digits = text.hasPrefix("0x") || text.hasPrefix("0X") ? text.dropFirst(2) : text[...]
        guard let account = InfoHash(hex: digits), !account.isZero else { return nil }
        return account
    }

    /// Both texts of the evidence, or neither.
    static func evidence(in record: JSONValue, key member: String) throws(NameServerFault) -> NameEvidence? {
        let (key, signature) = (record[member] ?? .null, record["signature"] ?? .null)
        switch (isAbsent(key), isAbsent(signature)) {
        case (true, true): return nil
        case (false, false): break
        default: throw .lie(.strippedSignature)
        }
        guard let keyText = key.string else { throw .lie(.wrongEvidence(.malformedKey)) }
        guard let signatureText = signature.string else { throw .lie(.wrongEvidence(.malformedSignature)) }
        do {
            return try NameEvidence(publicKeyText: keyText, signatureText: signatureText)
        } catch {
            throw .lie(.wrongEvidence(error))
        }
    }

    static func verify(_ evidence: NameEvidence, of account: InfoHash, for name: Name) throws(NameServerFault) {
        do {
            try evidence.verify(name, of: account)
        } catch {
            throw .lie(.wrongEvidence(error))
        }
    }

    private static func isAbsent(_ value: JSONValue) -> Bool {
        value == .null || value == ""
    }

    /// The beginning of a text of others, fit to be shown.
    static func excerpt(_ text: String) -> String {
        String(text.unicodeScalars.filter { $0.properties.generalCategory != .control }.prefix(64).map(Character.init))
    }
}
