import Foundation
import GRDB
import Git
import Identity
import Keys
import Runtime
import Swarm
import TestSupport

let hasGit = FileManager.default.isExecutableFile(atPath: "/usr/bin/git")

func vector(_ name: String) throws -> JSONVector {
    try JSONVector(file: name, in: .module)
}

/// A bundle among the vectors of this target.
struct GitBundle {
    let heads: [String: ObjectID]
    let pack: [UInt8]

    init(_ name: String) throws {
        let file = try GitBundleFile(file: name, in: .module)
        heads = file.heads.compactMapValues { ObjectID(hex: $0) }
        pack = file.pack
    }

    func read(on base: ObjectStore = ObjectStore()) throws -> ObjectStore {
        try PackReader.read(pack) { base.object($0) }
    }
}

/// Accounts with one device each, made once for all tests.
enum People {
    static let all: Result<[DeviceIdentity], any Error> = Result {
        var randomness = Randomness.seeded(7)
        return try (0..<3).map { _ in try make(&randomness) }
    }

    static func person(_ index: Int) throws -> DeviceIdentity {
        try all.get()[index]
    }

    private static func make(_ randomness: inout Randomness) throws -> DeviceIdentity {
        let now = WallTime(seconds: 1_700_000_000)
        let keys = try (0..<3).map { _ in try RSAPrivateKey.generate(bits: 2048) }
        let authority = try Certificate.issue(
            commonName: "Jami CA",
            for: keys[0].publicKey,
            by: nil,
            signedWith: keys[0],
            isAuthority: true,
            now: now,
            randomness: &randomness
        )
        let account = try Certificate.issue(
            commonName: "Jami",
            for: keys[1].publicKey,
            by: authority,
            signedWith: keys[0],
            isAuthority: true,
            now: now,
            randomness: &randomness
        )
        let device = try Certificate.issue(
            commonName: "Jami device",
            for: keys[2].publicKey,
            by: account,
            signedWith: keys[1],
            isAuthority: false,
            now: now,
            randomness: &randomness
        )
        return try DeviceIdentity(chain: CertificateChain([device, account, authority]), key: keys[2])
    }
}

/// A person with a database.
struct Peer {
    let queue: DatabaseQueue
    let identity: DeviceIdentity
    let signer: CommitSigner

    init(_ index: Int) throws {
        queue = try DatabaseQueue()
        var migrator = DatabaseMigrator()
        SwarmSchema.register(in: &migrator)
        try migrator.migrate(queue)
        identity = try People.person(index)
        signer = CommitSigner(identity: identity, displayName: "Person \(index)")
    }

    static let start: Int64 = 1_700_000_100

    func text(_ body: String, in id: ConversationID, at seconds: Int64) throws -> CommitRecord {
        try queue.write { database in
            try Conversation.commitText(
                database,
                in: id,
                body: body,
                signer: signer,
                at: WallTime(seconds: Self.start + seconds)
            )
        }
    }

    func absorb(_ fetched: Fetched, into id: ConversationID, from other: Peer, at seconds: Int64) throws -> Absorbed {
        let (objects, head) =
            switch fetched {
            case .upToDate(let head): (ObjectStore(), head)
            case .objects(let objects, let head): (objects, head)
            }
        return try queue.write { database in
            try Conversation.absorb(
                database,
                objects,
                head: head,
                into: id,
                from: other.identity.deviceID,
                signer: signer,
                at: WallTime(seconds: Self.start + seconds)
            )
        }
    }

    /// One session as a peer's client, the bytes passed by hand.
    func fetch(_ id: ConversationID, from other: Peer) throws -> Fetched {
        var server = ServingSession(id)
        var client = FetchingSession(id, from: other.identity.deviceID)
        try server.receive(client.request)
        var result: Fetched?
        var isServed = false
        while result == nil || !isServed {
            serving: while true {
                switch try other.queue.read({ try server.next($0) }) {
                case .wait: break serving
                case .write(let bytes): try client.receive(bytes)
                case .finished(let report):
                    isServed = true
                    let (head, device) = (report.shown, identity.deviceID)
                    try other.queue.write { try Conversation.setShown($0, id, head: head, to: device) }
                }
            }
            fetching: while result == nil {
                switch try queue.read({ try client.next($0) }) {
                case .wait: break fetching
                case .write(let bytes): try server.receive(bytes)
                case .finished(let fetched): result = fetched
                }
            }
        }
        guard let result else { throw CocoaError(.featureUnsupported) }
        return result
    }

    func pull(_ id: ConversationID, from other: Peer, at seconds: Int64) throws -> Absorbed {
        try absorb(fetch(id, from: other), into: id, from: other, at: seconds)
    }

    func head(_ id: ConversationID) throws -> ObjectID? {
        try queue.read { try Conversation.head($0, id) }
    }

    func history(_ id: ConversationID, limit: Int = 10_000) throws -> [CommitRecord] {
        try queue.read { try Conversation.history($0, id, limit: limit) }
    }
}

/// Two people in a conversation that both have joined.
struct Pair {
    let first: Peer
    let second: Peer
    let id: ConversationID

    init() throws {
        let (one, two) = (try Peer(0), try Peer(1))
        (first, second) = (one, two)
        let conversation = try one.queue.write { database in
            try Conversation.createOneToOne(
                database,
                with: two.identity.accountID,
                signer: one.signer,
                at: WallTime(seconds: Peer.start)
            )
        }
        id = conversation
        try two.queue.write { try Conversation.prepareClone($0, conversation) }
        _ = try two.pull(conversation, from: one, at: 1)
        _ = try two.queue.write { database in
            try Conversation.join(database, conversation, signer: two.signer, at: WallTime(seconds: Peer.start + 2))
        }
        _ = try one.pull(conversation, from: two, at: 3)
    }
}
