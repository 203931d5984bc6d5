import Foundation
import Runtime
import TestSupport
import Testing

@testable import Keys

@Suite struct RSATests {
    static let identities = Result { try JSONVector(file: "opendht-identity", in: .module) }

    @Test func `ids of the vector identities are hashes of the key`() throws {
        let identities = try Self.identities.get()["identities"].elements
        #expect(identities.count == 5)
        for identity in identities where identity["name"].text != "ca_ec" {
            let key = try RSAPrivateKey(pem: identity["private_key_pem"].text)
            #expect(key.publicKey.spki == identity["public_key_der"].hex)
            #expect(key.publicKey.shortID.hex == identity["id"].text)
            #expect(key.publicKey.longID.hex == identity["long_id"].text)
            #expect(InfoHash(hashing: key.publicKey.longID.bytes).hex == identity["cert_storage_key_new"].text)
            let again = try RSAPublicKey(spki: key.publicKey.spki)
            #expect(again == key.publicKey)
            #expect(again.hashValue == key.publicKey.hashValue)
            #expect(try RSAPublicKey(pem: again.pem) == again)
        }
    }

    @Test func `private keys survive their PEM and PKCS 8 forms byte for byte`() throws {
        let text = try Self.identities.get()["identities"][0]["private_key_pem"].text
        let key = try RSAPrivateKey(pem: text)
        #expect(key.pem == text)
        #expect(try RSAPrivateKey(pkcs8: key.pkcs8).pem == text)
        #expect(key.publicKey.bitCount == 2_048)
    }

    @Test func `signatures are those of the real library`() throws {
        let vectors = try Self.identities.get()
        let key = try RSAPrivateKey(pem: vectors["identities"][0]["private_key_pem"].text)
        let message = vectors["rsa_signature"]["data"].hex
        let signature = vectors["rsa_signature"]["peer_a_sig"].hex
        #expect(try key.sign(message) == signature)
        #expect(key.publicKey.isValidSignature(signature, for: message))
        #expect(!key.publicKey.isValidSignature(signature, for: message + [0]))
        #expect(!key.publicKey.isValidSignature(signature, for: message, digest: .sha256))
        #expect(!key.publicKey.isValidSignature([], for: message))
        #expect(!key.publicKey.isValidSignature(signature + [0], for: message))
        #expect(!key.publicKey.isValidSignature([], for: []))
    }

    @Test func `boxes of the real library open`() throws {
        let vectors = try Self.identities.get()
        let boxes = vectors["rsa_encryption"]
        let key = try RSAPrivateKey(pem: vectors["identities"][1]["private_key_pem"].text)
        #expect(try key.decrypt(boxes["short_cypher_rsa_only"].hex) == boxes["short_plain"].hex)
        #expect(try key.decrypt(boxes["long_cypher_rsa_aes"].hex) == boxes["long_plain"].hex)

        let request = try JSONVector(file: "connection-peer-request", in: .module)["encryption_example"]
        let device = try RSAPrivateKey(pem: request["device_A_private_key_pem"].text)
        #expect(try device.decrypt(request["cypher_hex"].hex) == request["plaintext_hex"].hex)
    }

    @Test func `trust requests of a real daemon open`() throws {
        let vectors = try JSONVector(file: "account-trust-request", in: .module)
        let keys = try vectors["recipient_keys_pem"].keys.map {
            try RSAPrivateKey(pem: vectors["recipient_keys_pem"][$0].text)
        }
        #expect(!vectors["values"].elements.isEmpty)
        for value in vectors["values"].elements {
            let recipient = keys.first { $0.publicKey.shortID.hex == value["recipient_sha1"].text }
            // The packed value is {"id": uint64, "dat": bin}; the box is what follows the bin16 header.
            let box = Array(value["packed_value_hex"].hex.dropFirst(20))
            let opened = try #require(recipient).decrypt(box)
            #expect(opened == value["decrypted_hex"].hex)
        }
    }

    @Test(arguments: [0, 1, 244, 245, 246, 1_000, 60_000]) func `what is encrypted opens again`(count: Int) throws {
        let key = try TestKeys.first.get()
        let plaintext = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        let box = try key.publicKey.encrypt(plaintext)
        #expect(box.count == (count <= 245 ? 256 : 256 + 28 + count))
        #expect(try key.decrypt(box) == plaintext)
    }

