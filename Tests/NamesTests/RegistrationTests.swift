import Ethereum
import Keys
import NameRegistry
import Runtime
import TestSupport
import Testing

@testable import Names

@Suite struct RegistrationTests {
    @Test func `our request is that of a real daemon, byte for byte but the zero behind its key`() throws {
        let captured = try CapturedRegistration()
        let key = try EthereumKey(secret: captured.vector["testEthKeyHex"].hex)
        let registration = Registration(
            name: captured.name,
            account: captured.account,
            owner: try #require(Address(key.address)),
            evidence: try .sign(captured.name, with: captured.key)
        )
        #expect(registration.evidence?.signature == captured.vector["signatureHex"].hex)
        // Newer daemons send the PEM text without the zero byte.
        let withZero = Base64.encode(captured.vector["publickeyDecodedHex"].hex)
        let without = Base64.encode(captured.vector["publickeyDecodedHex"].hex.dropLast())
        let expected = captured.vector["body"].text.replacing(withZero, with: without)
        #expect(captured.vector["body"].text.contains(withZero))
        #expect(String(decoding: registration.requestBody, as: UTF8.self) == expected)
    }

    @Test(arguments: [
        (200, #"{"success":true}"#, "registered"),
        (201, #"{"success":true}"#, "registered"),
        (200, #"{"success":"true"}"#, "malformed"),
        (200, #"{"success":false}"#, "malformed"),
        (200, "oops", "malformed"),
        (400, #"{"success":false,"error":"name already registered"}"#, "taken"),
        (400, #"{"success":false,"error":"invalid name"}"#, "refused"),
        (401, #"{"success":false,"error":"signature verification failed"}"#, "refused"),
        (403, #"{"success":false,"owner":"0xaa"}"#, "taken"),
        (
            403, #"{"success":false,"name":"other","addr":"0x50ae26586f6f3e242166ba49c41d08d2bd79f035"}"#,
            "accountHasName"
        ),
        (403, #"{"success":false,"addr":"0x50ae26586f6f3e242166ba49c41d08d2bd79f035"}"#, "alreadyYours"),
        (403, "", "taken"),
        (404, "", "refused"),
        (429, "", "trouble"),
        (500, "", "trouble"),
        (503, #"{"success":false,"error":"the chain stands still"}"#, "trouble"),
        (301, "", "refused"),
    ])
    func `a server's answer has one meaning`(status: Int, body: String, expected: String) throws {
        let captured = try CapturedRegistration()
        let registration = Registration(name: captured.name, account: captured.account, owner: .zero, evidence: nil)
        #expect(RegistrationOutcome.read(.json(body, status: status), to: registration).code == expected)
    }

    @Test func `an undecided registration is tried again, less and less often, until its time is over`() {
        var randomness = Randomness.seeded(7)
        var now = WallTime(seconds: 1_000)
        var schedule = RegistrationSchedule(deadline: WallTime(seconds: 1_000 + 3_600))
        let busy = RegistrationOutcome.undecided(.trouble(status: 503, retryAfterSeconds: nil))
        var pauses: [Int64] = []
        while case .retry(let next) = schedule.next(after: busy, at: now, using: &randomness) {
            pauses.append(next.seconds - now.seconds)
            now = next
        }
        #expect(now < schedule.deadline && pauses.count > 10 && pauses.count < 40)
        #expect(pauses.first.map { (5...7).contains($0) } == true)
        #expect(pauses.allSatisfy { $0 <= 375 })
        let last = schedule.next(after: busy, at: now, using: &randomness)
        #expect(last == .expired)
    }

    @Test func `a server that says when is asked then, and a decision ends it`() {
        var randomness = Randomness.seeded(7)
        let now = WallTime(seconds: 1_000)
        var schedule = RegistrationSchedule(deadline: WallTime(seconds: 100_000))
        let busy = RegistrationOutcome.undecided(.trouble(status: 503, retryAfterSeconds: 90))
        let step = schedule.next(after: busy, at: now, using: &randomness)
        #expect(step == .retry(at: WallTime(seconds: 1_090)))
        let greedy = RegistrationOutcome.undecided(.trouble(status: 503, retryAfterSeconds: .max))
        let bounded = schedule.next(after: greedy, at: now, using: &randomness)
        #expect(bounded == .retry(at: WallTime(seconds: 4_600)))
        for outcome in [RegistrationOutcome.registered, .taken(by: nil), .refused(status: 400, reason: nil)] {
            let end = schedule.next(after: outcome, at: now, using: &randomness)
            #expect(end == .finished)
        }
    }
}
