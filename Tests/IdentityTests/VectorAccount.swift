import Keys
import Runtime
import TestSupport
import Testing

@testable import Identity

/// The account of the vectors, which a real daemon made.
enum VectorAccount {
    static let now = WallTime(seconds: 1_800_000_000)

    static let archive = Result { try AccountArchive(file: archiveVector.get()["file_b64"].base64) }
    static let archiveVector = Result { try JSONVector(file: "account-archive-plain", in: .module)["archive"] }
    static let identityVector = Result { try JSONVector(file: "account-identity", in: .module) }

    static let device = Result {
        let vector = try identityVector.get()
        let authority = try archive.get().accountChain?.certificates.last?.pem ?? ""
        let pem = vector["device_certificate_chain"].elements.map { $0["pem"].text }.joined() + authority
        return try DeviceIdentity(
            chain: CertificateChain(pem: pem),
            key: RSAPrivateKey(pem: vector["device_private_key_pem"].text)
        )
    }

    static let receipt = Result {
        let vector = try identityVector.get()
        return try Receipt(text: Array(vector["receipt"].text.utf8), signature: vector["receipt_signature_b64"].base64)
    }
}

/// Small keys, made once.
enum TestKeys {
    static let all = Result { try (0..<3).map { _ in try RSAPrivateKey.generate(bits: 2_048) } }

    /// An account of small keys with one device.
    static func account(at now: WallTime = VectorAccount.now) throws -> NewAccount {
        var randomness = Randomness.seeded(9)
        let keys = try all.get()
        let ethereum = try EthereumKey.generate(randomness: &randomness)
        var archive = AccountArchive(accountKey: keys[1], authorityKey: keys[0], ethereumKey: ethereum)
        archive.displayName = "Ünïcode 🐦"
        try archive.renewCertificates(at: now, randomness: &randomness)
        let device = try archive.enroll(deviceKey: keys[2], at: now, randomness: &randomness)
        return NewAccount(archive: archive, device: device.identity, receipt: device.receipt)
    }
}
