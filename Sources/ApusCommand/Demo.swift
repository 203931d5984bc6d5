import Apus
import ArgumentParser
import DHT
import Foundation
import Keys
import Logging
import NIOPosix
import Names

/// Two people on a private network of this machine: a proof that needs no internet and no second machine.
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show two accounts becoming contacts, talking, going away and catching up.",
        discussion: "Runs on this machine alone, in a folder of its own that is removed at the end."
    )

    @Flag(help: "Say more.")
    var verbose = false

    func run() async throws {
        let isVerbose = verbose
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = isVerbose ? .debug : .error
            return handler
        }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-demo-\(UUID().uuidString)")
            .path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await DemoPlay(folder: folder).perform()
    }
}

/// The scenes of the demo.
private final class DemoPlay {
    private static let stepLimit = 30.0

    private let folder: String
    private let clock = ContinuousClock()
    private var sceneStart: ContinuousClock.Instant
    private var bootstrap = ""

    init(folder: String) {
        self.folder = folder
        sceneStart = clock.now
    }

    func perform() async throws {
        let start = clock.now
        let node = try await startNetwork()
        var alice = try await startService("alice")
        var bob = try await startService("bob")
        let aliceInfo = try await alice.createAccount(alias: "Alice", password: "", bootstrap: [])
        let bobInfo = try await bob.createAccount(alias: "Bob", password: "", bootstrap: [])
        done("Alice and Bob have accounts: three keys each, made and kept on this machine")

        try await until("both are announced") {
            let states = [await alice.accountInfos(), await bob.accountInfos()].flatMap { $0 }.map(\.state)
            return states.allSatisfy { $0 == .online }
        }
        guard let bobID = InfoHash(hex: bobInfo.id), let aliceID = InfoHash(hex: aliceInfo.id) else { return }
        var aliceAccount = try await alice.account(named: nil)
        var bobAccount = try await bob.account(named: nil)

        _ = try await aliceAccount.addContact(bobID, alias: "Bob")
        try await until("Bob sees Alice's invitation") {
            try await bobAccount.contacts().contains { $0.id == aliceInfo.id && $0.state == .requested }
        }
        _ = try await bobAccount.acceptContact(aliceID, alias: "Alice")
        try await until("Bob has accepted and both have the conversation") {
            let first = try await aliceAccount.contacts().first
            let second = try await bobAccount.contacts().first
            return first?.state == .ready && second?.state == .ready
        }

        try await say(
            "Hello Bob, no server in between!",
            from: aliceAccount,
            to: bobAccount,
            as: "Alice writes, Bob reads"
        )
        try await say("Hello Alice, I see you.", from: bobAccount, to: aliceAccount, as: "Bob writes, Alice reads")

        await bob.stop()
        done("Bob goes offline")
        for number in 1...3 {
            _ = try await aliceAccount.send(
                "While you were away (\(number) of 3)",
                to: try await contact(of: aliceAccount)
            )
        }
        done("Alice writes three messages; they are stored and wait")
        bob = try await startService("bob")
        bobAccount = try await bob.account(named: nil)
        try await until("Bob comes back and has all three") { [bobAccount] in
            try await bobAccount.messages(conversation: nil).filter { $0.body.hasPrefix("While you were away") }.count
                == 3
        }

        await alice.stop()
        _ = try await bobAccount.send("And this while Alice was away", to: try await contact(of: bobAccount))
        done("Alice goes offline, Bob writes")
        alice = try await startService("alice")
        aliceAccount = try await alice.account(named: nil)
        try await until("Alice comes back and has it") { [aliceAccount] in
            try await aliceAccount.messages(conversation: nil).contains { $0.body == "And this while Alice was away" }
        }

        let ours = Set(try await messages(of: aliceAccount))
        let theirs = Set(try await messages(of: bobAccount))
        guard ours == theirs, ours.count == 6 else {
            throw Failure(
                kind: .refused,
                sentence: "The two do not hold the same six messages: \(ours.count) and \(theirs.count)."
            )
        }
        await alice.stop()
        await bob.stop()
        await node.shutdown()
        done("Both hold the same six messages")
        Output.say("All of it worked, in \(seconds(clock.now - start)) s.")
    }

    // MARK: Helpers of the scenes

    private func startNetwork() async throws -> DHTNode {
        var configuration = DHTNode.Configuration()
        configuration.bindAddress = "127.0.0.1"
        configuration.bindAddress6 = nil
        let node = DHTNode(
            configuration: configuration,
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "demo.node")
        )
        try await node.start()
        bootstrap = "127.0.0.1:\(await node.boundPort)"
        done("A private network: one node on \(bootstrap)")
        return node
    }

    private func startService(_ name: String) async throws -> ApusService {
        let service = try ApusService(
            folder: "\(folder)/\(name)",
            options: ApusService.Options(
                bootstrap: [bootstrap],
                bindAddress: "127.0.0.1",
                bindAddress6: nil,
                allowsLoopback: true,
                nameServers: [.nowhere]
            ),
            group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "demo.\(name)")
        )
        try await service.start()
        return service
    }

    private func say(_ body: String, from sender: Account, to receiver: Account, as title: String) async throws {
        _ = try await sender.send(body, to: try await contact(of: sender))
        try await until(title) {
            try await receiver.messages(conversation: nil).contains { $0.body == body && $0.direction == .incoming }
        }
    }

    private func contact(of account: Account) async throws -> ContactInfo {
        guard let contact = try await account.contacts().first else {
            throw Failure(kind: .notFound, sentence: "The contact is gone.")
        }
        return contact
    }

    private func messages(of account: Account) async throws -> [String] {
        try await account.messages(conversation: nil).map(\.message)
    }

    private func until(_ what: String, _ isTrue: () async throws -> Bool) async throws {
        let end = clock.now + .seconds(Self.stepLimit)
        while try await !isTrue() {
            guard clock.now < end else {
                throw Failure(kind: .refused, sentence: "This did not happen within \(Int(Self.stepLimit)) s: \(what).")
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        done(what)
    }

    private func done(_ what: String) {
        let time = seconds(clock.now - sceneStart)
        Output.say("\(String(repeating: " ", count: max(0, 7 - time.count)))\(time) s  \(what)")
        sceneStart = clock.now
    }

    private func seconds(_ duration: Duration) -> String {
        let milliseconds = duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
        let rest = String(milliseconds % 1000)
        return "\(milliseconds / 1000).\(String(repeating: "0", count: 3 - rest.count))\(rest)"
    }
}
