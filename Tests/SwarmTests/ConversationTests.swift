import Foundation
import GRDB
import Git
import Identity
import Keys
import Runtime
import TestSupport
import Testing

@testable import Swarm

@Suite struct ConversationTests {
    @Test func `two accounts start, join and write to each other`() throws {
        let pair = try Pair()
        let text = try pair.first.text("Grüße 👍 \"x\" / \\", in: pair.id, at: 10)
        #expect(text.body == "Grüße 👍 \"x\" / \\")
        let absorbed = try pair.second.pull(pair.id, from: pair.first, at: 11)
        #expect(absorbed.newCommits == [text])
        #expect(absorbed.merge == nil)
        #expect(absorbed.head == text.id)
        #expect(text.author == pair.first.identity.accountID)
        #expect(text.device == pair.first.identity.deviceID)
        #expect(try pair.second.history(pair.id).map(\.type) == ["text/plain", "member", "initial"])
        let members = try pair.second.queue.read { try Conversation.members($0, pair.id) }
        #expect(
            Set(members) == [
                Member(account: pair.first.identity.accountID, role: .admin),
                Member(account: pair.second.identity.accountID, role: .member),
            ]
        )
    }

    @Test func `an invited account is seen as invited until it joins`() throws {
        let (first, second) = (try Peer(0), try Peer(1))
        let id = try first.queue.write { database in
            try Conversation.createOneToOne(
                database,
                with: second.identity.accountID,
                signer: first.signer,
                at: WallTime(seconds: Peer.start)
            )
        }
        let role = try first.queue.read { try Conversation.role($0, id, of: second.identity.accountID) }
        #expect(role == .invited)
        #expect(try first.queue.read { try Conversation.mode($0, id) } == .oneToOne)
        #expect(try second.queue.read { try Conversation.head($0, id) } == nil)
    }

    @Test func `a stranger cannot clone`() throws {
        let pair = try Pair()
        let third = try Peer(2)
        try third.queue.write { try Conversation.prepareClone($0, pair.id) }
        let error = #expect(throws: SwarmError.self) { try third.pull(pair.id, from: pair.first, at: 20) }
        guard case .refused(let refusal) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(refusal.rule == .membership)
        #expect(try third.head(pair.id) == nil)
        let objects = try third.queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM swarmObject") }
        #expect(objects == 0)
    }

    @Test func `both write at once, and whoever fetches merges`() throws {
        let pair = try Pair()
        _ = try pair.first.text("one", in: pair.id, at: 10)
        _ = try pair.second.text("two", in: pair.id, at: 11)
        let absorbed = try pair.first.pull(pair.id, from: pair.second, at: 12)
        let merge = try #require(absorbed.merge)
        #expect(merge.type == MessageType.merge)
        #expect(absorbed.newCommits.map(\.type) == ["text/plain", "merge"])
        #expect(try pair.second.pull(pair.id, from: pair.first, at: 13).merge == nil)
        #expect(try pair.first.head(pair.id) == pair.second.head(pair.id))
        #expect(try pair.first.history(pair.id) == pair.second.history(pair.id))
    }

    @Test func `a commit between fetch and absorb is merged`() throws {
        let pair = try Pair()
        _ = try pair.first.text("one", in: pair.id, at: 10)
        let fetched = try pair.second.fetch(pair.id, from: pair.first)
        let own = try pair.second.text("two", in: pair.id, at: 11)
        let absorbed = try pair.second.absorb(fetched, into: pair.id, from: pair.first, at: 12)
        #expect(absorbed.merge?.parents.first == own.id)
        #expect(try pair.second.history(pair.id).count == 5)
    }

    @Test func `absorbing twice changes nothing`() throws {
        let pair = try Pair()
        _ = try pair.first.text("one", in: pair.id, at: 10)
        let fetched = try pair.second.fetch(pair.id, from: pair.first)
        _ = try pair.second.absorb(fetched, into: pair.id, from: pair.first, at: 12)
        let again = try pair.second.absorb(fetched, into: pair.id, from: pair.first, at: 13)
        #expect(again.newCommits.isEmpty)
        #expect(again.firstMovedPosition == nil)
    }

    @Test func `what a device has seen is known from both directions`() throws {
        let pair = try Pair()
        let text = try pair.first.text("one", in: pair.id, at: 10)
        let device = pair.second.identity.deviceID
        let seen = { (peer: Peer, device: LongID) in
            try peer.queue.read { try Conversation.hasSeen($0, pair.id, device: device, commit: text.id) }
        }
        #expect(try !seen(pair.first, device))
        _ = try pair.second.pull(pair.id, from: pair.first, at: 11)
        #expect(try seen(pair.first, device))
        #expect(try seen(pair.second, pair.first.identity.deviceID))
        #expect(try pair.first.queue.read { try Conversation.shownHeads($0, pair.id) } == [device: text.id])
    }

    @Test func `replies, reactions and editions name their commit`() throws {
        let pair = try Pair()
        let text = try pair.first.text("one", in: pair.id, at: 10)
        let unknown = ObjectID(hashing: [], as: .blob)
        try pair.first.queue.write { database in
            func write(_ message: CommitMessage) throws -> CommitRecord {
                let at = WallTime(seconds: Peer.start + 20)
                return try Conversation.commit(database, in: pair.id, message, signer: pair.first.signer, at: at)
            }
            let reply = try write(.text("re", replyTo: text.id))
            let reaction = try write(.reaction("👍", to: text.id))
            let edition = try write(.edition(of: text.id, body: "uno"))
            #expect(reply.replyTarget == text.id)
            #expect(reaction.reactionTarget == text.id)
            #expect(edition.editTarget == text.id)
            #expect(try Conversation.records(database, pair.id, naming: text.id) == [reply, reaction, edition])
            #expect(throws: SwarmError.unknownCommit(unknown)) {
                try Conversation.commitText(
                    database,
                    in: pair.id,
                    body: "x",
                    replyTo: unknown,
                    signer: pair.first.signer,
                    at: WallTime(seconds: Peer.start + 30)
                )
            }
        }
        #expect(try pair.second.pull(pair.id, from: pair.first, at: 21).newCommits.count == 4)
    }

    @Test func `an edition of somebody else's text is not written, and refused when it comes`() throws {
        let pair = try Pair()
        let text = try pair.first.text("one", in: pair.id, at: 10)
        _ = try pair.second.pull(pair.id, from: pair.first, at: 11)
        let (second, id) = (pair.second, pair.id)
        let message = CommitMessage.edition(of: text.id, body: "forged")
        let at = WallTime(seconds: Peer.start + 20)
        let forged = try second.queue.write { database -> (ObjectStore, ObjectID) in
            let error = #expect(throws: SwarmError.self) {
                try Conversation.commit(database, in: id, message, signer: second.signer, at: at)
            }
            guard case .refused(let refusal) = error else { throw CocoaError(.featureUnsupported) }
            #expect(refusal.rule == .edit)
            let commit = try CommitWriter.sign(
                tree: ConversationStore(database, id).tree(of: text.id),
                parents: [text.id],
                message: Array(message.json.utf8),
                signer: second.signer,
                at: at
            )
            return (ObjectStore([commit.id: GitObject(kind: .commit, content: commit.content)]), commit.id)
        }
        #expect(try second.head(id) == text.id)
        let error = #expect(throws: SwarmError.self) {
            try pair.first.absorb(.objects(forged.0, head: forged.1), into: id, from: second, at: 21)
        }
        guard case .refused(let refusal) = error else { return }
        #expect(refusal.rule == .edit)
        #expect(refusal.commit == forged.1)
        #expect(try pair.first.head(id) == text.id)
    }

    @Test func `an older head that is reported late does not hide a newer one`() throws {
        let pair = try Pair()
        let old = try pair.first.text("one", in: pair.id, at: 10)
        let new = try pair.first.text("two", in: pair.id, at: 11)
        let device = pair.second.identity.deviceID
        try pair.first.queue.write { database in
            try Conversation.setShown(database, pair.id, head: new.id, to: device)
            try Conversation.setShown(database, pair.id, head: old.id, to: device)
        }
        let heads = try pair.first.queue.read { try Conversation.shownHeads($0, pair.id) }
        #expect(heads == [device: new.id])
    }

    @Test func `an account that is not in the conversation cannot write`() throws {
        let pair = try Pair()
        let third = try Peer(2)
        try pair.first.queue.write { database in
            _ = #expect(throws: SwarmError.notMember) {
                try Conversation.commitText(
                    database,
                    in: pair.id,
                    body: "x",
                    signer: third.signer,
                    at: WallTime(seconds: Peer.start)
                )
            }
        }
    }

    @Test func `history comes in pages, newest first`() throws {
        let pair = try Pair()
        let ids = try (0..<10).map { try pair.first.text("\($0)", in: pair.id, at: Int64(10 + $0)).id }
        try pair.first.queue.read { database in
            let page = try Conversation.history(database, pair.id, limit: 3)
            #expect(page.map(\.id) == [ids[9], ids[8], ids[7]])
            let next = try Conversation.history(database, pair.id, from: ids[6], limit: 2)
            #expect(next.map(\.id) == [ids[6], ids[5]])
            #expect(try Conversation.count(database, pair.id) == 12)
            #expect(try Conversation.history(database, pair.id, limit: 0).isEmpty)
        }
    }

    @Test func `an erased conversation leaves nothing`() throws {
        let pair = try Pair()
        try pair.first.queue.write { database in
            try Conversation.erase(database, pair.id)
            for table in ["swarmConversation", "swarmObject", "swarmCommit", "swarmPeer"] {
                #expect(try Int.fetchOne(database, sql: "SELECT count(*) FROM \(table)") == 0)
            }
        }
    }

    @Test(arguments: Array(1...12) as [UInt64])
    func `two peers that write and fetch in any order end with one history`(seed: UInt64) throws {
        let pair = try Pair()
        var rng = SeededGenerator(seed: seed)
        let peers = [pair.first, pair.second]
        for step in 0..<40 {
            let who = Int.random(in: 0...1, using: &rng)
            let time = 10 + Int64(step / 2) + Int64.random(in: -2...2, using: &rng)
            if Int.random(in: 0..<3, using: &rng) == 0 {
                _ = try peers[who].pull(pair.id, from: peers[1 - who], at: time)
            } else {
                _ = try peers[who].text("\(step)", in: pair.id, at: time)
            }
        }
        _ = try pair.first.pull(pair.id, from: pair.second, at: 50)
        _ = try pair.second.pull(pair.id, from: pair.first, at: 51)
        let history = try pair.first.history(pair.id)
        #expect(try history == pair.second.history(pair.id))
        #expect(try pair.first.head(pair.id) == pair.second.head(pair.id))
        #expect(history.map(\.position) == (0..<history.count).reversed())
        // The stored order is the order that a whole walk gives.
        var table = CommitTable()
        for commit in history.reversed() { table.insert(commit.id, parents: commit.parents, time: commit.time) }
        #expect(try LinearOrder.newestFirst(from: history[0].id, in: table) == history.map(\.id))
        // Somebody who clones it all judges all of it.
        let clone = try Peer(1)
        try clone.queue.write { try Conversation.prepareClone($0, pair.id) }
        _ = try clone.pull(pair.id, from: pair.first, at: 60)
        #expect(try clone.history(pair.id) == history)
    }

    @Test(.enabled(if: hasGit, "git is not installed"))
    func `git finds nothing wrong with an export`() async throws {
        let pair = try Pair()
        _ = try pair.first.text("one", in: pair.id, at: 10)
        _ = try pair.second.text("two", in: pair.id, at: 11)
        _ = try pair.first.pull(pair.id, from: pair.second, at: 12)
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/export"
        try await pair.first.queue.read { try Conversation.export($0, pair.id, to: path) }
        let check = try await run(["git", "-C", path, "fsck", "--strict", "--full"]).orThrow()
        #expect(!(check.output + check.error).contains { $0 == "e" && check.error.contains("error") })
        let log = try await run(["git", "-C", path, "log", "--format=%H", "main"]).orThrow()
        #expect(try Set(log.lines) == Set(pair.first.history(pair.id).map(\.id.hex)))
    }
}
