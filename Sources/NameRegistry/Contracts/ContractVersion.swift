public import Ethereum
import Runtime

/// The compiled contracts for the rules of a chain.
public struct ContractVersion: Sendable {
    private let councilInitCode: String
    private let logicInitCode: String
    private let logicRuntimeCode: String
    private let storageRuntimeCode: String
    private let blueprintDeployCode: String
    private let blueprintCodeHash: String

    /// For chains with the rules of Cancun or later.
    public static let cancun = ContractVersion(
        councilInitCode: ContractCode.Cancun.councilInitCode,
        logicInitCode: ContractCode.Cancun.logicInitCode,
        logicRuntimeCode: ContractCode.Cancun.logicRuntimeCode,
        storageRuntimeCode: ContractCode.Cancun.storageRuntimeCode,
        blueprintDeployCode: ContractCode.Cancun.storageBlueprintDeployCode,
        blueprintCodeHash: ContractCode.Cancun.storageBlueprintCodeHash
    )

    /// For chains with the rules of London or Shanghai.
    public static let london = ContractVersion(
        councilInitCode: ContractCode.London.councilInitCode,
        logicInitCode: ContractCode.London.logicInitCode,
        logicRuntimeCode: ContractCode.London.logicRuntimeCode,
        storageRuntimeCode: ContractCode.London.storageRuntimeCode,
        blueprintDeployCode: ContractCode.London.storageBlueprintDeployCode,
        blueprintCodeHash: ContractCode.London.storageBlueprintCodeHash
    )

    public static let all = [cancun, london]

    /// The version for the chain that a block is of.
    public static func suitable(for header: BlockHeader) -> ContractVersion {
        switch header.later {
        case .london, .shanghai: london
        case .cancun, .prague: cancun
        }
    }

    // MARK: Data of transactions without receiver

    public func deployCouncil(_ settings: CouncilContract.Settings) -> [UInt8] {
        Self.bytes(councilInitCode) + ABIValue.encode(settings.arguments)
    }

    public func deployLogic(council: Address, storage: Address) -> [UInt8] {
        Self.bytes(logicInitCode) + ABIValue.encode([.address(council), .address(storage)])
    }

    public func deployBlueprint() -> [UInt8] { Self.bytes(blueprintDeployCode) }

    // MARK: Recognising

    public var blueprintHash: Word { Word(hex: blueprintCodeHash) ?? .zero }

    /// What the code of a logic's contract is.
    public func logicCode(council: Address, storage: Address) -> [UInt8] {
        Self.bytes(logicRuntimeCode) + Word(council).bytes + Word(storage).bytes
    }

    /// What the code of a storage's contract is.
    public func storageCode(owner: Address) -> [UInt8] {
        Self.bytes(storageRuntimeCode) + Word(owner).bytes
    }

    private static func bytes(_ text: String) -> [UInt8] { Hexadecimal.decode(text) ?? [] }
}

/// Code that this version of the program came with.
public enum KnownCode: Hashable, Sendable {
    case storageBlueprint
    /// The logic of this version, for a council and a storage.
    case logic(council: Address, storage: Address)
    case storage(owner: Address)

    /// `nil` for code of others.
    public init?(_ code: [UInt8]) {
        let hash = Word(hashing: code)
        if ContractVersion.all.contains(where: { $0.blueprintHash == hash }) {
            self = .storageBlueprint
            return
        }
        guard code.count > 64, let last = Word(code.suffix(32))?.address else { return nil }
        let council = Word(code.suffix(64).prefix(32))?.address
        for version in ContractVersion.all {
            if let council, version.logicCode(council: council, storage: last) == code {
                self = .logic(council: council, storage: last)
                return
            }
            if version.storageCode(owner: last) == code {
                self = .storage(owner: last)
                return
            }
        }
        return nil
    }
}
