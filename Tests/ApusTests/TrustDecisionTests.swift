import Swarm
import Testing

@testable import Apus

@Suite struct TrustDecisionTests {
    private static let small = String(repeating: "1", count: 40)
    private static let large = String(repeating: "9", count: 40)

    private static func contact(
        _ conversation: String,
        isActive: Bool = true,
        isBanned: Bool = false
    ) -> ContactRow {
        ContactRow(
            id: String(repeating: "a", count: 40),
            alias: "",
            added: 10,
            removed: isActive ? 0 : 20,
            confirmed: false,
            banned: isBanned,
            conversation: conversation,
            invited: 0,
            answerDue: false
        )
    }

    struct Case: Sendable {
        var name: String
        var isConfirmation: Bool
        var conversation: String
        var contact: ContactRow?
        var expected: TrustDecision
    }

    static let cases = [
        Case(name: "a stranger asks", isConfirmation: false, conversation: small, contact: nil, expected: .asked),
        Case(name: "a stranger confirms", isConfirmation: true, conversation: small, contact: nil, expected: .ignored),
        Case(name: "no conversation", isConfirmation: false, conversation: "", contact: nil, expected: .ignored),
        Case(
            name: "a blocked one asks",
            isConfirmation: false,
            conversation: small,
            contact: contact(small, isActive: false, isBanned: true),
            expected: .ignored
        ),
        Case(
            name: "one whom we removed asks",
            isConfirmation: false,
            conversation: small,
            contact: contact(large, isActive: false),
            expected: .asked
        ),
        Case(
            name: "our invitation is accepted",
            isConfirmation: true,
            conversation: small,
            contact: contact(small),
            expected: .confirmed(answer: nil)
        ),
        Case(
            name: "a repeated request is always answered",
            isConfirmation: false,
            conversation: small,
            contact: contact(small),
            expected: .confirmed(answer: small)
        ),
        Case(
            name: "both asked and ours is smaller",
            isConfirmation: false,
            conversation: large,
            contact: contact(small),
            expected: .confirmed(answer: small)
        ),
        Case(
            name: "they confirm another one and ours is smaller",
            isConfirmation: true,
            conversation: large,
            contact: contact(small),
            expected: .confirmed(answer: nil)
        ),
        Case(
            name: "both asked and theirs is smaller",
            isConfirmation: false,
            conversation: small,
            contact: contact(large),
            expected: .adopted(conversation: small, answers: true)
        ),
        Case(
            name: "they confirm another one and theirs is smaller",
            isConfirmation: true,
            conversation: small,
            contact: contact(large),
            expected: .adopted(conversation: small, answers: false)
        ),
    ]

    @Test(arguments: cases) func `each case has its answer`(_ one: Case) {
        let decision = TrustDecision.make(
            isConfirmation: one.isConfirmation,
            conversation: one.conversation,
            contact: one.contact
        )
        #expect(decision == one.expected, "\(one.name)")
    }

    @Test func `when both sides asked, both keep the same conversation`() {
        let first = TrustDecision.make(
            isConfirmation: false,
            conversation: Self.large,
            contact: Self.contact(Self.small)
        )
        let second = TrustDecision.make(
            isConfirmation: false,
            conversation: Self.small,
            contact: Self.contact(Self.large)
        )
        #expect(first == .confirmed(answer: Self.small))
        #expect(second == .adopted(conversation: Self.small, answers: true))
    }
}

@Suite struct CommitNotificationTests {
    @Test func `the form of older peers is read`() {
        let text = "{\n\t\"commit\" : \"c0\",\n\t\"deviceId\" : \"d0\",\n\t\"id\" : \"e0\"\n}"
        #expect(
            CommitNotification(decoding: text) == CommitNotification(conversation: "e0", commit: "c0", device: "d0")
        )
    }

    @Test func `what is written is read again`() {
        let note = CommitNotification(conversation: "e0", commit: "c0", device: "d0")
        #expect(note.encoded == #"{"commit":"c0","deviceId":"d0","id":"e0"}"#)
        #expect(CommitNotification(decoding: note.encoded) == note)
    }

    @Test(arguments: [
        "", "{", "[]", "null", #"{"id":"a","commit":"b"}"#, #"{"id":1,"commit":"b","deviceId":"c"}"#,
        #"{"id":"a","commit":"b","deviceId":"c","x":""# + String(repeating: "y", count: 5000) + #""}"#,
    ])
    func `anything else is no notification`(text: String) {
        #expect(CommitNotification(decoding: text) == nil)
    }
}

@Suite struct ChannelNameTests {
    private static let conversation = String(repeating: "c", count: 40)
    private static let device = String(repeating: "d", count: 64)

    @Test func `known names are told apart`() {
        #expect(ChannelName("sip") == .text)
        guard case .git(let id) = ChannelName("git://\(Self.device)/\(Self.conversation)") else {
            Issue.record("no git channel")
            return
        }
        #expect(id.hex == Self.conversation)
    }

    @Test(arguments: [
        "", "sips", "sip:x", "git://", "git://\(device)", "git://\(device)/zz", "git://\(device)/\(conversation)/more",
        "data-transfer://\(conversation)/\(device)/profile.vcf", "swarm://\(conversation)", "msg:\(device)",
    ])
    func `other names are declined`(name: String) {
        #expect(ChannelName(name) == nil)
    }
}
