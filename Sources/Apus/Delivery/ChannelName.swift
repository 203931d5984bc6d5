import Swarm

/// The channels that an account serves, by the name that a peer asks for.
///
/// Source: connection protocol, "Channel names".
enum ChannelName: Equatable {
    /// Texts as SIP MESSAGE requests.
    case text
    /// Sessions of upload-pack for a conversation.
    case git(ConversationID)

    init?(_ name: String) {
        if name == "sip" {
            self = .text
            return
        }
        let parts = name.split(separator: "/", omittingEmptySubsequences: true)
        guard name.hasPrefix("git:"), parts.count == 3, let conversation = ConversationID(hex: String(parts[2])) else {
            return nil
        }
        self = .git(conversation)
    }
}
