import Ethereum
import Foundation
import Keys
import NameRegistry
import Runtime
import TestSupport
import Testing

@testable import Names

@Suite(.timeLimit(.minutes(1))) struct NameDirectoryTests {
    private let first: NameServerAddress
    private let second: NameServerAddress
    private let captured: CapturedRegistration
    private let alice: Name

    init() throws {
        first = try server("first.example")
        second = try server("second.example")
        captured = try CapturedRegistration()
        alice = try name("alice")
    }

    private func directory(
        _ servers: [NameServerAddress],
        time: any TimeSource = VirtualTime(),
        _ transport: ScriptedTransport
    ) -> NameDirectory {
        NameDirectory(NameDirectory.Configuration(servers: servers), transport: transport, time: time)
    }

    // MARK: Look-ups

    @Test func `a signed answer is found, kept for a day, and asked for again afterwards`() async throws {
        let time = VirtualTime()
        let answer = try captured.answer(for: alice)
        let transport = ScriptedTransport { _, _ in answer }
        let directory = directory([first], time: time, transport)
        for _ in 0..<3 {
            let lookup = try await directory.lookup(alice)
            #expect(lookup.account == captured.account && lookup.assurance == .signed && lookup.server == first)
        }
        #expect(transport.paths == ["/name/alice"])
        time.advance(by: .seconds(86_400))
        _ = try await directory.lookup(alice)
        #expect(transport.paths.count == 2)
        _ = try await directory.lookup(alice, isFresh: true)
        #expect(transport.paths.count == 3)
    }

    @Test func `a denial is kept for a minute`() async throws {
        let time = VirtualTime()
        let transport = ScriptedTransport { _, _ in .notFound }
        let directory = directory([first], time: time, transport)
        for pause in [0, 59, 1] {
            time.advance(by: .seconds(pause))
            let lookup = try await directory.lookup(alice)
            #expect(lookup.answer == .absent && lookup.assurance == .unsigned)
        }
        #expect(transport.paths.count == 2)
    }

    @Test func `many who ask the same at once share one question, and each gets the answer`() async throws {
        let gate = Mailbox<Bool>()
        let answer = try captured.answer(for: alice)
        let transport = ScriptedTransport { _, _ in
            _ = await gate.first(within: .seconds(30))
            return answer
        }
        let directory = directory([first], transport)
        let answers = try await withThrowingTaskGroup(of: InfoHash?.self) { group in
            for _ in 0..<50 { group.addTask { [alice] in try await directory.lookup(alice).account } }
            _ = await transport.asked.first(within: .seconds(30))
            gate.post(true)
            return try await group.reduce(into: [InfoHash?]()) { $0.append($1) }
        }
        #expect(answers == Array(repeating: captured.account, count: 50))
        #expect(transport.paths == ["/name/alice"])
    }

    @Test func `one who gives up is answered at once, and the others go on`() async throws {
        let gate = Mailbox<Bool>()
        let answer = try captured.answer(for: alice)
        let transport = ScriptedTransport { _, _ in
            _ = await gate.first(within: .seconds(30))
            return answer
        }
        let directory = directory([first], transport)
        let patient = Task { [alice] in try await directory.lookup(alice).account }
        _ = await transport.asked.first(within: .seconds(30))
        let impatient = Task { [alice] in try await directory.lookup(alice).account }
        impatient.cancel()
        await #expect(throws: NameDirectoryError.cancelled) { try await impatient.value }
        gate.post(true)
        let account = try await patient.value
        #expect(account == captured.account)
        #expect(transport.paths.count == 1)
    }

    @Test func `when the last one gives up the question is given up, and the next one asks anew`() async throws {
        let ended = Mailbox<Bool>()
        let answer = try captured.answer(for: alice)
        let transport = ScriptedTransport { question, _ throws(NameServerFault) in
            guard question.server == "https://first.example" else { return answer }
            do {
                try await Task.sleep(for: .seconds(600))
            } catch {
                ended.post(true)
                throw .cancelled
            }
            return .notFound
        }
        let directory = directory([first, second], transport)
        let only = Task { [alice] in try await directory.lookup(alice).account }
        _ = await transport.asked.first(within: .seconds(30))
        only.cancel()
        await #expect(throws: NameDirectoryError.cancelled) { try await only.value }
        #expect(await ended.first(within: .seconds(30)) == true)
        let account = try await directory.lookup(alice, at: second).account
        #expect(account == captured.account)
    }

    @Test func `the next server answers when one fails, and what was wrong is told`() async throws {
        let answer = try captured.answer(for: alice)
        let unsigned = #"{"name":"mallory","addr":"0x\#(captured.account)"}"#
        let transport = ScriptedTransport { question, _ in
            question.server == "https://first.example" ? .json(unsigned) : answer
        }
        let directory = directory([first, second], transport)
        let lookup = try await directory.lookup(alice)
        #expect(lookup.server == second && lookup.account == captured.account)
        #expect(lookup.problems == [NameServerProblem(first, .lie(.otherName("mallory")))])
        #expect(lookup.problems.first?.sentence.contains("first.example") == true)
        // The one that failed is the last choice for a while.
        _ = try await directory.lookup(alice, isFresh: true)
        #expect(transport.asked.all.map(\.server).suffix(2) == ["https://second.example", "https://second.example"])
    }

    @Test func `when every server fails each fault is told in order`() async throws {
        let transport = ScriptedTransport { question, _ throws(NameServerFault) in
            guard question.server == "https://first.example" else { return .json("{}", status: 503) }
            throw .timedOut(seconds: 30)
        }
        let directory = directory([first, second], transport)
        let expected = NameDirectoryError.failed([
            NameServerProblem(first, .timedOut(seconds: 30)),
            NameServerProblem(second, .trouble(status: 503, retryAfterSeconds: nil)),
        ])
        await #expect(throws: expected) { try await directory.lookup(alice) }
    }

    @Test func `a server that showed a signature cannot take it back unnoticed, even much later`() async throws {
        let time = VirtualTime()
        let signed = try captured.answer(for: alice)
        let unsigned = captured.unsignedAnswer(for: alice)
        let isStripping = Mailbox<Bool>()
        let transport = ScriptedTransport { _, _ in isStripping.all.isEmpty ? signed : unsigned }
        let directory = directory([first], time: time, transport)
        _ = try await directory.lookup(alice)
        isStripping.post(true)
        time.advance(by: .seconds(10 * 86_400))
        let stripped = NameDirectoryError.failed([NameServerProblem(first, .lie(.strippedSignature))])
        await #expect(throws: stripped) { try await directory.lookup(alice) }
    }

    // MARK: Accounts

    @Test func `an account's name counts once the name leads back to it`() async throws {
        let answer = try captured.answer(for: alice)
        let transport = ScriptedTransport { question, _ in
            question.path.hasPrefix("/addr/") ? .json(#"{"name":"alice"}"#) : answer
        }
        let lookup = try await directory([first], transport).whois(captured.account)
        #expect(lookup.name?.name == alice && lookup.name?.assurance == .signed)
        #expect(transport.paths == ["/addr/\(captured.account)", "/name/alice"])
    }

    @Test func `a name that leads elsewhere is a lie`() async throws {
        let answer = try captured.answer(for: alice)
        let transport = ScriptedTransport { question, _ in
            question.path.hasPrefix("/addr/") ? .json(#"{"name":"alice"}"#) : answer
        }
        let directory = directory([first], transport)
        let other = InfoHash(high: 9, middle: 9, low: 9)
        let lie = NameDirectoryError.failed([NameServerProblem(first, .lie(.unconfirmedName(alice)))])
        await #expect(throws: lie) { try await directory.whois(other) }
    }

    @Test func `an account without a name has none`() async throws {
        let transport = ScriptedTransport { _, _ in .json(#"{"error":"address not registered"}"#, status: 404) }
        let lookup = try await directory([first], transport).whois(captured.account)
        #expect(lookup.name == nil)
    }

    // MARK: Registration

    private func registration() throws -> Registration {
        Registration(
            name: alice,
            account: captured.account,
            owner: .zero,
            evidence: try .sign(alice, with: captured.key)
        )
    }

    @Test func `a plain old server registers a name, and knows it the second time`() async throws {
        let legacy = LegacyNameServer()
        let http = try await legacy.start()
        let directory = NameDirectory(NameDirectory.Configuration(servers: [try server(http.url)]))
        #expect(await directory.register(try registration()) == .registered)
        #expect(await directory.register(try registration()) == .alreadyYours)
        let found = try await directory.lookup(alice)
        #expect(found.account == captured.account && found.assurance == .signed)
        let named = try await directory.whois(captured.account)
        #expect(named.name?.name == alice)
        let other = Registration(
            name: try name("second"),
            account: captured.account,
            owner: .zero,
            evidence: try .sign(try name("second"), with: captured.key)
        )
        #expect(await directory.register(other) == .accountHasName(alice))
        legacy["taken"] = LegacyNameServer.Record(address: String(repeating: "ab", count: 20))
        let late = Registration(name: try name("taken"), account: captured.account, owner: .zero, evidence: nil)
        #expect(await directory.register(late) == .taken(by: InfoHash(hex: String(repeating: "ab", count: 20))))
        let post = http.requests.all.first { $0.method == "POST" }
        #expect(post?.path == "/name/alice" && post?.headers["content-type"] == "application/json")
        await http.stop()
    }

    @Test func `a server that forgets what it confirmed is caught`() async throws {
        let transport = ScriptedTransport { question, _ in
            question.method == "POST" ? .json(#"{"success":true}"#) : .notFound
        }
        let outcome = await directory([first, second], transport).register(try registration())
        #expect(outcome == .undecided(.lie(.registrationNotKept)))
        #expect(transport.asked.all.allSatisfy { $0.server == "https://first.example" })
    }

    @Test func `a server that drops the signature of a registration is caught`() async throws {
        let unsigned = captured.unsignedAnswer(for: alice)
        let posted = Mailbox<Bool>()
        let transport = ScriptedTransport { question, _ in
            guard question.method == "POST" else { return posted.all.isEmpty ? .notFound : unsigned }
            posted.post(true)
            return .json(#"{"success":true}"#)
        }
        let outcome = await directory([first], transport).register(try registration())
        #expect(outcome == .undecided(.lie(.strippedSignature)))
    }

    @Test func `a server in trouble leaves a registration undecided, also when only the look-up fails`() async throws {
        for failing in ["GET", "POST"] {
            let transport = ScriptedTransport { question, _ in
                question.method == failing ? .json("{}", status: 503) : .notFound
            }
            let outcome = await directory([first], transport).register(try registration())
            #expect(outcome == .undecided(.trouble(status: 503, retryAfterSeconds: nil)))
        }
    }
}
