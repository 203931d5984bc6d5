import FuzzLoop
import Keys
import MessagePack
import Runtime

@testable import DHT

/// The entry point, by the name under which the build system looks for it in a target of this name.
@_cdecl("DHTFuzz_main")
public func main(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    fuzz(targets, count, arguments)
}

/// The parsers of the DHT and of what it carries.
///
/// Where a type can be written again, what was read must be written and read to the same.
private let targets: [String: FuzzTarget] = [
    "certificate": certificate,
    "certificate-chain": { _ = try? CertificateChain(pem: $0) },
    "compression": { _ = try? Compression.decompress($0, limit: 1 << 20) },
    "dht-discovery": discovery,
    "dht-node": node,
    "dht-packet": { _ = try? Packet(decoding: $0.span.bytes) },
    "dht-query": query,
    "dht-query-text": queryText,
    "dht-rows": { _ = try? FieldRows.decode($0.span.bytes) },
    "dht-state": state,
    "dht-value": value,
    "messagepack": messagePack,
    "revocation-list": { _ = try? RevocationList(der: $0) },
]

private func messagePack(_ bytes: [UInt8]) {
    var reader = MessagePackReader(bytes.span.bytes)
    while (try? reader.skip()) != nil {}
    guard let value = try? MessagePackValue.decode(bytes) else { return }
    let encoded = value.encoded
    precondition((try? MessagePackValue.decode(encoded))?.encoded == encoded, "written and read again")
}

private func value(_ bytes: [UInt8]) {
    guard let value = try? Value(decoding: bytes) else { return }
    precondition((try? Value(decoding: value.encoded)) == value, "written and read again")
}

private func state(_ bytes: [UInt8]) {
    guard let state = try? NodeState(decoding: bytes) else { return }
    let again = try? NodeState(decoding: state.encoded)
    precondition(again?.contacts == state.contacts, "written and read again")
    precondition(again?.values.map(\.value) == state.values.map(\.value), "written and read again")
    let old = state.encodedInOldForm(now: Instant(nanoseconds: 1 << 60), wallTime: WallTime(seconds: 1_800_000_000))
    precondition((try? NodeState(decoding: old))?.values.count == state.values.count, "written and read again")
    let node = NodeCore(configuration: NodeCore.Configuration(id: InfoHash(hashing: "node")), randomness: .seeded(1))
    node.setWallTime(WallTime(seconds: 1_795_218_200), now: Instant())
    node.restore(state.values, now: Instant())
}

private func discovery(_ bytes: [UInt8]) {
    guard let message = try? DiscoveryMessage(decoding: bytes.span.bytes) else { return }
    precondition((try? DiscoveryMessage(decoding: message.encoded.span.bytes)) == message, "written and read again")
}

private func query(_ bytes: [UInt8]) {
    var reader = MessagePackReader(bytes.span.bytes)
    _ = try? Query(reading: &reader)
}

private func queryText(_ bytes: [UInt8]) {
    guard let query = try? Query(parsing: String(decoding: bytes, as: UTF8.self)) else { return }
    let text = query.description
    // Written out, a text that only just fits may be too long.
    guard text.utf8.count <= Query.longestText else { return }
    precondition((try? Query(parsing: text)) == query, "written and read again")
}

private func certificate(_ bytes: [UInt8]) {
    guard let certificate = try? Certificate(der: bytes) else { return }
    precondition(certificate.der == bytes, "the bytes are kept")
    _ = certificate.subject.commonName
    _ = certificate.issuer.userID
}

/// A running node with operations of its own that hears the input as datagrams of two peers, some of them long after
/// the one before.
///
/// Each datagram is preceded by two bytes with its length; their highest bit says who sends it, the next that time passes.
private func node(_ bytes: [UInt8]) {
    let node = NodeCore(
        configuration: NodeCore.Configuration(id: InfoHash(hashing: "node")),
        randomness: .seeded(1)
    )
    var now = Instant(nanoseconds: 1_000_000_000)
    node.start(now: now, wallTime: WallTime(seconds: 1_700_000_000))
    let peers = [Endpoint(ipv4: 0x0A00_0001, port: 4222), Endpoint(ipv4: 0x0A00_0002, port: 4222)]
    node.bootstrap(with: peers, now: now)
    var rest = bytes[...]
    while rest.count > 2 {
        let header = Int(rest.removeFirst()) << 8 | Int(rest.removeFirst())
        let datagram = Array(rest.prefix(header & 0x3FFF))
        rest = rest.dropFirst(datagram.count)
        if header & 0x4000 != 0 {
            now = now + .seconds(5)
            node.timer(now: now)
        }
        node.receive(datagram.span.bytes, from: peers[header >> 15], now: now)
        _ = node.takeEvents()
        node.outbox.removeAll()
    }
}
