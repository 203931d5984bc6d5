import MessagePack

/// A value that says that a service is at an address, which the storing node replaces by that of who put it.
///
/// Source: DHT protocol, "Value types".
package enum ServiceAnnouncement {
    /// A service of this machine, whose address the nodes that store the value fill in.
    package static func value(port: UInt16) -> Value {
        let address = SocketAddressBytes(Endpoint(ipv4: 0, port: port)).bytes
        return Value(type: ValueType.serviceAnnouncement.number, data: MessagePackValue.binary(address).encoded)
    }

    /// Where the service is; `nil` when the value says nothing of that kind.
    package static func endpoint(of value: Value) -> Endpoint? {
        guard !value.isEncrypted, value.type == ValueType.serviceAnnouncement.number,
            let bytes = try? MessagePackValue.decode(value.data).bytes
        else { return nil }
        return SocketAddressBytes(bytes)?.endpoint
    }
}
