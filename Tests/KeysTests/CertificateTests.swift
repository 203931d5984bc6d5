import Foundation
import Runtime
import TestSupport
import Testing

@testable import Keys

@Suite struct CertificateTests {
    static let identity = Result { try JSONVector(file: "account-identity", in: .module) }

    /// The device chain of the vectors, with the authority's certificate from the archive.
    static let chain = Result {
        let archive = try JSONVector(file: "account-archive-plain", in: .module)
        let pems = try identity.get()["device_certificate_chain"].elements.map { $0["pem"].text }
        return try CertificateChain(pem: pems[0] + pems[1] + archive["certificates"][1]["pem"].text)
    }

    static let validTime = WallTime(seconds: 1_800_000_000)

    @Test func `fields of real certificates are read`() throws {
        let chain = try Self.chain.get()
        #expect(chain.certificates.count == 3)
        #expect(chain.leaf.subject.commonName == "Jami device")
        #expect(chain.leaf.subject.userID == chain.shortDeviceID.hex)
        #expect(chain.shortDeviceID.hex == "3ffc8938162fe36924d3c94e1fde2518c426c963")
        #expect(chain.deviceID.hex == "2adbdc3b0968b2032f32eb287b8f234f3cf0be621e9ed09e8436700c8a474b52")
        #expect(chain.accountID?.hex == "616ad68cdbf60479d54506b2377f63c53ee0fcc2")
        #expect(chain.leaf.issuer.userID == chain.accountID?.hex)
        #expect(Hexadecimal.encode(chain.leaf.serial) == "98e445fceb661123")
        #expect(chain.leaf.notBefore == WallTime(seconds: 1_795_216_778))
        #expect(chain.leaf.notAfter == WallTime(seconds: 1_795_216_778 + Certificate.lifetimeInSeconds))
        #expect(chain.certificates.map(\.isAuthority) == [false, true, true])
        #expect(chain.certificates.map(\.isSelfIssued) == [false, false, true])
        #expect(chain.leaf.publicKey.bitCount == 4_096)
        try chain.verify(at: Self.validTime)
    }

