import Foundation
import JSON
import Synchronization

/// Our own command and its daemon on a host of a private network.
public final class ApusPeer: Sendable {
    public struct Account: Sendable {
        public let local: String
        /// Forty hexadecimal digits.
        public let id: String
        public let device: String
    }

    public struct Contact: Sendable {
        public let id: String
        public let state: String
        public let conversation: String?
        public let isOnline: Bool
    }

    /// A message as `apus inbox` shows it.
    public struct Message: Sendable {
        public let id: String
        public let conversation: String
        public let from: String
        public let body: String
        public let isIncoming: Bool
        /// When the line reached this process, in seconds since 1970.
        public let seen: Double
    }

    /// A commit as `apus conversation history` shows it.
    public struct Commit: Sendable {
        public let id: String
        public let parents: [String]
        public let type: String
        public let body: String?
    }

    private struct Running: Sendable {
        var daemon: ChildProcess?
        var daemonID: Int32?
        var follower: ChildProcess?
    }

    public let host: NetworkLab.Host
    public let bootstrap: String
    /// The data folder; kept over restarts.
    public let folder: String
    /// What `apus inbox --follow` has shown since the first ``follow()``.
    public let shown = Mailbox<Message>()
    private let running = Mutex(Running())

    public init(on host: NetworkLab.Host, in lab: NetworkLab, bootstrap: String) throws {
        self.host = host
        self.bootstrap = bootstrap
        folder = try lab.folder.folder(host.namespace)
    }

    /// A peer with a running daemon and one account that is online.
    public static func start(
        on host: NetworkLab.Host,
        in lab: NetworkLab,
        bootstrap: String,
        alias: String
    ) async throws -> (ApusPeer, Account) {
        let peer = try ApusPeer(on: host, in: lab, bootstrap: bootstrap)
        try await peer.startDaemon()
        let account = try await peer.newAccount(alias: alias)
        try await peer.waitUntilOnline(account)
        return (peer, account)
    }

    // MARK: The daemon

    private func command(_ arguments: [String]) throws -> [String] {
        guard let apus = Peers.apus else { throw PeerError("The command apus is not built") }
        return host.command([apus] + arguments + ["--data", folder, "--bootstrap", bootstrap])
    }

    private var environment: [String: String] {
        ChildProcess.plainEnvironment.merging(["HOME": folder]) { _, ours in ours }
    }

    public var log: String { folder + "/daemon.log" }

    /// Starts the daemon in the foreground, as a child of this process, and waits until it answers.
    ///
    /// A command may have started one on its own meanwhile; then that one is the daemon.
    public func startDaemon(within timeout: Duration = .seconds(60)) async throws {
        let child = try ChildProcess(
            command(["daemon", "run", "--verbose"]),
            environment: environment,
            output: .file(log),
            error: .file(log)
        )
        let id = try await eventually(within: timeout, "the daemon answers; see \(log)") { () -> Int32? in
            let status = try await run(["status"], within: .seconds(20))
            guard status.succeeded else {
                if let exit = child.exit { throw PeerError("The daemon ended with \(exit): \(tail(of: log))") }
                return nil
            }
            return JSONValue(parsing: status.output)?["daemon"]?["pid"]?.integer.flatMap { Int32(exactly: $0) }
        }
        running.withLock { running in
            running.daemon = child
            running.daemonID = id
        }
    }

    public var daemonID: Int32? { running.withLock { $0.daemonID } }

    /// SIGKILL, and waits until the process is gone.
    public func killDaemon() async throws {
        guard let daemonID else { return }
        kill(daemonID, SIGKILL)
        try await waitUntilDaemonIsGone(within: .seconds(10))
    }

    /// SIGKILL for whichever daemon holds the data folder, also one that does not answer yet.
    public func killAnyDaemon() async throws {
        let inside = try await TestSupport.run(["ip", "netns", "pids", host.namespace]).orThrow()
        for id in inside.lines.compactMap({ Int32($0) }) where isDaemon(id) { kill(id, SIGKILL) }
    }

    /// Asks the daemon to end, and waits until it has.
    public func stopDaemon(within timeout: Duration = .seconds(30)) async throws {
        _ = try await run(["daemon", "stop"]).orThrow()
        try await waitUntilDaemonIsGone(within: timeout)
    }

