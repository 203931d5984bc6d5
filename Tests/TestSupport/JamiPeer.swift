public import JSON
import Synchronization

/// A real Jami daemon on a host of a private network.
public final class JamiPeer: Sendable {
    public struct Account: Sendable {
        /// The name by which the daemon knows it.
        public let local: String
        /// Forty hexadecimal digits.
        public let id: String
        public let device: String
    }

    /// A message or another commit of a conversation, as the daemon shows it.
    public struct Commit: Sendable {
        public let id: String
        public let members: [String: String]

        public var type: String { members["type"] ?? "" }
        public var body: String? { members["body"] }
    }

    public let host: NetworkLab.Host
    /// The daemon's state, kept over restarts.
    let folder: String
    private let isVerbose: Bool
    private let running: Mutex<LineClient>

    private init(host: NetworkLab.Host, folder: String, isVerbose: Bool, client: LineClient) {
        self.host = host
        self.folder = folder
        self.isVerbose = isVerbose
        running = Mutex(client)
    }

    public static func start(on host: NetworkLab.Host, in lab: NetworkLab, isVerbose: Bool = false) async throws
        -> JamiPeer
    {
        let folder = try lab.folder.folder(host.namespace)
        let client = try await launch(on: host, folder: folder, isVerbose: isVerbose)
        return JamiPeer(host: host, folder: folder, isVerbose: isVerbose, client: client)
    }

    private static func launch(on host: NetworkLab.Host, folder: String, isVerbose: Bool) async throws -> LineClient {
        let arguments = [Peers.python, Peers.script("jamid_peer.py"), "--dir", folder]
        return try await LineClient.start(
            host.command(isVerbose ? arguments + ["--log"] : arguments),
            errorLog: folder + "/peer.log",
            within: .seconds(90)
        )
    }

    private var client: LineClient { running.withLock { $0 } }

    // MARK: Life

    public func stop() async {
        await client.process.stop(patience: .seconds(15))
    }

    /// Ends the daemon without a goodbye, which would take seconds; for the end of a test.
    public func kill() {
        client.process.killGroup()
    }

    /// Starts the same peer again after ``stop()``.
    ///
    /// Events from before are forgotten.
    public func startAgain() async throws {
        let fresh = try await Self.launch(on: host, folder: folder, isVerbose: isVerbose)
        running.withLock { $0 = fresh }
    }

    /// Resident memory of the daemon in bytes.
    public func residentBytes() async throws -> Int64 {
        try await client.request(["do": "memory"])["resident"]?.integer ?? 0
    }

    // MARK: Calls

    /// Calls a D-Bus method, `Manager.method`.
    @discardableResult
    public func call(_ method: String, _ arguments: [JSONValue] = [], within timeout: Duration = .seconds(60))
        async throws
        -> JSONValue
    {
        let name = method.contains(".") ? method : "ConfigurationManager.\(method)"
        return try await client.request(["call": .string(name), "args": .array(arguments)], within: timeout)
    }

    /// The arguments of a past or future signal that fits: dotted paths into the arguments, and their text.
    @discardableResult
    public func wait(
        for event: String,
        matching match: [String: String] = [:],
        within timeout: Duration = .seconds(60)
    ) async throws -> [JSONValue] {
        let name = event.contains(".") ? event : "ConfigurationManager.\(event)"
        let found = await client.events.first(within: timeout) { candidate in
            guard candidate["event"]?.string == name, let arguments = candidate["args"] else { return false }
            return match.allSatisfy { Self.text(at: $0.key, in: arguments) == $0.value }
        }
        guard let arguments = found?["args"]?.array else {
            throw PeerError("jamid: no \(event) with \(match) within \(timeout)")
        }
        return arguments
    }

    /// Every signal of a name so far, arguments only.
    public func events(_ event: String) -> [[JSONValue]] {
        let name = event.contains(".") ? event : "ConfigurationManager.\(event)"
        return client.events.all.filter { $0["event"]?.string == name }.compactMap { $0["args"]?.array }
    }

    /// When a signal that fits arrived, in seconds since 1970.
    public func time(of event: String, matching match: [String: String]) -> Double? {
        client.events.all.first { candidate in
            candidate["event"]?.string == "ConfigurationManager.\(event)"
                && match.allSatisfy { Self.text(at: $0.key, in: candidate["args"] ?? .null) == $0.value }
        }?["at"]?.number
    }

    private static func text(at path: String, in value: JSONValue) -> String? {
        var value = value
        for key in path.split(separator: ".") {
            guard let next = Int(key).flatMap({ value[$0] }) ?? value[String(key)] else { return nil }
            value = next
        }
        switch value {
        case .string(let text): return text
        case .integer(let number): return String(number)
        case .boolean(let flag): return flag ? "true" : "false"
        default: return nil
        }
    }

    // MARK: Accounts

    /// Makes an account and waits until its device is announced.
    ///
    /// With details `Account.archivePath` and `Account.archivePassword` it takes over an archive.
    public func newAccount(
        alias: String,
        bootstrap: String,
        details: [String: String] = [:]
    ) async throws -> Account {
        let request: JSONValue = [
            "alias": .string(alias), "bootstrap": .string(bootstrap),
            "details": .object(details.mapValues { .string($0) }),
        ]
        let made = try await client.request(["do": "new_account", "args": request], within: .seconds(180))
        return try Self.account(made)
    }

    /// Waits until the device of an account is announced, for instance after a restart.
    @discardableResult
    public func waitUntilAnnounced(_ account: Account, within timeout: Duration = .seconds(120)) async throws -> Account
    {
        let request: JSONValue = ["account": .string(account.local)]
        return try Self.account(try await client.request(["do": "announced", "args": request], within: timeout))
    }

    private static func account(_ answer: JSONValue) throws -> Account {
        guard let local = answer["account"]?.string, let id = answer["uri"]?.string, id.utf8.count == 40 else {
            throw PeerError("jamid: no account in \(answer.line)")
        }
        return Account(local: local, id: id, device: answer["device"]?.string ?? "")
    }

    // MARK: Contacts and conversations

    public func invite(_ id: String, from account: Account) async throws {
        try await call("sendTrustRequest", [.string(account.local), .string(id), ["hex": ""]])
    }

    /// Accepts an invitation once the daemon holds it.
    ///
    /// It tells of an invitation a moment before it has stored the conversation's; whoever accepts meanwhile gets a
    /// contact without a conversation.
    public func accept(_ id: String, as account: Account) async throws {
        try await eventually(within: .seconds(30), every: .milliseconds(20), "jamid holds the invitation of \(id)") {
            let requests = try await call("getConversationRequests", [.string(account.local)]).array ?? []
            return requests.contains { $0["from"]?.string == id } ? () : nil
        }
        try await call("acceptTrustRequest", [.string(account.local), .string(id)])
    }

    public func send(_ text: String, in conversation: String, from account: Account) async throws {
        try await call("sendMessage", [.string(account.local), .string(conversation), .string(text), "", 0])
    }

    /// Every commit of a conversation, newest first.
    public func commits(of conversation: String, of account: Account) async throws -> [Commit] {
        let arguments: [JSONValue] = [.string(account.local), .string(conversation), "", 0]
        guard let request = try await call("loadConversationMessages", arguments).integer else {
            throw PeerError("jamid: loadConversationMessages gave no number")
        }
        let loaded = try await wait(for: "conversationLoaded", matching: ["0": String(request)])
        return (loaded.last?.array ?? []).compactMap { message in
            guard let members = message.object?.compactMapValues(\.string), let id = members["id"] else { return nil }
            return Commit(id: id, members: members)
        }
    }
}
