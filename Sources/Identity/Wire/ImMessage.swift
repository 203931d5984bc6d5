import MessagePack
public import Runtime

/// A message outside the conversations, or its acknowledgement, as peers of 2023 put it into an inbox of the DHT.
///
/// Travels as a DHT value of type 3, signed by a device and encrypted to a device. Source: accounts protocol,
/// "Transports".
public struct ImMessage: Sendable, Hashable {
    /// The number of the value type that carries it.
    public static let valueType: UInt16 = 3

    /// The token by which duplicates and acknowledgements are known.
    public var id: UInt64
    public var body: String
    /// The MIME type of the body; empty stands for plain text.
    public var mediaType: String
    /// When it was sent, in whole seconds.
    public var date: WallTime

    public init(id: UInt64, body: String, mediaType: String = "text/plain", date: WallTime) {
        self.id = id
        self.body = body
        self.mediaType = mediaType
        self.date = date
    }

    /// Reads the data of the value.
    public init(payload: [UInt8]) throws(PayloadError) {
        let fields = try Fields(payload)
        id = try fields.unsigned("id")
        guard id != 0 else { throw .invalidField("id") }
        body = try fields.text("msg")
        mediaType = try fields.text("datatype")
        date = try fields.time(seconds: "date", milliseconds: "dateMs")
    }

    /// What says that this message has arrived; goes into the acknowledger's own inbox.
    public func acknowledgement(at now: WallTime) -> ImMessage {
        ImMessage(id: id, body: "", mediaType: "", date: now)
    }

    public var isAcknowledgement: Bool { body.isEmpty && mediaType.isEmpty }

    /// The data of the value.
    public var payload: [UInt8] {
        var writer = MessagePackWriter()
        writer.writeMapHeader(count: 6)
        writer.write("id")
        writer.write(id)
        writer.write("msg")
        writer.write(body)
        writer.write("date")
        writer.write(date.seconds)
        writer.write("status")
        writer.write(UInt64(0))
        writer.write("datatype")
        writer.write(mediaType)
        writer.write("metadatas")
        writer.writeMapHeader(count: 0)
        return writer.bytes
    }
}
