import Ethereum
import Keys
import NameRegistry
import Runtime

/// What a proof proves of a name.
struct ProvedName: Hashable, Sendable {
    let name: Name
    let answer: NameLookup.Answer
    /// The contract holds the digest of evidence.
    let isSigned: Bool
    let block: ProvedBlock
}

/// What a proof proves of an account.
struct ProvedAccount: Hashable, Sendable {
    /// What is proved of its name; `nil` for an account that has none.
    let name: ProvedName?
    let block: ProvedBlock
}

extension ProvedBlock {
    init(_ header: BlockHeader) {
        self.init(
            number: header.number,
            hash: header.hash,
            time: WallTime(seconds: Int64(clamping: header.timestamp))
        )
    }
}

/// Judges answers with proof against the user's settings, as far as that goes without asking anybody.
///
/// Pure: time and what was accepted before are arguments. Source: names protocol, "Proofs".
struct ProofVerifier: Sendable {
    let trust: NameTrust

    // MARK: The block

    /// The header of an answer, if its chain and registry are ours and it is young enough.
    ///
    /// It must not go below the highest block that was accepted before the server was asked, called earlier; answers to
    /// other questions may have raised the highest one since.
    func header(
        of answer: ProofAnswer,
        now: WallTime,
        earlier: AcceptedBlocks.Block?,
        highest: AcceptedBlocks.Block?
    ) throws(NameServerFault) -> BlockHeader {
        guard answer.chain == trust.chain else { throw .lie(.otherChain(answer.chain)) }
        guard answer.store == trust.store else { throw .lie(.otherStore(answer.store)) }
        guard let header = try? BlockHeader(decoding: answer.header) else { throw .lie(.wrongProof("the block")) }
        do throws(FreshnessError) {
            try trust.freshness.check(header, now: now, highestAccepted: earlier?.number)
        } catch {
            switch error {
            case .tooOld(let seconds): throw .lie(.staleProof(age: seconds))
            case .inTheFuture(let seconds): throw .lie(.futureProof(ahead: seconds))
            case .belowAccepted(let number): throw .lie(.rolledBack(block: header.number, highest: number))
            }
        }
        if let highest, highest.number == header.number, highest.hash != header.hash {
            throw .lie(.untrustedBlock("another block \(header.number) was proved before"))
        }
        return header
    }

    /// Whether signers stand behind a header.
    func check(
        _ header: BlockHeader,
        of answer: ProofAnswer,
        against clique: CliqueTrust,
        now: WallTime
    ) throws(NameServerFault) {
        guard case .clique(let headers, let checkpoints) = answer.anchors else {
            throw .lie(.untrustedBlock("it shows no seals of signers"))
        }
        do throws(CliqueError) {
            try clique.verify(
                header,
                laterEpochs: CliqueTrust.headers(checkpoints),
                descendants: CliqueTrust.headers(headers),
                now: now
            )
        } catch {
            throw Self.fault(for: error)
        }
    }

    private static func fault(for error: CliqueError) -> NameServerFault {
        switch error {
        case .checkpointTooOld:
            .unverifiable(
                "the checkpoint in the trust settings is too old; get a newer one from somebody whom you trust"
            )
        case .malformedHeader: .lie(.untrustedBlock("a block behind it is none"))
        case .malformedExtraData, .malformedSeal: .lie(.untrustedBlock("a block has no valid seal"))
        case .notAnEpochHeader: .lie(.untrustedBlock("a checkpoint is none"))
        case .brokenLink: .lie(.untrustedBlock("the blocks behind it do not follow it"))
        case .unknownSigner(let signer): .lie(.untrustedBlock("\(signer), who sealed it, is no signer"))
        case .signedRecently(let signer): .lie(.untrustedBlock("\(signer) sealed blocks too close together"))
        case .wrongDifficulty: .lie(.untrustedBlock("a block has the wrong difficulty"))
        case .timeRunsBackwards: .lie(.untrustedBlock("a block is older than the one before"))
        case .signersChanged: .lie(.untrustedBlock("the signers changed without a checkpoint"))
        case .outsideOfEpoch: .lie(.untrustedBlock("it is not of the checkpoint's epoch"))
        case .notFinal(let seals, let needed):
            .lie(.untrustedBlock("\(seals) signers sealed it, and \(needed) are needed"))
        case .tooManyHeaders: .lie(.untrustedBlock("more blocks follow it than are looked at"))
        }
    }

    /// Whether enough operators have said that a header is final.
    func check(_ outcome: QuorumTrust.Outcome, needed: Int) throws(NameServerFault) {
        guard !QuorumTrust(needed: needed).accepts(outcome) else { return }
        if outcome.contradicting > 0 {
            throw .lie(.untrustedBlock("\(outcome.contradicting) of the nodes that you trust have another block there"))
        }
        if outcome.behind > 0 {
            throw .lie(.untrustedBlock("\(outcome.behind) of the nodes that you trust do not have it as final"))
        }
        throw .unverifiable("only \(outcome.agreeing) of the nodes that you trust answered, and \(needed) must agree")
    }

