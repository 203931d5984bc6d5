import Ethereum
import Keys
import NameRegistry
import TestSupport
import Testing

@testable import Names

@Suite struct NameAnswerTests {
    @Test(arguments: [
        (#"{"name":"other","addr":"0x50ae26586f6f3e242166ba49c41d08d2bd79f035"}"#, "otherName"),
        (#"{"name":"Alice","addr":"0x50ae26586f6f3e242166ba49c41d08d2bd79f035"}"#, "otherName"),
        (#"{"addr":"0x50ae26586f6f3e242166ba49c41d08d2bd79f035"}"#, "malformed"),
        (#"{"name":7,"addr":"0x50ae26586f6f3e242166ba49c41d08d2bd79f035"}"#, "malformed"),
        (#"{"name":"alice","addr":"0x50ae26586f6f3e242166ba49c41d08d2bd79f0"}"#, "malformed"),
        (#"{"name":"alice","addr":"0x0000000000000000000000000000000000000000"}"#, "malformed"),
        (#"{"name":"alice","addr":"0x0x50ae26586f6f3e242166ba49c41d08d2bd79"}"#, "malformed"),
        (#"{"name":"alice","addr":{}}"#, "malformed"),
        ("", "malformed"),
        ("null", "malformed"),
        ("\"alice\"", "malformed"),
        ("{\"name\":\"alice\",\"addr\":\"0x50ae", "malformed"),
        (#"{"name":"alice","addr":null}"#, "absent"),
        (#"{"name":"alice","addr":""}"#, "absent"),
    ])
    func `an answer that says anything else is not believed`(body: String, expected: String) throws {
        let alice = try name("alice")
        do throws(NameServerFault) {
            let answer = try NameAnswer.read(.json(body), for: alice)
            #expect(answer == nil && expected == "absent")
        } catch {
            #expect(error.code == expected)
        }
    }

    @Test func `an account's name must be one, and about that account`() throws {
        let account = try CapturedRegistration().account
        func read(_ body: String) throws(NameServerFault) -> Name? { try NameAnswer.readName(.json(body), of: account) }
        #expect(try read(#"{"name":"alice"}"#)?.text == "alice")
        #expect(try read(#"{"name":""}"#) == nil)
        #expect(try read("{}") == nil)
        #expect(throws: NameServerFault.self) { try read(#"{"name":"Ali ce"}"#) }
        let other = InfoHash(high: 1, middle: 2, low: 3)
        #expect(throws: NameServerFault.lie(.otherAccount(other))) { try read(#"{"name":"alice","addr":"\#(other)"}"#) }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `reading answers is total, and no damage makes a signed answer of another account`(seed: UInt64) throws {
        let captured = try CapturedRegistration()
        let original = try captured.answer(for: captured.name)
        var mutations = ByteMutations(seed: seed)
        for _ in 0..<400 {
            let reply = NameServerReply(status: 200, body: mutations.next(of: original.body))
            do throws(NameServerFault) {
                let answer = try NameAnswer.read(reply, for: captured.name)
                if let answer, answer.assurance == .signed { #expect(answer.account == captured.account) }
            } catch {
                #expect(!error.code.isEmpty)
            }
            _ = try? NameAnswer.readName(reply, of: captured.account)
            let registration = Registration(
                name: captured.name,
                account: captured.account,
                owner: .zero,
                evidence: nil
            )
            for status in [200, 400, 403, 503] {
                let damaged = NameServerReply(status: status, body: reply.body)
                #expect(RegistrationOutcome.read(damaged, to: registration) != .registered)
            }
        }
    }

    @Test func `deeply nested answers end as malformed`() throws {
        let alice = try name("alice")
        for depth in [100, 1_000, 30_000] {
            let body = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
            #expect(throws: NameServerFault.self) { try NameAnswer.read(.json(body), for: alice) }
            let objects = String(repeating: #"{"a":"#, count: depth) + "1" + String(repeating: "}", count: depth)
            let reply = NameServerReply.json(objects)
            #expect(throws: Never.self) { _ = try? NameAnswer.read(reply, for: alice) }
        }
    }
}
