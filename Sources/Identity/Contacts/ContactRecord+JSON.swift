import Runtime

extension ContactRecord {
    /// Reads either generation's object, as archives have it; `nil` for anything else.
    init?(json: JSON) {
        guard let members = json.object else { return nil }
        func time(_ seconds: String, _ milliseconds: String) -> WallTime {
            if let number = members[milliseconds]?.integer, number > 0 { return WallTime(milliseconds: number) }
            return WallTime(seconds: max(members[seconds]?.integer ?? 0, 0))
        }
        let conversation = members["conversationId"]?.text ?? ""
        self.init(
            added: time("added", "addedMs"),
            removed: time("removed", "removedMs"),
            isConfirmed: members["confirmed"]?.boolean ?? false,
            bannedFlag: members["banned"]?.boolean ?? false,
            conversationID: conversation.isConversationID ? conversation : ""
        )
    }

    /// Both seconds and milliseconds, where a millisecond is known; what is not set is left out.
    var json: JSON {
        var members: [String: JSON] = [
            "added": .integer(added.seconds),
            "conversationId": .text(conversationID),
        ]
        if added.milliseconds % 1_000 != 0 { members["addedMs"] = .integer(added.milliseconds) }
        if removed != .never {
            members["removed"] = .integer(removed.seconds)
            if removed.milliseconds % 1_000 != 0 { members["removedMs"] = .integer(removed.milliseconds) }
        }
        if isConfirmed { members["confirmed"] = .boolean(true) }
        if bannedFlag { members["banned"] = .boolean(true) }
        return .object(members)
    }
}
