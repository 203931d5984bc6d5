import JSON
import Keys
import NameRegistry
import Runtime

/// The verified answers of one server on disk, so that names are shown before the network is there.
///
/// All calls block.
struct NameCacheFile {
    static let maximumSize = 2 << 20
    private static let version: Int64 = 1

    let folder: String

    func load(_ server: NameServerAddress, into cache: inout NameCache) {
        guard let bytes = try? DurableFile.read(folder + "/" + Self.name(of: server), limit: Self.maximumSize),
            let content = JSONValue(parsing: String(decoding: bytes, as: UTF8.self)),
            content["version"]?.integer == Self.version, content["server"]?.string == server.text
        else { return }
        for value in content["names"]?.array ?? [] {
            guard let name = value["name"]?.string.flatMap({ Name(canonical: $0) }),
                let account = value["account"]?.string.flatMap({ InfoHash(hex: $0) }),
                let assurance = value["assurance"]?.string.flatMap({ NameAssurance(text: $0) }),
                let time = value["time"]?.integer
            else { continue }
            let entry = NameCache.Entry(
                account: account,
                assurance: assurance,
                server: server,
                time: WallTime(milliseconds: time)
            )
            cache.remember(entry, for: name)
        }
    }

    func store(_ server: NameServerAddress, of cache: NameCache) throws(FileError) {
        let names = cache.positives(of: server).map { name, entry in
            JSONValue.object([
                "name": .string(name.text),
                "account": .string(entry.account?.hex ?? ""),
                "assurance": .string(entry.assurance.text),
                "time": .integer(entry.time.milliseconds),
            ])
        }
        let content = JSONValue.object([
            "version": .integer(Self.version), "server": .string(server.text), "names": .array(names),
        ])
        try DurableFile.makeFolder(folder)
        try DurableFile.write(Array(content.line.utf8), to: Self.name(of: server), in: folder)
    }

    private static func name(of server: NameServerAddress) -> String {
        InfoHash(hashing: server.text).hex + ".json"
    }
}
