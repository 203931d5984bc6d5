import Ethereum
import Keys
import NameRegistry

extension RegistryCall {
    /// The data of the transaction; `nil` for a signature that is none.
    var data: [UInt8]? {
        switch self {
        case .register(let registration): LogicContract.register(registration)
        case .reveal(let registration, let secret): LogicContract.reveal(registration, secret: secret)
        case .commit(let commitment): LogicContract.commit(commitment)
        case .importBatch(let records): LogicContract.importBatch(records)
        case .relay(let operation): operation.data
        }
    }
}

extension OwnerOperation {
    fileprivate var data: [UInt8]? {
        guard let signature = Signature(signature) else { return nil }
        switch change {
        case .transfer(let owner):
            return LogicContract.transfer(name, to: owner, deadline: deadline, signature: signature)
        case .release:
            return LogicContract.release(name, deadline: deadline, signature: signature)
        case .address(let account, let evidence):
            return LogicContract.setAddress(
                of: name,
                to: account,
                evidence: evidence,
                deadline: deadline,
                signature: signature
            )
        }
    }
}

extension ObservedOperation {
    /// An entry of the log as an operation; `nil` for one that is not in the journal.
    init?(_ log: Log) {
        guard let event = LogicEvent(log), let sequence = event.sequence else { return nil }
        let name: Name
        let kind: JournalOperation.Kind
        var owner: Address?
        var account: InfoHash?
        var digest = Word.zero
        var evidence: NameEvidence?
        switch event {
        case .registered(let registered, let holder, let registrant, _, let proof):
            (name, kind, account, owner, evidence) = (registered, .register, holder, registrant, proof)
        case .imported(let imported, let holder, let registrant, _, let proof):
            (name, kind, account, owner, digest) = (imported, .register, holder, registrant, proof)
        case .addressChanged(let changed, let holder, _, _, let proof):
            (name, kind, account, evidence) = (changed, .address, holder, proof)
        case .transferred(let transferred, _, let receiver, _):
            (name, kind, owner) = (transferred, .transfer, receiver)
        case .released(let released, _):
            (name, kind, owner) = (released, .release, NameRecord.tombstone)
        case .configured, .committed:
            return nil
        }
        self.init(
            sequence: sequence,
            kind: kind,
            name: name,
            owner: owner,
            account: account,
            evidenceDigest: evidence?.digest ?? digest,
            evidence: evidence,
            block: log.blockNumber,
            blockHash: log.blockHash,
            logIndex: log.index
        )
    }
}
