import Ethereum
import FuzzLoop
import Keys
import NameRegistry

@testable import Names

/// The entry point, by the name under which the build system looks for it in a target of this name.
@_cdecl("NamesFuzz_main")
public func main(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    fuzz(targets, count, arguments)
}

/// The parsers of what name servers answer, and of what people type and configure.
private let targets: [String: FuzzTarget] = [
    "name-account-answer": { _ = try? NameAnswer.readName(reply($0), of: account) },
    "name-address": address,
    "name-answer": answer,
    "name-proof": proof,
    "name-query": { _ = try? NameQuery(String(decoding: $0, as: UTF8.self)) },
    "name-registration": { bytes in
        let registration = Registration(name: alice, account: account, owner: .zero, evidence: nil)
        _ = RegistrationOutcome.read(reply(bytes), to: registration)
    },
    "name-trust": { _ = try? NameTrust(json: String(decoding: $0, as: UTF8.self)) },
]

private let account = InfoHash(hashing: "account")
private let alice = Name(folding: "alice") ?? { preconditionFailure("“alice” is a name") }()

private func reply(_ bytes: [UInt8]) -> NameServerReply {
    NameServerReply(status: 200, body: bytes)
}

private func answer(_ bytes: [UInt8]) {
    guard let answer = try? NameAnswer.read(reply(bytes), for: alice) else { return }
    // Nobody finds a signature by chance.
    precondition(answer.evidence == nil, "a signature that nobody made")
}

private func address(_ bytes: [UInt8]) {
    guard let address = NameServerAddress(String(decoding: bytes, as: UTF8.self)) else { return }
    precondition(NameServerAddress(address.text) == address, "written and read again")
}

private func proof(_ bytes: [UInt8]) {
    guard let answer = try? ProofAnswer(reply(bytes)), let header = try? BlockHeader(decoding: answer.header) else {
        return
    }
    let trust = NameTrust(
        chain: answer.chain,
        store: answer.store,
        rule: .quorum(NameTrust.QuorumRule(endpoints: ["node"], neededAtFirst: 1, needed: 1)),
        freshness: .proofOfStake
    )
    let verifier = ProofVerifier(trust: trust)
    _ = try? verifier.proved(answer, of: alice, in: header)
    _ = try? verifier.proved(answer, of: account, in: header)
}
