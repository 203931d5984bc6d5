import Foundation
import ICE
import Runtime
import TestSupport
import Testing

@Suite struct DescriptionTests {
    @Test func `candidate lines are read and skipped as recorded`() throws {
        let lines = try JSONVector(file: "connection-encodings", in: .module)["candidate_lines"].elements
        #expect(lines.count == 11)
        for line in lines {
            let text = line["line"].text
            let expected = line["expect"]
            let candidate = ICECandidate(text: text)
            guard expected.isPresent else {
                #expect(candidate == nil, "\(text)")
                continue
            }
            #expect(candidate?.text == text)
            #expect(candidate?.foundation == expected["foundation"].text)
            #expect(candidate?.component == expected["component"].integer)
            #expect(candidate.map { UInt64($0.priority) } == expected["priority"].unsigned)
            #expect(candidate?.address.host.description == expected["address"].text)
            #expect(candidate.map { Int($0.address.port) } == expected["port"].integer)
            #expect(candidate?.kind.rawValue == expected["type"].text)
            if case .tcp(let role) = candidate?.transport { #expect(role.rawValue == expected["tcptype"].text) }
        }
    }

    @Test func `host candidates are those of a real peer with the same addresses`() throws {
        let file = try JSONVector(file: "connection-ice-tcp", in: .module)
        let address = try #require(IPAddress("10.20.0.2"))
        let made = ICEDescription.hostCandidates([LocalAddress(host: address, listeningPort: 47_717)])
        #expect(made.map(\.text) == file["A"]["candidates"].elements.prefix(2).map(\.text))
    }

    @Test func `no more than eight host candidates are sent`() throws {
        let addresses = (1...20).compactMap { IPAddress("10.0.0.\($0)") }.map {
            LocalAddress(host: $0, listeningPort: 1)
        }
        #expect(ICEDescription.hostCandidates(addresses).count == 8)
        #expect(Set(ICEDescription.hostCandidates(addresses).map(\.priority)).count == 8)
    }

    @Test func `a description is written and read`() throws {
        var randomness = Randomness.seeded(4)
        let (fragment, password) = ICEDescription.credentials(using: &randomness)
        #expect(fragment.count == 8)
        #expect(password.count == 24)
        let address = LocalAddress(host: try #require(IPAddress("2001:db8::5")), listeningPort: 4_000)
        let description = ICEDescription(
            usernameFragment: fragment,
            password: password,
            candidates: ICEDescription.hostCandidates([address])
        )
        #expect(description.text.hasSuffix("typ host tcptype active\n"))
        #expect(try ICEDescription(text: description.text) == description)
    }

    private static let line = "Ha140003 1 TCP 2130706431 10.20.0.3 33105 typ host tcptype passive\n"

    @Test(arguments: [
        ("", ICEDescriptionError.truncated),
        ("abcd", .truncated),
        ("abc\n0123456789012345678901\n\(line)", .malformedCredentials),
        ("abcd\nshort\n\(line)", .malformedCredentials),
        ("ab:d\n0123456789012345678901\n\(line)", .malformedCredentials),
        ("abcd\n0123456789012345678901", .noCandidates),
        ("abcd\n0123456789012345678901\nnonsense\n\n", .noCandidates),
        ("abcd\n0123456789012345678901\n" + String(repeating: "x", count: 20_000), .tooLong),
    ]) func `malformed descriptions are refused`(text: String, error: ICEDescriptionError) {
        #expect(throws: error) { try ICEDescription(text: text) }
    }

    @Test(arguments: [
        "H 0 TCP 1 10.0.0.1 5 typ host tcptype passive",
        "H 1 TCP -1 10.0.0.1 5 typ host tcptype passive",
        "H 1 TCP 4294967296 10.0.0.1 5 typ host tcptype passive",
        "H 1 TCP 1 10.0.0.1 65536 typ host tcptype passive",
        "H 1 TCP 1 example.org 5 typ host tcptype passive",
        "H 1 TCP 1 fe80::1%eth0 5 typ host tcptype passive",
        "H 1 TCP 1 10.0.0.1 5 typ host",
        "H 1 TCP 1 10.0.0.1 5 typ host tcptype",
        "H 1 TCP 1 10.0.0.1 5 typ host tcptype passive generation 0",
        "H 1 TCP 1 10.0.0.1 5 type host tcptype passive",
        "01234567890123456789012345678901 1 TCP 1 10.0.0.1 5 typ host tcptype passive",
    ]) func `malformed candidates are skipped`(line: String) {
        #expect(ICECandidate(text: line) == nil)
    }

    @Test func `of many candidates the first 31 are kept`() throws {
        let text = "abcd\n0123456789012345678901\n" + String(repeating: Self.line, count: 100)
        #expect(try ICEDescription(text: text).candidates.count == 31)
    }

    @Test(arguments: [5, 6] as [UInt64]) func `reading is total`(seed: UInt64) {
        var mutations = ByteMutations(seed: seed)
        let original = Array("abcd\n0123456789012345678901\n\(Self.line)\(Self.line)".utf8)
        for _ in 0..<2_000 {
            let text = String(decoding: mutations.next(of: original), as: UTF8.self)
            guard let read = try? ICEDescription(text: text) else { continue }
            #expect((try? ICEDescription(text: read.text)) == read)
        }
    }
}
