import Foundation
public import GRDB
import Git

extension Conversation {
    /// Writes the whole history as a bare git repository with one pack; `git fsck --strict` finds nothing in it.
    ///
    /// The folder is made; it must not be there, or be empty.
    public static func export(_ database: Database, _ id: ConversationID, to folder: String) throws {
        let store = try ConversationStore(database, id)
        let head = try store.requiredHead()
        let root = URL(fileURLWithPath: folder, isDirectory: true)
        for part in ["objects/pack", "objects/info", "refs/heads", "refs/tags"] {
            try FileManager.default.createDirectory(
                at: root.appendingPathComponent(part, isDirectory: true),
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        }
        let ids = try store.objectIDs().sorted()
        var writer = IndexedPackWriter(count: ids.count)
        for id in ids {
            guard let object = try store.deflatedObject(id) else { throw GitError.missingObject(id) }
            writer.append(object, id: id)
        }
        let (pack, index, name) = writer.finish()
        func write(_ bytes: some Sequence<UInt8>, to path: String) throws {
            try Data(bytes).write(to: root.appendingPathComponent(path), options: .atomic)
        }
        try write(pack, to: "objects/pack/pack-\(name).pack")
        try write(index, to: "objects/pack/pack-\(name).idx")
        try write("[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n".utf8, to: "config")
        try write("\(head.hex)\n".utf8, to: "refs/heads/main")
        try write("ref: refs/heads/main\n".utf8, to: "HEAD")
    }
}
