/// What a type of value means for the nodes that store it.
///
/// Types are the same when their numbers are. Source: DHT protocol, "Value types".
public struct ValueType: Sendable, Equatable {
    /// What a node looks at before it stores a value that nobody signed, besides its size.
    enum Rule: Sendable {
        case none
        /// The name of a service in front.
        case service
        /// A socket address, of which only the port is taken over.
        case address
        /// A chain that belongs to the key where it is to be stored.
        case certificate
        /// What the program that runs the node decides.
        case custom(accepts: @Sendable (Value) -> Bool, mayReplace: @Sendable (_ old: Value, _ new: Value) -> Bool)
    }

    /// The shortest and the longest time that values can live.
    public static let lifetimes = Duration.seconds(1)...Duration.seconds(30 * 86_400)

    public let number: UInt16
    public let name: String
    /// How long a node keeps such a value.
    public let lifetime: Duration
    /// Whether signatures are checked before storing and editions by the same owner are accepted.
    public let isSecure: Bool
    let rule: Rule

    init(_ number: UInt16, _ name: String, lifetime: Duration, isSecure: Bool, rule: Rule = .none) {
        self.number = number
        self.name = name
        self.lifetime = min(max(lifetime, Self.lifetimes.lowerBound), Self.lifetimes.upperBound)
        self.isSecure = isSecure
        self.rule = rule
    }

    /// A type of one's own, for ``DHTNode/Configuration/valueTypes``.
    ///
    /// All nodes that are to store such values need it: to others a type that they do not know is plain data that lives
    /// ten minutes and cannot be edited.
    ///
    /// - Parameters:
    ///   - number: 0 to 65 535; a standard type of the same number is replaced.
    ///   - name: for people.
    ///   - lifetime: brought into the range ``lifetimes``.
    ///   - isSecure: whether signatures are checked before storing, and signed values may be edited by their signers.
    ///   - accepts: whether a value that nobody signed may be stored; called on the node's event loop, so it has to be
    ///     quick.
    ///   - mayReplace: whether such a value may take the place of another one of its id; likewise.
    public init(
        number: UInt16,
        name: String,
        lifetime: Duration,
        isSecure: Bool = true,
        accepts: @escaping @Sendable (Value) -> Bool = { _ in true },
        mayReplace: @escaping @Sendable (_ old: Value, _ new: Value) -> Bool = { _, _ in false }
    ) {
        let rule = Rule.custom(accepts: accepts, mayReplace: mayReplace)
        self.init(number, name, lifetime: lifetime, isSecure: isSecure, rule: rule)
    }

    public static func == (left: ValueType, right: ValueType) -> Bool {
        left.number == right.number
    }

    private static let week = Duration.seconds(7 * 86_400)

    public static let userData = ValueType(0, "User data", lifetime: .seconds(600), isSecure: true)
    public static let message = ValueType(1, "Message", lifetime: .seconds(300), isSecure: true, rule: .service)
    public static let serviceAnnouncement =
        ValueType(2, "Service announcement", lifetime: .seconds(900), isSecure: false, rule: .address)
    public static let instantMessage = ValueType(3, "Instant message", lifetime: .seconds(300), isSecure: true)
    public static let trustRequest = ValueType(4, "Trust request", lifetime: week, isSecure: true)
    public static let iceCandidates = ValueType(5, "ICE candidates", lifetime: .seconds(60), isSecure: true)
    public static let certificate = ValueType(8, "Certificate", lifetime: week, isSecure: false, rule: .certificate)
}

/// The types that a node knows.
package struct ValueTypes: Sendable {
    package static let standard = ValueTypes()

    private var types: [UInt16: ValueType] = [:]

    /// The standard types and some more, which go before.
    package init(adding more: [ValueType] = []) {
        let standard: [ValueType] = [
            .userData, .message, .serviceAnnouncement, .instantMessage, .trustRequest, .iceCandidates, .certificate,
        ]
        for type in standard + more { types[type.number] = type }
    }

    /// The type of a number; one that nobody registered is plain data that cannot be edited.
    package subscript(number: UInt16) -> ValueType {
        types[number] ?? ValueType(number, "Unknown", lifetime: ValueType.userData.lifetime, isSecure: false)
    }

    /// The type that a node sees that cannot open the value.
    package func type(of value: Value) -> ValueType { self[value.visibleType] }

    package func lifetime(of value: Value) -> Duration { type(of: value).lifetime }
}
