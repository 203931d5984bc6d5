import Git
import Keys

/// The rules of commits that change who belongs to a conversation.
extension CommitValidator {
    mutating func judgeMember(_ subject: Subject) throws {
        let target = subject.message.text("uri") ?? ""
        switch subject.message.text("action") {
        case "add": try judgeAdd(subject, try account(target, subject))
        case "join": try judgeJoin(subject, try account(target, subject))
        case "remove": try judgeRemove(subject, try account(target, subject))
        case "ban": try judgeBan(subject, .ban, target)
        case "unban": try judgeBan(subject, .unban, target)
        default: throw subject.refusal(.member, "unknown action")
        }
    }

    private func account(_ target: String, _ subject: Subject) throws -> InfoHash {
        guard let account = InfoHash(lowerHex: target), !account.isZero else {
            throw subject.refusal(.memberURI, target)
        }
        return account
    }

    private mutating func judgeAdd(_ subject: Subject, _ account: InfoHash) throws {
        let root = try rootFacts()
        if root.mode == .oneToOne, !root.initialMembers.contains(account) {
            throw subject.refusal(.memberAdd, "third party between two")
        }
        guard account != subject.user else { throw subject.refusal(.memberAdd, "oneself") }
        var isAdded = false
        for change in subject.changes {
            switch ConversationPath(change.path) {
            case .invited(account):
                guard change.old == nil, try isEmptyFile(change.new) else {
                    throw subject.refusal(.memberAdd, "content")
                }
                isAdded = true
            case .device(subject.device) where try isOwnDevice(change, subject): continue
            default: throw subject.refusal(.memberAdd, change.path)
            }
        }
        guard isAdded else { throw subject.refusal(.memberAdd, "no invitation") }
        for path in [.banned(.members, target: account.hex), ConversationPath.member(account), .admin(account)]
        where try exists(path, in: subject.before) {
            throw subject.refusal(.memberAdd, path.text)
        }
    }

    private mutating func judgeJoin(_ subject: Subject, _ account: InfoHash) throws {
        guard account == subject.user else { throw subject.refusal(.memberJoin, "of somebody else") }
        for change in subject.changes {
            switch ConversationPath(change.path) {
            case .invited(account), .member(account): continue
            case .device(subject.device) where try isOwnDevice(change, subject): continue
            default: throw subject.refusal(.memberJoin, change.path)
            }
        }
        guard try exists(.invited(account), in: subject.before), try !exists(.invited(account), in: subject.after),
            try !exists(.member(account), in: subject.before)
        else { throw subject.refusal(.memberJoin, "not invited") }
        let file = try store.entry(at: ConversationPath.member(account).text, in: subject.after)
        guard try isAccountFile(file, of: account) else { throw subject.refusal(.memberJoin, "certificate") }
    }

    private mutating func judgeRemove(_ subject: Subject, _ account: InfoHash) throws {
        guard account == subject.user || store.isLenient else {
            throw subject.refusal(.memberRemove, "of somebody else")
        }
        for change in subject.changes {
            switch ConversationPath(change.path) {
            case .admin(account), .member(account), .invited(account): continue
            case .device(subject.device) where store.isLenient: continue
            case .device:
                guard let old = change.old,
                    try certificates.certificate(old, of: store)?.issuer.userID == account.hex
                else { throw subject.refusal(.memberRemove, change.path) }
            default: throw subject.refusal(.memberRemove, change.path)
            }
        }
    }

    private mutating func judgeBan(_ subject: Subject, _ action: ConversationPath.Vote, _ target: String) throws {
        let account = InfoHash(lowerHex: target)
        let device = LongID(lowerHex: target)
        guard account != nil || device != nil else { throw subject.refusal(.memberURI, target) }
        var voters: Set<InfoHash> = []
        var touchesBanned = false
        for change in subject.changes {
            let path = ConversationPath(change.path)
            switch path {
            case .admin(let file), .member(let file):
                guard file == account else { throw subject.refusal(.memberBan, change.path) }
                if change.new != nil, !store.isLenient {
                    guard action == .unban, try isAccountFile(change.new, of: file) else {
                        throw subject.refusal(.memberBan, change.path)
                    }
                }
            case .invited(let file):
                guard file == account else { throw subject.refusal(.memberBan, change.path) }
            case .device(subject.device) where target != subject.device.hex:
                guard try isOwnDevice(change, subject) else { throw subject.refusal(.memberBan, change.path) }
            case .device(let file):
                guard try file == device || isDevice(change, of: target) else {
                    throw subject.refusal(.memberBan, change.path)
                }
            case .vote(action, _, target, let voter):
                guard change.old != nil, change.new == nil else { throw subject.refusal(.memberBan, change.path) }
                voters.insert(voter)
            case .banned(_, target):
                touchesBanned = true
            default:
                throw subject.refusal(.memberBan, change.path)
            }
        }
        guard touchesBanned else { throw subject.refusal(.memberBan, "nobody is banned") }
        guard try exists(.admin(subject.user), in: subject.before) else {
            throw subject.refusal(.memberBan, "not an admin")
        }
        let admins = try Roles.accounts(in: "admins", of: subject.before, store)
        guard !admins.isEmpty, 2 * admins.count(where: { voters.contains($0) }) >= admins.count else {
            throw subject.refusal(.memberBan, "not enough votes")
        }
    }

    private mutating func isDevice(_ change: TreeChange, of account: String) throws -> Bool {
        guard let entry = change.old ?? change.new else { return false }
        return try certificates.certificate(entry, of: store)?.issuer.userID == account
    }
}