    private func waitUntilDaemonIsGone(within timeout: Duration) async throws {
        guard let daemonID else { return }
        try await eventually(within: timeout, every: .milliseconds(5), "daemon \(daemonID) ends: \(tail(of: log))") {
            isAlive(daemonID) ? nil : ()
        }
        running.withLock { $0.daemonID = nil }
    }

    /// Ends everything, for the end of a test.
    public func close() async {
        let (daemon, follower) = running.withLock { ($0.daemon, $0.follower) }
        await follower?.stop(patience: .seconds(2))
        if let daemonID, isAlive(daemonID) { kill(daemonID, SIGTERM) }
        await daemon?.stop(patience: .seconds(10))
    }

    /// Resident memory of the daemon in bytes.
    public func residentBytes() throws -> Int64 {
        guard let daemonID else { throw PeerError("No daemon runs") }
        let status = try String(contentsOfFile: "/proc/\(daemonID)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        guard let kibibytes = line?.split(separator: " ").dropFirst().first.flatMap({ Int64($0) }) else {
            throw PeerError("No VmRSS for \(daemonID)")
        }
        return kibibytes * 1_024
    }

    // MARK: Commands

    /// Runs a command with `--json`, whatever its exit is.
    public func run(
        _ arguments: [String],
        input: String? = nil,
        within timeout: Duration = .seconds(60)
    ) async throws -> CommandResult {
        let line = try command(arguments + ["--json"])
        return try await TestSupport.run(line, environment: environment, input: input, within: timeout)
    }

    private func answer(
        _ arguments: [String],
        input: String? = nil,
        within timeout: Duration = .seconds(60)
    ) async throws -> JSONValue {
        let result = try await run(arguments, input: input, within: timeout).orThrow()
        guard let value = JSONValue(parsing: result.output) else {
            throw PeerError("\(result.command) answered no JSON: \(result.output.prefix(500))")
        }
        return value
    }

    private func objects(_ arguments: [String]) async throws -> [JSONValue] {
        try await run(arguments).orThrow().lines.compactMap { JSONValue(parsing: $0) }
    }

    public func newAccount(alias: String, password: String = "") async throws -> Account {
        let lock = password.isEmpty ? ["--no-password"] : ["--password-fd", "0"]
        let input = password.isEmpty ? nil : password
        let made = try await answer(["account", "new", "--alias", alias] + lock, input: input, within: .seconds(120))
        guard let local = made["account"]?.string, let id = made["id"]?.string, let device = made["device"]?.string
        else {
            throw PeerError("account new answered \(made.line)")
        }
        return Account(local: local, id: id, device: device)
    }

    /// Waits until an account is online and its device announced.
    public func waitUntilOnline(_ account: Account, within timeout: Duration = .seconds(90)) async throws {
        try await eventually(within: timeout, "account \(account.local) is online; see \(log)") {
            let accounts = try await answer(["status"])["accounts"]?.array ?? []
            let mine = accounts.first { $0["account"]?.string == account.local || $0["id"]?.string == account.id }
            return mine?["state"]?.string == "online" && mine?["devices_announced"]?.boolean != false ? () : nil
        }
    }

    /// Invites somebody.
    ///
    /// - Returns: the conversation.
    public func addContact(_ id: String) async throws -> String {
        try conversation(await answer(["contact", "add", id]))
    }

    /// Accepts somebody's invitation.
    ///
    /// - Returns: the conversation.
    public func acceptContact(_ id: String) async throws -> String {
        try conversation(await answer(["contact", "accept", id]))
    }

    private func conversation(_ answer: JSONValue) throws -> String {
        guard let conversation = answer["conversation"]?.string else {
            throw PeerError("No conversation: \(answer.line)")
        }
        return conversation
    }

    public func contacts() async throws -> [Contact] {
        try await answer(["contact", "list"])["contacts"]?.array?.compactMap { contact in
            guard let id = contact["id"]?.string, let state = contact["state"]?.string else { return nil }
            return Contact(
                id: id,
                state: state,
                conversation: contact["conversation"]?.string,
                isOnline: contact["online"]?.boolean ?? false
            )
        } ?? []
    }

