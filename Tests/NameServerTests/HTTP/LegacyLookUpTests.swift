import Ethereum
import Foundation
import Keys
import NameRegistry
import Runtime
import TestSupport
import Testing

@testable import NameServer

/// What clients of all generations ask, over a socket and byte for byte.
@Suite struct LegacyLookUpTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let target: String
        let status: Int
        let body: String

        var testDescription: String { target }
    }

    private static let vector: JSONVector = {
        (try? JSONVector(file: "jns-registration", in: .module)) ?? JSONVector(nil)
    }()

    /// The registration that a real daemon has sent.
    private static func registerKnown(at server: TestServer) async throws {
        let answer = try await server.post(vector["path"].text, vector["body"].text)
        #expect(answer.status == 200)
        #expect(answer.body == #"{"success":true}"#)
    }

    private static let record: String = {
        var pem = JSONVector(vector["publickeyDecodedHex"].text).hex
        while pem.last == 0 { pem.removeLast() }
        let publicKey = Data(pem).base64EncodedString()
        let signature = Data(vector["signatureHex"].hex).base64EncodedString()
        return #"{"name":"alice_one-9","addr":"0x\#(vector["addr"].text)","publickey":"\#(publicKey)","#
            + #""signature":"\#(signature)","state":"accepted"}"#
    }()

    private static let address = vector["addr"].text
    private static let reverse = #"{"name":"alice_one-9","addr":"0x\#(address)","state":"accepted"}"#
    private static let notRegistered = #"{"error":"name not registered"}"#
    private static let invalidName = #"{"error":"invalid name"}"#
    private static let invalidAddress = #"{"success":false}"#
    private static let noAddress = #"{"error":"address not registered"}"#

    private static let rows: [Row] = [
        Row(target: "/name/alice_one-9", status: 200, body: record),
        Row(target: "/name/Alice_ONE-9", status: 200, body: record),
        Row(target: "/name/%41lice%5fone%2D9", status: 200, body: record),
        Row(target: "/name/alice_one-9/", status: 200, body: record),
        Row(target: "/name/alice_one-9?x=/name/ben", status: 200, body: record),
        Row(target: "http://other.example/name/alice_one-9", status: 200, body: record),
        Row(target: "HTTPS://other.example:99/name/alice_one-9", status: 200, body: record),
        Row(target: "/name/nobody", status: 404, body: notRegistered),
        Row(target: "/name/gone", status: 404, body: notRegistered),
        Row(target: "/name/gone/owner", status: 404, body: notRegistered),
        Row(target: "/name/alice%255fone-9", status: 400, body: invalidName),
        Row(target: "/name/ab", status: 400, body: invalidName),
        Row(target: "/name/abc", status: 404, body: notRegistered),
        Row(target: "/name/" + String(repeating: "a", count: 32), status: 404, body: notRegistered),
        Row(target: "/name/" + String(repeating: "a", count: 33), status: 400, body: invalidName),
        Row(target: "/name/" + String(repeating: "%61", count: 32), status: 404, body: notRegistered),
        Row(target: "/name/h%C3%A9llo", status: 400, body: invalidName),
        Row(target: "/name/abc%00", status: 400, body: invalidName),
        Row(target: "/name/abc%2Fdef", status: 400, body: invalidName),
        Row(target: "/name/abc%zz", status: 400, body: invalidName),
        Row(target: "/name/abc%4", status: 400, body: invalidName),
        Row(target: "/name/abc%", status: 400, body: invalidName),
        Row(target: "/name/%2e%2e", status: 400, body: invalidName),
        Row(target: "/name/a.b.c", status: 400, body: invalidName),
        Row(target: "/name/a+b+c", status: 400, body: invalidName),
        Row(target: "/name/alice_one-9/owner", status: 200, body: #"{"name":"alice_one-9","owner":"0x6d287a4bef7417086ef580514a891061ece22188"}"#),
        Row(target: "/name/nobody/publickey", status: 404, body: notRegistered),
        Row(target: "/name/carol", status: 200, body: #"{"name":"carol","addr":"0xaa00000000000000000000000000000000000001","state":"accepted"}"#),
        Row(target: "/name/carol/publickey", status: 404, body: #"{"error":"publickey not stored"}"#),
        Row(target: "/name/carol/signature", status: 404, body: #"{"error":"signature not stored"}"#),
        Row(target: "/addr/\(address)", status: 200, body: reverse),
        Row(target: "/addr/0x\(address)", status: 200, body: reverse),
        Row(target: "/addr/0X\(address.uppercased())", status: 200, body: reverse),
        Row(target: "/addr/ring:\(address)", status: 200, body: reverse),
        Row(target: "/addr/jami:0x\(address)", status: 200, body: reverse),
        Row(target: "/addr/jami%3A\(address)", status: 200, body: reverse),
        Row(target: "/addr/%20\(address)%0A", status: 200, body: reverse),
        Row(target: "/addr/" + String(repeating: "b", count: 40), status: 404, body: noAddress),
        Row(target: "/addr/" + String(repeating: "0", count: 40), status: 400, body: invalidAddress),
        Row(target: "/addr/" + String(repeating: "a", count: 39), status: 400, body: invalidAddress),
        Row(target: "/addr/" + String(repeating: "a", count: 41), status: 400, body: invalidAddress),
        Row(target: "/addr/" + String(repeating: "g", count: 40), status: 400, body: invalidAddress),
        Row(target: "/addr/ring:jami:\(address)", status: 400, body: invalidAddress),
        Row(target: "/addr/0x0x\(address)", status: 400, body: invalidAddress),
        Row(target: "/addr/====", status: 400, body: invalidAddress),
    ]

    @Test(.timeLimit(.minutes(2)))
    func `every look-up has the answer that old clients expect`() async throws {
        var options = TestServer.unlimited
        options.allowsUnsigned = true
        try await TestServer.run(options: options) { server in
            try await Self.registerKnown(at: server)
            let carol = Person.body(
                account: "0xaa00000000000000000000000000000000000001",
                owner: "0xbb00000000000000000000000000000000000001",
                publicKey: "",
                signature: ""
            )
            #expect(try await server.post("/name/carol", carol).status == 200)
            let gone = try Person.ana.registration(of: "gone")
            try await server.store.write { writer in
                _ = try writer.append(gone, chained: false, at: WallTime(seconds: 1))
                _ = try writer.append(.release, of: gone.name, chained: false, at: WallTime(seconds: 2))
            }
            for row in Self.rows {
                let answer = try await server.get(row.target)
                #expect(answer.status == row.status, "\(row.target)")
                #expect(answer.body == row.body, "\(row.target)")
                #expect(answer.header("Content-Type") == "application/json", "\(row.target)")
                #expect(answer.header("Connection") == "close", "\(row.target)")
            }
            let key = try await server.get("/name/alice_one-9/publickey").body
            let signature = try await server.get("/name/alice_one-9/signature").body
            #expect(Self.record.contains(key.dropFirst(#"{"name":"alice_one-9","#.count).dropLast()))
            #expect(Self.record.contains(signature.dropFirst(#"{"name":"alice_one-9","#.count).dropLast()))
        }
    }

    @Test func `HEAD has the headers of GET and no body, other methods are refused`() async throws {
        try await TestServer.run { server in
            let head = try await server.exchange(
                "HEAD /name/nobody HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                isWithoutBody: true
            )
            #expect(head.status == 404)
            #expect(head.header("Content-Length") == "31")
            for method in ["PUT", "DELETE", "OPTIONS", "PATCH"] {
                let refused = try await server.exchange("\(method) /name/alice HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(refused.status == 405, "\(method)")
                #expect(refused.header("Allow") == "GET, HEAD, POST")
            }
        }
    }

    @Test func `a client of HTTP 1.0 gets one answer and the end of the connection`() async throws {
        try await TestServer.run { server in
            let connection = try await RawConnection.open(to: server.port)
            connection.send("GET /name/nobody HTTP/1.0\r\n\r\n")
            let answer = await connection.response()
            #expect(answer?.status == 404)
            #expect(await connection.isClosed(within: .seconds(10)))
        }
    }
}
