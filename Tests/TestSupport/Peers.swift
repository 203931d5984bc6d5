import Foundation

/// Which real peers this machine has.
public enum Peers {
    static let python = "/usr/bin/python3"

    public static func script(_ name: String) -> String {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Peers/\(name)").path
    }

    /// The folder of the running test program.
    private static let products = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()

    /// The built command: named by `APUS_BINARY`, or beside the running test program.
    public static let apus: String? = {
        if let named = ProcessInfo.processInfo.environment["APUS_BINARY"] { return named }
        let beside = products.appending(path: "apus").path
        return FileManager.default.isExecutableFile(atPath: beside) ? beside : nil
    }()

    /// Our node for the lines of `dht_peer.py`, beside the running test program.
    public static let dhtPeer: String? = {
        let beside = products.appending(path: "DHTPeer").path
        return FileManager.default.isExecutableFile(atPath: beside) ? beside : nil
    }()

    /// A store of names that dies in the middle of its work, beside the running test program.
    public static let nameStorePeer: String? = {
        let beside = products.appending(path: "NameStorePeer").path
        return FileManager.default.isExecutableFile(atPath: beside) ? beside : nil
    }()

    /// A Python with version 4 of OpenDHT: named by `APUS_OPENDHT_PYTHON`, or in the build folder.
    public static let newestOpenDHTPython: String? = {
        if let named = ProcessInfo.processInfo.environment["APUS_OPENDHT_PYTHON"] { return named }
        let build = products.deletingLastPathComponent().deletingLastPathComponent()
        let made = build.appending(path: "opendht/bin/python3").path
        return FileManager.default.isExecutableFile(atPath: made) ? made : nil
    }()

    /// The Python with the libraries of `ethereum_node.py` and `clique_network.py`: named by `APUS_CONTRACTS_PYTHON`,
    /// or in the build folder.
    public static let contractsPython: String? = {
        if let named = ProcessInfo.processInfo.environment["APUS_CONTRACTS_PYTHON"] { return named }
        let build = products.deletingLastPathComponent().deletingLastPathComponent()
        let made = build.appending(path: "contracts/bin/python3").path
        return FileManager.default.isExecutableFile(atPath: made) ? made : nil
    }()

    /// What is missing for test networks of Ethereum; `nil` when nothing is.
    public static let missingForEthereum: String? =
        contractsPython == nil ? "the tools of the contracts are not installed (contracts/test does that)" : nil

    /// What is missing for private networks; `nil` when nothing is.
    public static let missingForNetworks: String? = {
        guard geteuid() == 0 else { return "network namespaces need root" }
        if let missing = missingFile(
            ["/usr/sbin/nft", "/usr/bin/dhtnode", python],
            ["nftables", "dhtnode", "python3"]
        ) {
            return missing
        }
        return canMakeNamespaces ? nil : "this machine does not allow network namespaces"
    }()

    /// What is missing for the real Jami daemon; `nil` when nothing is.
    public static let missingForJami: String? =
        missingForNetworks
        ?? missingFile(
            [
                "/usr/libexec/jamid", "/usr/bin/dbus-daemon", "/usr/lib/python3/dist-packages/dbus",
                "/usr/lib/python3/dist-packages/gi", "/usr/bin/cc",
            ],
            ["jami-daemon", "dbus-daemon", "python3-dbus", "python3-gi", "gcc"]
        )

    /// What is missing for our own command on a private network; `nil` when nothing is.
    public static let missingForApus: String? =
        missingForNetworks ?? (apus == nil ? "the command apus is not built" : nil)

    /// What is missing for talks between our command and the real Jami daemon; `nil` when nothing is.
    public static let missingForInterop: String? = missingForJami ?? missingForApus

    private static func missingFile(_ paths: [String], _ packages: [String]) -> String? {
        for (path, package) in zip(paths, packages) where !FileManager.default.fileExists(atPath: path) {
            return "the package \(package) is not installed"
        }
        return nil
    }

    private static let canMakeNamespaces: Bool = {
        let name = "apusprobe\(getpid())"
        defer { _ = runBlocking(["ip", "netns", "del", name]) }
        return runBlocking(["ip", "netns", "add", name])
    }()

    private static func runBlocking(_ arguments: [String]) -> Bool {
        guard let child = try? ChildProcess(arguments) else { return false }
        let end = Date(timeIntervalSinceNow: 10)
        while child.exit == nil && Date() < end { Thread.sleep(forTimeInterval: 0.01) }
        return child.exit == .code(0)
    }
}
