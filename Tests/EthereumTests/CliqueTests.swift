import Keys
import Runtime
import TestSupport
import Testing

@testable import Ethereum

@Suite struct CliqueTests {
    private static let vector = Vectors.clique
    private static let signers = vector["signers"].elements.map(\.address)
    private static let epochLength = vector["epochLength"].unsigned
    private static let now = WallTime(seconds: 1_795_000_000)

    private static func chain() throws -> [BlockHeader] {
        try vector["chain"].elements.map { try BlockHeader(decoding: $0["rlp"].hex) }
    }

    @Test func `headers have the hashes and signers of the vectors`() throws {
        for (header, expected) in zip(try Self.chain(), Self.vector["chain"].elements) {
            #expect(header.hash == expected["hash"].word)
            #expect(try header.cliqueSealHash() == expected["sealHash"].word)
            #expect(try header.cliqueSigner() == expected["signer"].address)
        }
        let genesis = try BlockHeader(decoding: Self.vector["genesisRlp"].hex)
        #expect(try genesis.cliqueSigners() == Self.signers)
    }

    @Test func `the chain of the vectors is accepted`() throws {
        var run = CliqueRun(signers: Self.signers, epochLength: Self.epochLength)
        for header in try Self.chain() { try run.append(header) }
        #expect(run.seals.count == 5)
        #expect(CliqueRun.signerLimit(of: 5) == Self.vector["signerLimit"].integer)
    }

    @Test(arguments: vector["rejected"].elements.indices)
    func `each rejected header has its error`(index: Int) throws {
        let vector = Self.vector["rejected"][index]
        var run = CliqueRun(signers: Self.signers, epochLength: Self.epochLength)
        for header in try Self.chain() { try run.append(header) }
        let header = try BlockHeader(decoding: vector["rlp"].hex)
        let signer = vector["signer"].address
        let expected: CliqueError =
            switch index {
            case 0: .signedRecently(signer)
            case 1, 3: .unknownSigner(signer)
            default: .wrongDifficulty
            }
        #expect(throws: expected, "\(vector["why"].text)") { try run.append(header) }
    }

    @Test func `a block is final when enough signers sealed it and its descendants`() throws {
        let genesis = try BlockHeader(decoding: Self.vector["genesisRlp"].hex)
        let trust = try CliqueTrust(checkpoint: genesis, epochLength: Self.epochLength)
        let chain = try Self.chain()
        #expect(throws: Never.self) {
            try trust.verify(chain[2], laterEpochs: [], descendants: Array(chain[3...5]), now: Self.now)
        }
        #expect(throws: CliqueError.notFinal(seals: 3, needed: 4)) {
            try trust.verify(chain[2], laterEpochs: [], descendants: Array(chain[3...4]), now: Self.now)
        }
        #expect(throws: CliqueError.brokenLink) {
            try trust.verify(chain[2], laterEpochs: [], descendants: Array(chain[4...6]), now: Self.now)
        }
        let late = WallTime(seconds: Int64(genesis.timestamp) + 31 * 86_400)
        #expect(throws: CliqueError.checkpointTooOld) {
            try trust.verify(chain[2], laterEpochs: [], descendants: Array(chain[3...5]), now: late)
        }
        #expect(throws: CliqueError.tooManyHeaders) {
            let many = Array(repeating: chain[3], count: CliqueTrust.maximumHeaderCount + 1)
            try trust.verify(chain[2], laterEpochs: [], descendants: many, now: Self.now)
        }
        #expect(throws: CliqueError.notAnEpochHeader) { try CliqueTrust(checkpoint: chain[0]) }
        #expect(throws: CliqueError.malformedHeader) { try CliqueTrust.headers([[0xC0]]) }
    }

    @Test func `two blocks at one height accuse their signer`() throws {
        let chain = try Self.chain()
        let rejected = try Self.vector["rejected"].elements.map { try BlockHeader(decoding: $0["rlp"].hex) }
        #expect(CliqueContradiction(chain[0], chain[0]) == nil)
        #expect(CliqueContradiction(chain[0], chain[1]) == nil)
        #expect(CliqueContradiction(rejected[0], rejected[1]) == nil)
        let key = try EthereumKey(secret: Array(repeating: 3, count: 32))
        let first = try chain[0].sealed(by: key)
        var other = chain[0]
        other.gasUsed += 1
        #expect(CliqueContradiction(first, try other.sealed(by: key))?.signer == key.account)
    }
}

/// Chains with epochs of five blocks, whose signers change.
@Suite struct CliqueEpochTests {
    private let keys: [EthereumKey]
    private let now = WallTime(seconds: 1_795_000_000)

    init() throws {
        keys = try (1...6).map { try EthereumKey(secret: Array(repeating: $0, count: 32)) }
            .sorted { $0.account < $1.account }
    }

    /// Blocks in turn after a block.
    private func extend(
        _ parent: BlockHeader,
        by count: Int,
        signers: [EthereumKey]
    ) throws -> [BlockHeader] {
        var chain = [parent]
        for _ in 0..<count {
            var header = chain[chain.count - 1]
            header.parentHash = header.hash
            header.number += 1
            header.timestamp += 5
            let listed = header.number.isMultiple(of: 5) ? signers.flatMap(\.address) : []
            header.extraData = Array(repeating: 0, count: 32) + listed + Array(repeating: 0, count: 65)
            header.difficulty = Word(2)
            chain.append(try header.sealed(by: signers[Int(header.number) % signers.count]))
        }
        return Array(chain.dropFirst())
    }

