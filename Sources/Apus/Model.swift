/// An account of this installation, as shown to a person or a program.
public struct AccountInfo: Codable, Sendable, Equatable {
    public enum State: String, Codable, Sendable {
        /// The DHT is not reached yet.
        case starting
        /// The DHT is reached and the device is announced.
        case online
        case offline
    }

    /// The local name of the account: 16 hexadecimal digits, only of use on this machine.
    public var account: String
    /// What others add as a contact: 40 hexadecimal digits.
    public var id: String
    /// This device: 64 hexadecimal digits.
    public var device: String
    public var alias: String
    public var state: State
    /// The name that is registered for the account, where one is known.
    public var registeredName: String?
    /// The name server that the account asks.
    public var nameServer: String
}

/// Somebody whom an account knows.
public struct ContactInfo: Codable, Sendable, Equatable {
    public enum State: String, Codable, Sendable {
        /// We invited them; they have not answered.
        case invited
        /// They invited us; we have not answered.
        case requested
        /// Accepted, and their conversation is being fetched.
        case joining
        case ready
        case blocked
    }

    public var id: String
    public var alias: String
    public var state: State
    public var conversation: String
    /// Whether one of their devices is announced or connected.
    public var online: Bool
    /// The registered name that the contact was added by; it stays theirs here whatever a server says later.
    public var name: String?
    /// How sure the name was: `unsigned`, `signed` or `proved`.
    public var nameAssurance: String?
    /// The other account that a name server gives the name to by now.
    public var nameConflict: String?
}

/// A registration of a name: under way, or how it ended.
public struct NameRegistrationInfo: Codable, Sendable, Equatable {
    /// `pending`, `registered`, `alreadyYours`, `taken`, `accountHasName`, `refused`, `expired`, or how a server lied.
    public var state: String
    public var name: String
    public var server: String
    /// What the server says, or why it is not decided yet, in a sentence; empty when there is nothing to say.
    public var reason: String
    /// When trying ends, in milliseconds since 1970 UTC.
    public var deadline: Int64

    public var isPending: Bool { state == "pending" }
    public var isDone: Bool { state == "registered" || state == "alreadyYours" }
}

/// A message of a conversation.
public struct MessageInfo: Codable, Sendable, Equatable {
    public enum Direction: String, Codable, Sendable {
        case incoming = "in"
        case outgoing = "out"
    }

    public enum State: String, Codable, Sendable {
        /// Stored here; no device of the other side has it yet.
        case stored
        /// A device of the other side has fetched it.
        case sent
        /// Came from the other side.
        case received
    }

    /// The commit that holds it.
    public var message: String
    public var conversation: String
    /// The contact whose conversation it is.
    public var contact: String
    /// The account that wrote it.
    public var from: String
    public var body: String
    /// Milliseconds since 1970 UTC.
    public var time: Int64
    public var direction: Direction
    public var state: State
    /// Grows with every message of the account.
    public var sequence: Int64
}

/// A commit of a conversation's history.
public struct HistoryEntry: Codable, Sendable, Equatable {
    public var id: String
    public var parents: [String]
    public var type: String
    public var author: String
    /// Seconds since 1970 UTC.
    public var time: Int64
    public var body: String
}

/// Something that happened in an account, kept until a client has seen it.
public struct EventInfo: Codable, Sendable, Equatable {
    public enum Kind: String, Codable, Sendable {
        case messageNew = "message.new"
        case messageStatus = "message.status"
        case contactRequested = "contact.requested"
        case contactChanged = "contact.changed"
        case conversationReady = "conversation.ready"
        case conversationRefused = "conversation.refused"
        /// A name server gives a contact's name to another account; the contact stays who they were.
        case contactNameWarning = "contact.nameWarning"
        /// A registration of a name has ended, or the account's name was found or is gone.
        case accountNameChanged = "account.nameChanged"
    }

    /// The local name of the account.
    public var account: String
    /// Grows with every event of the account, without gaps that hide one.
    public var sequence: Int64
    public var kind: Kind
    /// Milliseconds since 1970 UTC.
    public var time: Int64
    public var message: MessageInfo?
    public var contact: String?
    public var conversation: String?
    /// What was refused and why, in a sentence.
    public var reason: String?
}

/// How an account does.
public struct AccountStatus: Codable, Sendable, Equatable {
    public var account: AccountInfo
    /// `connected`, `connecting` or `disconnected`.
    public var dht: String
    public var announced: Bool
    public var contacts: Int
    /// Own messages that no device of the other side has fetched.
    public var outbox: Int
    /// Open connections to devices.
    public var connections: Int
}
