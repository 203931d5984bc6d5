public import Keys
public import Runtime

/// A device together with the account's statement about it.
public struct EnrolledDevice: Sendable {
    public let identity: DeviceIdentity
    public let receipt: Receipt

    public init(identity: DeviceIdentity, receipt: Receipt) {
        self.identity = identity
        self.receipt = receipt
    }
}

/// An account that has just been made, with its first device; nothing of it is stored yet.
///
/// Source: accounts protocol, "Creating an account".
public struct NewAccount: Sendable {
    public let archive: AccountArchive
    public let device: DeviceIdentity
    public let receipt: Receipt

    public var receiptSignature: [UInt8] { receipt.signature }

    /// The announcement of the device as a packed and signed DHT value with the id 0.
    public var announcement: [UInt8] { receipt.announcement }

    /// Makes the keys and certificates of a new account.
    ///
    /// Three keys of 4096 bits are made at once, on threads of their own: seconds.
    ///
    /// - Parameters:
    ///   - displayName: the name to show to contacts; may be empty.
    ///   - now: the start of the certificates' lives.
    ///   - randomness: gives serial numbers and the Ethereum key; RSA keys come from the cryptographic library.
    /// - Returns: the account.
    /// - Throws: `KeyError.libraryFailure`.
    public static func create(
        displayName: String = "",
        now: WallTime,
        randomness: Randomness = .secure
    ) async throws(KeyError) -> NewAccount {
        try await create(displayName: displayName, now: now, randomness: randomness, bits: 4_096)
    }

    static func create(
        displayName: String,
        now: WallTime,
        randomness: Randomness,
        bits: Int
    ) async throws(KeyError) -> NewAccount {
        let keys = try await withKeys(count: 3, bits: bits)
        return try await BlockingWork.run { () throws(KeyError) -> NewAccount in
            var randomness = randomness
            let ethereum = try EthereumKey.generate(randomness: &randomness)
            var archive = AccountArchive(accountKey: keys[1], authorityKey: keys[0], ethereumKey: ethereum)
            if !displayName.isEmpty { archive.displayName = displayName }
            try archive.renewCertificates(at: now, randomness: &randomness)
            let device = try archive.enroll(deviceKey: keys[2], at: now, randomness: &randomness)
            return NewAccount(archive: archive, device: device.identity, receipt: device.receipt)
        }
    }

    private static func withKeys(count: Int, bits: Int) async throws(KeyError) -> [RSAPrivateKey] {
        let results = await withTaskGroup(of: Result<RSAPrivateKey, KeyError>.self) { group in
            for _ in 0..<count {
                group.addTask {
                    do throws(KeyError) {
                        return .success(
                            try await BlockingWork.run { () throws(KeyError) in try RSAPrivateKey.generate(bits: bits) }
                        )
                    } catch {
                        return .failure(error)
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        var keys: [RSAPrivateKey] = []
        for result in results { keys.append(try result.get()) }
        return keys
    }
}
