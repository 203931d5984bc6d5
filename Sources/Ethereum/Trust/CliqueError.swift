/// Why a header, or a chain of them, is not trusted under proof of authority.
public enum CliqueError: Error, Hashable, Sendable {
    /// No header as RLP.
    case malformedHeader
    /// Extra data that is too short, or with signers where none belong, without where they do, or unordered.
    case malformedExtraData
    /// No signature that somebody can be recovered from.
    case malformedSeal
    case notAnEpochHeader
    /// Not the child of the header before.
    case brokenLink
    /// Sealed by somebody who is no signer.
    case unknownSigner(Address)
    /// Sealed by somebody who sealed one of the blocks right before.
    case signedRecently(Address)
    /// Neither in turn with difficulty 2 nor out of turn with difficulty 1.
    case wrongDifficulty
    /// Older than the block before.
    case timeRunsBackwards
    /// The signers changed between two epochs, which this verifier does not follow.
    case signersChanged
    /// The configured checkpoint is older than allowed.
    case checkpointTooOld
    /// The block is not in the epoch of the last checkpoint.
    case outsideOfEpoch
    /// Too few distinct signers sealed it and what follows.
    case notFinal(seals: Int, needed: Int)
    /// More headers than ``CliqueTrust/maximumHeaderCount``.
    case tooManyHeaders
}
