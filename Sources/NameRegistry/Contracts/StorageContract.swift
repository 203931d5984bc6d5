public import Ethereum

/// A storage, which holds the registry's data over all changes of logic.
///
/// Source: names contracts, "Storage".
public struct StorageContract: Hashable, Sendable {
    public let address: Address

    public init(_ address: Address) {
        self.address = address
    }

    /// Who chooses the logic; never changes.
    public func owner() -> ContractCall<Address> { ContractCall(address, Functions.owner) { $0.first?.address } }
    /// Who may write.
    public func logic() -> ContractCall<Address> { ContractCall(address, Functions.logic) { $0.first?.address } }

    public func boolean(_ key: StoreKey) -> ContractCall<Bool> {
        ContractCall(address, Functions.getBool, [.word(key.key)]) { $0.first?.boolean }
    }

    public func integer(_ key: StoreKey) -> ContractCall<UInt64> {
        ContractCall(address, Functions.getUint, [.word(key.key)]) { $0.first?.integer }
    }

    public func address(_ key: StoreKey) -> ContractCall<Address> {
        ContractCall(address, Functions.getAddress, [.word(key.key)]) { $0.first?.address }
    }

    public func word(_ key: StoreKey) -> ContractCall<Word> {
        ContractCall(address, Functions.getBytes32, [.word(key.key)]) { $0.first?.word }
    }

    /// Written when the council gives the storage another logic.
    public static let logicChanged = ABIEvent("LogicChanged", [.indexed(.address), .indexed(.address)])

    enum Functions {
        static let owner = ABIFunction("owner", returns: [.address])
        static let logic = ABIFunction("logic", returns: [.address])
        static let setLogic = ABIFunction("setLogic", [.address])
        static let getBool = ABIFunction("getBool", [.bytes32], returns: [.boolean])
        static let getUint = ABIFunction("getUint", [.bytes32], returns: [.uint256])
        static let getAddress = ABIFunction("getAddress", [.bytes32], returns: [.address])
        static let getBytes32 = ABIFunction("getBytes32", [.bytes32], returns: [.bytes32])

        static let all = [owner, logic, setLogic, getBool, getUint, getAddress, getBytes32]
    }
}
