/// What a type of value means for the nodes that store it.
///
/// Source: DHT protocol, "Value types".
public struct ValueType: Sendable, Equatable {
    public let number: UInt16
    /// How long a node keeps such a value.
    public let lifetime: Duration
    /// Whether signatures are checked before storing and editions by the same owner are accepted.
    let isSecure: Bool

    public static let userData = ValueType(number: 0, lifetime: .seconds(600), isSecure: true)
    public static let message = ValueType(number: 1, lifetime: .seconds(300), isSecure: true)
    public static let serviceAnnouncement = ValueType(number: 2, lifetime: .seconds(900), isSecure: false)
    public static let instantMessage = ValueType(number: 3, lifetime: .seconds(300), isSecure: true)
    public static let trustRequest = ValueType(number: 4, lifetime: .seconds(7 * 86_400), isSecure: true)
    public static let iceCandidates = ValueType(number: 5, lifetime: .seconds(60), isSecure: true)
    public static let certificate = ValueType(number: 8, lifetime: .seconds(7 * 86_400), isSecure: false)

    private static let known = [
        userData, message, serviceAnnouncement, instantMessage, trustRequest, iceCandidates, certificate,
    ]

    /// The type of a number; one that nobody registered is plain data that cannot be edited.
    public static func of(_ number: UInt16) -> ValueType {
        known.first { $0.number == number } ?? ValueType(number: number, lifetime: userData.lifetime, isSecure: false)
    }
}

extension Value {
    /// The type that a storing node sees.
    var visibleValueType: ValueType { ValueType.of(visibleType) }
}
