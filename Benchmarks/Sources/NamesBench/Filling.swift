import Ethereum
import Keys
import NameRegistry
import NameServer
import Runtime

/// Fills a store with names.
///
/// Keys and signatures are random bytes of the size of a 4096-bit account's: a server does not check them again when it
/// answers a look-up.
struct Filling {
    let folder: String
    let count: Int

    private static let batch = 5_000

    func run() async throws {
        let store = try await SQLNameStore.sqlite(SQLiteStoreConfiguration(path: "\(folder)/names.sqlite"))
        let begin = SystemTime().now
        for first in stride(from: 0, to: count, by: Self.batch) {
            let end = min(first + Self.batch, count)
            try await store.write { writer in
                for number in first..<end {
                    guard let registration = Self.registration(number) else { continue }
                    _ = try writer.append(registration, chained: false, at: WallTime(seconds: 1_700_000_000))
                }
            }
        }
        let seconds = (SystemTime().now - begin).inSeconds
        Program.answer("{\"names\":\(count),\"seconds\":\(seconds)}")
        await store.close()
    }

    static func registration(_ number: Int) -> Registration? {
        var randomness = Randomness.seeded(UInt64(number))
        let digits = String(number)
        let text = "n" + String(repeating: "0", count: max(0, 7 - digits.count)) + digits
        guard let name = Name(canonical: text) else { return nil }
        return Registration(
            name: name,
            account: InfoHash.random(using: &randomness),
            owner: Address(InfoHash.random(using: &randomness)),
            evidence: NameEvidence(publicKey: randomness.bytes(550), signature: randomness.bytes(512))
        )
    }
}
