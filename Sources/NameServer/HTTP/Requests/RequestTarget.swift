import Keys
import NameRegistry
import Runtime

/// What a request line asks for.
///
/// Source: names protocol, "Legacy API" and "Extension API".
enum RequestTarget: Equatable, Sendable {
    /// Which member of a record the legacy API gives.
    enum RecordPart: Equatable, Sendable {
        case whole
        case publicKey
        case signature
        case owner
    }

    enum OwnerRequest: Equatable, Sendable {
        case transfer
        case release
        case address
    }

    /// `nil` for a text that is no name; a name that was folded does not carry the signature of the one that was sent.
    case name(Name?, RecordPart, isCanonical: Bool)
    case account(InfoHash?)
    case page
    case health
    case metrics
    case status
    case currentName(Name?)
    case nameProof(Name?, block: UInt64?)
    case accountProof(InfoHash?, block: UInt64?)
    case journal(from: UInt64, limit: Int)
    case commitment
    case ownerRequest(Name?, OwnerRequest)
    /// A known path with a number that is none.
    case malformedQuery
    case unknown

    /// The most operations of a journal in one answer.
    static let journalLimit = 1_000
    /// The longest target that can be any of these.
    static let maximumLength = 1_024

    init(_ target: String) {
        guard target.utf8.count <= Self.maximumLength else {
            self = .unknown
            return
        }
        var path = Self.withoutAuthority(target)[...]
        var query: Substring.UTF8View?
        if let mark = path.utf8.firstIndex(of: UInt8(ascii: "?")) {
            query = path[path.index(after: mark)...].utf8
            path = path[..<mark]
        }
        var parts = path.utf8.split(separator: UInt8(ascii: "/"), maxSplits: 6, omittingEmptySubsequences: false)
        guard parts.first?.isEmpty == true else {
            self = .unknown
            return
        }
        parts.removeFirst()
        // Old servers do not mind a slash at the end.
        if parts.count > 1, parts.last?.isEmpty == true { parts.removeLast() }
        self = Self.find(parts, query)
    }

    private static func find(_ parts: [Substring.UTF8View.SubSequence], _ query: Substring.UTF8View?) -> RequestTarget {
        guard let first = parts.first else { return .unknown }
        switch (text(first), parts.count) {
        case ("name", 2): return name(parts[1], .whole)
        case ("name", 3):
            switch text(parts[2]) {
            case "publickey": return name(parts[1], .publicKey)
            case "signature": return name(parts[1], .signature)
            case "owner": return name(parts[1], .owner)
            default: return .unknown
            }
        case ("addr", 2): return .account(account(parts[1]))
        case ("", 1): return .page
        case ("healthz", 1): return .health
        case ("metrics", 1): return .metrics
        case ("v2", 2...): return findExtension(Array(parts.dropFirst()), query)
        default: return .unknown
        }
    }

    private static func findExtension(
        _ parts: [Substring.UTF8View.SubSequence],
        _ query: Substring.UTF8View?
    ) -> RequestTarget {
        switch (text(parts[0]), parts.count, parts.count == 3 ? text(parts[2]) : "") {
        case ("status", 1, _): return .status
        case ("commit", 1, _): return .commitment
        case ("name", 2, _): return .currentName(foldedName(parts[1])?.name)
        case ("name", 3, "proof"):
            guard let block = number("block", in: query) else { return .malformedQuery }
            return .nameProof(foldedName(parts[1])?.name, block: block.value)
        case ("addr", 3, "proof"):
            guard let block = number("block", in: query) else { return .malformedQuery }
            return .accountProof(account(parts[1]), block: block.value)
        case ("name", 3, "transfer"): return .ownerRequest(foldedName(parts[1])?.name, .transfer)
        case ("name", 3, "release"): return .ownerRequest(foldedName(parts[1])?.name, .release)
        case ("name", 3, "address"): return .ownerRequest(foldedName(parts[1])?.name, .address)
        case ("journal", 1, _):
            guard let from = number("from", in: query), let limit = number("limit", in: query) else {
                return .malformedQuery
            }
            return .journal(
                from: max(1, from.value ?? 1),
                limit: Int(clamping: min(UInt64(journalLimit), max(1, limit.value ?? UInt64(journalLimit))))
            )
        default: return .unknown
        }
    }

    // MARK: Parts

    private static func text(_ bytes: Substring.UTF8View.SubSequence) -> String {
        String(Substring(bytes))
    }

    private static func name(_ part: Substring.UTF8View.SubSequence, _ record: RecordPart) -> RequestTarget {
        let folded = foldedName(part)
        return .name(folded?.name, record, isCanonical: folded?.isCanonical ?? false)
    }

    private static func foldedName(_ part: Substring.UTF8View.SubSequence) -> (name: Name, isCanonical: Bool)? {
        if let name = Name(canonical: Substring(part)) { return (name, true) }
        guard let decoded = decodedOnce(part), let name = Name(folding: decoded) else { return nil }
        return (name, name.text == decoded)
    }

    private static func account(_ part: Substring.UTF8View.SubSequence) -> InfoHash? {
        decodedOnce(part).flatMap(AddressText.account)
    }

    /// The text with each `%xx` replaced, once; `nil` for a broken one and for bytes outside of ASCII.
    static func decodedOnce(_ part: some Collection<UInt8>) -> String? {
        var bytes: [UInt8] = []
        var rest = part[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let pair = Hexadecimal.decode(String(decoding: rest.prefix(2), as: UTF8.self)), pair.count == 1 else {
                return nil
            }
            bytes.append(pair[0])
            rest = rest.dropFirst(2)
        }
        guard bytes.allSatisfy({ $0 < 0x80 }) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A target may name the whole URL (RFC 9112 section 3.2.2).
    private static func withoutAuthority(_ target: String) -> Substring {
        let lowered = target.prefix(8).lowercased()
        guard let scheme = ["http://", "https://"].first(where: { lowered.hasPrefix($0) }) else { return target[...] }
        let rest = target.utf8.dropFirst(scheme.utf8.count)
        return rest.firstIndex(of: UInt8(ascii: "/")).map { target[$0...] } ?? "/"
    }

    /// The number of a query member; a value of `nil` when it is not there, `nil` altogether when it is no number.
    private static func number(_ key: String, in query: Substring.UTF8View?) -> (value: UInt64?, Void)? {
        guard let query else { return (nil, ()) }
        for member in query.split(separator: UInt8(ascii: "&")) {
            let halves = member.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard text(halves[0]) == key else { continue }
            guard halves.count == 2, halves[1].allSatisfy({ (0x30...0x39).contains($0) }),
                let value = UInt64(text(halves[1]))
            else { return nil }
            return (value, ())
        }
        return (nil, ())
    }
}
