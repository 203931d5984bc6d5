import Ethereum
import Keys
import NameRegistry

/// The calls and events of the contracts that a server uses.
///
/// Source: names protocol, "Contracts".
enum RegistryContract {
    static let registerFor = ABIFunction("registerFor", [.bytes32, .address, .address, .bytes, .bytes])
    static let commit = ABIFunction("commit", [.bytes32])
    static let reveal = ABIFunction("reveal", [.bytes32, .address, .address, .bytes, .bytes, .bytes32])
    static let transfer = ABIFunction(
        "transferBySig", [.bytes32, .address, .uint256, .unsigned(bits: 8), .bytes32, .bytes32])
    static let release = ABIFunction("releaseBySig", [.bytes32, .uint256, .unsigned(bits: 8), .bytes32, .bytes32])
    static let setAddress = ABIFunction(
        "setAddressFor",
        [.bytes32, .address, .bytes, .bytes, .uint256, .unsigned(bits: 8), .bytes32, .bytes32]
    )
    static let importBatch = ABIFunction(
        "importBatch", [.array(of: .tuple([.bytes32, .address, .address, .bytes32]))])

    static let stores = ABIFunction("stores", [.uint256], returns: [.address])
    static let logic = ABIFunction("logic", returns: [.address])

    static let registered = ABIEvent(
        "Registered",
        [.indexed(.bytes32), .indexed(.address), .indexed(.address), .data(.uint256), .data(.bytes), .data(.bytes)]
    )
    static let imported = ABIEvent(
        "Imported",
        [.indexed(.bytes32), .indexed(.address), .indexed(.address), .data(.uint256), .data(.bytes32)]
    )
    static let addressChanged = ABIEvent(
        "AddressChanged",
        [.indexed(.bytes32), .indexed(.address), .indexed(.address), .data(.uint256), .data(.bytes), .data(.bytes)]
    )
    static let transferred = ABIEvent(
        "Transferred",
        [.indexed(.bytes32), .indexed(.address), .indexed(.address), .data(.uint256)]
    )
    static let released = ABIEvent("Released", [.indexed(.bytes32), .data(.uint256)])
    static let configured = ABIEvent("Configured", [.indexed(.bytes32), .indexed(.address), .data(.uint256)])
    static let logicSelected = ABIEvent("LogicSelected", [.indexed(.address), .indexed(.address)])

    static let operations = [registered, imported, addressChanged, transferred, released]

    /// The data of a call.
    static func data(of call: RegistryCall) -> [UInt8]? {
        switch call {
        case .register(let registration):
            return registerFor.encode(arguments(registration))
        case .reveal(let registration, let secret):
            return reveal.encode(arguments(registration) + [.word(secret)])
        case .commit(let commitment):
            return commit.encode([.word(commitment)])
        case .importBatch(let records):
            let tuples = records.map { record in
                ABIValue.tuple([
                    .word(record.name.word), .address(record.owner), .address(Address(record.account ?? .zero)),
                    .word(record.evidenceDigest),
                ])
            }
            return importBatch.encode([.array(tuples)])
        case .relay(let operation):
            return data(of: operation)
        }
    }

    private static func arguments(_ registration: Registration) -> [ABIValue] {
        [
            .word(registration.name.word), .address(registration.owner), .address(Address(registration.account)),
            .bytes(registration.evidence?.publicKey ?? []), .bytes(registration.evidence?.signature ?? []),
        ]
    }

    private static func data(of operation: OwnerOperation) -> [UInt8]? {
        guard operation.signature.count == 65, let r = Word(operation.signature[..<32]),
            let s = Word(operation.signature[32..<64])
        else { return nil }
        // Both forms of the last byte are in use.
        let v = operation.signature[64] < 27 ? operation.signature[64] + 27 : operation.signature[64]
        let tail: [ABIValue] = [.integer(operation.deadline), .integer(UInt64(v)), .word(r), .word(s)]
        let name = ABIValue.word(operation.name.word)
        switch operation.change {
        case .transfer(let owner):
            return transfer.encode([name, .address(owner)] + tail)
        case .release:
            return release.encode([name] + tail)
        case .address(let account, let evidence):
            return setAddress.encode(
                [name, .address(Address(account)), .bytes(evidence.publicKey), .bytes(evidence.signature)] + tail
            )
        }
    }

    /// An entry of the log as an operation; `nil` for what no contract of ours writes.
    static func operation(_ log: Log) -> ObservedOperation? {
        guard let event = operations.first(where: { $0.topic == log.topics.first }),
            let values = try? event.decode(log), let name = values.first?.word.flatMap({ Name($0) })
        else { return nil }
        switch event {
        case registered, addressChanged:
            guard values.count == 6, let account = values[1].address, let third = values[2].address,
                let sequence = values[3].integer, let key = values[4].bytes, let signature = values[5].bytes
            else { return nil }
            let evidence = key.isEmpty ? nil : NameEvidence(publicKey: key, signature: signature)
            return ObservedOperation(
                log,
                sequence: sequence,
                kind: event == registered ? .register : .address,
                name: name,
                owner: event == registered ? third : nil,
                account: account.hash,
                evidenceDigest: evidence?.digest ?? .zero,
                evidence: evidence
            )
        case imported:
            guard values.count == 5, let account = values[1].address, let owner = values[2].address,
                let sequence = values[3].integer, let digest = values[4].word
            else { return nil }
            return ObservedOperation(
                log,
                sequence: sequence,
                kind: .register,
                name: name,
                owner: owner,
                account: account.hash,
                evidenceDigest: digest
            )
        case transferred:
            guard values.count == 4, let owner = values[2].address, let sequence = values[3].integer else { return nil }
            return ObservedOperation(log, sequence: sequence, kind: .transfer, name: name, owner: owner)
        default:
            guard values.count == 2, let sequence = values[1].integer else { return nil }
            return ObservedOperation(
                log, sequence: sequence, kind: .release, name: name, owner: NameRecord.tombstone)
        }
    }
}

extension ObservedOperation {
    fileprivate init(
        _ log: Log,
        sequence: UInt64,
        kind: JournalOperation.Kind,
        name: Name,
        owner: Address?,
        account: InfoHash? = nil,
        evidenceDigest: Word = .zero,
        evidence: NameEvidence? = nil
    ) {
        self.init(
            sequence: sequence,
            kind: kind,
            name: name,
            owner: owner,
            account: account,
            evidenceDigest: evidenceDigest,
            evidence: evidence,
            block: log.blockNumber,
            blockHash: log.blockHash,
            logIndex: log.index
        )
    }
}
