/// What an incoming trust request means for us.
///
/// A pure rule, so that every case is a line of a table. Source: accounts protocol, "Contacts and trust requests".
package enum TrustDecision: Equatable, Sendable {
    /// Nothing to do, and nobody is told why.
    case ignored
    /// A stranger invites us.
    case asked
    /// The contact has us as a contact too; an answer, if any, names the conversation to keep.
    case confirmed(answer: String?)
    /// Both invited each other and theirs is the conversation to keep.
    case adopted(conversation: String, answers: Bool)

    /// Decides.
    ///
    /// When both sides invited each other, two conversations exist; both sides keep the one with the smaller id, so
    /// that they meet without another word.
    package static func make(isConfirmation: Bool, conversation: String, contact: ContactRow?) -> TrustDecision {
        guard let contact, contact.isActive else {
            if isConfirmation || contact?.banned == true || conversation.isEmpty { return .ignored }
            return .asked
        }
        if conversation.isEmpty || conversation == contact.conversation {
            return .confirmed(answer: isConfirmation ? nil : contact.conversation)
        }
        if conversation < contact.conversation {
            return .adopted(conversation: conversation, answers: !isConfirmation)
        }
        return .confirmed(answer: isConfirmation ? nil : contact.conversation)
    }
}
