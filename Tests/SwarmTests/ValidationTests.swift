import GRDB
import Git
import Identity
import Keys
import Runtime
import Swarm
import TestSupport
import Testing

@Suite struct ValidationTests {
    private func clone(_ name: String, as id: String, lenient: Bool = false) throws -> (Peer, ConversationID, Refusal?) {
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

    @Test(arguments: 0..<39) func `crafted commits get the recommended verdict`(index: Int) throws {
        let cases = try vector("swarm-invalid")
        let entry = cases["cases"][index]
        let group = try GitBundle("swarm-group").read()
        let crafted = try GitBundle("swarm-invalid").read(on: group)
        var objects = group
        for object in crafted.objects.values { objects.insert(object) }
        let peer = try Peer(0)
        let id = try #require(ConversationID(hex: cases["conversation_id"].text))
        let commit = try #require(ObjectID(hex: entry["commit"].text))
        let parent = try #require(ObjectID(hex: entry["parent"].text))
        let all = objects
        let (before, refusal) = try peer.queue.write { database in
            try Conversation.prepareClone(database, id)
            return (
                try Conversation.judge(database, all, head: parent, in: id),
                try Conversation.judge(database, all, head: commit, in: id)
            )
        }
        #expect(before == nil, "\(entry["case"].text)")
        #expect((refusal == nil ? "accept" : "reject") == entry["recommended"].text, "\(entry["case"].text) \(refusal as Any)")
        if let refusal { #expect(refusal.commit == commit) }
    }
}
