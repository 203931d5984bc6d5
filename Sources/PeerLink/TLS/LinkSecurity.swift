package import Identity
package import Keys
import NIOCore
package import NIOSSL
package import Runtime

/// TLS between devices: both sides show their published chains, and each accepts exactly the device it expects.
///
/// Source: peer connections protocol, "TLS".
package struct LinkSecurity: Sendable {
    private let clientContext: NIOSSLContext
    private let serverContext: NIOSSLContext

    /// How long a closing side waits for the other's goodbye.
    package static let closingTime: Duration = .seconds(1)

    package init(identity: DeviceIdentity) throws {
        var client = TLSConfiguration.makeClientConfiguration()
        try Self.configure(&client, identity: identity)
        clientContext = try NIOSSLContext(configuration: client)

        var server = TLSConfiguration.makeServerConfiguration(
            certificateChain: [],
            privateKey: .privateKey(try Self.key(of: identity))
        )
        try Self.configure(&server, identity: identity)
        server.sendCANameList = false
        serverContext = try NIOSSLContext(configuration: server)
    }

    private static func key(of identity: DeviceIdentity) throws -> NIOSSLPrivateKey {
        try NIOSSLPrivateKey(bytes: Array(identity.key.pem.utf8), format: .pem)
    }

    private static func configure(_ configuration: inout TLSConfiguration, identity: DeviceIdentity) throws {
        // The chain exactly as it is published: older peers compare all of it.
        configuration.certificateChain = try identity.chain.certificates.map {
            .certificate(try NIOSSLCertificate(bytes: $0.der, format: .der))
        }
        configuration.privateKey = .privateKey(try key(of: identity))
        // GnuTLS peers want the renegotiation extension, which BoringSSL only sends when TLS 1.2 is allowed; what was
        // negotiated is checked after the handshake.
        configuration.minimumTLSVersion = .tlsv12
        configuration.maximumTLSVersion = .tlsv13
        configuration.curves = [.x25519_MLKEM768, .secp384r1, .x25519]
        let algorithms: [SignatureAlgorithm] = [.rsaPssRsaeSha384, .rsaPssRsaeSha512]
        configuration.signingSignatureAlgorithms = algorithms
        configuration.verifySignatureAlgorithms = algorithms
        // The verification below replaces the usual one; this also makes a server ask for a certificate.
        configuration.certificateVerification = .noHostnameVerification
        configuration.trustRoots = .certificates([])
        configuration.shutdownTimeout = .nanoseconds(closingTime.wholeNanoseconds)
    }

    /// The handler for one connection, which fails the handshake with anyone but the expected device.
    package func handler(
        isClient: Bool,
        expecting device: CertificateChain,
        time: any TimeSource
    ) throws -> NIOSSLHandler {
        let verify: NIOSSLCustomVerificationCallback = { certificates, promise in
            let chain = try? certificates.map { try $0.toDERBytes() }
            let isExpected = Self.accepts(chain ?? [], expecting: device, at: time.wallTime)
            promise.succeed(isExpected ? .certificateVerified : .failed)
        }
        if isClient {
            return try NIOSSLClientHandler(
                context: clientContext,
                serverHostname: nil,
                customVerificationCallback: verify
            )
        }
        return NIOSSLServerHandler(context: serverContext, customVerificationCallback: verify)
    }

    /// Whether a received chain is that of the expected device: the same leaf byte for byte, the same account, and a chain
    /// that holds together.
    ///
    /// Source: peer connections protocol, "Certificates".
    package static func accepts(_ received: [[UInt8]], expecting device: CertificateChain, at now: WallTime) -> Bool {
        guard received.first == device.leaf.der, received.count <= CertificateLimits.chainCount else { return false }
        let certificates = received.compactMap { try? Certificate(der: $0) }
        guard certificates.count == received.count else { return false }
        guard let account = try? PeerRule.account(of: CertificateChain(certificates), at: now) else { return false }
        return account == device.accountID
    }
}
