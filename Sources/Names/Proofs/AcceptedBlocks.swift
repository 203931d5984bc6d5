import Ethereum
import JSON
import NIOPosix
import Runtime

/// The highest block that was accepted of each registry, so that nobody is shown an older state later.
///
/// One owner of the file; what is accepted is on disk before anybody is told. Source: names protocol, "Proofs".
actor AcceptedBlocks {
    struct Block: Hashable, Sendable {
        let number: UInt64
        let hash: Word
    }

    private static let fileName = "accepted-blocks.json"
    private static let maximumSize = 1 << 20
    /// More registries than anybody uses.
    private static let maximumCount = 256

    private let folder: String?
    private var blocks: [String: Block] = [:]

    /// Without a folder, what is accepted is remembered for this run only.
    init(folder: String?) {
        self.folder = folder
    }

    private static func key(_ trust: NameTrust) -> String {
        "\(trust.chain)/\(trust.store.hex)"
    }

    func highest(_ trust: NameTrust) async -> Block? {
        await current()[Self.key(trust)]
    }

    /// Takes note of a block; one below the highest changes nothing.
    ///
    /// - Throws: what kept it from being stored.
    func accept(_ block: Block, of trust: NameTrust) async throws(FileError) {
        var known = await current()
        let key = Self.key(trust)
        guard known[key].map({ $0.number < block.number }) ?? true else { return }
        if known[key] == nil, known.count >= Self.maximumCount, let first = known.keys.sorted().first {
            known[first] = nil
        }
        known[key] = block
        blocks = known
        try await store(known)
    }

    /// What is remembered here and in the file, into which other processes write as well.
    private func current() async -> [String: Block] {
        guard let folder else { return blocks }
        let bytes = try? await NIOThreadPool.singleton.runIfActive {
            try? DurableFile.read("\(folder)/\(Self.fileName)", limit: Self.maximumSize)
        }
        let content = (bytes ?? nil).flatMap { JSONValue(parsing: String(decoding: $0, as: UTF8.self)) }
        for (key, value) in content?.object ?? [:] {
            guard let number = value["number"]?.integer.flatMap({ UInt64(exactly: $0) }),
                let hash = value["hash"]?.string.flatMap({ Word(hex: $0) }),
                blocks[key].map({ $0.number < number }) ?? true
            else { continue }
            blocks[key] = Block(number: number, hash: hash)
        }
        return blocks
    }

    private func store(_ blocks: [String: Block]) async throws(FileError) {
        guard let folder else { return }
        let content = JSONValue.object(
            blocks.mapValues { block in
                .object(["number": .integer(Int64(clamping: block.number)), "hash": .string(block.hash.hex)])
            }
        )
        let bytes = Array(content.line.utf8)
        let result: Result<Void, FileError>
        do {
            result = try await NIOThreadPool.singleton.runIfActive {
                Result { () throws(FileError) in
                    try DurableFile.makeFolder(folder)
                    try DurableFile.write(bytes, to: Self.fileName, in: folder)
                }
            }
        } catch {
            result = .failure(.system(0))
        }
        try result.get()
    }
}
