// swift-tools-version:6.2
import PackageDescription

let settings: [SwiftSetting] = [.swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny")]

func apus(_ products: String...) -> [Target.Dependency] {
    products.map { .product(name: $0, package: "Apus") }
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name,
        dependencies: ["FuzzLoop"] + dependencies,
        swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]
    )
}

// The parsers of the DHT stand alone, since they are fuzzed in every test run and need few dependencies.
let package = Package(
    name: "Fuzz",
    platforms: [.macOS("26.0")],
    dependencies: [
        .package(name: "Apus", path: ".."),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: [
        .target(name: "FuzzLoop", swiftSettings: settings),
        program("DHTFuzz", apus("MessagePack", "Runtime", "Keys", "DHT")),
        program(
            "MessengerFuzz",
            apus("Runtime", "ICE", "Identity", "PeerLink", "Git", "Swarm", "SIP", "ControlAPI")
                + [.product(name: "NIOCore", package: "swift-nio")]
        ),
        program("NamesFuzz", apus("Names", "NameRegistry", "Ethereum", "Keys")),
    ]
)
