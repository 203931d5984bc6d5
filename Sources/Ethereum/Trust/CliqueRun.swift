/// Checks consecutive headers of a Clique chain under one set of signers.
///
/// Source: EIP-225; names protocol, "Proofs".
public struct CliqueRun: Sendable {
    public let signers: [Address]
    public let epochLength: UInt64
    public private(set) var last: BlockHeader?
    /// Those who sealed a header that was accepted.
    public private(set) var seals: Set<Address> = []
    /// Who sealed the newest blocks, oldest first.
    private var recent: [Address] = []

    public init(signers: [Address], epochLength: UInt64) {
        self.signers = signers
        self.epochLength = epochLength
    }

    /// A signer may seal one of so many consecutive blocks.
    public static func signerLimit(of count: Int) -> Int { count / 2 + 1 }

    /// How many distinct seals make a block final, by default.
    public static func finalityQuorum(of count: Int) -> Int { 2 * count / 3 + 1 }

    /// Accepts a header that follows those accepted before; the first one may be any.
    public mutating func append(_ header: BlockHeader) throws(CliqueError) {
        if let last {
            guard header.parentHash == last.hash, last.number != .max, header.number == last.number + 1 else {
                throw .brokenLink
            }
            guard header.timestamp >= last.timestamp else { throw .timeRunsBackwards }
        }
        let listed = try header.cliqueSigners()
        let isEpoch = epochLength > 0 && header.number.isMultiple(of: epochLength)
        guard isEpoch != listed.isEmpty else { throw .malformedExtraData }
        guard !isEpoch || listed == signers else { throw .signersChanged }
        let signer = try header.cliqueSigner()
        guard let index = signers.firstIndex(of: signer) else { throw .unknownSigner(signer) }
        guard !recent.contains(signer) else { throw .signedRecently(signer) }
        let isInTurn = header.number % UInt64(signers.count) == UInt64(index)
        guard header.difficulty == Word(isInTurn ? 2 : 1) else { throw .wrongDifficulty }
        recent.append(signer)
        if recent.count >= Self.signerLimit(of: signers.count) { recent.removeFirst() }
        seals.insert(signer)
        last = header
    }
}
