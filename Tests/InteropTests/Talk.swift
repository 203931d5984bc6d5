import JSON
import TestSupport
import Testing

/// An Apus and a Jami daemon that are contacts, and all that was said between them.
final class Talk {
    enum Inviter: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case apus, jami

        var testDescription: String { "\(rawValue) invites" }
    }

    let apus: ApusPeer
    let apusAccount: ApusPeer.Account
    let jami: JamiPeer
    let jamiAccount: JamiPeer.Account
    let conversation: String
    /// Bodies in both directions, in the order of sending.
    private(set) var fromApus: [String] = []
    private(set) var fromJami: [String] = []

    private init(
        apus: ApusPeer,
        apusAccount: ApusPeer.Account,
        jami: JamiPeer,
        jamiAccount: JamiPeer.Account,
        conversation: String
    ) {
        self.apus = apus
        self.apusAccount = apusAccount
        self.jami = jami
        self.jamiAccount = jamiAccount
        self.conversation = conversation
    }

    // MARK: Becoming contacts

    static func begin(_ inviter: Inviter, in lab: NetworkLab, bootstrap: String) async throws -> Talk {
        let jami = try await JamiPeer.start(on: lab.host("jami"), in: lab)
        let jamiAccount = try await jami.newAccount(alias: "Jami", bootstrap: bootstrap)
        let (apus, apusAccount) = try await ApusPeer.start(
            on: lab.host("apus"),
            in: lab,
            bootstrap: bootstrap,
            alias: "Apus"
        )
        try apus.follow()
        let conversation: String
        switch inviter {
        case .apus:
            conversation = try await apusInvites(apus, apusAccount, jami, jamiAccount)
        case .jami:
            conversation = try await jamiInvites(apus, apusAccount, jami, jamiAccount)
        }
        return Talk(
            apus: apus,
            apusAccount: apusAccount,
            jami: jami,
            jamiAccount: jamiAccount,
            conversation: conversation
        )
    }

    private static func apusInvites(
        _ apus: ApusPeer,
        _ apusAccount: ApusPeer.Account,
        _ jami: JamiPeer,
        _ jamiAccount: JamiPeer.Account
    ) async throws -> String {
        let conversation = try await apus.addContact(jamiAccount.id)
        let request = try await jami.wait(for: "incomingTrustRequest", matching: ["2": apusAccount.id])
        #expect(request.dropFirst().first?.string == conversation)
        try await jami.accept(apusAccount.id, as: jamiAccount)
        try await jami.wait(for: "conversationReady", matching: ["1": conversation])
        try await apus.waitForContact(jamiAccount.id, state: "ready")
        return conversation
    }

    private static func jamiInvites(
        _ apus: ApusPeer,
        _ apusAccount: ApusPeer.Account,
        _ jami: JamiPeer,
        _ jamiAccount: JamiPeer.Account
    ) async throws -> String {
        try await jami.invite(apusAccount.id, from: jamiAccount)
        try await apus.waitForContact(jamiAccount.id, state: "requested")
        let conversation = try await apus.acceptContact(jamiAccount.id)
        try await apus.waitForContact(jamiAccount.id, state: "ready")
        try await jami.wait(
            for: "conversationMemberEvent",
            matching: ["1": conversation, "2": apusAccount.id, "3": "1"]
        )
        return conversation
    }

    // MARK: Writing

    func apusWrites(_ count: Int, _ note: String) async throws {
        for _ in 0..<count {
            let body = "apus \(fromApus.count): \(note) \"é😀\""
            try await apus.send(body, to: jamiAccount.id)
            fromApus.append(body)
        }
    }

    func jamiWrites(_ count: Int, _ note: String) async throws {
        for _ in 0..<count {
            let body = "jami \(fromJami.count): \(note) \"ü🐦\""
            try await jami.send(body, in: conversation, from: jamiAccount)
            fromJami.append(body)
        }
    }

    /// Both write at the same time, so that their histories part and have to be merged.
    func bothWrite(_ count: Int, _ note: String) async throws {
        let (apus, jami) = (apus, jami)
        let (conversation, jamiAccount) = (conversation, jamiAccount)
        let ours = (0..<count).map { "apus \(fromApus.count + $0): \(note)" }
        let theirs = (0..<count).map { "jami \(fromJami.count + $0): \(note)" }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { for body in ours { try await apus.send(body, to: jamiAccount.id) } }
            group.addTask {
                for body in theirs { try await jami.send(body, in: conversation, from: jamiAccount) }
            }
            try await group.waitForAll()
        }
        fromApus += ours
        fromJami += theirs
    }

    // MARK: Judging

    /// What both sides hold of the conversation once they agree.
    struct Agreement {
        var left: [ApusPeer.Commit]
        var right: [JamiPeer.Commit]
    }

    /// Waits until everything that was said is on both sides, and both hold the same commits, merges included.
    @discardableResult
    func settle(within timeout: Duration = .seconds(120)) async throws -> Agreement {
        let said = Set(fromApus + fromJami)
        return try await eventually(
            within: timeout,
            every: .milliseconds(250),
            "both sides hold everything; see \(apus.log)"
        ) {
            let left = try await apus.history(of: conversation)
            let right = try await jami.commits(of: conversation, of: jamiAccount)
            let bodies = Set(left.compactMap(\.body)).intersection(right.compactMap(\.body))
            guard said.isSubset(of: bodies), Set(left.map(\.id)) == Set(right.map(\.id)) else { return nil }
            return Agreement(left: left, right: right)
        }
    }

    /// What must hold at the end of every talk.
    func judge() async throws {
        let agreement = try await settle()
        let (left, right) = (agreement.left, agreement.right)
        #expect(left.map(\.id) == right.map(\.id), "both sides show the same order")
        #expect(Set(left.map(\.id)).count == left.count, "no commit is listed twice")
        for body in fromApus + fromJami {
            #expect(left.count { $0.body == body } == 1, "Apus holds once: \(body)")
            #expect(right.count { $0.body == body } == 1, "Jami holds once: \(body)")
        }
        for body in fromJami {
            try await apus.waitForMessage(body, within: .seconds(20))
            #expect(apus.shown.all.count { $0.isIncoming && $0.body == body } == 1, "shown once: \(body)")
        }
        try await apus.check(conversation)
    }

    func end() async {
        await apus.close()
        jami.kill()
    }
}
