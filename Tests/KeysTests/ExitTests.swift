import Foundation
import Keys
import Testing

@Suite(.timeLimit(.minutes(2))) struct ExitTests {
    /// What happens in a program that ends while connections are still being checked.
    @Test func `a process ends cleanly while its threads sign and verify`() async {
        for _ in 0..<10 {
            await #expect(processExitsWith: .success) {
                let key = try RSAPrivateKey.generate(bits: 2048)
                let message = [UInt8](repeating: 7, count: 100)
                let signature = try key.sign(message)
                for _ in 0..<4 {
                    Thread.detachNewThread {
                        while true {
                            // A key from its text uses the library's tables, as every certificate of a peer does.
                            let other = try? RSAPublicKey(spki: key.publicKey.spki)
                            guard other?.isValidSignature(signature, for: message) == true else { abort() }
                            guard (try? key.sign(message)) != nil else { abort() }
                        }
                    }
                }
                usleep(20_000)
                exit(0)
            }
        }
    }
}
