import ControlAPI
import Git
import Identity
import Keys
import MessagePack
import NIOCore
import Runtime
import SIP
import Swarm

@testable import DHT
@testable import ICE
@testable import PeerLink

/// Every parser of bytes that others made, by name.
///
/// A target must return for every input: a trap, a hang or unbounded memory is a defect of the parser. Where a type can
/// be written again, what was read must be written and read to the same.
enum FuzzTarget {
    static let all: [String: @Sendable ([UInt8]) -> Void] = [
        "archive": { _ = try? AccountArchive(json: $0) },
        "candidates": candidates,
        "certificate": certificate,
        "certificate-chain": { _ = try? CertificateChain(pem: $0) },
        "commit": { _ = try? Commit(parsing: $0) },
        "commit-message": { _ = try? CommitMessage(parsing: $0) },
        "compression": { _ = try? Compression.decompress($0, limit: 1 << 20) },
        "contact-records": { _ = try? ContactList.decode($0) },
        "control-line": { _ = try? RPCRequest.parse($0) },
        "device-announcement": { _ = try? DeviceAnnouncement(payload: $0) },
        "dht-packet": { _ = try? Packet(decoding: $0.span.bytes) },
        "dht-query": dhtQuery,
        "dht-rows": { _ = try? FieldRows.decode($0.span.bytes) },
        "dht-value": dhtValue,
        "frames": frames,
        "im-message": { _ = try? ImMessage(payload: $0) },
        "messagepack": messagePack,
        "multiplex": multiplex,
        "pack": { _ = try? PackReader.read($0) },
        "peer-message": { _ = try? PeerMessage($0) },
        "pkt-lines": packetLines,
        "receipt": { _ = try? Receipt(text: $0, signature: []) },
        "revocation-list": { _ = try? RevocationList(der: $0) },
        "sip": sip,
        "stun": { _ = try? ReceivedSTUNMessage($0) },
        "tree": { _ = try? Tree(parsing: $0) },
        "trust-request": { _ = try? TrustRequest(payload: $0) },
        "upload-pack-client": uploadPackClient,
        "upload-pack-server": uploadPackServer,
        "vcard": { _ = VCard($0) },
    ]

    private static func messagePack(_ bytes: [UInt8]) {
        var reader = MessagePackReader(bytes.span.bytes)
        while (try? reader.skip()) != nil {}
        guard let value = try? MessagePackValue.decode(bytes) else { return }
        let encoded = value.encoded
        precondition((try? MessagePackValue.decode(encoded))?.encoded == encoded, "written and read again")
    }

    private static func dhtValue(_ bytes: [UInt8]) {
        guard let value = try? Value(decoding: bytes) else { return }
        precondition((try? Value(decoding: value.encoded)) == value, "written and read again")
    }

    private static func dhtQuery(_ bytes: [UInt8]) {
        var reader = MessagePackReader(bytes.span.bytes)
        _ = try? Query(reading: &reader)
    }

    private static func packetLines(_ bytes: [UInt8]) {
        var reader = PacketLineReader()
        for piece in pieces(of: bytes) {
            reader.append(piece)
            while (try? reader.next()) != nil {}
        }
    }

    private static func certificate(_ bytes: [UInt8]) {
        guard let certificate = try? Certificate(der: bytes) else { return }
        precondition(certificate.der == bytes, "the bytes are kept")
        _ = certificate.subject.commonName
        _ = certificate.issuer.userID
    }

    private static func candidates(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        _ = ICECandidate(text: text)
        _ = try? ICEDescription(text: text)
    }

    /// The first byte says how long the pieces are in which the rest arrives.
    private static func pieces(of bytes: [UInt8]) -> [[UInt8]] {
        let length = Int(bytes.first ?? 0) + 1
        let rest = bytes.dropFirst()
        return stride(from: rest.startIndex, to: rest.endIndex, by: length).map { start in
            Array(rest[start..<min(start + length, rest.endIndex)])
        }
    }

    private static func frames(_ bytes: [UInt8]) {
        var decoder = FrameDecoder()
        for piece in pieces(of: bytes) {
            decoder.append(ByteBuffer(bytes: piece))
            while decoder.next() != nil {}
        }
        precondition(decoder.pendingByteCount <= 65_537, "at most one frame waits")
    }

    private static func multiplex(_ bytes: [UInt8]) {
        var multiplexer = Multiplexer(isClient: true)
        for piece in pieces(of: bytes) { _ = multiplexer.receive(ByteBuffer(bytes: piece)) }
    }

    private static func sip(_ bytes: [UInt8]) {
        var parser = SIPParser()
        for piece in pieces(of: bytes) {
            guard (try? parser.receive(piece)) != nil else { return }
        }
    }

    private static func uploadPackClient(_ bytes: [UInt8]) {
        var client = UploadPackClient(repository: "/repository", host: "host")
        for piece in pieces(of: bytes) {
            guard (try? client.receive(piece)) != nil else { return }
        }
    }

    private static func uploadPackServer(_ bytes: [UInt8]) {
        var server = UploadPackServer()
        for piece in pieces(of: bytes) {
            guard (try? server.receive(piece)) != nil else { return }
        }
    }
}