    // MARK: The slots

    /// What an answer about a name proves under a header that is trusted.
    func proved(_ answer: ProofAnswer, of name: Name, in header: BlockHeader) throws(NameServerFault) -> ProvedName {
        guard let told = answer.name else { throw .malformed("it does not say which name it is about") }
        guard told == name else { throw .lie(.otherName(told.text)) }
        let storage = try storage(answer, in: header)
        return try forward(answer, of: name, in: header, storage)
    }

    /// What an answer about an account proves.
    func proved(
        _ answer: ProofAnswer,
        of account: InfoHash,
        in header: BlockHeader
    ) throws(NameServerFault) -> ProvedAccount {
        if let told = answer.account, told != account { throw .lie(.otherAccount(told)) }
        let storage = try storage(answer, in: header)
        let word = try value(.reverse, RegistryLayout.name(of: account), answer, storage)
        guard !word.isZero else {
            guard !answer.isRegistered else { throw .lie(.proofContradictsAnswer("the account has no name")) }
            return ProvedAccount(name: nil, block: ProvedBlock(header))
        }
        guard let name = Name(word), answer.isRegistered, answer.name == name else {
            throw .lie(.proofContradictsAnswer("the account has another name"))
        }
        let proved = try forward(answer, of: name, in: header, storage)
        guard proved.answer == .found(account) else { throw .lie(.unconfirmedName(name)) }
        return ProvedAccount(name: proved, block: proved.block)
    }

    private func forward(
        _ answer: ProofAnswer,
        of name: Name,
        in header: BlockHeader,
        _ storage: Word
    ) throws(NameServerFault) -> ProvedName {
        // Where a slot lies is computed here; what the server says about that is not looked at.
        let owner = try value(.owner, RegistryLayout.owner(of: name), answer, storage)
        let account = try value(.account, RegistryLayout.account(of: name), answer, storage)
        let digest = try value(.evidence, RegistryLayout.evidence(of: name), answer, storage)
        let block = ProvedBlock(header)
        if owner.isZero || owner == Word(NameRecord.tombstone) {
            guard account.isZero, digest.isZero else {
                throw .lie(.wrongProof("a name without an owner has an account"))
            }
            guard !answer.isRegistered || (answer.account == nil && !owner.isZero) else {
                throw .lie(.proofContradictsAnswer(owner.isZero ? "nobody has the name" : "the name was withdrawn"))
            }
            return ProvedName(name: name, answer: owner.isZero ? .absent : .withdrawn, isSigned: false, block: block)
        }
        guard let address = account.address, !address.isZero else { throw .lie(.wrongProof("the account")) }
        guard answer.isRegistered else { throw .lie(.proofContradictsAnswer("somebody has the name")) }
        guard answer.account == address.hash else {
            throw .lie(.proofContradictsAnswer("the account is \(address.hash)"))
        }
        guard answer.owner == nil || answer.owner == owner.address else {
            throw .lie(.proofContradictsAnswer("the owner is another one"))
        }
        try checkEvidence(answer, digest: digest, of: name, account: address.hash)
        return ProvedName(name: name, answer: .found(address.hash), isSigned: !digest.isZero, block: block)
    }

    private func checkEvidence(
        _ answer: ProofAnswer,
        digest: Word,
        of name: Name,
        account: InfoHash
    ) throws(NameServerFault) {
        guard !digest.isZero else { return }
        guard let evidence = answer.evidence else { throw .lie(.strippedSignature) }
        guard evidence.digest == digest else {
            throw .lie(.proofContradictsAnswer("the account signed something else"))
        }
        try AnswerReader.verify(evidence, of: account, for: name)
    }

    /// The root of the registry's storage.
    private func storage(_ answer: ProofAnswer, in header: BlockHeader) throws(NameServerFault) -> Word {
        let proof = AccountProof(address: trust.store, nodes: answer.accountNodes, slots: [])
        do throws(ProofError) {
            return try proof.account(stateRoot: header.stateRoot).storageRoot
        } catch {
            throw Self.fault(for: error, "the contract")
        }
    }

    private func value(
        _ field: ProofAnswer.Field,
        _ key: StoreKey,
        _ answer: ProofAnswer,
        _ storageRoot: Word
    ) throws(NameServerFault) -> Word {
        let part = "the slot “\(field.rawValue)”"
        guard let nodes = answer.slotNodes[field] else { throw .lie(.truncatedProof(part)) }
        do throws(ProofError) {
            return try AccountProof.Slot(slot: key.slot, nodes: nodes).value(storageRoot: storageRoot)
        } catch {
            throw Self.fault(for: error, part)
        }
    }

    private static func fault(for error: ProofError, _ part: String) -> NameServerFault {
        switch error {
        case .truncated: .lie(.truncatedProof(part))
        case .tooLarge: .lie(.wrongProof("\(part) has too many or too large nodes"))
        case .otherHash, .surplusNodes, .malformedNode, .malformedValue, .otherValue: .lie(.wrongProof(part))
        case .noAccount: .lie(.wrongProof("there is no such contract in that block"))
        }
    }
}