    @Test func `certificates of the real library are read`() throws {
        let identities = try JSONVector(file: "opendht-identity", in: .module)["identities"].elements
        for identity in identities {
            let der = try #require(
                PEM.decode(Array(identity["certificate_chain_pem"].text.utf8), label: "CERTIFICATE", limit: 2)
            )
            let certificate = try Certificate(der: der[0])
            #expect(certificate.publicKey.shortID.hex == identity["cert_id"].text)
            #expect(certificate.publicKey.longID.hex == identity["cert_long_id"].text)
            #expect(certificate.subject.commonName == identity["cn"].text)
            #expect(certificate.subject.userID == identity["uid"].text)
            #expect(certificate.issuer.commonName == identity["issuer_cn"].text)
            #expect(certificate.issuer.userID == identity["issuer_uid"].text)
            #expect(certificate.isAuthority == identity["is_ca"].boolean)
            #expect(certificate.serial == identity["serial"].hex)
            #expect(certificate.notBefore.seconds == Int64(identity["not_before"].integer))
            #expect(certificate.notAfter.seconds == Int64(identity["not_after"].integer))
            #expect(certificate.pem == PEM.encode(der[0], label: "CERTIFICATE"))
        }
    }

    @Test func `an elliptic authority verifies and never stands as a leaf`() throws {
        let identities = try JSONVector(file: "opendht-identity", in: .module)["identities"].elements
        let chain = try CertificateChain(pem: identities[1]["certificate_chain_pem"].text)
        try chain.verify(at: Self.validTime)
        #expect(!(chain.issuer?.publicKey.isRSA ?? true))
        #expect(throws: KeyError.unsupported) { try chain.certificates[1].publicKey.encrypt([1]) }
        #expect(throws: CertificateError.unsupportedKey) {
            try CertificateChain(pem: identities[4]["certificate_chain_pem"].text)
        }
    }

    @Test func `issued certificates are those of a real daemon byte for byte`() throws {
        let chain = try Self.chain.get()
        let archive = try ArchiveKeys.plain.get()
        let (device, account, authority) = (chain.certificates[0], chain.certificates[1], chain.certificates[2])
        let madeAuthority = try Certificate.issue(
            commonName: "Jami CA",
            for: authority.publicKey,
            by: nil,
            signedWith: archive.authority,
            isAuthority: true,
            now: authority.notBefore,
            serial: authority.serial
        )
        #expect(madeAuthority.der == authority.der)
        let madeAccount = try Certificate.issue(
            commonName: "Jami",
            for: account.publicKey,
            by: madeAuthority,
            signedWith: archive.authority,
            isAuthority: true,
            now: account.notBefore,
            serial: account.serial
        )
        #expect(madeAccount.der == account.der)
        let madeDevice = try Certificate.issue(
            commonName: "Jami device",
            for: device.publicKey,
            by: madeAccount,
            signedWith: archive.account,
            isAuthority: false,
            now: device.notBefore,
            serial: device.serial
        )
        #expect(madeDevice.der == device.der)
        #expect(madeDevice == device)
    }

    @Test func `a chain is read through the header of a binary around it`() throws {
        let chain = try Self.chain.get()
        let wrapped = [0xC5, 0x16, 0x20] + Array(chain.pem.utf8) + [0xC1, 0x00]
        #expect(try CertificateChain(pem: wrapped) == chain)
        #expect(try CertificateChain(pem: chain.leaf.der).leaf == chain.leaf)
    }

    @Test func `texts that are no chain are refused`() throws {
        let chain = try Self.chain.get()
        let leaf = chain.leaf.pem
        #expect(throws: CertificateError.empty) { try CertificateChain(pem: "") }
        #expect(throws: CertificateError.empty) { try CertificateChain(pem: "hello") }
        #expect(throws: CertificateError.malformed) { try CertificateChain(pem: "-----BEGIN CERTIFICATE-----\n") }
        #expect(throws: CertificateError.malformed) { try CertificateChain(pem: String(leaf.dropLast(30))) }
        #expect(throws: CertificateError.malformed) {
            try CertificateChain(pem: "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")
        }
        #expect(try CertificateChain(pem: String(repeating: leaf, count: 8)).certificates.count == 8)
        #expect(throws: CertificateError.tooLarge) { try CertificateChain(pem: String(repeating: leaf, count: 9)) }
        #expect(throws: CertificateError.tooLarge) { try CertificateChain(pem: String(repeating: leaf, count: 2_000)) }
        #expect(throws: CertificateError.tooLarge) {
            try CertificateChain(pem: leaf + String(repeating: " ", count: CertificateLimits.chainSize))
        }
        #expect(throws: CertificateError.tooLarge) { try Certificate(der: .init(repeating: 0x30, count: 16_385)) }
    }

    @Test func `malformed DER is refused`() throws {
        let der = try Self.chain.get().leaf.der
        let table: [[UInt8]] = [
            [], [0x30], [0x30, 0x00], [0x30, 0x80, 0, 0], [0x30, 0x85, 0, 0, 0, 0, 1],
            [0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF],
            [0x31] + der.dropFirst(), Array(der.dropLast()), der + [0], [0x1F, 0x81, 0x00], Array(der.prefix(4)),
        ]
        for bytes in table { #expect(throws: CertificateError.malformed) { try Certificate(der: bytes) } }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func `reading certificates is total`(seed: UInt64) throws {
        let chain = try Self.chain.get()
        let der = chain.certificates[Int(seed) % 3].der
        var mutations = ByteMutations(seed: seed)
        for _ in 0..<400 {
            let bytes = mutations.next(of: der)
            guard let certificate = try? Certificate(der: bytes), bytes != der else { continue }
            #expect(!certificate.isSigned(by: chain.certificates[min(Int(seed) % 3 + 1, 2)]))
        }
        let pem = Array(chain.pem.utf8)
        for _ in 0..<100 {
            // Damage to the frame of the first block leaves the chain of the account, which is whole.
            if let damaged = try? CertificateChain(pem: mutations.next(of: pem)), damaged != chain,
                damaged.leaf == chain.leaf
            {
                #expect(throws: CertificateError.self) { try damaged.verify(at: Self.validTime) }
            }
        }
    }
}

@Suite struct ChainVerificationTests {
    private static let now = WallTime(seconds: 1_800_000_000)

    /// A small chain with choices for what may be wrong in it.
    private struct Parts {
        var authority: Certificate
        var account: Certificate
        var device: Certificate

        init(accountMayIssue: Bool = true, accountTime: WallTime = now, accountKeyBits: Int = 2_048) throws {
            var randomness = Randomness.seeded(1)
            let authorityKey = try TestKeys.first.get()
            let accountKey = try TestKeys.second.get()
            authority = try .issue(
                commonName: "Jami CA",
                for: authorityKey.publicKey,
                by: nil,
                signedWith: authorityKey,
                isAuthority: true,
                now: now,
                randomness: &randomness
            )
            account = try .issue(
                commonName: "Jami",
                for: accountKey.publicKey,
                by: authority,
                signedWith: authorityKey,
                isAuthority: accountMayIssue,
                now: accountTime,
                randomness: &randomness
            )
            let deviceKey = try RSAPrivateKey.generate(bits: accountKeyBits)
            device = try .issue(
                commonName: "Jami device",
                for: deviceKey.publicKey,
                by: account,
                signedWith: accountKey,
                isAuthority: false,
                now: now,
                randomness: &randomness
            )
        }

