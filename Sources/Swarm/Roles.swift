import Git
import Keys

/// Who belongs to a conversation, as its tree says.
///
/// Source: conversations protocol, "Repository layout".
enum Roles {
    /// The accounts that have a file in a directory of a tree, by rising id.
    static func accounts(in directory: String, of tree: ObjectID?, _ store: ConversationStore) throws -> [InfoHash] {
        guard let tree, let entry = try store.entry(at: directory, in: tree), entry.isDirectory else { return [] }
        return try store.tree(entry.id).entries.compactMap { file in
            guard file.isFile else { return nil }
            switch ConversationPath("\(directory)/\(file.text)") {
            case .admin(let account), .member(let account), .invited(let account): return account
            case .banned(_, let target): return InfoHash(lowerHex: target)
            default: return nil
            }
        }
    }

    /// All accounts with their roles; the first directory that names one decides.
    static func members(of tree: ObjectID, initialMembers: [InfoHash], _ store: ConversationStore) throws -> [Member] {
        let directories: [(String, MemberRole)] = [
            ("admins", .admin), ("members", .member), ("invited", .invited), ("banned/members", .banned),
            ("banned/admins", .banned), ("banned/invited", .banned),
        ]
        var members: [Member] = []
        var seen: Set<InfoHash> = []
        for (directory, role) in directories {
            for account in try accounts(in: directory, of: tree, store) where seen.insert(account).inserted {
                members.append(Member(account: account, role: role))
            }
        }
        for account in initialMembers where seen.insert(account).inserted {
            members.append(Member(account: account, role: .left))
        }
        return members
    }
}
