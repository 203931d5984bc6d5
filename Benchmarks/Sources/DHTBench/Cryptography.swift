import Glibc
import Keys

@testable import DHT

/// How many values a processor signs, verifies, seals and opens in a second, with keys of the size that Jami makes.
struct Cryptography {
    let seconds: Double

    func run() throws {
        let key = try RSAPrivateKey.generate(bits: 4096)
        let readerKey = try RSAPrivateKey.generate(bits: 4096)
        let vault = ValueVault(key: key)
        let reader = ValueVault(key: readerKey)
        let value = Value(id: 1, data: [UInt8](repeating: 7, count: 256))
        guard let signed = try vault.sign(value)?.encoded,
            let sealed = try vault.seal(value, for: readerKey.publicKey)?.encoded
        else { return }
        let rates = try [
            "sign": rate { try vault.sign(value)?.encoded.isEmpty == false },
            "verify": rate { vault.open(try Value(decoding: signed)) != nil },
            "encrypt": rate { try vault.seal(value, for: readerKey.publicKey)?.encoded.isEmpty == false },
            "decrypt": rate { reader.open(try Value(decoding: sealed))?.value.data == value.data },
        ]
        Program.answer("{" + rates.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ") + "}")
    }

    /// How often in a second of processor time.
    private func rate(_ work: () throws -> Bool) throws -> Double {
        _ = try work()
        let begin = processorTime()
        var done = 0
        while true {
            guard try work() else { fatalError("a value was not accepted") }
            done += 1
            let spent = processorTime() - begin
            if spent >= seconds { return Double(done) / spent }
        }
    }

    private func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
