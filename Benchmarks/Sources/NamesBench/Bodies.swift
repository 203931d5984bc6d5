import Keys
import NameRegistry
import Runtime

/// Registrations that a server will accept, made with all cores.
enum Bodies {
    static func print(count: Int) async throws {
        try await withThrowingTaskGroup(of: String.self) { group in
            for number in 0..<count {
                group.addTask { try body(number) }
            }
            for try await line in group { Program.answer(line) }
        }
    }

    private static func body(_ number: Int) throws -> String {
        let key = try RSAPrivateKey.generate(bits: 2_048)
        guard let name = Name(canonical: "r\(number + 1_000_000)") else { return "" }
        let evidence = try NameEvidence.sign(name, with: key)
        let account = key.publicKey.shortID.hex
        return """
            \(name.text) {"addr":"\(account)","owner":"\(account)","signature":"\(evidence.signatureText)",\
            "publickey":"\(evidence.publicKeyText)"}
            """
    }
}

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
