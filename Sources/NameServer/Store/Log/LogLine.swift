import Ethereum
import Keys
import NameRegistry
import Runtime

/// An operation with all that is needed in order to do it again.
struct LogEntry: Hashable, Sendable {
    var entry: LocalLogEntry
    var evidence: NameEvidence?
    /// Whether it was meant for the chain.
    var isChained: Bool
}

/// A line of the registrations' log.
///
/// Source: names protocol, "Registrations' log".
enum LogLine: Hashable, Sendable {
    case entry(LogEntry)
    /// A registration was taken back before anybody was told of it: it stays in the hash chain without a record.
    case undone(UInt64)
    /// Lines before this one were refused and mean nothing: so many bytes, which begin so many bytes before this line.
    case void(back: Int, byteCount: Int)

    /// Far more than the longest line: two texts of base64 for 1,024 bytes each.
    static let maximumByteCount = 16_384

    /// The line with its end.
    var bytes: [UInt8] {
        switch self {
        case .entry(let entry): Array(entry.text.utf8)
        case .undone(let sequence): Array("{\"undone\":true,\"seq\":\(sequence)}\n".utf8)
        case .void(let back, let count): Array("{\"void\":true,\"back\":\(back),\"bytes\":\(count)}\n".utf8)
        }
    }

    var entry: LogEntry? {
        if case .entry(let entry) = self { entry } else { nil }
    }

    var undone: UInt64? {
        if case .undone(let sequence) = self { sequence } else { nil }
    }

    /// Reads a line without its end; `nil` for one that this version cannot have written.
    init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count <= Self.maximumByteCount, let object = FlatObject(bytes) else { return nil }
        if object.boolean("void") == true {
            guard let back = object.integer("back").flatMap({ Int(exactly: $0) }),
                let count = object.integer("bytes").flatMap({ Int(exactly: $0) }), count > 0, back >= count
            else { return nil }
            self = .void(back: back, byteCount: count)
        } else if object.boolean("undone") == true {
            guard let sequence = object.integer("seq").flatMap({ UInt64(exactly: $0) }) else { return nil }
            self = .undone(sequence)
        } else {
            guard let entry = LogEntry(object) else { return nil }
            self = .entry(entry)
        }
    }
}

extension LogEntry {
    fileprivate var text: String {
        let operation = entry.operation
        var text = "{\"seq\":\(operation.sequence),\"op\":\(operation.kind.rawValue),\"name\":\"\(operation.name)\","
        text += "\"owner\":\"\(operation.owner.hash.hex)\","
        if let account = operation.account { text += "\"addr\":\"\(account.hex)\"," }
        if let evidence {
            text += "\"publicKey\":\"\(Base64.encode(evidence.publicKey))\","
            text += "\"signature\":\"\(Base64.encode(evidence.signature))\","
        } else if !operation.evidenceDigest.isZero {
            text += "\"evidence\":\"\(Hexadecimal.encode(operation.evidenceDigest.bytes))\","
        }
        if isChained { text += "\"chained\":true," }
        return text + "\"at\":\(entry.time.milliseconds),\"head\":\"\(Hexadecimal.encode(entry.head.bytes))\"}\n"
    }

    fileprivate init?(_ object: FlatObject) {
        guard let sequence = object.integer("seq").flatMap({ UInt64(exactly: $0) }),
            let kind = object.integer("op").flatMap({ UInt8(exactly: $0) }).flatMap({
                JournalOperation.Kind(rawValue: $0)
            }), let name = object.text("name").flatMap({ Name(canonical: $0) }),
            let owner = object.text("owner").flatMap({ Address(hex: $0) }), let time = object.integer("at"),
            let head = object.text("head").flatMap({ Word(hex: $0) })
        else { return nil }
        var account: InfoHash?
        if let text = object.text("addr") {
            guard let hash = InfoHash(hex: text) else { return nil }
            account = hash
        }
        var evidence: NameEvidence?
        var digest = Word.zero
        if let text = object.text("evidence") {
            guard let word = Word(hex: text) else { return nil }
            digest = word
        }
        if let publicKey = object.bytes("publicKey") {
            guard let publicKey = Base64.decode(publicKey),
                let signature = object.bytes("signature").flatMap({ Base64.decode($0) })
            else { return nil }
            let given = NameEvidence(publicKey: publicKey, signature: signature)
            evidence = given
            digest = given.digest
        }
        let operation = JournalOperation(
            sequence: sequence,
            kind: kind,
            name: name,
            owner: owner,
            account: account,
            evidenceDigest: digest
        )
        self.init(
            entry: LocalLogEntry(operation: operation, time: WallTime(milliseconds: time), head: head),
            evidence: evidence,
            isChained: object.boolean("chained") ?? false
        )
    }
}
