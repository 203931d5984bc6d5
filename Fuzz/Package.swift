// swift-tools-version:6.2
import PackageDescription

let layers = [
    "MessagePack", "Runtime", "Keys", "DHT", "ICE", "Identity", "PeerLink", "Git", "Swarm", "SIP", "ControlAPI",
]

let package = Package(
    name: "Fuzz",
    platforms: [.macOS("26.0")],
    dependencies: [
        .package(name: "Apus", path: ".."),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: [
        .executableTarget(
            name: "FuzzTargets",
            dependencies: layers.map { .product(name: $0, package: "Apus") } + [
                .product(name: "NIOCore", package: "swift-nio")
            ],
            swiftSettings: [
                .swiftLanguageMode(.v6),
                .enableUpcomingFeature("ExistentialAny"),
                .unsafeFlags(["-parse-as-library"]),
            ]
        )
    ]
)
