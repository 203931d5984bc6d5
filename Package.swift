// swift-tools-version:6.2
import PackageDescription

let language: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
]
let shipped = language + [.strictMemorySafety()]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let grdbSQLite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let hummingbird = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let bigInt = Target.Dependency.product(name: "BigInt", package: "BigInt")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

func layer(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: shipped)
}

func tests(of name: String, _ more: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: [.target(name: name), "TestSupport"] + more,
        resources: [.copy("Vectors")],
        swiftSettings: language
    )
}

let layers = [
    "MessagePack", "Runtime", "JSON", "Keys", "DHT", "ICE", "Identity", "PeerLink", "Git", "Swarm", "SIP", "Apus",
    "ControlAPI", "Ethereum", "NameRegistry", "Names", "NameServer", "NameServerPostgreSQL",
]

let package = Package(
    name: "Apus",
    platforms: [.macOS("26.0")],
    products: layers.map { .library(name: $0, targets: [$0]) } + [.executable(name: "apus", targets: ["ApusCommand"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/attaswift/BigInt", from: "6.0.1"),
    ],
    targets: [
        .systemLibrary(name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CArgon2", pkgConfig: "libargon2", providers: [.apt(["libargon2-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CSecp256k1", pkgConfig: "libsecp256k1", providers: [.apt(["libsecp256k1-dev"])]),
        .systemLibrary(name: "CPostgreSQL", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .target(name: "CDatagram"),

        .target(name: "MessagePack", swiftSettings: shipped + [.enableExperimentalFeature("Lifetimes")]),
        layer("Runtime", ["CZlib"]),
        layer("JSON", []),
        layer("Keys", ["MessagePack", "Runtime", "CLibCrypto", "CArgon2", crypto, cryptoExtras]),
        layer("DHT", ["CDatagram", "MessagePack", "Runtime", "Keys", crypto, nioCore, nioPosix, logging]),
        layer("ICE", ["Runtime", crypto, nioCore, nioPosix, logging]),
        layer("Identity", ["MessagePack", "Runtime", "Keys", "DHT"]),
        layer(
            "PeerLink",
            ["MessagePack", "Runtime", "Keys", "DHT", "ICE", "Identity", nioCore, nioPosix, nioSSL, logging]
        ),
        layer("Git", ["Runtime", crypto]),
        layer("Swarm", ["Runtime", "Keys", "Identity", "Git", grdb, logging]),
        layer("SIP", ["Runtime"]),
        layer(
            "Apus",
            [
                "MessagePack", "Runtime", "Keys", "ICE", "Identity", "PeerLink", "Git", "Swarm", "SIP", "Ethereum",
                "NameRegistry", "Names", grdb, logging, nioCore, nioPosix,
            ]
        ),
        layer(
            "ControlAPI",
            ["Apus", "Runtime", "JSON", "Identity", "Keys", "Names", "Swarm", nioCore, nioPosix, logging]
        ),
        layer(
            "Ethereum",
            ["CSecp256k1", "JSON", "Keys", "Runtime", asyncHTTPClient, nioCore, nioHTTP1]
        ),
        layer("NameRegistry", ["Ethereum", "JSON", "Keys", "Runtime", bigInt, crypto]),
        layer(
            "Names",
            [
                "NameRegistry", "Ethereum", "JSON", "Keys", "Runtime", asyncHTTPClient, nioCore, nioPosix, nioHTTP1,
            ]
        ),
        layer(
            "NameServer",
            [
                "NameRegistry", "Ethereum", "JSON", "Keys", "Runtime", grdbSQLite, hummingbird, asyncHTTPClient, bigInt,
                nioCore, nioHTTP1, nioPosix, logging,
            ]
        ),
        layer(
            "NameServerPostgreSQL",
            ["NameServer", "NameRegistry", "CPostgreSQL", "Keys", "Runtime", nioCore, nioPosix, logging]
        ),
        .executableTarget(
            name: "ApusCommand",
            dependencies: [
                "Apus", "ControlAPI", "DHT", "Ethereum", "Identity", "JSON", "Keys", "NameRegistry", "NameServer",
                "NameServerPostgreSQL", "Names", "Runtime", argumentParser, asyncHTTPClient, bigInt,
                logging, nioCore, nioPosix,
            ],
            swiftSettings: shipped
        ),

        .target(
            name: "TestSupport",
            dependencies: ["JSON", nioCore, nioPosix, nioHTTP1],
            path: "Tests/TestSupport",
            swiftSettings: language
        ),
        .target(
            name: "DHTTestSupport",
            dependencies: ["DHT", "Keys", "Runtime", nioPosix, logging],
            path: "Tests/DHTTestSupport",
            swiftSettings: language
        ),
        .executableTarget(
            name: "DHTPeer",
            dependencies: ["DHT", "DHTTestSupport", "JSON", "Keys", "Runtime"],
            path: "Tests/DHTPeer",
            swiftSettings: language
        ),
        .executableTarget(
            name: "NameStorePeer",
            dependencies: ["Ethereum", "Keys", "NameRegistry", "NameServer", "NameServerPostgreSQL", "Runtime"],
            path: "Tests/NameStorePeer",
            swiftSettings: language
        ),
    ]
        + [
            "MessagePack", "Runtime", "Keys", "ICE", "Identity", "PeerLink", "Git", "Swarm", "SIP", "Apus",
        ].map { tests(of: $0) } + [
            tests(of: "ControlAPI", ["JSON"]),
            tests(of: "DHT", ["DHTTestSupport"]),
            tests(of: "Ethereum", ["JSON", "Keys", "Runtime", asyncHTTPClient, nioCore, nioPosix]),
            tests(of: "NameRegistry", ["Ethereum", "JSON", "Keys", "Runtime", bigInt]),
            tests(of: "Names", ["NameRegistry", "Ethereum", "JSON", "Keys", "Runtime", bigInt, nioCore, nioPosix]),
            tests(
                of: "NameServer",
                [
                    "NameRegistry", "NameServerPostgreSQL", "Ethereum", "JSON", "Keys", "Names", "Runtime", bigInt,
                    grdb,
                    hummingbird, asyncHTTPClient, logging, nioCore, nioHTTP1, nioPosix,
                ]
            ),
            .testTarget(
                name: "ApusCommandTests",
                dependencies: [
                    "ApusCommand", "Apus", "ControlAPI", "DHT", "JSON", "Keys", "TestSupport", argumentParser, logging,
                    nioPosix,
                ],
                swiftSettings: language
            ),
            .testTarget(
                name: "SimulationTests",
                dependencies: ["DHT", "ICE", "Runtime", "TestSupport"],
                swiftSettings: language
            ),
            .testTarget(
                name: "InteropTests",
                dependencies: [
                    "Apus", "ControlAPI", "DHT", "DHTTestSupport", "JSON", "Keys", "Runtime", "TestSupport",
                ],
                swiftSettings: language
            ),
        ]
)
