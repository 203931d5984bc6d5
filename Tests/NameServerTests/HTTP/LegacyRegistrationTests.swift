import Ethereum
import Foundation
import Keys
import NameRegistry
import Runtime
import TestSupport
import Testing

@testable import NameServer

/// The decisions on a registration, in their order, over a socket.
@Suite struct LegacyRegistrationTests {
    private static let account = Person.ana.account.hex
    private static let owner = Person.ana.owner.hash.hex

    private static func refusal(_ reason: String) -> String { #"{"success":false,"error":"\#(reason)"}"# }

    /// Bodies that are refused; each has every later defect, too, where it can.
    private static func refusedBodies() throws -> [(path: String, body: String, status: Int, answer: String)] {
        let evidence = try #require(try Person.ana.registration(of: "alice").evidence)
        let other = try #require(try Person.ben.registration(of: "alice").evidence)
        let (key, signature) = (evidence.publicKeyText, evidence.signatureText)
        func body(_ account: String, _ owner: String, _ key: String, _ signature: String) -> String {
            Person.body(account: account, owner: owner, publicKey: key, signature: signature)
        }
        let noKey = refusal("publickey not found or invalid")
        let noSignature = refusal("signature not found or invalid")
        let failed = refusal("signature verification failed")
        let invalid = refusal("invalid request")
        let noName = refusal("invalid name")
        let good = body(account, owner, key, signature)
        let forged = Base64.encode(evidence.signature.map { $0 ^ 1 })
        let urlSafe = key.replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "+", with: "-") + "-"
        return [
            ("/name/A", "", 400, invalid),
            ("/name/A", "{", 400, invalid),
            ("/name/A", "[]", 400, invalid),
            ("/name/A", "null", 400, invalid),
            ("/name/A", #""text""#, 400, invalid),
            ("/name/A", "{}{}", 400, invalid),
            ("/name/A", String(repeating: "[", count: 9_000), 400, invalid),
            ("/name/A", #"{"a":"# + String(repeating: "[", count: 20) + String(repeating: "]", count: 20) + "}", 400, invalid),
            ("/name/A", "{}", 400, noName),
            ("/name/Alice", good, 400, noName),
            ("/name/%41lice", good, 400, noName),
            ("/name/al", good, 400, noName),
            ("/name/al%2fce", good, 400, noName),
            ("/name/h%C3%A9llo", good, 400, noName),
            ("/name/alice", "{}", 400, #"{"success":false}"#),
            ("/name/alice", body("", "", "", ""), 400, #"{"success":false}"#),
            ("/name/alice", body(String(repeating: "0", count: 40), owner, key, signature), 400, #"{"success":false}"#),
            ("/name/alice", #"{"addr":12,"owner":"\#(owner)"}"#, 400, #"{"success":false}"#),
            ("/name/alice", body(account, "", key, signature), 400, refusal("no owner")),
            ("/name/alice", body(account, "0x", key, signature), 400, refusal("no owner")),
            ("/name/alice", body(account, NameRecord.tombstone.hex, key, signature), 400, refusal("no owner")),
            ("/name/alice", body(account, owner, "", ""), 400, noKey),
            ("/name/alice", #"{"addr":"\#(account)","owner":"\#(owner)"}"#, 400, noKey),
            ("/name/alice", #"{"addr":"\#(account)","owner":"\#(owner)","publickey":null,"signature":null}"#, 400, noKey),
            ("/name/alice", #"{"addr":"\#(account)","owner":"\#(owner)","publickey":0,"signature":0}"#, 400, noKey),
            ("/name/alice", body(account, owner, "", signature), 400, noKey),
            ("/name/alice", body(account, owner, key, ""), 400, noSignature),
            ("/name/alice", body(account, owner, key, forged), 401, failed),
            ("/name/alice", body(account, owner, key, "AAAA"), 401, failed),
            ("/name/alice", body(account, owner, key, "0"), 401, failed),
            ("/name/alice", body(account, owner, "0", signature), 401, failed),
            ("/name/alice", body(account, owner, urlSafe, signature), 401, failed),
            ("/name/alice", body(account, owner, other.publicKeyText, other.signatureText), 401, failed),
            ("/name/alice", body(Person.ben.account.hex, owner, key, signature), 401, failed),
            ("/name/alicia", good, 401, failed),
        ]
    }

    @Test(.timeLimit(.minutes(2)))
    func `what cannot be registered is refused for the first reason in order`() async throws {
        try await TestServer.run { server in
            for row in try Self.refusedBodies() {
                let answer = try await server.post(row.path, row.body)
                #expect(answer.status == row.status, "\(row.path) \(row.body.prefix(120))")
                #expect(answer.body == row.answer, "\(row.path) \(row.body.prefix(120))")
            }
            #expect(try await server.get("/name/alice").status == 404)
        }
    }

    @Test func `the same registration is a success for ever, another one says who has what`() async throws {
        try await TestServer.run { server in
            let (ana, ben) = (Person.ana, Person.ben)
            for _ in 0..<3 {
                let answer = try await server.post(ana, "alice")
                #expect(answer.status == 200)
                #expect(answer.body == #"{"success":true}"#)
            }
            let taken = try await server.post(ben, "alice")
            #expect(taken.status == 403)
            #expect(
                taken.body
                    == #"{"success":false,"name":"alice","addr":"\#(ana.address)","owner":"\#(ana.owner.hex)"}"#
            )
            let second = try await server.post(ana, "alicia")
            #expect(second.status == 403)
            #expect(second.body == #"{"success":false,"name":"alice","addr":"\#(ana.address)"}"#)
            let otherOwner = Person(key: ana.key, owner: ben.owner)
            #expect(try await server.post(otherOwner, "alice").status == 403)
        }
    }

    @Test func `a withdrawn name is never given away again`() async throws {
        try await TestServer.run { server in
            #expect(try await server.post(Person.ana, "alice").status == 200)
            let name = try Person.ana.registration(of: "alice").name
            try await server.store.write { writer in
                _ = try writer.append(.release, of: name, chained: false, at: server.service.time.wallTime)
            }
            for person in [Person.ana, Person.ben] {
                let answer = try await server.post(person, "alice")
                #expect(answer.status == 403)
                #expect(
                    answer.body == #"{"success":false,"name":"alice","owner":"\#(NameRecord.tombstone.hex)"}"#
                )
            }
            #expect(try await server.post(Person.ana, "alicia").status == 200)
        }
    }

    @Test func `an unsigned registration needs the server's permission`() async throws {
        var options = TestServer.unlimited
        options.allowsUnsigned = true
        try await TestServer.run(options: options) { server in
            let unsigned = Person.body(account: Self.account, owner: Self.owner, publicKey: "", signature: "")
            #expect(try await server.post("/name/alice", unsigned).status == 200)
            let evidence = try #require(try Person.ben.registration(of: "bobby").evidence)
            let half = Person.body(
                account: Person.ben.account.hex,
                owner: Self.owner,
                publicKey: evidence.publicKeyText,
                signature: ""
            )
            #expect(try await server.post("/name/bobby", half).status == 400)
        }
    }

    @Test func `a hundred racing for one name have one winner, who is told so`() async throws {
        try await TestServer.run { server in
            let owners = (1...50).map { Address(InfoHash(high: 9, middle: 9, low: $0)) }
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for owner in owners {
                    for key in [Person.ana.key, Person.ben.key] {
                        group.addTask { try await server.post(Person(key: key, owner: owner), "alice").status }
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.count { $0 == 200 } == 1)
            #expect(statuses.count { $0 == 403 } == 99)
        }
    }
}
