import Ethereum
import Keys
import NameRegistry

/// The answers of the extension API.
///
/// Source: names protocol, "Extension API".
enum ExtensionAnswers {
    static func failure(
        _ status: Reply.Status,
        _ code: StaticString,
        _ message: String,
        retryAfter: Int? = nil
    ) -> Reply {
        failure(status, code: "\(code)", message, retryAfter: retryAfter)
    }

    static func failure(_ status: Reply.Status, code: String, _ message: String, retryAfter: Int? = nil) -> Reply {
        Reply(
            status,
            .object {
                $0.add("error", code)
                $0.add("message", message)
            },
            retryAfter: retryAfter
        )
    }

    static let invalidName = failure(
        .badRequest,
        "invalidName",
        "A name has 3 to 32 of the characters a-z, 0-9, - and _."
    )
    static let invalidAddress = failure(.badRequest, "invalidAddress", "An address has 40 hexadecimal digits.")
    static let notRegistered = failure(.notFound, "notRegistered", "Nobody has registered this name.")
    static let noChain = failure(
        .conflict,
        "noChain",
        "This server keeps names in its store alone; there is no chain that could prove or carry anything."
    )

    static func failure(_ failure: ChainFailure) -> Reply {
        switch failure {
        case .unavailable(let reason): self.failure(.unavailable, "chainUnavailable", reason, retryAfter: 30)
        case .refused(let code, let reason): self.failure(.conflict, code: code, reason)
        case .unknownBlock: self.failure(.notFound, "unknownBlock", "The chain's nodes do not have this block.")
        }
    }

    static func name(_ stored: StoredName) -> Reply {
        let record = stored.record
        return Reply(
            .ok,
            .object {
                $0.add("name", plain: record.name.text)
                if let account = record.account { $0.add("addr", plain: Address(account).hex) }
                $0.add("owner", plain: record.owner.hex)
                if record.isWithdrawn { $0.add("withdrawn", true) }
                add(stored.evidence, to: &$0)
                $0.add("state", plain: stored.state.text)
                if let block = stored.block { $0.add("block", block) }
            }
        )
    }

    static func add(_ evidence: NameEvidence?, to text: inout JSONText) {
        guard let evidence else { return }
        text.add("publicKey", plain: Base64.encode(evidence.publicKey))
        text.add("signature", plain: evidence.signatureText)
    }

    static func transaction(_ hash: Word) -> Reply {
        Reply(.accepted, .object { $0.add("tx", plain: hash.hex) })
    }
}

/// A part of a journal, as mirrors follow it.
struct JournalPage: Sendable {
    struct Entry: Sendable {
        var operation: JournalOperation
        var head: Word
        var evidence: NameEvidence?
        /// When it was accepted, in milliseconds since 1970, or the block that it is in.
        var time: Int64?
        var block: UInt64?

        /// Whether it names evidence that nobody can check.
        var isUnproved: Bool { evidence == nil && !operation.evidenceDigest.isZero }
    }

    /// Whether the chain has ordered the operations, or this server.
    var isOfChain: Bool
    /// The newest operation, and the journal's head after it.
    var sequence: UInt64
    var head: Word
    var entries: [Entry]

    var reply: Reply {
        var list: [UInt8] = [UInt8(ascii: "[")]
        for (index, entry) in entries.enumerated() {
            if index > 0 { list.append(UInt8(ascii: ",")) }
            list += entry.text.bytes
        }
        list.append(UInt8(ascii: "]"))
        return Reply(
            .ok,
            .object {
                $0.add("journal", plain: isOfChain ? "chain" : "local")
                $0.add("seq", sequence)
                $0.add("head", plain: head.hex)
                $0.add("entries", json: list)
            }
        )
    }
}

extension JournalPage.Entry {
    var text: JSONText {
        .object {
            $0.add("seq", operation.sequence)
            $0.add("op", plain: operation.kind.text)
            $0.add("name", plain: operation.name.text)
            $0.add("owner", plain: operation.owner.hex)
            if let account = operation.account { $0.add("addr", plain: Address(account).hex) }
            $0.add("evidence", plain: operation.evidenceDigest.hex)
            ExtensionAnswers.add(evidence, to: &$0)
            $0.add("head", plain: head.hex)
            if let time { $0.add("time", time) }
            if let block { $0.add("block", block) }
        }
    }
}

extension JournalOperation.Kind {
    /// The word of the HTTP API.
    var text: String {
        switch self {
        case .register: "register"
        case .address: "address"
        case .transfer: "transfer"
        case .release: "release"
        }
    }

    init?(text: String) {
        guard let kind = Self.allCases.first(where: { $0.text == text }) else { return nil }
        self = kind
    }
}