    private func genesis(_ signers: [EthereumKey]) throws -> BlockHeader {
        var header = try BlockHeader(decoding: Vectors.clique["genesisRlp"].hex)
        header.extraData =
            Array(repeating: 0, count: 32) + signers.flatMap(\.address) + Array(repeating: 0, count: 65)
        return header
    }

    @Test func `later epochs lead to other signers`() throws {
        let old = Array(keys[0..<5])
        let genesis = try genesis(old)
        let trust = try CliqueTrust(checkpoint: genesis, epochLength: 5)
        let fourth = try extend(genesis, by: 4, signers: old)[3]
        // The sixth signer was voted in before the header of the epoch, which is sealed by it.
        let later = try extend(fourth, by: 6, signers: keys)
        #expect(throws: Never.self) {
            try trust.verify(later[1], laterEpochs: Array(later[...4]), descendants: Array(later[2...]), now: now)
        }
        #expect(throws: CliqueError.outsideOfEpoch) {
            try trust.verify(later[0], laterEpochs: [], descendants: [], now: now)
        }
        #expect(throws: CliqueError.notFinal(seals: 3, needed: 4)) {
            try trust.verify(later[1], laterEpochs: Array(later[...3]), descendants: Array(later[2...]), now: now)
        }
        #expect(throws: CliqueError.notFinal(seals: 4, needed: 5)) {
            try trust.verify(later[1], laterEpochs: Array(later[...4]), descendants: Array(later[2...4]), now: now)
        }
    }

    @Test func `a new list of signers without seals of the old ones is refused`() throws {
        let old = Array(keys[0..<3])
        let stranger = Array(keys[3..<6])
        let genesis = try genesis(old)
        let trust = try CliqueTrust(checkpoint: genesis, epochLength: 5)
        let fourth = try extend(genesis, by: 4, signers: old)[3]
        let forged = try extend(fourth, by: 4, signers: stranger)
        #expect(throws: CliqueError.notFinal(seals: 0, needed: 3)) {
            try trust.verify(forged[1], laterEpochs: forged, descendants: [], now: now)
        }
    }

    @Test func `an epoch is left by enough seals of its signers`() throws {
        let old = Array(keys[0..<3])
        let genesis = try genesis(old)
        let trust = try CliqueTrust(checkpoint: genesis, epochLength: 5)
        let chain = try extend(genesis, by: 14, signers: old)
        // Two epochs at once: the header of the second with three children.
        #expect(throws: Never.self) {
            try trust.verify(chain[10], laterEpochs: Array(chain[9...12]), descendants: Array(chain[11...]), now: now)
        }
        // One after the other.
        let both = Array(chain[4...7]) + Array(chain[9...12])
        #expect(throws: Never.self) {
            try trust.verify(chain[10], laterEpochs: both, descendants: Array(chain[11...]), now: now)
        }
        #expect(throws: CliqueError.notAnEpochHeader) {
            try trust.verify(chain[10], laterEpochs: Array(chain[8...11]), descendants: [], now: now)
        }
        #expect(throws: CliqueError.notFinal(seals: 2, needed: 3)) {
            try trust.verify(chain[10], laterEpochs: Array(chain[9...11]), descendants: [], now: now)
        }
        #expect(throws: CliqueError.notFinal(seals: 1, needed: 3)) {
            try trust.verify(chain[13], laterEpochs: both, descendants: [], now: now)
        }
    }
}

extension BlockHeader {
    /// With the seal of a signer.
    func sealed(by key: EthereumKey) throws -> BlockHeader {
        var header = self
        header.extraData =
            header.extraData.dropLast(Self.sealByteCount) + Array(repeating: 0, count: Self.sealByteCount)
        let signature = try key.sign(header.cliqueSealHash())
        header.extraData = header.extraData.dropLast(Self.sealByteCount) + signature.bytes
        return header
    }
}

@Suite struct FreshnessTests {
    @Test func `blocks are neither old nor from the future nor below an accepted one`() throws {
        var header = try BlockHeader(decoding: Vectors.proof["headerRlp"].hex)
        header.timestamp = 1_000_000
        header.number = 10
        let rule = Freshness.proofOfStake
        func check(_ seconds: Int64, _ accepted: UInt64? = nil) throws {
            try rule.check(header, now: WallTime(seconds: seconds), highestAccepted: accepted)
        }
        #expect(throws: Never.self) { try check(1_000_000, 10) }
        #expect(throws: Never.self) { try check(1_003_600) }
        #expect(throws: Never.self) { try check(999_940) }
        #expect(throws: FreshnessError.tooOld(seconds: 3_601)) { try check(1_003_601) }
        #expect(throws: FreshnessError.inTheFuture(seconds: 61)) { try check(999_939) }
        #expect(throws: FreshnessError.belowAccepted(11)) { try check(1_000_000, 11) }
        header.timestamp = .max
        #expect(throws: FreshnessError.self) { try check(1_000_000) }
        header.timestamp = 0
        #expect(throws: FreshnessError.self) { try check(.max) }
    }
}
