public import Keys
import MessagePack

/// The part of a DHT value that a signature covers, in its one canonical encoding, and the packed value around it.
///
/// Only what receipts need: the DHT has its own type for values. Source: DHT protocol, "Wire form" and "Signed bytes".
public struct SignedBody: Sendable, Equatable {
    public var sequence: UInt16
    public var owner: RSAPublicKey
    public var recipient: InfoHash?
    public var type: UInt16
    public var data: [UInt8]
    public var userType: String

    public init(
        owner: RSAPublicKey,
        recipient: InfoHash? = nil,
        sequence: UInt16 = 0,
        type: UInt16 = 0,
        data: [UInt8],
        userType: String = ""
    ) {
        self.owner = owner
        self.recipient = recipient
        self.sequence = sequence
        self.type = type
        self.data = data
        self.userType = userType
    }

    /// The bytes that the signature covers.
    public var encoded: [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: data.count + owner.spki.count + 96)
        writer.writeMapHeader(count: 4 + (recipient == nil ? 0 : 1) + (userType.isEmpty ? 0 : 1))
        writer.write("seq")
        writer.write(sequence)
        writer.write("owner")
        writer.write(binary: owner.spki)
        if let recipient {
            writer.write("to")
            writer.write(binary: recipient.bytes)
        }
        writer.write("type")
        writer.write(type)
        writer.write("data")
        writer.write(binary: data)
        if !userType.isEmpty {
            writer.write("utype")
            writer.write(userType)
        }
        return writer.bytes
    }

    /// The whole value as it is stored in the DHT, signed.
    public func packed(id: UInt64, signedWith key: RSAPrivateKey) throws(KeyError) -> [UInt8] {
        guard key.publicKey == owner else { throw .invalidParameter }
        let body = encoded
        let signature = try key.sign(body)
        var writer = MessagePackWriter(reservingCapacity: body.count + signature.count + 64)
        writer.writeMapHeader(count: 2)
        writer.write("id")
        writer.write(id)
        writer.write("dat")
        writer.writeMapHeader(count: 2)
        writer.write("body")
        writer.write(encoded: body)
        writer.write("sig")
        writer.write(binary: signature)
        return writer.bytes
    }
}

extension SignedBody {
    /// Reads a packed, signed value and checks its signature.
    ///
    /// - Throws: `PayloadError.malformed`, or `.invalidField` with the name of the field, `sig` for a wrong signature.
    public init(packed: [UInt8]) throws(PayloadError) {
        guard packed.count <= 65_536 else { throw .tooLarge }
        let value: MessagePackValue
        do throws(MessagePackError) {
            value = try MessagePackValue.decode(packed)
        } catch {
            throw .malformed
        }
        guard let content = value["dat"], let body = content["body"] else { throw .malformed }
        guard let spki = body["owner"]?.bytes, let owner = try? RSAPublicKey(spki: spki) else {
            throw .invalidField("owner")
        }
        guard let sequence = body["seq"]?.unsigned.flatMap(UInt16.init(exactly:)) else { throw .invalidField("seq") }
        guard let type = body["type"]?.unsigned.flatMap(UInt16.init(exactly:)) else { throw .invalidField("type") }
        guard let data = body["data"]?.bytes else { throw .invalidField("data") }
        let recipient = body["to"]?.bytes
        if let recipient { guard recipient.count == InfoHash.byteCount else { throw .invalidField("to") } }
        self.init(
            owner: owner,
            recipient: recipient.flatMap { InfoHash($0) },
            sequence: sequence,
            type: type,
            data: data,
            userType: body["utype"]?.text ?? ""
        )
        // A verifier encodes the body anew, so only the canonical encoding can be signed.
        guard let signature = content["sig"]?.bytes, owner.isValidSignature(signature, for: encoded) else {
            throw .invalidField("sig")
        }
    }
}
