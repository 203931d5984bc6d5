import GRDB
import Git
import Identity
import Keys
import Runtime
import TestSupport
import Testing

@testable import Swarm

@Suite struct MergeTests {
    private func setProfile(_ text: String, of peer: Peer, in id: ConversationID, at seconds: Int64) throws
        -> CommitRecord
    {
        try peer.queue.write { database in
            let store = try ConversationStore(database, id)
            var writer = try CommitWriter(store, signer: peer.signer, at: WallTime(seconds: Peer.start + seconds))
            writer.set(.profile, to: Array(text.utf8))
            return try writer.commit(CommitMessage(["type": .text(MessageType.profile)]))
        }
    }

    private func profile(of peer: Peer, in id: ConversationID) throws -> String {
        try peer.queue.read { database in
            let store = try ConversationStore(database, id)
            let tree = try store.tree(of: store.requiredHead())
            let entry = try #require(try store.entry(at: ConversationPath.profile.text, in: tree))
            return String(decoding: try store.requiredObject(entry.id, as: .blob), as: UTF8.self)
        }
    }

    /// Two devices of the creator's account would both be admins; here one device writes on two databases.
    private func twins() throws -> (Peer, Peer, ConversationID) {
        let pair = try Pair()
        let twin = try Peer(0)
        try twin.queue.write { try Conversation.prepareClone($0, pair.id) }
        _ = try setProfile("base", of: pair.first, in: pair.id, at: 10)
        _ = try twin.pull(pair.id, from: pair.first, at: 11)
        return (pair.first, twin, pair.id)
    }

    @Test(arguments: 0..<4) func `of two profiles the one of the larger commit stays whole`(round: Int64) throws {
        let (first, twin, id) = try twins()
        let one = try setProfile("one", of: first, in: id, at: 20 + round)
        let two = try setProfile("two", of: twin, in: id, at: 30)
        let absorbed = try first.pull(id, from: twin, at: 40)
        #expect(absorbed.merge != nil)
        #expect(try profile(of: first, in: id) == (one.id > two.id ? "one" : "two"))
        // The other side accepts this as a merge that takes one side.
        #expect(try twin.pull(id, from: first, at: 50).merge == nil)
    }

    @Test func `a profile that one side made and another is a conflict when there was none before`() throws {
        let pair = try Pair()
        let twin = try Peer(0)
        try twin.queue.write { try Conversation.prepareClone($0, pair.id) }
        _ = try twin.pull(pair.id, from: pair.first, at: 11)
        _ = try setProfile("one", of: pair.first, in: pair.id, at: 20)
        _ = try setProfile("two", of: twin, in: pair.id, at: 21)
        let before = try pair.first.history(pair.id)
        let error = #expect(throws: SwarmError.self) { try pair.first.pull(pair.id, from: twin, at: 22) }
        guard case .refused(let refusal) = error else { return }
        #expect(refusal.rule == .conflict)
        #expect(try pair.first.history(pair.id) == before)
    }

    @Test func `criss-cross merges come together`() throws {
        let (first, twin, id) = try twins()
        _ = try setProfile("one", of: first, in: id, at: 20)
        _ = try twin.text("two", in: id, at: 21)
        let toTwin = try twin.fetch(id, from: first)
        let toFirst = try first.fetch(id, from: twin)
        #expect(try twin.absorb(toTwin, into: id, from: first, at: 22).merge != nil)
        #expect(try first.absorb(toFirst, into: id, from: twin, at: 23).merge != nil)
        _ = try first.text("three", in: id, at: 24)
        _ = try setProfile("four", of: twin, in: id, at: 25)
        #expect(try first.pull(id, from: twin, at: 26).merge != nil)
        _ = try twin.pull(id, from: first, at: 27)
        #expect(try first.history(id) == twin.history(id))
        #expect(try profile(of: first, in: id) == "four")
    }

