import Foundation
import Keys
import NameRegistry
import Names
import Runtime
import Synchronization
import TestSupport
import Testing

/// A clock that tests move.
final class VirtualTime: TimeSource {
    private let milliseconds: Mutex<Int64>

    init(seconds: Int64 = 1_700_000_000) {
        milliseconds = Mutex(seconds * 1000)
    }

    var now: Instant { Instant(nanoseconds: milliseconds.withLock { $0 } * 1_000_000) }
    var wallTime: WallTime { WallTime(milliseconds: milliseconds.withLock { $0 }) }

    func advance(by duration: Duration) {
        milliseconds.withLock { $0 += duration.wholeMilliseconds }
    }
}

/// Answers questions to name servers without a network.
final class ScriptedTransport: NameServerTransport {
    struct Question: Hashable, Sendable {
        let server: String
        let method: String
        let path: String
    }

    typealias Script = @Sendable (Question, NameServerRequest) async throws(NameServerFault) -> NameServerReply

    let asked = Mailbox<Question>()
    private let script: Script

    init(_ script: @escaping Script) {
        self.script = script
    }

    func send(
        _ request: NameServerRequest,
        to server: NameServerAddress
    ) async throws(NameServerFault) -> NameServerReply {
        let question = Question(server: server.text, method: request.method.rawValue, path: request.path)
        asked.post(question)
        return try await script(question, request)
    }

    var paths: [String] { asked.all.map(\.path) }
}

extension NameServerReply {
    static func json(_ text: String, status: Int = 200) -> NameServerReply {
        NameServerReply(status: status, body: Array(text.utf8))
    }

    static let notFound = json(#"{"error":"name not registered"}"#, status: 404)
}

/// The registration of a real daemon, with its keys.
struct CapturedRegistration {
    let vector: JSONVector
    let name: Name
    let account: InfoHash
    let key: RSAPrivateKey

    init() throws {
        vector = try JSONVector(file: "jns-registration", in: Bundle.module)
        name = try #require(Name(canonical: vector["name"].text))
        account = try #require(InfoHash(hex: vector["addr"].text))
        key = try RSAPrivateKey(pkcs8: vector["testRsaPrivateKeyPkcs8Hex"].hex)
    }

    /// A signed record of a name of this account, as a server answers it.
    func answer(for name: Name) throws -> NameServerReply {
        let evidence = try NameEvidence.sign(name, with: key)
        return .json(
            """
            {"name":"\(name)","addr":"0x\(account)","publickey":"\(evidence.publicKeyText)",\
            "signature":"\(evidence.signatureText)"}
            """
        )
    }

    func unsignedAnswer(for name: Name) -> NameServerReply {
        .json(#"{"name":"\#(name)","addr":"0x\#(account)"}"#)
    }
}

func name(_ text: String) throws -> Name {
    try #require(Name(canonical: text))
}

func server(_ text: String) throws -> NameServerAddress {
    try #require(NameServerAddress(text))
}
