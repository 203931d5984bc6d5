import Git
import Keys

/// The files of a conversation's tree that have a meaning.
///
/// Source: conversations protocol, "Repository layout".
enum ConversationPath: Hashable {
    enum Target: String, Hashable {
        case members, admins, devices, invited
    }

    enum Vote: String, Hashable {
        case ban, unban
    }

    case admin(InfoHash)
    case member(InfoHash)
    case invited(InfoHash)
    case device(LongID)
    /// `target` is 40 or 64 hexadecimal digits.
    case banned(Target, target: String)
    case vote(Vote, Target, target: String, voter: InfoHash)
    case profile
    case attachment(ObjectID)

    /// The meaning of a path; `nil` for every other one.
    init?(_ path: String) {
        let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map {
            String($0) ?? ""
        }
        switch (parts.first ?? "", parts.count) {
        case ("profile.vcf", 1):
            self = .profile
        case ("admins", 2):
            guard let account = Self.certificateStem(parts[1]).flatMap({ InfoHash(lowerHex: $0) }) else { return nil }
            self = .admin(account)
        case ("members", 2):
            guard let account = Self.certificateStem(parts[1]).flatMap({ InfoHash(lowerHex: $0) }) else { return nil }
            self = .member(account)
        case ("invited", 2):
            guard let account = InfoHash(lowerHex: parts[1]) else { return nil }
            self = .invited(account)
        case ("devices", 2):
            guard let device = Self.certificateStem(parts[1]).flatMap({ LongID(lowerHex: $0) }) else { return nil }
            self = .device(device)
        case ("banned", 3):
            guard let target = Target(rawValue: parts[1]) else { return nil }
            let stem = target == .invited ? parts[2] : Self.certificateStem(parts[2])
            guard let stem, Self.isTarget(stem) else { return nil }
            self = .banned(target, target: stem)
        case ("votes", 5):
            guard let vote = Vote(rawValue: parts[1]), let target = Target(rawValue: parts[2]), Self.isTarget(parts[3]),
                let voter = InfoHash(lowerHex: parts[4])
            else { return nil }
            self = .vote(vote, target, target: parts[3], voter: voter)
        case ("attachments", 2):
            guard let blob = ObjectID(hex: parts[1]), blob.hex == parts[1] else { return nil }
            self = .attachment(blob)
        default:
            return nil
        }
    }

    var text: String {
        switch self {
        case .admin(let account): "admins/\(account.hex).crt"
        case .member(let account): "members/\(account.hex).crt"
        case .invited(let account): "invited/\(account.hex)"
        case .device(let device): "devices/\(device.hex).crt"
        case .banned(.invited, let target): "banned/invited/\(target)"
        case .banned(let kind, let target): "banned/\(kind.rawValue)/\(target).crt"
        case .vote(let vote, let kind, let target, let voter):
            "votes/\(vote.rawValue)/\(kind.rawValue)/\(target)/\(voter.hex)"
        case .profile: "profile.vcf"
        case .attachment(let blob): "attachments/\(blob.hex)"
        }
    }

    private static func certificateStem(_ name: String) -> String? {
        name.utf8.elementsEqual((name.dropLast(4) + ".crt").utf8) ? String(name.dropLast(4)) : nil
    }

    /// An account or a device.
    private static func isTarget(_ text: String) -> Bool {
        InfoHash(lowerHex: text) != nil || LongID(lowerHex: text) != nil
    }
}

extension InfoHash {
    /// Forty lower-case digits: the only form in which paths and messages name accounts.
    init?(lowerHex text: String) {
        guard let hash = InfoHash(hex: text), hash.hex == text else { return nil }
        self = hash
    }
}

extension LongID {
    init?(lowerHex text: String) {
        guard let id = LongID(hex: text), id.hex == text else { return nil }
        self = id
    }
}
