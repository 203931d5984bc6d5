import MessagePack

/// Says that somebody serves something at a port of his address.
///
/// The nodes that store it put in the address that they see; the port is the announcer's. Whoever reads it learns where to
/// ask, and must not believe anything else. Source: DHT protocol, "Value types".
public struct ServiceAnnouncement: Sendable, Equatable {
    public var endpoint: Endpoint

    /// An announcement to put: the address becomes the one that the storing nodes see.
    public init(port: UInt16, family: Endpoint.Family = .ipv4) {
        endpoint = family == .ipv4 ? Endpoint(ipv4: 0, port: port) : Endpoint(ipv6: 0, 0, port: port)
    }

    init(endpoint: Endpoint) {
        self.endpoint = endpoint
    }

    /// Reads a value of this type; `nil` for others, for what is no address, and for port 0.
    public init?(_ value: Value) {
        guard !value.isEncrypted, value.type == ValueType.serviceAnnouncement.number,
            let address = try? MessagePackValue.decode(value.data).bytes,
            let announced = SocketAddressBytes(address), announced.endpoint.port != 0
        else { return nil }
        endpoint = announced.endpoint
    }

    /// The value, with an id of 0 to have one drawn.
    public func value(id: Value.ID = 0) -> Value {
        Value(
            id: id,
            type: ValueType.serviceAnnouncement.number,
            data: MessagePackValue.binary(SocketAddressBytes(endpoint).bytes).encoded
        )
    }
}
