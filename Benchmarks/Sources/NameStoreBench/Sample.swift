import Ethereum
import Keys
import NameRegistry
import Runtime

/// Registrations by number, with evidence of the real size.
enum Sample {
    static func name(_ number: Int) -> Name? {
        Name(canonical: "user-\(number)")
    }

    static func registration(_ number: Int, prefix: String = "user-") -> Registration? {
        guard let name = Name(canonical: "\(prefix)\(number)") else { return nil }
        var numbers = Randomness.seeded(UInt64(number) &* 0x9E37_79B9 &+ UInt64(prefix.utf8.count))
        func bytes(_ count: Int) -> [UInt8] {
            (0..<count).map { _ in UInt8(truncatingIfNeeded: numbers.next() >> 32) }
        }
        return Registration(
            name: name,
            account: .random(using: &numbers),
            owner: Address(InfoHash.random(using: &numbers)),
            evidence: NameEvidence(publicKey: bytes(550), signature: bytes(512))
        )
    }
}
