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

    /// Cases build on each other, also on refused ones: each is judged as if all before it had been accepted.
    @Test(arguments: 0..<39) func `crafted commits get the recommended verdict`(index: Int) throws {
        let cases = try vector("swarm-invalid")
        let entry = cases["cases"][index]
        let group = try GitBundle("swarm-group").read()
        let crafted = try GitBundle("swarm-invalid").read(on: group)
        let all = ObjectStore(group.objects.merging(crafted.objects) { old, _ in old })
        let id = try #require(ConversationID(hex: cases["conversation_id"].text))
        let commit = try #require(ObjectID(hex: entry["commit"].text))
        let refusal = try Peer(0).queue.write { database -> Refusal? in
            try Conversation.prepareClone(database, id)
            let store = try ConversationStore(database, id)
            store.stage(all)
            var validator = CommitValidator(store: store) { all.object($0)?.kind == .commit }
            do {
                _ = try validator.judge(store.commit(commit))
                return nil
            } catch let refusal as Refusal { return refusal }
        }
        let verdict = refusal == nil ? "accept" : "reject"
        #expect(verdict == entry["recommended"].text, "\(entry["case"].text): \(refusal?.description ?? "")")
    }
}
