public import ArgumentParser
import Ethereum
import Foundation
import Keys
import Logging
import NameRegistry
public import NameServer
import Runtime

/// Which chain a command works on, and as whom.
struct ChainOptions: ParsableArguments {
    @Option(
        name: .customLong("rpc"),
        help: "A node of the chain, by its URL. Give several and the next one answers when one fails."
    )
    var endpoints: [String] = []

    @Option(help: "The address of the council that governs the registry.")
    var council: String?

    @Option(help: "The number of the chain; without it, that of the first node that answers.")
    var chainID: UInt64?

    @Option(
        help: """
            The file with the key of this server as a registrar, 64 hexadecimal digits, which only you may read \
            (default: the variable APUS_REGISTRAR_KEY).
            """
    )
    var registrarKeyFile: String?

    @Option(help: "A block before the registry was made, to look at no earlier ones.")
    var fromBlock: UInt64 = 0

    @Option(help: "What makes blocks final: “tag” for the node's word (proof of stake), “clique” for their seals.")
    var finality = "tag"

    @Option(help: "The usual time between two blocks, in seconds.")
    var blockTime = 12.0

    func validate() throws {
        for endpoint in endpoints {
            guard let url = URL(string: endpoint), url.host() != nil, ["http", "https"].contains(url.scheme) else {
                throw ValidationError("A node is given by its URL, such as http://localhost:8545.")
            }
        }
        if let council, Address(hex: council)?.isZero ?? true {
            throw ValidationError("A council is given by its address, 40 hexadecimal digits.")
        }
        guard ["tag", "clique"].contains(finality) else {
            throw ValidationError("What makes blocks final is “tag” or “clique”.")
        }
        guard blockTime > 0, blockTime <= 3_600 else {
            throw ValidationError("A block takes between 0 and 3600 seconds.")
        }
    }

    /// The registry on its chain, once a node has answered; while none does, as an earlier run has learned it.
    func open(or memory: RegistryMemory? = nil) async throws -> NodeRegistryChain {
        guard !endpoints.isEmpty else {
            throw Failure(kind: .refused, sentence: "No node of the chain is named. Name one with --rpc.")
        }
        guard let council = council.flatMap({ Address(hex: $0) }) else {
            throw Failure(kind: .refused, sentence: "No council is named. Give its address with --council.")
        }
        let key = try registrarKey()
        let nodes = endpoints.map { url in
            NodeEndpoint(name: URL(string: url)?.host() ?? url, transport: HTTPNodeTransport(url: url))
        }
        var options = NodeOptions()
        options.attemptTimeout = .seconds(10)
        options.timeout = .seconds(25)
        options.requestsPerSecond = 500
        options.longestPause = .seconds(10)
        if let memory, memory.council == council, let rule = rule(memory), await !serves(memory, at: nodes) {
            return NodeRegistryChain.remembered(
                memory,
                at: EthereumNode(endpoints: nodes, chainID: memory.chainID, options: options),
                NodeRegistryChain.Configuration(council: council, firstBlock: fromBlock, rule: rule),
                key: key
            )
        }
        let node = EthereumNode(endpoints: nodes, chainID: chainID, options: options)
        do throws(ChainReadError) {
            let rule = try await rule(node)
            return try await NodeRegistryChain.open(
                node,
                NodeRegistryChain.Configuration(council: council, firstBlock: fromBlock, rule: rule),
                key: key
            )
        } catch {
            throw Failure(
                kind: .refused,
                sentence: "The registry of the council \(council.checksummed) cannot be read: \(error.reason)."
            )
        }
    }

    /// Whether a node soon tells of the registry, or at once of another chain; otherwise a start does not wait for it.
    private func serves(_ memory: RegistryMemory, at nodes: [NodeEndpoint]) async -> Bool {
        var options = NodeOptions()
        options.attemptTimeout = .seconds(2)
        options.timeout = .seconds(4)
        let node = EthereumNode(endpoints: nodes, chainID: nil, options: options)
        do throws(NodeError) {
            guard try await node.chainID() == memory.chainID else { return true }
            return try await !node.ask(CouncilContract(memory.council).storage(0)).isZero
        } catch {
            return false
        }
    }

    /// What makes a remembered chain's blocks final.
    private func rule(_ memory: RegistryMemory) -> FinalityRule? {
        guard finality == "clique" else { return .tag }
        return memory.signers.isEmpty ? nil : .clique(signers: memory.signers.count)
    }

    private func rule(_ node: EthereumNode) async throws(ChainReadError) -> FinalityRule {
        guard finality == "clique" else { return .tag }
        let genesis: Block?
        do throws(NodeError) {
            genesis = try await node.block(.number(0))
        } catch {
            throw .unreachable(reason: "\(error)")
        }
        guard let signers = try? genesis?.header.cliqueSigners(), !signers.isEmpty else {
            throw .inconsistent(reason: "its first block lists no signers, so it is no Clique chain")
        }
        return .clique(signers: signers.count)
    }

    private func registrarKey() throws -> EthereumKey {
        let text: String
        if let registrarKeyFile {
            let attributes = try? FileManager.default.attributesOfItem(atPath: registrarKeyFile)
            guard let contents = try? String(contentsOfFile: registrarKeyFile, encoding: .utf8) else {
                throw Failure(kind: .refused, sentence: "The key in \(registrarKeyFile) cannot be read.")
            }
            if let mode = attributes?[.posixPermissions] as? Int, mode & 0o077 != 0 {
                throw Failure(
                    kind: .refused,
                    sentence: """
                        Others may read the key in \(registrarKeyFile). Take that from them first: \
                        chmod 600 \(registrarKeyFile)
                        """
                )
            }
            text = contents
        } else if let variable = ProcessInfo.processInfo.environment["APUS_REGISTRAR_KEY"] {
            text = variable
        } else {
            throw Failure(
                kind: .refused,
                sentence: "No registrar's key is named. Name its file with --registrar-key-file."
            )
        }
        let digits = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let secret = Word(hex: digits), let key = try? EthereumKey(secret: secret.bytes) else {
            throw Failure(kind: .refused, sentence: "A registrar's key is 64 hexadecimal digits, and not zero.")
        }
        return key
    }
}

extension ServerMode: ExpressibleByArgument {}

extension ModePolicy.Depth: ExpressibleByArgument {}
