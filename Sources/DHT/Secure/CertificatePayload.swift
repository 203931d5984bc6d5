package import Keys
import MessagePack

/// Certificate chains as values.
///
/// Source: DHT protocol, "Certificate" and "Secure layer".
package enum CertificatePayload {
    /// The id under which a node's certificate is stored.
    package static let valueID: UInt64 = 1

    /// Where the certificate of a key with a long id is stored.
    package static func location(of id: LongID) -> InfoHash {
        InfoHash(hashing: id.bytes)
    }

    /// Reads a chain in PEM, with or without the header of a MessagePack binary in front.
    package static func chain(in data: [UInt8]) -> CertificateChain? {
        if let content = try? MessagePackValue.decode(data).bytes, let chain = try? CertificateChain(pem: content) {
            return chain
        }
        return try? CertificateChain(pem: data)
    }

    package static func data(of chain: CertificateChain) -> [UInt8] {
        MessagePackValue.binary(Array(chain.pem.utf8)).encoded
    }
}