    @Test func `damaged boxes never open to their content`() throws {
        let key = try TestKeys.first.get()
        let other = try TestKeys.second.get()
        let plaintext = [UInt8](repeating: 7, count: 300)
        let box = try key.publicKey.encrypt(plaintext)
        let damaged: [[UInt8]] = [
            [], [0], Array(box.dropLast(300)), Array(box.dropLast()), box + [0], Array(box.prefix(257)),
            Array(box.prefix(255)),
            Array(box.prefix(284)), [UInt8](repeating: 0, count: 256), [UInt8](repeating: 0xFF, count: 600),
            try other.publicKey.encrypt(plaintext),
        ]
        for bytes in damaged { #expect(throws: KeyError.cannotOpen) { try key.decrypt(bytes) } }
        var mutations = ByteMutations(seed: 11)
        for _ in 0..<100 {
            let bytes = mutations.next(of: box)
            #expect(bytes == box || (try? key.decrypt(bytes)) != plaintext)
        }
    }

    @Test func `a box with a key of a wrong size does not open`() throws {
        let key = try TestKeys.first.get()
        let box = try AuthenticatedBox.seal(
            [1, 2, 3],
            key: [UInt8](repeating: 1, count: 32),
            vector: .init(repeating: 0, count: 12)
        )
        for count in [0, 1, 15, 17, 33, 64] {
            let head = try key.publicKey.encrypt([UInt8](repeating: 1, count: count))
            #expect(throws: KeyError.cannotOpen) { try key.decrypt(head + box) }
        }
    }

    @Test func `malformed public keys are refused`() throws {
        let spki = try TestKeys.first.get().publicKey.spki
        let elliptic = try Self.identities.get()["identities"][4]["public_key_der"].hex
        let table: [[UInt8]] = [
            [], [0x30], [0x30, 0], [0x30, 0x80], Array(spki.dropLast()), spki + [0], spki + spki, elliptic,
            [UInt8](repeating: 0x30, count: 3_000), DERWriter.sequence(spki), Array(spki.dropFirst(4)),
        ]
        for bytes in table { #expect(throws: KeyError.self) { try RSAPublicKey(spki: bytes) } }
        for text in ["", "-----BEGIN PUBLIC KEY-----", "-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----\n"] {
            #expect(throws: KeyError.malformed) { try RSAPublicKey(pem: text) }
            #expect(throws: KeyError.malformed) { try RSAPrivateKey(pem: text) }
        }
        #expect(throws: KeyError.invalidParameter) { try RSAPrivateKey.generate(bits: 512) }
    }

    @Test func `keys under 1024 bits are refused`() throws {
        // A modulus of 512 bits and the exponent 65537.
        let modulus = [0, 0xC1] + [UInt8](repeating: 0x55, count: 63)
        let numbers = DERWriter.sequence(
            DERWriter.element(DERReader.Tag.integer, modulus),
            DERWriter.element(DERReader.Tag.integer, [1, 0, 1])
        )
        let algorithm = DERWriter.sequence(DERWriter.objectIdentifier(SubjectPublicKeyInfo.rsaEncryption), [5, 0])
        let spki = DERWriter.sequence(algorithm, DERWriter.bitString(numbers))
        #expect(throws: KeyError.unsupported) { try RSAPublicKey(spki: spki) }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `reading keys is total`(seed: UInt64) throws {
        let key = try TestKeys.first.get()
        var mutations = ByteMutations(seed: seed)
        let (spki, pkcs8) = (key.publicKey.spki, key.pkcs8)
        for _ in 0..<500 {
            if let read = try? RSAPublicKey(spki: mutations.next(of: spki)) {
                // Whatever was read is canonical and can be used without a trap.
                #expect(try RSAPublicKey(spki: read.spki) == read)
                #expect(!read.isValidSignature([UInt8](repeating: 1, count: 256), for: [1]))
                _ = try? read.encrypt([1])
            }
            if let read = try? RSAPrivateKey(pkcs8: mutations.next(of: pkcs8)) { _ = try? read.sign([1]) }
        }
    }

    @Test func `one key serves many tasks at once`() async throws {
        let key = try TestKeys.first.get()
        let signature = try key.sign([1, 2, 3])
        let results = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<64 {
                group.addTask {
                    let isSame = (try? key.sign([1, 2, 3])) == signature
                    let box = try? key.publicKey.encrypt([UInt8(index)])
                    return isSame && key.publicKey.isValidSignature(signature, for: [1, 2, 3])
                        && box.flatMap { try? key.decrypt($0) } == [UInt8(index)]
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.count == 64 && results.allSatisfy { $0 })
    }
}

/// Keys of 2048 bits, made once.
enum TestKeys {
    static let first = Result { try RSAPrivateKey.generate(bits: 2_048) }
    static let second = Result { try RSAPrivateKey.generate(bits: 2_048) }
}
