public import Runtime

/// What an account knows about one contact, present or former; the unit that devices of an account exchange.
///
/// Source: accounts protocol, "Contact record".
public struct ContactRecord: Sendable, Hashable {
    /// When it was last added; 0 for never.
    public var added: WallTime
    /// When it was last removed; 0 for not removed.
    public var removed: WallTime
    /// Whether the other side is known to have added us as well.
    public var isConfirmed: Bool
    /// Whether the contact was removed in order to hear no more of it; read ``isBanned``, which asks whether it still is.
    public var bannedFlag: Bool
    /// The one-to-one conversation, 40 hexadecimal digits, or empty.
    public var conversationID: String

    public init(
        added: WallTime = WallTime(milliseconds: 0),
        removed: WallTime = WallTime(milliseconds: 0),
        isConfirmed: Bool = false,
        bannedFlag: Bool = false,
        conversationID: String = ""
    ) {
        self.added = added
        self.removed = removed
        self.isConfirmed = isConfirmed
        self.bannedFlag = bannedFlag
        self.conversationID = conversationID
    }

    public var isActive: Bool { added > removed }
    public var isBanned: Bool { !isActive && bannedFlag }

    /// When it last changed hands between being a contact and not being one.
    private var lastChange: WallTime { max(added, removed) }
}

// MARK: - Local operations (accounts protocol, "Local operations")

extension ContactRecord {
    /// Makes this an active contact, also after it was removed or banned.
    ///
    /// - Parameters:
    ///   - now: the time of the decision.
    ///   - isConfirmed: whether the other side is known to have added us.
    ///   - conversation: the one-to-one conversation, or empty.
    /// - Returns: whether anything changed, so that it must be stored and told to the other devices.
    public mutating func add(at now: WallTime, isConfirmed: Bool, conversation: String) -> Bool {
        if isActive, self.isConfirmed || !isConfirmed, conversationID == conversation { return false }
        // A clock that was set back must not let an older removal win on another device.
        added = max(now, WallTime(milliseconds: removed.milliseconds.addingWithoutOverflow(1)))
        removed = .never
        self.isConfirmed = self.isConfirmed || isConfirmed
        bannedFlag = false
        conversationID = conversation
        return true
    }

    /// Removes the contact; with a ban it is not heard any more.
    ///
    /// - Parameters:
    ///   - now: the time of the decision.
    ///   - ban: whether requests of that account are dropped from now on.
    /// - Returns: whether anything changed.
    public mutating func remove(at now: WallTime, ban: Bool) -> Bool {
        if !isActive, removed != .never, bannedFlag == ban { return false }
        removed = max(now, added)
        isConfirmed = false
        bannedFlag = ban
        conversationID = ""
        return true
    }
}

// MARK: - Merging (accounts protocol, "Merge of a synchronised contact")

extension ContactRecord {
    /// Takes over what another device of the account knows better.
    ///
    /// - Parameters:
    ///   - other: the record of the other device.
    ///   - generation: whose rule to follow; ours is that of 2026.
    /// - Returns: whether the contact became (or ceased to be) active, banned or confirmed.
    public mutating func merge(_ other: ContactRecord, as generation: Generation = .daemon2026) -> Bool {
        let before = (isActive, isBanned, isConfirmed)
        switch generation {
        case .daemon2023:
            if other.added > added {
                added = other.added
                conversationID = other.conversationID
            }
            if other.removed > removed {
                removed = other.removed
                bannedFlag = other.bannedFlag
            }
            isConfirmed = isConfirmed || other.isConfirmed
            if other.isActive, conversationID.isEmpty { conversationID = other.conversationID }
        case .daemon2026:
            if other.lastChange > lastChange {
                self = other
            } else if isActive, other.isActive, added == other.added {
                isConfirmed = isConfirmed || other.isConfirmed
            }
        }
        return before != (isActive, isBanned, isConfirmed)
    }
}

extension Int64 {
    fileprivate func addingWithoutOverflow(_ number: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(number)
        return overflow ? .max : sum
    }
}