    /// Waits until a contact is in a state.
    @discardableResult
    public func waitForContact(_ id: String, state: String, within timeout: Duration = .seconds(60)) async throws
        -> Contact
    {
        try await eventually(within: timeout, "contact \(id) is \(state); see \(log)") {
            try await contacts().first { $0.id == id && $0.state == state }
        }
    }

    /// Sends a message and returns its id, which means that it is stored.
    @discardableResult
    public func send(_ text: String, to id: String) async throws -> String {
        let sent = try await answer(["send", id, text])
        guard let message = sent["message"]?.string else { throw PeerError("send answered \(sent.line)") }
        return message
    }

    // MARK: Messages

    /// Collects what `apus inbox --follow` shows into ``shown``.
    public func follow() throws {
        let shown = shown
        let child = try ChildProcess(
            command(["inbox", "--follow", "--json"]),
            environment: environment,
            output: .lines { line in
                if let message = Message(JSONValue(parsing: line)) { shown.post(message) }
            },
            error: .file(folder + "/follower.log")
        )
        running.withLock { $0.follower = child }
    }

    /// Follows again if the follower ended with its daemon.
    public func followAgain() async throws {
        if let follower = running.withLock({ $0.follower }) {
            await follower.stop(patience: .seconds(5))
            await follower.waitForOutputEnd(within: .seconds(5))
        }
        try follow()
    }

    /// Waits until a message with a body was shown.
    @discardableResult
    public func waitForMessage(_ body: String, within timeout: Duration = .seconds(60)) async throws -> Message {
        guard let message = await shown.first(within: timeout, where: { $0.isIncoming && $0.body == body }) else {
            throw PeerError("Not shown within \(timeout): \(body); see \(log)")
        }
        return message
    }

    /// The unread messages of the account, which are read afterwards.
    public func unread() async throws -> [Message] {
        try await objects(["inbox"]).compactMap { Message($0) }
    }

    /// Every message of the account, read and unread.
    public func messages() async throws -> [Message] {
        try await objects(["inbox", "--all"]).compactMap { Message($0) }
    }

    // MARK: Conversations

    /// Every commit of a conversation, newest first.
    public func history(of conversation: String) async throws -> [Commit] {
        try await objects(["conversation", "history", conversation]).compactMap { commit in
            guard let id = commit["id"]?.string else { return nil }
            return Commit(
                id: id,
                parents: commit["parents"]?.array?.compactMap(\.string) ?? [],
                type: commit["type"]?.string ?? "",
                body: commit["body"]?.string
            )
        }
    }

    /// Exports a conversation and checks the repository with git.
    public func check(_ conversation: String) async throws {
        let folder = try TemporaryFolder(named: "export")
        let repository = folder.path + "/repository"
        _ = try await run(["conversation", "export", conversation, repository]).orThrow()
        let check = ["git", "-c", "safe.directory=*", "-C", repository, "fsck", "--strict", "--full", "--no-dangling"]
        let result = try await TestSupport.run(check).orThrow()
        let complaints = (result.output + result.error).split(separator: "\n").filter { !$0.hasPrefix("notice: ") }
        guard complaints.isEmpty else { throw PeerError("git fsck: \(complaints.joined(separator: "; "))") }
    }
}

extension ApusPeer.Message {
    fileprivate init?(_ line: JSONValue?) {
        guard let line, let id = line["message"]?.string, let body = line["body"]?.string else { return nil }
        self.init(
            id: id,
            conversation: line["conversation"]?.string ?? "",
            from: line["from"]?.string ?? "",
            body: body,
            isIncoming: line["direction"]?.string != "out",
            seen: Date().timeIntervalSince1970
        )
    }
}

/// Whether a process exists that is more than a zombie.
private func isAlive(_ id: Int32) -> Bool {
    guard let status = try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8) else { return false }
    return status.split(separator: ")").last?.split(separator: " ").first != "Z"
}

/// Whether a process is a daemon of ours, and not a command or a peer.
private func isDaemon(_ id: Int32) -> Bool {
    guard let line = try? String(contentsOfFile: "/proc/\(id)/cmdline", encoding: .utf8) else { return false }
    let arguments = line.split(separator: "\0")
    return arguments.first?.hasSuffix("apus") == true && arguments.contains("daemon") && arguments.contains("run")
}

/// The end of a log, for error messages.
private func tail(of path: String) -> String {
    let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    return String(text.suffix(1_500))
}
