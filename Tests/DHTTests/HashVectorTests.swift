import Foundation
import Keys
import TestSupport
import Testing

@testable import DHT

@Suite struct HashVectorTests {
    @Test func `hashes are those of the real library`() throws {
        for vector in try Vectors.load("opendht-hash")["hashes"].elements {
            #expect(InfoHash(hashing: vector["input_hex"].hex).hex == vector["infohash"].text)
            #expect(LongID(hashing: vector["input_hex"].hex).hex == vector["pkid_h256"].text)
        }
    }

    @Test func `bits are counted as the real library counts them`() throws {
        let vectors = try Vectors.load("opendht-hash")["infohash_ops"].elements
        let ids = vectors.map { $0["h"].hex.infoHash() }
        for (id, vector) in zip(ids, vectors) {
            #expect(id.lowBit == vector["lowbit"].integer)
            #expect(ids.map(id.commonBits) == vector["common_bits_with_each"].elements.map(\.integer))
        }
    }

    @Test func `bits are taken from another id`() {
        let ones = InfoHash(high: .max, middle: .max, low: .max)
        for position in [0, 1, 63, 64, 65, 127, 128, 159, 160] {
            let mixed = InfoHash.zero.takingBits(from: ones, after: position)
            #expect(mixed.commonBits(with: .zero) == position)
            #expect(mixed.commonBits(with: ones) == (position == 0 ? 160 : 0))
            if position < 160 { #expect(InfoHash.zero.settingBit(position).lowBit == position) }
        }
    }

    @Test func `a node's id is made from its key's id`() throws {
        for vector in try Vectors.load("opendht-hash")["node_id"].elements {
            #expect(InfoHash(hashing: "node:" + vector["public_key_id"].text).hex == vector["node_id"].text)
        }
    }

    @Test func `certificates of the vector identities are found where they are stored`() throws {
        for vector in try Vectors.load("opendht-identity")["identities"].elements {
            guard let chain = CertificatePayload.chain(in: Array(vector["certificate_chain_pem"].text.utf8)) else {
                continue
            }
            #expect(chain.shortDeviceID.hex == vector["cert_storage_key_legacy"].text)
            #expect(CertificatePayload.location(of: chain.deviceID).hex == vector["cert_storage_key_new"].text)
            let data = CertificatePayload.data(of: chain)
            #expect(CertificatePayload.chain(in: data) == chain)
        }
    }

    @Test func `socket addresses have the layout of Linux`() throws {
        for vector in try Vectors.load("opendht-state")["node_export"].elements {
            let bytes = Array(vector["packed"].hex.drop { $0 != 0xC4 }.dropFirst(22))
            let address = Array(bytes.drop { $0 != 0xC4 }.dropFirst(2))
            let read = try #require(SocketAddressBytes(address))
            #expect(read.bytes == address)
            #expect(read.endpoint.port == 4222)
        }
    }
}
