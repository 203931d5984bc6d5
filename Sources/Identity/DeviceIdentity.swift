public import Keys

/// What a device needs day by day: its certificates and its key.
public struct DeviceIdentity: Sendable {
    public let chain: CertificateChain
    public let key: RSAPrivateKey

    public init(chain: CertificateChain, key: RSAPrivateKey) {
        self.chain = chain
        self.key = key
    }

    public var deviceID: LongID { chain.deviceID }
    public var shortDeviceID: InfoHash { chain.shortDeviceID }
    public var accountID: InfoHash { chain.accountID ?? .zero }
}
