import Keys
import NameRegistry
import Runtime

/// Checks of evidence, the largest part of a registration's processor time.
enum Verifying {
    static func run(seconds: Double) throws {
        let key = try RSAPrivateKey.generate(bits: 4_096)
        guard let name = Name(canonical: "alice") else { return }
        let evidence = try NameEvidence.sign(name, with: key)
        let begin = SystemTime().now
        var count = 0
        while (SystemTime().now - begin).inSeconds < seconds {
            for _ in 0..<50 { try evidence.verify(name, of: key.publicKey.shortID) }
            count += 50
        }
        Program.answer("{\"perSecond\":\(Double(count) / (SystemTime().now - begin).inSeconds)}")
    }
}