        var chain: CertificateChain { CertificateChain([device, account, authority]) }
    }

    @Test func `a generated chain holds together for ten years`() throws {
        let chain = try Parts().chain
        #expect(try CertificateChain(pem: chain.pem) == chain)
        try chain.verify(at: Self.now)
        let last = Self.now.seconds + Certificate.lifetimeInSeconds
        try chain.verify(at: WallTime(seconds: last))
        #expect(throws: CertificateError.expired(at: 0)) { try chain.verify(at: WallTime(seconds: last + 1)) }
        #expect(throws: CertificateError.notYetValid(at: 0)) {
            try chain.verify(at: WallTime(seconds: Self.now.seconds - 1))
        }
        for certificate in chain.certificates {
            #expect(certificate.serial.count == 8 && certificate.serial[0] & 0x80 == 0)
        }
    }

    @Test func `a chain that does not hold together is refused with its reason`() throws {
        let parts = try Parts()
        let (device, account, authority) = (parts.device, parts.account, parts.authority)
        let table: [([Certificate], CertificateError)] = [
            ([device], .noIssuer),
            ([authority], .noIssuer),
            ([device, account], .wrongIssuerName(at: 1)),
            ([device, authority], .wrongIssuerName(at: 0)),
            ([account, device, authority], .wrongIssuerName(at: 0)),
            ([authority, device], .wrongIssuerName(at: 0)),
            (Array(repeating: authority, count: 9), .tooLarge),
        ]
        for (certificates, error) in table {
            #expect(throws: error) { try CertificateChain(certificates).verify(at: Self.now) }
        }
        try CertificateChain([account, authority]).verify(at: Self.now)
    }

    @Test func `an issuer must be an authority, in date, and strong`() throws {
        #expect(throws: CertificateError.notAuthority(at: 1)) {
            try Parts(accountMayIssue: false).chain.verify(at: Self.now)
        }
        let past = WallTime(seconds: Self.now.seconds - Certificate.lifetimeInSeconds - 1)
        #expect(throws: CertificateError.expired(at: 1)) { try Parts(accountTime: past).chain.verify(at: Self.now) }
        #expect(throws: CertificateError.weakAlgorithm(at: 0)) {
            try Parts(accountKeyBits: 1_024).chain.verify(at: Self.now)
        }
    }

    @Test func `a changed signature is noticed`() throws {
        let chain = try Parts().chain
        for place in 0..<3 {
            var certificates = chain.certificates
            var der = certificates[place].der
            der[der.count - 1] ^= 1
            certificates[place] = try Certificate(der: der)
            #expect(throws: CertificateError.wrongSignature(at: place)) {
                try CertificateChain(certificates).verify(at: Self.now)
            }
        }
    }

    @Test func `names and keys that do not fit are not certified`() throws {
        var randomness = Randomness.seeded(1)
        let key = try TestKeys.first.get()
        let other = try TestKeys.second.get()
        for name in ["", "Jämi", "a@b", String(repeating: "x", count: 65)] {
            #expect(throws: KeyError.invalidParameter) {
                try Certificate.issue(
                    commonName: name,
                    for: key.publicKey,
                    by: nil,
                    signedWith: key,
                    isAuthority: true,
                    now: Self.now,
                    randomness: &randomness
                )
            }
        }
        #expect(throws: KeyError.invalidParameter) {
            try Certificate.issue(
                commonName: "Jami",
                for: key.publicKey,
                by: nil,
                signedWith: other,
                isAuthority: true,
                now: Self.now,
                randomness: &randomness
            )
        }
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl"), "openssl is not installed"))
    func `the openssl command accepts a generated chain`() throws {
        let chain = try Parts().chain
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, certificate) in zip(["device", "account", "authority"], chain.certificates) {
            try Data(certificate.pem.utf8).write(to: folder.appending(path: name))
        }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.currentDirectoryURL = folder
        process.arguments = [
            "verify", "-attime", "\(Self.now.seconds)", "-CAfile", "authority", "-untrusted", "account", "device",
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }
}

/// The keys in the archive of the vectors.
enum ArchiveKeys {
    static let plain = Result {
        let file = try JSONVector(file: "account-archive-plain", in: .module)["archive"]["file_b64"].base64
        let json = try Compression.decompress(file, limit: 1 << 20)
        let members = JSONVector(try JSONSerialization.jsonObject(with: Data(json)))
        func key(_ name: String) throws -> RSAPrivateKey {
            try RSAPrivateKey(pem: String(decoding: members[name].base64, as: UTF8.self))
        }
        return (authority: try key("ringCaKey"), account: try key("ringAccountKey"))
    }
}
