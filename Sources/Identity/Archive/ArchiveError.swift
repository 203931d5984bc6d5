public import Keys

/// Why an account archive cannot be read or written.
public enum ArchiveError: Error, Equatable, Sendable {
    /// The password does not open the archive, or the archive is damaged: nothing tells them apart.
    case wrongPassword
    /// The archive is sealed and no password was given.
    case passwordNeeded
    /// What was opened is not an archive.
    case malformed
    /// The account key is missing or unreadable; everything else may be missing.
    case noAccountKey
    /// More than ``AccountArchive/maximumSize`` bytes.
    case tooLarge
    /// The cryptographic library failed.
    case key(KeyError)
}
