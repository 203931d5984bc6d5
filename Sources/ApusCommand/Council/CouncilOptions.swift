import ArgumentParser
import AsyncHTTPClient
import Ethereum
import Foundation
import JSON
import Keys
import NIOPosix
import NameRegistry

/// Where the chain is reached, and how answers are printed.
struct NodeOptionGroup: ParsableArguments {
    @Option(name: .customLong("rpc"), help: "A node of the chain, by its URL; several are asked in turn.")
    var urls: [String]

    @Option(name: .customLong("chain-id"), help: "The chain that the nodes must belong to (default: what they say).")
    var chainID: UInt64?

    @Flag(help: "Print JSON for programs.")
    var json = false

    func validate() throws {
        for text in urls {
            guard let url = URL(string: text), ["http", "https"].contains(url.scheme), url.host() != nil else {
                throw ValidationError("A node is given by its URL, such as https://node.example; “\(text)” is none.")
            }
        }
    }

    /// Runs work with a node; connections are closed behind it, and errors become sentences.
    func withNode(_ work: (EthereumNode) async throws -> Void) async throws {
        let client = HTTPClient(
            eventLoopGroup: .singletonMultiThreadedEventLoopGroup,
            configuration: HTTPNodeTransport.configuration
        )
        let endpoints = urls.map { url in
            // The rest of a URL may hold a password.
            NodeEndpoint(
                name: URL(string: url)?.host() ?? "node",
                transport: HTTPNodeTransport(url: url, client: client)
            )
        }
        let result: Result<Void, any Error>
        do {
            try await work(EthereumNode(endpoints: endpoints, chainID: chainID))
            result = .success(())
        } catch {
            result = .failure(Failure(ofCouncil: error))
        }
        try? await client.shutdown()
        try result.get()
    }
}

/// Which council is meant.
struct CouncilOptions: ParsableArguments {
    @OptionGroup var chain: NodeOptionGroup

    @Option(help: "The council's address.", transform: CouncilArguments.address)
    var council: Address

    @Option(help: "The first block to look for the council's events in; at most the one that it was made in.")
    var fromBlock: UInt64 = 0

    func withCouncil(_ work: (CouncilReader) async throws -> Void) async throws {
        try await chain.withNode { try await work(CouncilReader(node: $0, council: council, firstBlock: fromBlock)) }
    }
}

/// The key that signs.
struct CouncilKeyOptions: ParsableArguments {
    static let variable = "APUS_COUNCIL_KEY"

    @Option(help: "The file with the key: 64 hexadecimal digits, readable by you only.")
    var keyFile: String?

    func key() throws -> EthereumKey {
        guard let keyFile else {
            guard let text = ProcessInfo.processInfo.environment[Self.variable] else {
                throw Failure(
                    kind: .usage,
                    sentence: "A key is needed: give its file with --key-file, or set the variable \(Self.variable)."
                )
            }
            return try Self.key(text, from: "The variable \(Self.variable)")
        }
        var information = stat()
        guard unsafe stat(keyFile, &information) == 0, let text = try? String(contentsOfFile: keyFile, encoding: .utf8)
        else {
            throw Failure(kind: .refused, sentence: "The key file \(keyFile) cannot be read.")
        }
        guard information.st_mode & 0o077 == 0 else {
            throw Failure(
                kind: .refused,
                sentence: "Others may read the key file \(keyFile). Protect it with: chmod 600 \(keyFile)"
            )
        }
        return try Self.key(text, from: "The key file \(keyFile)")
    }

    /// Never says what it read.
    private static func key(_ text: String, from source: String) throws -> EthereumKey {
        let digits = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let word = Word(hex: digits), let key = try? EthereumKey(secret: word.bytes) else {
            throw Failure(kind: .refused, sentence: "\(source) holds no key: 64 hexadecimal digits are expected.")
        }
        return key
    }
}

/// What every command takes that does something at a council.
struct CouncilMemberOptions: ParsableArguments {
    @OptionGroup var council: CouncilOptions
    @OptionGroup var keyOptions: CouncilKeyOptions

