import Foundation
import Runtime
import TestSupport
import Testing

@testable import Keys

@Suite struct RevocationListTests {
    private struct Vector {
        let list: RevocationList
        let account: Certificate
        let revoked: Certificate
        let valid: Certificate

        init() throws {
            let vector = try JSONVector(file: "account-crl", in: .module)
            func certificate(_ name: String) throws -> Certificate {
                try CertificateChain(pem: vector[name].text).leaf
            }
            list = try RevocationList(der: vector["crl_der_hex"].hex)
            account = try certificate("issuer_account_certificate_pem")
            revoked = try certificate("revoked_device_certificate_pem")
            valid = try certificate("valid_device_certificate_pem")
            #expect(Hexadecimal.encode(list.number) == vector["crl_number_hex"].text)
        }
    }

    @Test func `the list of a real daemon is read`() throws {
        let vector = try Vector()
        #expect(vector.list.isSigned(by: vector.account))
        #expect(!vector.list.isSigned(by: vector.valid))
        #expect(vector.list.entries.map(\.serial) == [vector.revoked.serial])
        #expect(vector.list.revokes(vector.revoked))
        #expect(!vector.list.revokes(vector.valid))
        #expect(!vector.list.revokes(vector.account))
        #expect(vector.list.nextUpdate == vector.account.notAfter)
    }

    @Test func `a list is made byte for byte like a real daemon's`() throws {
        let vector = try Vector()
        let archive = try JSONVector(file: "account-archive-encrypted", in: .module)["archives"][0]
        let box = Array(archive["file_b64"].base64.dropFirst(PasswordBox.saltSize))
        let json = try Compression.decompress(AuthenticatedBox.open(box, key: archive["key_hex"].hex), limit: 1 << 20)
        let members = JSONVector(try JSONSerialization.jsonObject(with: Data(json)))
        let key = try RSAPrivateKey(pem: String(decoding: members["ringAccountKey"].base64, as: UTF8.self))
        let made = try RevocationList.issue(
            revoking: vector.list.entries,
            by: vector.account,
            signedWith: key,
            number: vector.list.number,
            now: vector.list.issued
        )
        #expect(made == vector.list)
        #expect(members["ringAccountCRL"].base64 == made.der)
    }

    @Test func `a revoked device fails its chain`() throws {
        var randomness = Randomness.seeded(7)
        let now = WallTime(seconds: 1_800_000_000)
        let (account, device) = (try TestKeys.first.get(), try TestKeys.second.get())
        let authority = try Certificate.issue(
            commonName: "Jami",
            for: account.publicKey,
            by: nil,
            signedWith: account,
            isAuthority: true,
            now: now,
            randomness: &randomness
        )
        let leaf = try Certificate.issue(
            commonName: "Jami device",
            for: device.publicKey,
            by: authority,
            signedWith: account,
            isAuthority: false,
            now: now,
            randomness: &randomness
        )
        let chain = CertificateChain([leaf, authority])
        func list(_ serials: [[UInt8]]) throws -> RevocationList {
            try .issue(
                revoking: serials.map { .init(serial: $0, date: now) },
                by: authority,
                signedWith: account,
                number: [1],
                now: now
            )
        }
        let revocation = try list([leaf.serial])
        try chain.verify(at: now)
        try chain.verify(at: now, revocations: [list([]), list([[1, 2, 3]])])
        #expect(throws: CertificateError.revoked(at: 0)) { try chain.verify(at: now, revocations: [revocation]) }
        // Garbage that somebody put beside the real lists changes nothing.
        var damaged = revocation.der
        damaged[damaged.count - 1] ^= 1
        try chain.verify(at: now, revocations: [RevocationList(der: damaged), Vector().list])
        #expect(throws: KeyError.invalidParameter) {
            try RevocationList.issue(revoking: [], by: authority, signedWith: device, number: [1], now: now)
        }
    }

    @Test func `malformed lists are refused`() throws {
        let der = try Vector().list.der
        for bytes in [[], [0x30, 0], Array(der.dropLast()), der + [0], try Vector().account.der] {
            #expect(throws: CertificateError.malformed) { try RevocationList(der: bytes) }
        }
        #expect(throws: CertificateError.tooLarge) { try RevocationList(der: .init(repeating: 0x30, count: 65_537)) }
    }

    @Test(arguments: [1, 2] as [UInt64]) func `reading lists is total`(seed: UInt64) throws {
        let vector = try Vector()
        var mutations = ByteMutations(seed: seed)
        for _ in 0..<500 {
            let bytes = mutations.next(of: vector.list.der)
            guard let list = try? RevocationList(der: bytes), bytes != vector.list.der else { continue }
            #expect(!list.isSigned(by: vector.account))
        }
    }
}
