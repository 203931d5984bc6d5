import ControlAPI
import FuzzLoop
import Git
import Identity
import NIOCore
import Runtime
import SIP
import Swarm

@testable import ICE
@testable import PeerLink

/// The entry point, by the name under which the build system looks for it in a target of this name.
@_cdecl("MessengerFuzz_main")
public func main(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    fuzz(targets, count, arguments)
}

/// The parsers of what peers send to each other.
private let targets: [String: FuzzTarget] = [
    "archive": { _ = try? AccountArchive(json: $0) },
    "candidates": candidates,
    "commit": { _ = try? Commit(parsing: $0) },
    "commit-message": { _ = try? CommitMessage(parsing: $0) },
    "contact-records": { _ = try? ContactList.decode($0) },
    "control-line": { _ = try? RPCRequest.parse($0) },
    "device-announcement": { _ = try? DeviceAnnouncement(payload: $0) },
    "frames": frames,
    "im-message": { _ = try? ImMessage(payload: $0) },
    "multiplex": multiplex,
    "pack": { _ = try? PackReader.read($0) },
    "peer-message": { _ = try? PeerMessage($0) },
    "pkt-lines": packetLines,
    "receipt": { _ = try? Receipt(text: $0, signature: []) },
    "sip": sip,
    "stun": { _ = try? ReceivedSTUNMessage($0) },
    "tree": { _ = try? Tree(parsing: $0) },
    "trust-request": { _ = try? TrustRequest(payload: $0) },
    "upload-pack-client": uploadPackClient,
    "upload-pack-server": uploadPackServer,
    "vcard": { _ = VCard($0) },
]

private func packetLines(_ bytes: [UInt8]) {
    var reader = PacketLineReader()
    for piece in pieces(of: bytes) {
        reader.append(piece)
        while (try? reader.next()) != nil {}
    }
}

private func candidates(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    _ = ICECandidate(text: text)
    _ = try? ICEDescription(text: text)
}

/// The first byte says how long the pieces are in which the rest arrives.
private func pieces(of bytes: [UInt8]) -> [[UInt8]] {
    let length = Int(bytes.first ?? 0) + 1
    let rest = bytes.dropFirst()
    return stride(from: rest.startIndex, to: rest.endIndex, by: length).map { start in
        Array(rest[start..<min(start + length, rest.endIndex)])
    }
}

private func frames(_ bytes: [UInt8]) {
    var decoder = FrameDecoder()
    for piece in pieces(of: bytes) {
        decoder.append(ByteBuffer(bytes: piece))
        while decoder.next() != nil {}
    }
    precondition(decoder.pendingByteCount <= 65_537, "at most one frame waits")
}

private func multiplex(_ bytes: [UInt8]) {
    var multiplexer = Multiplexer(isClient: true)
    for piece in pieces(of: bytes) { _ = multiplexer.receive(ByteBuffer(bytes: piece)) }
}

private func sip(_ bytes: [UInt8]) {
    var parser = SIPParser()
    for piece in pieces(of: bytes) {
        guard (try? parser.receive(piece)) != nil else { return }
    }
}

private func uploadPackClient(_ bytes: [UInt8]) {
    var client = UploadPackClient(repository: "/repository", host: "host")
    for piece in pieces(of: bytes) {
        guard (try? client.receive(piece)) != nil else { return }
    }
}

private func uploadPackServer(_ bytes: [UInt8]) {
    var server = UploadPackServer()
    for piece in pieces(of: bytes) {
        guard (try? server.receive(piece)) != nil else { return }
    }
}