    @Test func `a device without a file of its own does not merge`() throws {
        let pair = try Pair()
        let stranger = try Peer(2)
        // The second database of an account, with a device that has not written yet, cannot answer for a merge.
        try stranger.queue.write { try Conversation.prepareClone($0, pair.id) }
        _ = try pair.second.queue.write { database in
            try Conversation.commit(
                database,
                in: pair.id,
                .text("x"),
                signer: pair.second.signer,
                at: WallTime(seconds: Peer.start + 10)
            )
        }
        let fetched = try pair.first.fetch(pair.id, from: pair.second)
        _ = try pair.first.text("y", in: pair.id, at: 11)
        guard case .objects(let objects, let head) = fetched else { return }
        try pair.first.queue.write { database in
            _ = #expect(throws: SwarmError.deviceNotListed) {
                try Conversation.absorb(
                    database,
                    objects,
                    head: head,
                    into: pair.id,
                    from: nil,
                    signer: stranger.signer,
                    at: WallTime(seconds: Peer.start + 12)
                )
            }
        }
        #expect(try pair.first.history(pair.id).count == 3)
    }

    @Test func `a merge that brings a file of its own is refused`() throws {
        let pair = try Pair()
        let one = try pair.first.text("one", in: pair.id, at: 10)
        let two = try pair.second.text("two", in: pair.id, at: 11)
        _ = try pair.first.pull(pair.id, from: pair.second, at: 12)
        // An evil twin of that merge.
        let evil = try Peer(0)
        try evil.queue.write { try Conversation.prepareClone($0, pair.id) }
        _ = try evil.pull(pair.id, from: pair.first, at: 13)
        let (objects, head) = try evil.queue.write { database in
            let store = try ConversationStore(database, pair.id)
            var objects = ObjectStore()
            var editor = TreeEditor()
            editor.set("evil", to: objects.insertBlob([1]))
            let source = store
            let tree = try editor.apply(to: store.tree(of: one.id), from: source, into: &objects)
            let commit = try CommitWriter.sign(
                tree: tree,
                parents: [one.id, two.id],
                message: CommitMessage.mergeText(two.id),
                signer: evil.signer,
                at: WallTime(seconds: Peer.start + 14)
            )
            objects.insert(GitObject(kind: .commit, content: commit.content))
            objects.insert(try #require(try store.object(two.id)))
            objects.insert(try #require(try store.object(one.id)))
            return (objects, commit.id)
        }
        let error = #expect(throws: SwarmError.self) {
            try pair.second.absorb(.objects(objects, head: head), into: pair.id, from: evil, at: 15)
        }
        guard case .refused(let refusal) = error else { return }
        #expect(refusal.rule == .merge)
        #expect(refusal.commit == head)
    }

    @Test func `members of the group conversation are what its tree says`() throws {
        let bundle = try GitBundle("swarm-group")
        let objects = try bundle.read()
        let head = try #require(bundle.heads["refs/heads/main"])
        let id = try #require(ConversationID(hex: "ad6efc1c182a4e578bff2b30af69658756e2d346"))
        let roles = try Peer(0).queue.write { database -> [MemberRole: Int] in
            try Conversation.prepareClone(database, id)
            let store = try ConversationStore(database, id)
            store.stage(objects)
            let members = try Roles.members(of: store.tree(of: head), initialMembers: [], store)
            return Dictionary(grouping: members, by: \.role).mapValues(\.count)
        }
        let files = { (directory: String) in
            let commit = try Commit(parsing: objects.requiredObject(head, as: .commit))
            guard let entry = try objects.entry(at: directory, in: commit.tree) else { return 0 }
            return try objects.tree(entry.id).entries.count
        }
        #expect(try roles[.admin] == files("admins"))
        #expect(try roles[.member] ?? 0 == files("members"))
        #expect(try roles[.invited] ?? 0 == files("invited"))
    }
}

@Suite struct ConversationPathTests {
    private static let account = String(repeating: "a", count: 40)
    private static let device = String(repeating: "b", count: 64)

    @Test(
        arguments: [
            "admins/\(account).crt", "members/\(account).crt", "invited/\(account)", "devices/\(device).crt",
            "banned/members/\(account).crt", "banned/admins/\(account).crt", "banned/devices/\(device).crt",
            "banned/invited/\(account)", "votes/ban/members/\(account)/\(account)",
            "votes/unban/devices/\(device)/\(account)", "profile.vcf", "attachments/\(account)",
        ]
    )
    func `a known path reads back as itself`(path: String) {
        #expect(ConversationPath(path)?.text == path)
    }

    @Test(
        arguments: [
            "", "/", "admins", "admins/", "admins/\(account)", "admins/\(account).crt/", "admins/\(account).CRT",
            "admins/\(account.uppercased()).crt", "admins/a/\(account).crt", "admins/\(device).crt",
            "invited/\(account).crt",
            "devices/\(account).crt", "votes/ban/members/\(account)", "votes/vote/members/\(account)/\(account)",
            "votes/ban/x/\(account)/\(account)", "votes/ban/members/\(account)/\(device)", "banned/x/\(account).crt",
            "banned/members/\(account)", "banned/invited/\(account).crt", "profile.vcf/x", "CRLs/\(account)",
            "attachments/x",
            "admins/\(account.dropLast())á.crt", "x",
        ]
    )
    func `every other path means nothing`(path: String) {
        #expect(ConversationPath(path) == nil)
    }
}
