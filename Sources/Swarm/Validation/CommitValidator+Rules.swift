import Git
import Keys

/// The rules of each kind of commit with one parent, or none.
extension CommitValidator {
    /// An initial commit holds its creator, the creator's device and, between two, the invited account; nothing else.
    mutating func judgeInitial(_ subject: Subject) throws -> ConversationMode {
        guard subject.commit.id == store.id.commit else {
            throw subject.refusal(.initialCommit, "not the initial commit of this conversation")
        }
        guard subject.message.type == MessageType.initial else { throw subject.refusal(.initialCommit, "type") }
        guard case .integer(let number) = subject.message.fields["mode"],
            let mode = ConversationMode(rawValue: Int(clamping: number))
        else { throw subject.refusal(.initialCommit, "mode") }
        let required: Set<ConversationPath> = [.admin(subject.user), .device(subject.device)]
        var allowed = required
        if mode == .oneToOne {
            guard let invited = subject.message.text("invited").flatMap({ InfoHash(lowerHex: $0) }) else {
                throw subject.refusal(.initialCommit, "invited account")
            }
            allowed.insert(.invited(invited))
        }
        var found: Set<ConversationPath> = []
        for change in subject.changes {
            guard let path = ConversationPath(change.path), allowed.contains(path) else {
                throw subject.refusal(.initialCommit, change.path)
            }
            found.insert(path)
        }
        guard found.isSuperset(of: required) else { throw subject.refusal(.initialCommit, "missing certificate") }
        return mode
    }

    mutating func judge(_ subject: Subject) throws {
        let isDocument = try rootFacts().mode == .document
        switch subject.message.type {
        case MessageType.initial where !store.isLenient:
            throw subject.refusal(.commit, "initial with a parent")
        case MessageType.vote:
            try judgeVote(subject)
        case MessageType.member:
            try judgeMember(subject)
        case MessageType.profile:
            try judgeProfile(subject)
        case MessageType.checkpoint where isDocument || !store.isLenient:
            guard isDocument else { throw subject.refusal(.checkpoint, "outside of a document") }
            try judgeCheckpoint(subject)
        default:
            guard !isDocument else { throw subject.refusal(.documentMessage, subject.message.type) }
            let isEdition = subject.message.type == MessageType.edited
            if isEdition || (!store.isLenient && subject.message.text("edit") != nil) { try judgeEdition(subject) }
            try judgeFiles(subject)
        }
    }

    /// Ordinary messages change nothing but the author's own certificates.
    mutating func judgeFiles(_ subject: Subject) throws {
        for change in subject.changes {
            switch ConversationPath(change.path) {
            case .admin(subject.user), .member(subject.user):
                guard change.old != nil, try isAccountFile(change.new, of: subject.user) else {
                    throw subject.refusal(.commit, change.path)
                }
            case .device(subject.device):
                guard try isOwnDevice(change, subject) else { throw subject.refusal(.commit, change.path) }
            default:
                throw subject.refusal(.commit, change.path)
            }
        }
    }

    /// Only the author of a text, file or document may say something else in its place.
    private mutating func judgeEdition(_ subject: Subject) throws {
        guard let target = subject.message.commit("edit"), try isInHistory(target) else {
            throw subject.refusal(.edit, "unknown commit")
        }
        let original = try store.commit(target)
        guard let device = LongID(lowerHex: original.author.email),
            try certificates.user(of: device, in: original.tree, of: store) == subject.user
        else { throw subject.refusal(.edit, "of another author") }
        let message = try? CommitMessage(parsing: original.message)
        switch message?.type {
        case MessageType.text, MessageType.document: return
        case MessageType.file where message?.text("tid") != nil: return
        default: throw subject.refusal(.edit, "of type \(message?.type ?? "")")
        }
    }

    private mutating func judgeVote(_ subject: Subject) throws {
        var votes: [(change: TreeChange, kind: ConversationPath.Target, target: String, voter: InfoHash, isBan: Bool)] =
            []
        for change in subject.changes {
            switch ConversationPath(change.path) {
            case .device(subject.device):
                guard try isOwnDevice(change, subject) else { throw subject.refusal(.vote, change.path) }
            case .vote(let vote, let kind, let target, let voter):
                votes.append((change, kind, target, voter, vote == .ban))
            default:
                throw subject.refusal(.vote, change.path)
            }
        }
        if subject.changes.isEmpty, store.isLenient { return }
        guard votes.count == 1, let vote = votes.first else { throw subject.refusal(.vote, "not one vote") }
        guard try exists(.admin(subject.user), in: subject.before) else { throw subject.refusal(.vote, "not an admin") }
        guard vote.voter == subject.user else { throw subject.refusal(.vote, "of somebody else") }
        guard vote.change.old == nil, try isEmptyFile(vote.change.new) else { throw subject.refusal(.vote, "content") }
        if vote.kind == .devices {
            guard let device = LongID(lowerHex: vote.target), device != subject.device,
                try exists(.device(device), in: subject.before)
            else { throw subject.refusal(.vote, "device") }
            return
        }
        guard let target = InfoHash(lowerHex: vote.target), target != subject.user else {
            throw subject.refusal(.vote, "against oneself")
        }
        guard vote.isBan else { return }
        for path in [ConversationPath.member(target), .admin(target), .invited(target)]
        where try exists(path, in: subject.before) {
            return
        }
        throw subject.refusal(.vote, "target is not a member")
    }

    private mutating func judgeProfile(_ subject: Subject) throws {
        guard try exists(.admin(subject.user), in: subject.after) else {
            throw subject.refusal(.profile, "not an admin")
        }
        for change in subject.changes {
            switch ConversationPath(change.path) {
            case .profile: continue
            case .device(subject.device) where try isOwnDevice(change, subject): continue
            default: throw subject.refusal(.profile, change.path)
            }
        }
    }

    private mutating func judgeCheckpoint(_ subject: Subject) throws {
        for change in subject.changes {
            switch ConversationPath(change.path) {
            case .attachment(let blob) where change.new?.id == blob: continue
            case .device(subject.device) where try isOwnDevice(change, subject): continue
            default: throw subject.refusal(.checkpoint, change.path)
            }
        }
    }
}
