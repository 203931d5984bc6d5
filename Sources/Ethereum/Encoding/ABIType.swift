/// A type of the arguments and results of contracts.
///
/// Source: Solidity documentation, "Contract ABI Specification".
public indirect enum ABIType: Hashable, Sendable {
    /// 8 to 256 bits in steps of 8.
    case unsigned(bits: Int)
    case signed(bits: Int)
    case boolean
    case address
    /// 1 to 32 bytes, left-aligned in a word.
    case fixedBytes(Int)
    case bytes
    /// Bytes that are meant as UTF-8, which nobody promises.
    case string
    case array(of: ABIType)
    case fixedArray(of: ABIType, count: Int)
    case tuple([ABIType])

    public static let uint256 = ABIType.unsigned(bits: 256)
    public static let bytes32 = ABIType.fixedBytes(32)

    /// Whether values have their content behind the words of their siblings.
    var isDynamic: Bool {
        switch self {
        case .unsigned, .signed, .boolean, .address, .fixedBytes: false
        case .bytes, .string, .array: true
        case .fixedArray(let element, _): element.isDynamic
        case .tuple(let members): members.contains(where: \.isDynamic)
        }
    }

    /// The words of a static type, or one for the offset of a dynamic one.
    var headWords: Int {
        guard !isDynamic else { return 1 }
        switch self {
        case .fixedArray(let element, let count): return element.headWords * count
        case .tuple(let members): return members.reduce(0) { $0 + $1.headWords }
        default: return 1
        }
    }
}

extension ABIType: CustomStringConvertible {
    /// The name that selectors are computed from.
    public var description: String {
        switch self {
        case .unsigned(let bits): "uint\(bits)"
        case .signed(let bits): "int\(bits)"
        case .boolean: "bool"
        case .address: "address"
        case .fixedBytes(let count): "bytes\(count)"
        case .bytes: "bytes"
        case .string: "string"
        case .array(let element): "\(element)[]"
        case .fixedArray(let element, let count): "\(element)[\(count)]"
        case .tuple(let members): "(" + members.map(\.description).joined(separator: ",") + ")"
        }
    }

    /// An elementary type or arrays of one, by its name; `nil` for others, tuples included.
    public init?(name: some StringProtocol) {
        if name.hasSuffix("]") {
            guard let bracket = name.lastIndex(of: "["), let element = ABIType(name: name[..<bracket]) else {
                return nil
            }
            let count = name[name.index(after: bracket)...].dropLast()
            guard !count.isEmpty else {
                self = .array(of: element)
                return
            }
            guard let number = Int(count), 1...1_024 ~= number, String(number) == count else { return nil }
            self = .fixedArray(of: element, count: number)
            return
        }
        switch name {
        case "bool": self = .boolean
        case "address": self = .address
        case "bytes": self = .bytes
        case "string": self = .string
        default:
            let digits = name.drop { !$0.isNumber }
            guard let number = Int(digits), String(number) == digits else { return nil }
            switch name.prefix(name.count - digits.count) {
            case "uint" where number % 8 == 0 && 8...256 ~= number: self = .unsigned(bits: number)
            case "int" where number % 8 == 0 && 8...256 ~= number: self = .signed(bits: number)
            case "bytes" where 1...32 ~= number: self = .fixedBytes(number)
            default: return nil
            }
        }
    }
}
