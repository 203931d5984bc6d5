import Ethereum
import Foundation
import Keys
import NameServer
import TestSupport

/// A registry on a test network, and what a process needs to be a server of it.
struct ServedRegistry: Sendable {
    let folder: TemporaryFolder
    let network: EthereumTestNode
    let registry: TestRegistry
    /// How commands find the registry.
    let chain: [String]
    let mode: ServerMode
    let data: String

    func server() async throws -> ServerProcess {
        try await ServerProcess.start(["--mode", mode.rawValue] + chain, folder: data)
    }

    /// On five Clique signers.
    static func onClique(
        _ mode: ServerMode,
        registrars: Int = 1,
        interval: String = "0.2"
    ) async throws -> ServedRegistry {
        let folder = try TemporaryFolder(named: "registry")
        let network = try await EthereumTestNode.startClique(
            ["--interval", interval],
            errorLog: folder.path + "/network.log"
        )
        return try await make(mode, registrars: registrars, in: folder, on: network, finality: "clique")
    }

    /// On one node, which makes a block of each transaction and others by the clock.
    static func onOneNode(_ mode: ServerMode, registrars: Int = 1) async throws -> ServedRegistry {
        let folder = try TemporaryFolder(named: "registry")
        let network = try await EthereumTestNode.start(
            ["--interval", "0.2"],
            errorLog: folder.path + "/network.log"
        )
        return try await make(mode, registrars: registrars, in: folder, on: network, finality: "tag")
    }

    private static func make(
        _ mode: ServerMode,
        registrars: Int,
        in folder: TemporaryFolder,
        on network: EthereumTestNode,
        finality: String
    ) async throws -> ServedRegistry {
        let keys = try network.accountKeys()
        let registry = try await TestRegistry.deploy(
            network.node(),
            chainID: network.chainID,
            founder: keys[0],
            registrars: keys[1...registrars].map(\.account)
        )
        let keyFile = folder.path + "/registrar.key"
        try Word(keys[1].secret)?.hex.write(toFile: keyFile, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: keyFile)
        let endpoints = network.urls.prefix(2).flatMap { ["--rpc", $0] }
        return ServedRegistry(
            folder: folder,
            network: network,
            registry: registry,
            chain: endpoints + [
                "--council", registry.council.hex, "--registrar-key-file", keyFile, "--finality", finality,
                "--block-time", "1",
            ],
            mode: mode,
            data: try folder.folder("data")
        )
    }
}
