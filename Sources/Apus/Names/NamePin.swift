package import Keys
package import Names
package import Runtime

/// What a new look-up of a contact's name means.
///
/// A pure rule: the contact itself never changes, whatever a server says.
package enum NameRecheck: Equatable, Sendable {
    /// As it was, or nothing that says otherwise.
    case unchanged
    /// The warning of before does not hold any more.
    case settled
    /// The name leads to another account, and the user was not told of that one yet.
    case warn(other: InfoHash)

    /// How often the names of contacts are looked up.
    package static let interval = Duration.seconds(86_400)

    package static func make(_ answer: NameLookup.Answer, for contact: ContactRow) -> NameRecheck {
        guard case .found(let account) = answer else { return .unchanged }
        if account.hex == contact.id { return contact.nameConflict.isEmpty ? .unchanged : .settled }
        return account.hex == contact.nameConflict ? .unchanged : .warn(other: account)
    }

    /// Whether it is time for a look-up.
    package static func isDue(_ contact: ContactRow, at now: WallTime) -> Bool {
        guard contact.isActive, !contact.registeredName.isEmpty else { return false }
        let age = now.milliseconds - contact.nameChecked
        // A check in the future was noted before the clock was set back.
        return age < 0 || age >= interval.wholeMilliseconds
    }
}
