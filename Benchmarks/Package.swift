// swift-tools-version:6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .unsafeFlags(["-parse-as-library"]),
]

let package = Package(
    name: "Benchmarks",
    platforms: [.macOS("26.0")],
    dependencies: [
        .package(name: "Apus", path: ".."),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        .executableTarget(
            name: "DHTBench",
            dependencies: [
                .product(name: "DHT", package: "Apus"),
                .product(name: "Keys", package: "Apus"),
                .product(name: "MessagePack", package: "Apus"),
                .product(name: "Runtime", package: "Apus"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "NamesBench",
            dependencies: [
                .product(name: "Ethereum", package: "Apus"),
                .product(name: "JSON", package: "Apus"),
                .product(name: "Keys", package: "Apus"),
                .product(name: "NameRegistry", package: "Apus"),
                .product(name: "Names", package: "Apus"),
                .product(name: "NameServer", package: "Apus"),
                .product(name: "Runtime", package: "Apus"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "NameStoreBench",
            dependencies: [
                .product(name: "Ethereum", package: "Apus"),
                .product(name: "Keys", package: "Apus"),
                .product(name: "NameRegistry", package: "Apus"),
                .product(name: "NameServer", package: "Apus"),
                .product(name: "Runtime", package: "Apus"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: settings
        ),
    ]
)
