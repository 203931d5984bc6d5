import Foundation
import TestSupport
import Testing

/// The versions of the real implementation that we meet.
enum OpenDHT: String, CaseIterable, Sendable, CustomStringConvertible, CustomTestStringConvertible {
    case debian = "2.4.12"
    case newest = "4.4.2"

    /// The Python that has this version; `nil` when it is not there.
    var python: String? {
        switch self {
        case .debian: Self.debianPython
        case .newest: Peers.newestOpenDHTPython
        }
    }

    private static let debianPython: String? = {
        let modules = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/python3/dist-packages")) ?? []
        return modules.contains { $0.hasPrefix("opendht.") } ? "/usr/bin/python3" : nil
    }()

    var missing: String? {
        python == nil ? "OpenDHT \(rawValue) is not installed as a Python module" : nil
    }

    var description: String { "OpenDHT \(rawValue)" }
    var testDescription: String { description }
}

/// Which real node we meet, and over which Internet Protocol.
struct DHTSetting: Sendable, CustomTestStringConvertible {
    enum Family: String, CaseIterable, Sendable {
        case ipv4 = "4"
        case ipv6 = "6"
    }

    let version: OpenDHT
    let family: Family

    static let all = OpenDHT.allCases.filter { $0.missing == nil }.flatMap { version in
        Family.allCases.map { DHTSetting(version: version, family: $0) }
    }

    static func all(of version: OpenDHT) -> [DHTSetting] {
        all.filter { $0.version == version }
    }

    var testDescription: String { "\(version.testDescription), IPv\(family.rawValue)" }
}

enum DHTSide: Sendable, CaseIterable {
    case ours
    case theirs

    var other: DHTSide { self == .ours ? .theirs : .ours }
}
