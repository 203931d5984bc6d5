public import Ethereum
public import Keys

/// The logic of the registry: who may register, move and withdraw names.
///
/// Functions that change something return the data of a transaction to ``address``.
/// Source: names contracts, "Names".
public struct LogicContract: Hashable, Sendable {
    /// Records in one call of ``importBatch(_:)``.
    public static let maximumBatchCount = 128

    public let address: Address

    public init(_ address: Address) {
        self.address = address
    }

    // MARK: Reading

    public func council() -> ContractCall<Address> { ContractCall(address, Functions.council) { $0.first?.address } }
    public func storage() -> ContractCall<Address> { ContractCall(address, Functions.storage) { $0.first?.address } }

    /// Zero for a free name, ``NameRecord/tombstone`` for a withdrawn one.
    public func owner(of name: Name) -> ContractCall<Address> {
        ContractCall(address, Functions.owner, [.word(name.word)]) { $0.first?.address }
    }

    public func account(of name: Name) -> ContractCall<InfoHash> {
        ContractCall(address, Functions.account, [.word(name.word)]) { $0.first?.address?.hash }
    }

    /// The name of an account, `nil` when it has none.
    public func name(of account: InfoHash) -> ContractCall<Name?> {
        ContractCall(address, Functions.name, [.address(Address(account))]) { values in
            guard let word = values.first?.word else { return nil }
            guard !word.isZero else { return .some(nil) }
            return Name(word)
        }
    }

    public func evidenceDigest(of name: Name) -> ContractCall<Word> {
        ContractCall(address, Functions.evidence, [.word(name.word)]) { $0.first?.word }
    }

    /// What the next signature of a name's owner has to contain.
    public func nonce(of name: Name) -> ContractCall<UInt64> {
        ContractCall(address, Functions.nonce, [.word(name.word)]) { $0.first?.integer }
    }

    public func isValidName(_ word: Word) -> ContractCall<Bool> {
        ContractCall(address, Functions.isValidName, [.word(word)]) { $0.first?.boolean }
    }

    // MARK: Changing, by registrars

    public static func register(_ registration: Registration) -> [UInt8] {
        Functions.registerFor.encode(arguments(registration))
    }

    /// Announces a registration with a ``Commitment``, for anybody.
    public static func commit(_ commitment: Word) -> [UInt8] {
        Functions.commit.encode([.word(commitment)])
    }

    public static func reveal(_ registration: Registration, secret: Word) -> [UInt8] {
        Functions.reveal.encode(arguments(registration) + [.word(secret)])
    }

    /// Gives a name another account, with the owner's signature of the same request.
    public static func setAddress(
        of name: Name,
        to account: InfoHash,
        evidence: NameEvidence,
        deadline: UInt64,
        signature: Signature
    ) -> [UInt8] {
        Functions.setAddressFor.encode(
            [
                .word(name.word), .address(Address(account)), .bytes(evidence.publicKey), .bytes(evidence.signature),
                .integer(deadline),
            ] + arguments(signature)
        )
    }

    /// Registers up to ``maximumBatchCount`` records of another store, all or none.
    public static func importBatch(_ records: [NameRecord]) -> [UInt8] {
        let tuples = records.map { record -> ABIValue in
            .tuple([
                .word(record.name.word), .address(record.owner), .address(Address(record.account ?? .zero)),
                .word(record.evidenceDigest),
            ])
        }
        return Functions.importBatch.encode([.array(tuples)])
    }

    // MARK: Changing, by owners

    public static func transfer(_ name: Name, to owner: Address) -> [UInt8] {
        Functions.transfer.encode([.word(name.word), .address(owner)])
    }

    public static func transfer(
        _ name: Name,
        to owner: Address,
        deadline: UInt64,
        signature: Signature
    ) -> [UInt8] {
        Functions.transferBySig.encode(
            [.word(name.word), .address(owner), .integer(deadline)] + arguments(signature)
        )
    }

    public static func release(_ name: Name) -> [UInt8] {
        Functions.release.encode([.word(name.word)])
    }

    public static func release(_ name: Name, deadline: UInt64, signature: Signature) -> [UInt8] {
        Functions.releaseBySig.encode([.word(name.word), .integer(deadline)] + arguments(signature))
    }

    private static func arguments(_ registration: Registration) -> [ABIValue] {
        [
            .word(registration.name.word), .address(registration.owner), .address(Address(registration.account)),
            .bytes(registration.evidence?.publicKey ?? []), .bytes(registration.evidence?.signature ?? []),
        ]
    }

    private static func arguments(_ signature: Signature) -> [ABIValue] {
        [.integer(UInt64(signature.v)), .word(signature.r), .word(signature.s)]
    }

    enum Functions {
        private static let uint8 = ABIType.unsigned(bits: 8)
        private static let signature: [ABIType] = [.uint256, uint8, .bytes32, .bytes32]
        private static let registration: [ABIType] = [.bytes32, .address, .address, .bytes, .bytes]

        static let council = ABIFunction("COUNCIL", returns: [.address])
        static let storage = ABIFunction("STORE", returns: [.address])
        static let owner = ABIFunction("owner", [.bytes32], returns: [.address])
        static let account = ABIFunction("addr", [.bytes32], returns: [.address])
        static let name = ABIFunction("name", [.address], returns: [.bytes32])
        static let evidence = ABIFunction("evidence", [.bytes32], returns: [.bytes32])
        static let nonce = ABIFunction("nonce", [.bytes32], returns: [.uint256])
        static let isValidName = ABIFunction("isValidName", [.bytes32], returns: [.boolean])
        static let registerFor = ABIFunction("registerFor", registration)
        static let commit = ABIFunction("commit", [.bytes32])
        static let reveal = ABIFunction("reveal", registration + [.bytes32])
        static let transfer = ABIFunction("transfer", [.bytes32, .address])
        static let transferBySig = ABIFunction("transferBySig", [.bytes32, .address] + signature)
        static let release = ABIFunction("release", [.bytes32])
        static let releaseBySig = ABIFunction("releaseBySig", [.bytes32] + signature)
        static let setAddressFor = ABIFunction("setAddressFor", [.bytes32, .address, .bytes, .bytes] + signature)
        static let importBatch = ABIFunction(
            "importBatch",
            [.array(of: .tuple([.bytes32, .address, .address, .bytes32]))]
        )
        static let configure = ABIFunction("configure", [.bytes32, .address, .uint256])

        static let all = [
            council, storage, owner, account, name, evidence, nonce, isValidName, registerFor, commit, reveal,
            transfer, transferBySig, release, releaseBySig, setAddressFor, importBatch, configure,
        ]
    }
}
