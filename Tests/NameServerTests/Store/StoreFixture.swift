import Ethereum
import Keys
import NameRegistry
import NameServer
import NameServerPostgreSQL
import Runtime
import TestSupport
import Testing

/// Registrations by number: the same number is the same name, account, owner and evidence.
enum Sample {
    static func name(_ number: Int) throws -> Name {
        try Vector.some(Name(canonical: "user-\(number)"))
    }

    static func account(_ number: Int) -> InfoHash {
        InfoHash(hashing: "account \(number)")
    }

    static func owner(_ number: Int) -> Address {
        Address(InfoHash(hashing: "owner \(number)"))
    }

    static func evidence(_ number: Int) -> NameEvidence {
        var generator = SeededGenerator(seed: UInt64(number))
        return NameEvidence(publicKey: generator.bytes(550), signature: generator.bytes(512))
    }

    static func registration(_ number: Int, account: Int? = nil, owner: Int? = nil) throws -> Registration {
        Registration(
            name: try name(number),
            account: Self.account(account ?? number),
            owner: Self.owner(owner ?? number),
            evidence: evidence(number)
        )
    }

    static let time = WallTime(seconds: 1_700_000_000)
}

enum Vector {
    static func some<Value>(_ value: Value?) throws -> Value {
        guard let value else { throw PeerError("A value is missing") }
        return value
    }
}

/// The databases that every store is tested on.
enum StoreEngine: String, CaseIterable, CustomTestStringConvertible {
    case sqlite
    case postgreSQL

    var testDescription: String { rawValue }

    /// Those that this machine has.
    static let available = allCases.filter { $0 == .sqlite || PostgreSQLCluster.isInstalled }
}

/// An empty place for stores, which can be opened again and again.
final class StorePlace: Sendable {
    let engine: StoreEngine
    let folder: TemporaryFolder
    private let database: String

    init(_ engine: StoreEngine) async throws {
        self.engine = engine
        folder = try TemporaryFolder(named: "names")
        switch engine {
        case .sqlite: database = folder.path + "/names.sqlite"
        case .postgreSQL: database = try await PostgreSQLCluster.shared().makeDatabase()
        }
    }

    var databasePath: String { database }
    var logPath: String { folder.path + "/registrations.log" }

    /// A store here, with a log of this name in the folder.
    func open(
        log: String = "registrations.log",
        steps: @escaping StoreSteps = { (_) throws(NameStoreError) in }
    ) async throws -> SQLNameStore {
        let logPath = "\(folder.path)/\(log)"
        switch engine {
        case .sqlite:
            return try await SQLNameStore.sqlite(.init(path: database, logPath: logPath), steps: steps)
        case .postgreSQL:
            return try await SQLNameStore.postgreSQL(.init(connection: database, logPath: logPath), steps: steps)
        }
    }
}

extension RegistrationOutcome {
    var isInserted: Bool {
        if case .inserted = self { true } else { false }
    }

    var isIdentical: Bool {
        if case .identical = self { true } else { false }
    }
}
