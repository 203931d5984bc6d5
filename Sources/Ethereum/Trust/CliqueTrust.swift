public import Runtime

/// Establishes trust in a block of a Clique chain, from a checkpoint that the user's settings name.
///
/// Source: names protocol, "Proofs".
public struct CliqueTrust: Hashable, Sendable {
    public static let maximumHeaderCount = 1_024
    /// A checkpoint must not be older, since signers of long ago may be anybody by now.
    public static let defaultCheckpointAge = Duration.seconds(30 * 86_400)

    /// The genesis or another header of an epoch, which lists the signers.
    public let checkpoint: BlockHeader
    public let epochLength: UInt64
    public let maximumCheckpointAge: Duration
    /// Distinct seals that make a block final; `nil` for two thirds of the signers and one more.
    public let quorum: Int?
    private let signers: [Address]

    public init(
        checkpoint: BlockHeader,
        epochLength: UInt64 = 30_000,
        quorum: Int? = nil,
        maximumCheckpointAge: Duration = defaultCheckpointAge
    ) throws(CliqueError) {
        guard epochLength > 0, checkpoint.number.isMultiple(of: epochLength) else { throw .notAnEpochHeader }
        signers = try checkpoint.cliqueSigners()
        guard !signers.isEmpty else { throw .notAnEpochHeader }
        self.checkpoint = checkpoint
        self.epochLength = epochLength
        self.quorum = quorum
        self.maximumCheckpointAge = maximumCheckpointAge
    }

    /// Whether a header is final.
    ///
    /// Later epochs lead from the checkpoint to the header's epoch: each is the header of an epoch with its children behind
    /// it, until enough distinct signers of the epoch before sealed children. The descendants of the header follow it until
    /// it and they carry enough distinct seals; those that follow then are not looked at.
    public func verify(
        _ header: BlockHeader,
        laterEpochs: [BlockHeader],
        descendants: [BlockHeader],
        now: WallTime
    ) throws(CliqueError) {
        guard laterEpochs.count + descendants.count <= Self.maximumHeaderCount else { throw .tooManyHeaders }
        let age = now.seconds.subtractingReportingOverflow(Int64(clamping: checkpoint.timestamp))
        guard !age.overflow, age.partialValue <= maximumCheckpointAge.components.seconds else {
            throw .checkpointTooOld
        }
        let epoch = try follow(laterEpochs)
        guard header.number >= epoch.number, header.number - epoch.number < epochLength else { throw .outsideOfEpoch }
        var run = CliqueRun(signers: epoch.signers, epochLength: epochLength)
        let needed = needed(of: epoch.signers.count)
        if header.number == 0 {
            // The genesis carries no seal; it is the one that the settings name.
            guard header == checkpoint else { throw .brokenLink }
            return
        }
        try run.append(header)
        for descendant in descendants where run.seals.count < needed { try run.append(descendant) }
        guard run.seals.count >= needed else { throw .notFinal(seals: run.seals.count, needed: needed) }
    }

    /// The headers of a proof: RLP, as servers send them.
    public static func headers(_ encodings: [[UInt8]]) throws(CliqueError) -> [BlockHeader] {
        guard encodings.count <= maximumHeaderCount else { throw .tooManyHeaders }
        do throws(RLPError) {
            return try encodings.map { encoding throws(RLPError) in try BlockHeader(decoding: encoding) }
        } catch {
            throw .malformedHeader
        }
    }

    private struct Epoch {
        var number: UInt64
        var signers: [Address]
    }

    private func needed(of count: Int) -> Int {
        min(count, max(quorum ?? CliqueRun.finalityQuorum(of: count), 1))
    }

    /// The epoch that the last group leads to.
    private func follow(_ headers: [BlockHeader]) throws(CliqueError) -> Epoch {
        var epoch = Epoch(number: checkpoint.number, signers: signers)
        var rest = headers[...]
        while let first = rest.popFirst() {
            guard first.number > epoch.number, first.number.isMultiple(of: epochLength) else {
                throw .notAnEpochHeader
            }
            let next = Epoch(number: first.number, signers: try first.cliqueSigners())
            guard !next.signers.isEmpty else { throw .notAnEpochHeader }
            var run = CliqueRun(signers: next.signers, epochLength: epochLength)
            try run.append(first)
            let trusted = Set(epoch.signers)
            let needed = needed(of: epoch.signers.count)
            var witnesses: Set<Address> = []
            while witnesses.count < needed {
                guard let child = rest.popFirst() else { throw .notFinal(seals: witnesses.count, needed: needed) }
                try run.append(child)
                let signer = try child.cliqueSigner()
                if trusted.contains(signer) { witnesses.insert(signer) }
            }
            epoch = next
        }
        return epoch
    }
}
