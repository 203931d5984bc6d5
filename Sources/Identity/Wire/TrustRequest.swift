import MessagePack
public import Runtime

/// "Be my contact", or the answer "you are".
///
/// Travels as a DHT value of type 4, signed by a device and encrypted to a device. Source: accounts protocol, "Trust
/// request on the wire".
public struct TrustRequest: Sendable, Hashable {
    /// The number of the value type that carries it.
    public static let valueType: UInt16 = 4
    /// A longer card is left out when writing.
    public static let maximumCardSize = 64_000

    static let service = "cx.ring"

    /// The one-to-one conversation that the sender made, 40 hexadecimal digits; empty from very old peers.
    public var conversationID: String
    /// The vCard of the sender; empty in a confirmation.
    public var card: [UInt8]
    /// Whether this says "I have accepted".
    public var isConfirmation: Bool
    /// When the invitation was first made; unset in confirmations and from peers of 2023.
    public var invited: WallTime?

    public init(conversationID: String, card: [UInt8] = [], isConfirmation: Bool = false, invited: WallTime? = nil) {
        self.conversationID = conversationID
        self.card = card
        self.isConfirmation = isConfirmation
        self.invited = invited
    }

    /// Reads the data of the value, in both generations' forms.
    public init(payload: [UInt8]) throws(PayloadError) {
        let fields = try Fields(payload)
        guard try fields.text("service") == Self.service else { throw .foreignService }
        conversationID = try fields.conversation("conversationId")
        card = try fields.bytes("payload") ?? []
        isConfirmation = try fields.boolean("confirm")
        let time = try fields.time(seconds: nil, milliseconds: "invitedMs")
        invited = time == .never ? nil : time
    }

    /// The data of the value; peers of 2023 accept the newer form too.
    public func payload(for generation: Generation = .daemon2026) -> [UInt8] {
        var writer = MessagePackWriter()
        writer.writeMapHeader(count: generation == .daemon2026 ? 5 : 4)
        writer.write("service")
        writer.write(Self.service)
        writer.write("conversationId")
        writer.write(conversationID)
        writer.write("payload")
        writer.write(binary: card.count <= Self.maximumCardSize ? card : [])
        writer.write("confirm")
        writer.write(isConfirmation)
        if generation == .daemon2026 {
            writer.write("invitedMs")
            writer.write(max(invited?.milliseconds ?? 0, 0))
        }
        return writer.bytes
    }
}
