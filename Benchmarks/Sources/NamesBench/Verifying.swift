import Keys
import NameRegistry

/// Checks of evidence, the largest part of a registration's processor time.
enum Verifying {
    static func run(seconds: Double) throws {
        let key = try RSAPrivateKey.generate(bits: 4_096)
        guard let name = Name(canonical: "alice") else { return }
        let evidence = try NameEvidence.sign(name, with: key)
        let rate = try Program.rate(seconds) { try evidence.verify(name, of: key.publicKey.shortID) }
        Program.answer("{\"perSecond\":\(rate)}")
    }
}
