public import Ethereum
import JSON
import Runtime

/// What proofs of a registry are judged by: which chain, which contract, and why a block is believed.
///
/// Chosen by the user and never by a server. Source: names protocol, "Proofs".
public struct NameTrust: Hashable, Sendable {
    /// Why a block is believed.
    public enum Rule: Hashable, Sendable {
        /// Signers whom a checkpoint names stand behind it.
        case clique(CliqueTrust)
        /// Operators of nodes say the same; this is trust in them.
        case quorum(QuorumRule)
    }

    /// Independent operators, by the URLs of their nodes, and how many must agree.
    public struct QuorumRule: Hashable, Sendable {
        public let endpoints: [String]
        /// For a registry of which nothing was accepted before.
        public let neededAtFirst: Int
        public let needed: Int

        public init(endpoints: [String], neededAtFirst: Int, needed: Int) {
            self.endpoints = endpoints
            self.neededAtFirst = neededAtFirst
            self.needed = needed
        }
    }

    public let chain: UInt64
    /// The storage contract that holds the names.
    public let store: Address
    public let rule: Rule
    public let freshness: Freshness

    public init(chain: UInt64, store: Address, rule: Rule, freshness: Freshness) {
        self.chain = chain
        self.store = store
        self.rule = rule
        self.freshness = freshness
    }
}

// MARK: - The file

/// Why a file with trust settings cannot be used.
public enum NameTrustError: Error, Hashable, Sendable {
    case notFound(String)
    /// What is wrong with which member.
    case malformed(String)

    /// What happened and what to do, for a person.
    public var sentence: String {
        switch self {
        case .notFound(let path):
            "There is no file \(path) with trust settings. “apus name verify --help” says what it holds."
        case .malformed(let what): "The trust settings cannot be used: \(what)."
        }
    }
}

extension NameTrust {
    static let maximumFileSize = 1 << 20

    /// Reads a file; blocks.
    public static func load(_ path: String) throws(NameTrustError) -> NameTrust {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try DurableFile.read(path, limit: maximumFileSize)
        } catch {
            throw error == .notFound ? .notFound(path) : .malformed("\(path) cannot be read")
        }
        return try NameTrust(json: String(decoding: bytes, as: UTF8.self))
    }

    /// Reads the JSON form.
    ///
    /// `{"chainId": 1551, "store": "0x…", "maximumAge": SECONDS, "trust": …}` with one of
    /// `{"kind": "clique", "checkpoint": "0x…", "epoch": 30000}` and
    /// `{"kind": "quorum", "endpoints": ["https://…", …], "firstContact": 3, "later": 2}`.
    public init(json text: String) throws(NameTrustError) {
        guard let value = JSONValue(parsing: text), value.object != nil else {
            throw .malformed("it is no JSON object")
        }
        guard let chain = Self.number(value["chainId"]), chain > 0 else {
            throw .malformed("“chainId” must be the number of the chain")
        }
        guard let store = value["store"]?.string.flatMap({ Address(hex: $0) }), !store.isZero else {
            throw .malformed("“store” must be the address of the storage contract")
        }
        guard let trust = value["trust"] else { throw .malformed("“trust” is missing") }
        let rule: Rule
        var freshness: Freshness
        switch trust["kind"]?.string {
        case "clique":
            rule = .clique(try Self.clique(trust))
            freshness = .proofOfAuthority
        case "quorum":
            rule = .quorum(try Self.quorum(trust))
            freshness = .proofOfStake
        default: throw .malformed("“trust.kind” must be “clique” or “quorum”")
        }
        if let age = value["maximumAge"] { freshness.maximumAge = try Self.seconds(age, "maximumAge") }
        if let skew = value["allowedSkew"] { freshness.allowedSkew = try Self.seconds(skew, "allowedSkew") }
        self.init(chain: chain, store: store, rule: rule, freshness: freshness)
    }

    private static func clique(_ trust: JSONValue) throws(NameTrustError) -> CliqueTrust {
        guard let bytes = trust["checkpoint"]?.string.flatMap({ HexText.bytes($0) }),
            let checkpoint = try? BlockHeader(decoding: bytes)
        else { throw .malformed("“trust.checkpoint” must be the RLP of a block header") }
        var maximumAge = CliqueTrust.defaultCheckpointAge
        if let age = trust["checkpointMaximumAge"] {
            maximumAge = try seconds(age, "trust.checkpointMaximumAge")
        }
        do throws(CliqueError) {
            return try CliqueTrust(
                checkpoint: checkpoint,
                epochLength: number(trust["epoch"]) ?? 30_000,
                quorum: number(trust["quorum"]).flatMap { Int(exactly: $0) },
                maximumCheckpointAge: maximumAge
            )
        } catch {
            throw .malformed("“trust.checkpoint” is no header of an epoch that lists signers")
        }
    }

    private static func quorum(_ trust: JSONValue) throws(NameTrustError) -> QuorumRule {
        let endpoints = (trust["endpoints"]?.array ?? []).compactMap(\.string)
        guard !endpoints.isEmpty, Set(endpoints).count == endpoints.count, endpoints.count <= 16 else {
            throw .malformed("“trust.endpoints” must name 1 to 16 different nodes")
        }
        let later = number(trust["later"]) ?? UInt64(min(2, endpoints.count))
        let first = number(trust["firstContact"]) ?? UInt64(min(3, endpoints.count))
        guard let needed = Int(exactly: later), let neededAtFirst = Int(exactly: first),
            (1...endpoints.count).contains(needed), (1...endpoints.count).contains(neededAtFirst)
        else { throw .malformed("“trust.firstContact” and “trust.later” must be 1 to the number of endpoints") }
        return QuorumRule(endpoints: endpoints, neededAtFirst: neededAtFirst, needed: needed)
    }

    private static func number(_ value: JSONValue?) -> UInt64? {
        if let text = value?.string { return HexText.integer(text) ?? UInt64(text) }
        return value?.integer.flatMap { UInt64(exactly: $0) }
    }

    private static func seconds(_ value: JSONValue, _ member: String) throws(NameTrustError) -> Duration {
        guard let number = value.integer, (0...3_155_760_000).contains(number) else {
            throw .malformed("“\(member)” must be a number of seconds")
        }
        return .seconds(number)
    }
}
