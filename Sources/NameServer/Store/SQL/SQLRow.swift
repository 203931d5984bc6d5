import Ethereum
import Keys
import NameRegistry
import Runtime

/// Reads the columns of a row one after the other; a value of another kind means a damaged database.
struct SQLRow {
    private let values: [SQLValue]
    private var position = 0

    init(_ values: [SQLValue]) {
        self.values = values
    }

    private mutating func next() -> SQLValue {
        defer { position += 1 }
        return position < values.count ? values[position] : .null
    }

    private var damage: NameStoreError {
        .damaged(reason: "A column of the database has an unexpected value: \(values)")
    }

    mutating func optionalInteger() throws(NameStoreError) -> Int64? {
        switch next() {
        case .null: nil
        case .integer(let value): value
        case .text, .bytes: throw damage
        }
    }

    mutating func optionalText() throws(NameStoreError) -> String? {
        switch next() {
        case .null: nil
        case .text(let value): value
        case .integer, .bytes: throw damage
        }
    }

    mutating func optionalBytes() throws(NameStoreError) -> [UInt8]? {
        switch next() {
        case .null: nil
        case .bytes(let value): value
        case .integer, .text: throw damage
        }
    }

    private func some<Value>(_ value: Value?) throws(NameStoreError) -> Value {
        guard let value else { throw damage }
        return value
    }

    mutating func integer() throws(NameStoreError) -> Int64 { try some(optionalInteger()) }
    mutating func text() throws(NameStoreError) -> String { try some(optionalText()) }
    mutating func bytes() throws(NameStoreError) -> [UInt8] { try some(optionalBytes()) }

    mutating func number() throws(NameStoreError) -> UInt64 { try some(UInt64(exactly: integer())) }
    mutating func optionalNumber() throws(NameStoreError) -> UInt64? {
        guard let value = try optionalInteger() else { return nil }
        return try some(UInt64(exactly: value))
    }
    mutating func time() throws(NameStoreError) -> WallTime { WallTime(milliseconds: try integer()) }
    mutating func optionalTime() throws(NameStoreError) -> WallTime? {
        try optionalInteger().map { WallTime(milliseconds: $0) }
    }

    mutating func name() throws(NameStoreError) -> Name { try some(Name(canonical: text())) }
    mutating func owner() throws(NameStoreError) -> Address { try some(Address(bytes())) }
    mutating func word() throws(NameStoreError) -> Word { try some(Word(bytes())) }
    mutating func optionalWord() throws(NameStoreError) -> Word? {
        guard let bytes = try optionalBytes() else { return nil }
        return try some(Word(bytes))
    }

    mutating func account() throws(NameStoreError) -> InfoHash? {
        guard let bytes = try optionalBytes() else { return nil }
        return try some(InfoHash(bytes))
    }

    /// A digest, kept as no bytes where nobody signed.
    mutating func digest() throws(NameStoreError) -> Word {
        let bytes = try bytes()
        return bytes.isEmpty ? .zero : try some(Word(bytes))
    }

    mutating func operation() throws(NameStoreError) -> JournalOperation {
        let sequence = try number()
        let kind = try some(JournalOperation.Kind(rawValue: some(UInt8(exactly: integer()))))
        return JournalOperation(
            sequence: sequence,
            kind: kind,
            name: try name(),
            owner: try owner(),
            account: try account(),
            evidenceDigest: try digest()
        )
    }
}

extension SQLValue {
    /// Numbers beyond the database's are kept as its greatest.
    init(_ number: UInt64) { self = .integer(Int64(clamping: number)) }
    init(_ number: UInt64?) { self = number.map { SQLValue($0) } ?? .null }
    init(_ flag: Bool) { self = .integer(flag ? 1 : 0) }
    init(_ name: Name) { self = .text(name.text) }
    init(_ text: String?) { self = text.map { .text($0) } ?? .null }
    init(_ bytes: [UInt8]?) { self = bytes.map { .bytes($0) } ?? .null }
    init(_ account: InfoHash?) { self = account.map { .bytes($0.bytes) } ?? .null }
    init(_ owner: Address) { self = .bytes(owner.bytes) }
    init(_ word: Word?) { self = word.map { .bytes($0.bytes) } ?? .null }
    init(_ time: WallTime) { self = .integer(time.milliseconds) }
    init(_ time: WallTime?) { self = time.map { .integer($0.milliseconds) } ?? .null }
    init(digest: Word) { self = .bytes(digest.isZero ? [] : digest.bytes) }

    static func values(of operation: JournalOperation) -> [SQLValue] {
        [
            SQLValue(operation.sequence), .integer(Int64(operation.kind.rawValue)), SQLValue(operation.name),
            SQLValue(operation.owner), SQLValue(operation.account), SQLValue(digest: operation.evidenceDigest),
        ]
    }
}