    func withSession(_ work: (CouncilSession, EthereumKey) async throws -> Void) async throws {
        let key = try keyOptions.key()
        try await council.withCouncil { reader in
            try await work(CouncilSession(reader: reader, isJSON: council.chain.json), key)
        }
    }

    /// Sends to the council and says what was done.
    func send(_ data: [UInt8], done sentence: String, json: [String: JSONValue] = [:]) async throws {
        try await withSession { session, key in
            try await session.send(data, by: key, done: sentence, json: json)
        }
    }
}

/// How arguments are read.
enum CouncilArguments {
    static func address(_ text: String) throws -> Address {
        guard let address = Address(checkingChecksum: text) else {
            throw ValidationError(
                "An address is 40 hexadecimal digits after 0x, with the right checksum where capitals are used."
            )
        }
        return address
    }

    static func word(_ text: String) throws -> Word {
        guard let word = Word(hex: text) else { throw ValidationError("A hash is 64 hexadecimal digits after 0x.") }
        return word
    }

    static func amount(_ text: String) throws -> UInt128 {
        guard let amount = UInt128(text), amount > 0 else {
            throw ValidationError("An amount of stake is a number above zero.")
        }
        return amount
    }

    static func name(_ text: String) throws -> Name {
        guard let name = Name(folding: text) else {
            throw ValidationError("A name has 3 to 32 of the characters a–z, 0–9, “-” and “_”.")
        }
        return name
    }
}

extension Failure {
    /// What a person is told when a node or a contract says no.
    init(ofCouncil error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case CouncilReaderError.node(let error), SendingError.node(let error): self.init(ofNode: error)
        case let error as NodeError: self.init(ofNode: error)
        case CouncilReaderError.noContract:
            self.init(kind: .notFound, sentence: "\(error). Check --council and --rpc.")
        case SendingError.pending: self.init(kind: .notYet, sentence: "\(error).")
        default: self.init(kind: .refused, sentence: "\(error).")
        }
    }

    private init(ofNode error: NodeError) {
        let reason: String? = if case .refused(let refusal) = error { refusal.revertReason } else { nil }
        let kind: Kind =
            switch error {
            case .unreachable, .timedOut, .busy, .cancelled: .unavailable
            case .refused where reason == "empty": .notFound
            case .refused where reason.map(Self.passingReasons.contains) == true: .notYet
            case .otherChain, .malformed, .refused, .tooLarge: .refused
            }
        self.init(kind: kind, sentence: reason.flatMap { Self.councilReasons[$0] } ?? "\(error).")
    }

    /// The reasons that time alone removes.
    private static let passingReasons: Set = ["cooldown", "priority", "open"]

    /// The council's short reasons, as sentences.
    private static let councilReasons = [
        "busy": "Another proposal is open. Vote on it, or wait for its end; see: apus council show",
        "stake": "Your stake is too small to propose something, or to vote.",
        "no stake": "You had no stake when this proposal was made, so you cannot vote on it.",
        "cooldown": "Your last proposal failed; you have to wait before you can make another one.",
        "duration": "The council does not allow proposals to be open for so long or so short a time; see --duration.",
        "priority": "Only those who rejected the last proposal may propose something now; try again later.",
        "voted": "You have voted on this proposal already. Votes are final.",
        "closed": "Voting on this proposal has ended.",
        "payload": "The open proposal is another one by now; look at it again.",
        "not due": "The proposal cannot be executed: it has not passed, its delay is not over, or it waited too long.",
        "locked": "You have not so much stake to give. Those who propose something keep the council's threshold.",
        "frozen": "Your stake cannot be moved while a proposal to reassign it is open.",
        "recipient": "Stake can be given neither to nobody, nor to the council, nor to yourself.",
        "code hash": "The code at the target is not the one that the proposal names.",
        "blueprint": "The target is no blueprint of a storage.",
        "full": "The council has as many storages as it can have.",
        "no logic": "No logic is selected, so there is nothing to configure.",
        "not proposer": "Only its proposer can withdraw a proposal.",
        "passed": "The proposal has passed and cannot be withdrawn any more.",
        "empty": "There is no proposal.",
        "open": "The proposal has not expired, so it cannot be closed.",
    ]
}
