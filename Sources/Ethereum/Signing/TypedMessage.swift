public import JSON

/// Why a typed message cannot be hashed.
public enum TypedMessageError: Error, Hashable, Sendable {
    /// Not the members that a typed message has.
    case malformed
    case unknownType(String)
    /// A member that its type does not allow, or that is missing.
    case invalidMember(String)
    case tooDeep
}

/// A message with types of its own, as wallets get it.
///
/// Source: EIP-712, "Specification of the eth_signTypedData JSON RPC".
public struct TypedMessage: Sendable {
    /// Structures within structures and arrays.
    public static let maximumDepth = 16

    private struct Field: Sendable {
        let name: String
        let type: String
    }

    private let types: [String: [Field]]
    private let primaryType: String
    private let domain: JSONValue
    private let message: JSONValue

    public init(_ json: JSONValue) throws(TypedMessageError) {
        guard let definitions = json["types"]?.object, let primaryType = json["primaryType"]?.string,
            let domain = json["domain"], let message = json["message"]
        else { throw .malformed }
        var types: [String: [Field]] = [:]
        for (name, members) in definitions {
            types[name] = try (members.array ?? []).map { member throws(TypedMessageError) in
                guard let name = member["name"]?.string, let type = member["type"]?.string else { throw .malformed }
                return Field(name: name, type: type)
            }
        }
        self.types = types
        self.primaryType = primaryType
        self.domain = domain
        self.message = message
    }

    public func domainSeparator() throws(TypedMessageError) -> Word {
        try hash(domain, as: "EIP712Domain", depth: 0)
    }

    public func messageHash() throws(TypedMessageError) -> Word {
        try hash(message, as: primaryType, depth: 0)
    }

    /// The hash that is signed.
    public func digest() throws(TypedMessageError) -> Word {
        TypedData.digest(domain: try domainSeparator(), message: try messageHash())
    }

    private func hash(_ value: JSONValue, as type: String, depth: Int) throws(TypedMessageError) -> Word {
        guard depth < Self.maximumDepth else { throw .tooDeep }
        guard let fields = types[type] else { throw .unknownType(type) }
        var members: [TypedData.Member] = []
        for field in fields {
            guard let member = value[field.name] else { throw .invalidMember(field.name) }
            members.append(try encode(member, of: field, depth: depth + 1))
        }
        return TypedData.structHash(encodedType(type), members)
    }

    private func encode(
        _ value: JSONValue,
        of field: Field,
        depth: Int
    ) throws(TypedMessageError) -> TypedData.Member {
        guard depth < Self.maximumDepth else { throw .tooDeep }
        if field.type.hasSuffix("]"), let bracket = field.type.lastIndex(of: "[") {
            let element = Field(name: field.name, type: String(field.type[..<bracket]))
            let count = field.type[field.type.index(after: bracket)...].dropLast()
            guard let elements = value.array, count.isEmpty || Int(count) == elements.count else {
                throw .invalidMember(field.name)
            }
            var words: [UInt8] = []
            for value in elements {
                words += try encode(value, of: element, depth: depth + 1).hashed.bytes
            }
            return .word(Word(hashing: words))
        }
        if types[field.type] != nil { return .word(try hash(value, as: field.type, depth: depth)) }
        guard let type = ABIType(name: field.type) else { throw .unknownType(field.type) }
        guard let member = Self.elementary(value, as: type) else { throw .invalidMember(field.name) }
        return member
    }

    private static func elementary(_ value: JSONValue, as type: ABIType) -> TypedData.Member? {
        switch type {
        case .string: return value.string.map { .text($0) }
        case .bytes: return value.string.flatMap(HexText.bytes).map { .bytes($0) }
        case .boolean: return value.boolean.map { .word(Word($0 ? 1 : 0)) }
        case .address: return value.string.flatMap { Address(checkingChecksum: $0) }.map { .word(Word($0)) }
        case .fixedBytes(let count):
            guard let bytes = value.string.flatMap(HexText.bytes), bytes.count == count else { return nil }
            return Word(bytes + Array(repeating: 0, count: Word.byteCount - count)).map { .word($0) }
        case .unsigned, .signed:
            guard let word = number(value) else { return nil }
            return type.accepts(word) ? .word(word) : nil
        case .array, .fixedArray, .tuple: return nil
        }
    }

    private static func number(_ value: JSONValue) -> Word? {
        if let integer = value.integer {
            return integer >= 0
                ? Word(UInt64(integer)) : Word(high: .max, low: UInt128(truncatingIfNeeded: integer))
        }
        guard let text = value.string else { return nil }
        return HexText.word(text) ?? UInt128(text).map { Word(wide: $0) }
    }

    /// The type with the structures that it needs behind it in alphabetical order.
    private func encodedType(_ type: String) -> String {
        var needed: Set<String> = []
        collect(type, into: &needed)
        needed.remove(type)
        return ([type] + needed.sorted()).map { name in
            name + "(" + (types[name] ?? []).map { "\($0.type) \($0.name)" }.joined(separator: ",") + ")"
        }.joined()
    }

    private func collect(_ type: String, into needed: inout Set<String>) {
        guard let fields = types[type], needed.insert(type).inserted else { return }
        for field in fields { collect(String(field.type.prefix { $0 != "[" }), into: &needed) }
    }
}
