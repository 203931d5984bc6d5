public import Keys

/// Something stored in the DHT under a key.
///
/// A value is plain, signed (it has an ``owner`` and a ``signature``) or encrypted (all but its id, its priority and its
/// push type is inside ``cypher``). Source: DHT protocol, "Value".
public struct Value: Sendable, Equatable, Identifiable {
    public typealias ID = UInt64

    /// Unique for its key; zero until it is put.
    public var id: ID
    /// The number of a ``ValueType``.
    public var type: UInt16
    public var data: [UInt8]
    public var userType: String
    /// The signer's public key as DER SubjectPublicKeyInfo.
    public var owner: [UInt8]?
    /// The short id of the key that the value is for.
    public var recipient: InfoHash?
    /// The edition; a signed value can be replaced by one of a higher edition of the same owner.
    public var sequence: UInt16
    public var signature: [UInt8]
    /// The sealed value; empty when it is not encrypted.
    public var cypher: [UInt8]
    /// How urgently a sleeping listener is to be woken: 0 is urgent, 1 is normal.
    public var priority: UInt64
    /// What a sleeping listener is woken for, such as `audioCall`.
    public var pushType: String

    public init(
        id: ID = 0,
        type: UInt16 = 0,
        data: [UInt8] = [],
        userType: String = "",
        owner: [UInt8]? = nil,
        recipient: InfoHash? = nil,
        sequence: UInt16 = 0,
        signature: [UInt8] = [],
        cypher: [UInt8] = [],
        priority: UInt64 = 0,
        pushType: String = ""
    ) {
        self.id = id
        self.type = type
        self.data = data
        self.userType = userType
        self.owner = owner
        self.recipient = recipient
        self.sequence = sequence
        self.signature = signature
        self.cypher = cypher
        self.priority = priority
        self.pushType = pushType
    }
}

extension Value {
    public var isEncrypted: Bool { !cypher.isEmpty }
    public var isSigned: Bool { !isEncrypted && owner != nil && !signature.isEmpty }

    /// The bytes that count against quotas and the size limit.
    public var size: Int {
        cypher.count + data.count + signature.count + userType.utf8.count + pushType.utf8.count
    }

    /// Whether two values say the same, whatever their ids.
    public func hasSameContent(as other: Value) -> Bool {
        if isEncrypted || other.isEncrypted { return cypher == other.cypher }
        return owner == other.owner && type == other.type && data == other.data && userType == other.userType
            && signature == other.signature
    }

    // What a node can see of a value that may be encrypted.

    var visibleType: UInt16 { isEncrypted ? 0 : type }
    var visibleUserType: String { isEncrypted ? "" : userType }
    var visibleSequence: UInt16 { isEncrypted || owner == nil ? 0 : sequence }

    var visibleOwner: InfoHash {
        guard !isEncrypted, let owner else { return .zero }
        return InfoHash(hashing: owner)
    }
}
