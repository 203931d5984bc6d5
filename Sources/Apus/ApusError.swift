/// What went wrong, as a sentence for a person and a name for a program.
public struct ApusError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Compared by its name only; new codes may come.
    public struct Code: Hashable, Sendable {
        public let name: String

        public init(_ name: String) {
            self.name = name
        }

        public static let accountNotFound = Code("accountNotFound")
        public static let accountAmbiguous = Code("accountAmbiguous")
        public static let aliasTaken = Code("aliasTaken")
        public static let noAccount = Code("noAccount")
        public static let contactNotFound = Code("contactNotFound")
        public static let contactExists = Code("contactExists")
        public static let requestNotFound = Code("requestNotFound")
        public static let conversationNotFound = Code("conversationNotFound")
        public static let conversationNotReady = Code("conversationNotReady")
        public static let invalidIdentifier = Code("invalidIdentifier")
        public static let messageEmpty = Code("messageEmpty")
        public static let messageTooLong = Code("messageTooLong")
        public static let storage = Code("storage")
        public static let identity = Code("identity")
        public static let network = Code("network")
        public static let invalidName = Code("invalidName")
        public static let nameNotFound = Code("nameNotFound")
        /// The name is not as sure as it must be.
        public static let nameUnsigned = Code("nameUnsigned")
        /// A name server was caught.
        public static let nameServerLied = Code("nameServerLied")
        /// The name leads to another account than before.
        public static let nameConflict = Code("nameConflict")
        public static let registrationPending = Code("registrationPending")
        public static let passwordNeeded = Code("passwordNeeded")
        public static let wrongPassword = Code("wrongPassword")
        public static let dataFolderInUse = Code("dataFolderInUse")
    }

    public let code: Code
    /// A sentence: what happened, what it means, what to do.
    public let reason: String

    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    public var description: String { reason }

    public static func == (left: ApusError, right: ApusError) -> Bool {
        left.code == right.code
    }
}
