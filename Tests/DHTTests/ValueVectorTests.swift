import Foundation
import Keys
import MessagePack
import Runtime
import TestSupport
import Testing

@testable import DHT

@Suite struct ValueVectorTests {
    @Test func `values are those of the real library byte for byte`() throws {
        for vector in try Vectors.load("opendht-values")["values"].elements {
            let name = vector["name"].text
            let packed = vector["packed"].hex
            guard name != "owner_without_signature" else {
                #expect(throws: WireError.missing("sig")) { try Value(decoding: packed) }
                continue
            }
            let value = try Value(decoding: packed)
            #expect(value.encoded == packed, "\(name)")
            #expect(value.signedBytes == vector["to_sign"].hex, "\(name)")
            #expect(String(value.id) == vector["id"].text)
            #expect(value.type == UInt16(vector["type"].integer))
            #expect(value.userType == vector["user_type"].text)
            #expect(value.data == vector["data"].hex)
            #expect(value.sequence == UInt16(vector["seq"].integer))
            #expect(value.size == vector["size_accounted"].integer)
            #expect(value.visibleOwner.hex == vector["owner_id"].text || value.owner == nil)
            #expect(value.recipient?.hex ?? "" == vector["to"].text)
        }
    }

    @Test func `typed values are read and written unchanged`() throws {
        for vector in try Vectors.load("opendht-values")["typed_values"].elements {
            let value = try Value(decoding: vector["packed_value"].hex)
            #expect(value.encoded == vector["packed_value"].hex)
            #expect(value.data == vector["data"].hex)
            #expect(value.type == UInt16(vector["type"].integer))
        }
    }

    @Test func `signatures of the real library are valid`() throws {
        var checked = 0
        for vector in try Vectors.load("opendht-values")["values"].elements where vector["sig"].isPresent {
            var value = try Value(decoding: vector["packed"].hex)
            #expect(value.hasValidSignature)
            value.data.append(0)
            #expect(!value.hasValidSignature)
            checked += 1
        }
        #expect(checked == 3)
    }

    @Test func `values sealed by the real library open for their reader only`() throws {
        let identities = try Vectors.load("opendht-identity")["identities"].elements
        func vault(_ name: String) throws -> ValueVault {
            let identity = try #require(identities.first { $0["name"].text == name })
            let pem = identity["private_key_pem"].text
            return ValueVault(key: try RSAPrivateKey(pem: pem))
        }
        let reader = try vault("peer-b")
        let stranger = try vault("peer-a")
        for vector in try Vectors.load("opendht-values")["encrypted_values"].elements {
            let value = try Value(decoding: vector["packed"].hex)
            #expect(value.isEncrypted)
            #expect(value.encoded == vector["packed"].hex)
            let opened = try #require(reader.open(value))
            #expect(opened.wasEncrypted)
            #expect(opened.value.data == vector["plain_data"].hex)
            #expect(opened.value.userType == vector["plain_user_type"].text)
            #expect(opened.value.sequence == UInt16(vector["plain_seq"].integer))
            #expect(opened.value.id == value.id)
            #expect(opened.value.sealableBytes == vector["plaintext_to_encrypt"].hex)
            #expect(stranger.open(value) == nil)
        }
    }

    @Test func `what we seal opens, and what we sign verifies`() throws {
        let key = try RSAPrivateKey.generate(bits: 2048)
        let vault = ValueVault(key: key)
        let value = Value(id: 7, type: 3, data: [1, 2, 3], userType: "x", sequence: 9, priority: 1, pushType: "call")
        let sealed = try #require(try vault.seal(value, for: key.publicKey))
        #expect(sealed.data.isEmpty && sealed.type == 0 && sealed.priority == 1 && sealed.pushType == "call")
        let opened = try #require(vault.open(try Value(decoding: sealed.encoded)))
        #expect(opened.signer == key.publicKey)
        #expect(opened.value.data == [1, 2, 3] && opened.value.type == 3 && opened.value.sequence == 9)

        let signed = try #require(try vault.sign(value))
        #expect(vault.open(try Value(decoding: signed.encoded))?.signer == key.publicKey)
        var forged = signed
        forged.sequence += 1
        #expect(vault.open(forged) == nil)
        #expect(ValueVault(key: nil).open(sealed) == nil)
    }

    @Test func `a value signed for one reader and sealed for another is refused`() throws {
        let sender = try RSAPrivateKey.generate(bits: 2048)
        let reader = try RSAPrivateKey.generate(bits: 2048)
        let vault = ValueVault(key: sender)
        let signed = try #require(
            try vault.sign(Value(id: 7, data: [1], recipient: InfoHash(hashing: "somebody else")))
        )
        let sealed = Value(id: 7, cypher: try reader.publicKey.encrypt(signed.sealableBytes))
        #expect(ValueVault(key: reader).open(sealed) == nil)
    }

    @Test(arguments: [
        ("80", "an empty map"), ("81a2696401", "no dat"), ("82a2696401a3646174c400", "an empty cypher"),
        ("82a2696401a364617480", "no body"), ("82a2696401a364617481a4626f647980", "an empty body"),
        ("82a2696401a364617481a4626f647981a47479706500", "no data"),
        ("82a2696401a364617481a4626f647982a474797065ce00010000a464617461c400", "a type of 17 bits"),
        ("82a2696401a364617481a4626f647982a47479706500a4646174610100", "bytes behind"),
        ("82a26964ffa364617481a4626f647982a47479706500a464617461c400", "a negative id"),
        ("82a2696401a364617481a4626f647983a56f776e6572c40101a47479706500a464617461c400", "an owner without seq"),
        ("c0", "nothing"), ("", "no bytes"), ("93010203", "an array"),
    ]) func `malformed values are refused`(hex: String, why: String) throws {
        let bytes = try #require(Hexadecimal.decode(hex))
        #expect(throws: WireError.self, "\(why)") { try Value(decoding: bytes) }
    }

    @Test func `data may be an array of small numbers`() throws {
        let bytes = try #require(Hexadecimal.decode("82a2696401a364617481a4626f647982a47479706500a46461746193010203"))
        #expect(try Value(decoding: bytes).data == [1, 2, 3])
    }
}
