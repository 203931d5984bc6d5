import GRDB
import Git
import Identity
import Keys
import Runtime
import TestSupport
import Testing

@testable import Swarm

@Suite struct ValidationTests {
    private func clone(_ name: String, as id: String, lenient: Bool = false) throws -> (Peer, ConversationID, Refusal?)
    {
        let bundle = try GitBundle(name)
        let objects = try bundle.read()
        let peer = try Peer(0)
        let conversation = try #require(ConversationID(hex: id))
        let head = try #require(bundle.heads["refs/heads/main"])
        let refusal = try peer.queue.write { database in
            try Conversation.prepareClone(database, conversation)
            try Conversation.setLenient(database, conversation, lenient)
            return try Conversation.judge(database, objects, head: head, in: conversation)
        }
        return (peer, conversation, refusal)
    }

    @Test(
        arguments: [
            ("swarm-pair", "ff992c20591ff519417a08967ab0f058fa81a6bd"),
            ("swarm-group", "ad6efc1c182a4e578bff2b30af69658756e2d346"),
        ],
        [false, true]
    )
    func `every commit of real conversations is accepted`(conversation: (String, String), lenient: Bool) throws {
        let (_, _, refusal) = try clone(conversation.0, as: conversation.1, lenient: lenient)
        #expect(refusal == nil)
    }

    @Test func `another conversation's history is refused`() throws {
        let (_, _, refusal) = try clone("swarm-pair", as: "ad6efc1c182a4e578bff2b30af69658756e2d346")
        #expect(refusal?.rule == .initialCommit)
    }

    /// What older peers take and nobody has to fear: odd content by a proven author.
    private static let lenientOnly: Set<Int> = [4, 10, 22, 28, 30, 32, 33, 37, 38]

    // Cases build on each other, also on refused ones: each is judged as if all before it had been accepted.
    @Test(arguments: 0..<39, [false, true]) func `crafted commits get the recommended verdict`(
        index: Int,
        lenient: Bool
    ) throws {
        let cases = try vector("swarm-invalid")
        let entry = cases["cases"][index]
        let group = try GitBundle("swarm-group").read()
        let crafted = try GitBundle("swarm-invalid").read(on: group)
        let all = ObjectStore(group.objects.merging(crafted.objects) { old, _ in old })
        let id = try #require(ConversationID(hex: cases["conversation_id"].text))
        let commit = try #require(ObjectID(hex: entry["commit"].text))
        let refusal = try Peer(0).queue.write { database -> Refusal? in
            try Conversation.prepareClone(database, id)
            try Conversation.setLenient(database, id, lenient)
            let store = try ConversationStore(database, id)
            store.stage(all)
            var validator = CommitValidator(store: store) { all.object($0)?.kind == .commit }
            do {
                _ = try validator.judge(store.commit(commit))
                return nil
            } catch let refusal as Refusal { return refusal }
        }
        let verdict = refusal == nil ? "accept" : "reject"
        let expected = lenient && Self.lenientOnly.contains(index) ? "accept" : entry["recommended"].text
        #expect(verdict == expected, "\(entry["case"].text): \(refusal?.description ?? "")")
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `judging damaged objects is total, and no damaged commit passes`(seed: UInt64) throws {
        let pair = try Pair()
        _ = try pair.first.text("one", in: pair.id, at: 10)
        _ = try pair.second.text("two", in: pair.id, at: 11)
        _ = try pair.first.pull(pair.id, from: pair.second, at: 12)
        let (clone, id) = (try Peer(1), pair.id)
        try clone.queue.write { try Conversation.prepareClone($0, id) }
        guard case .objects(let original, let head) = try clone.fetch(id, from: pair.first) else { return }
        var mutations = ByteMutations(seed: seed)
        var rng = SeededGenerator(seed: seed)
        let ids = original.objects.keys.sorted()
        for _ in 0..<150 {
            let victim = try #require(ids.randomElement(using: &rng))
            let old = try #require(original.object(victim))
            let new = GitObject(kind: old.kind, content: mutations.next(of: old.content))
            // Under the old name, so that everything still refers to it.
            let objects = ObjectStore(original.objects.merging([victim: new]) { _, damaged in damaged })
            let refusal = try clone.queue.write { try Conversation.judge($0, objects, head: head, in: id) }
            guard old.kind == .commit else { continue }
            let payload = try Commit(parsing: old.content).signedPayload
            if (try? Commit(parsing: new.content))?.signedPayload != payload { #expect(refusal != nil) }
        }
    }
}
