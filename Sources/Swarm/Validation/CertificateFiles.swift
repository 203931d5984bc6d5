import Git
import Keys

/// The certificates in the trees of one conversation, each read once.
struct CertificateFiles {
    /// A device together with the account that vouches for it in some tree.
    struct Standing {
        let device: Certificate
        let account: Certificate
        let user: InfoHash
    }

    private struct Place: Hashable {
        let tree: ObjectID
        let device: LongID
    }

    private struct Pair: Hashable {
        let device: ObjectID
        let account: ObjectID
    }

    private var certificates: [ObjectID: Certificate?] = [:]
    private var standings: [Place: Result<Standing, StandingError>] = [:]
    private var issued: [Pair: Bool] = [:]

    /// Why a device may not write below a tree.
    struct StandingError: Error {
        let detail: String
    }

    /// The first certificate of a file; `nil` when there is none.
    mutating func certificate(at path: ConversationPath, in tree: ObjectID, of store: ConversationStore) throws
        -> Certificate?
    {
        guard let entry = try store.entry(at: path.text, in: tree) else { return nil }
        return try certificate(entry, of: store)
    }

    mutating func certificate(_ entry: TreeEntry, of store: ConversationStore) throws -> Certificate? {
        guard entry.isFile else { return nil }
        if let known = certificates[entry.id] { return known }
        let content = try store.requiredObject(entry.id, as: .blob)
        let certificate = (try? CertificateChain(pem: content))?.leaf
        certificates[entry.id] = .some(certificate)
        return certificate
    }

    /// The account that the certificate of a device names as its issuer.
    mutating func user(of device: LongID, in tree: ObjectID, of store: ConversationStore) throws -> InfoHash? {
        try certificate(at: .device(device), in: tree, of: store)?.issuer.userID.flatMap { InfoHash(lowerHex: $0) }
    }

    /// Who stands behind a device in a tree: it has a file of its own there, and its account is a member that issued it.
    mutating func standing(
        of device: LongID,
        in tree: ObjectID,
        of store: ConversationStore
    ) throws -> Result<Standing, StandingError> {
        let place = Place(tree: tree, device: device)
        if let known = standings[place] { return known }
        let result: Result<Standing, StandingError>
        do { result = .success(try findStanding(of: device, in: tree, of: store)) } catch let error as StandingError {
            result = .failure(error)
        }
        standings[place] = result
        return result
    }

    private mutating func findStanding(of device: LongID, in tree: ObjectID, of store: ConversationStore) throws
        -> Standing
    {
        guard let deviceEntry = try store.entry(at: ConversationPath.device(device).text, in: tree),
            let certificate = try certificate(deviceEntry, of: store)
        else { throw StandingError(detail: "no certificate of the device") }
        guard let user = certificate.issuer.userID.flatMap({ InfoHash(lowerHex: $0) }) else {
            throw StandingError(detail: "certificate of the device names no account")
        }
        guard certificate.publicKey.longID == device else {
            throw StandingError(detail: "device is not that of its key")
        }
        let member = try store.entry(at: ConversationPath.member(user).text, in: tree)
        let admin = try store.entry(at: ConversationPath.admin(user).text, in: tree)
        guard let accountEntry = member ?? admin, let account = try self.certificate(accountEntry, of: store) else {
            throw StandingError(detail: "account is not a member")
        }
        guard account.publicKey.shortID == user else { throw StandingError(detail: "account is not that of its key") }
        let pair = Pair(device: deviceEntry.id, account: accountEntry.id)
        let isIssued = issued[pair] ?? certificate.isSigned(by: account)
        issued[pair] = isIssued
        guard isIssued else { throw StandingError(detail: "account did not sign the device") }
        return Standing(device: certificate, account: account, user: user)
    }
}
