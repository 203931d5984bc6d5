public import Ethereum

/// A question to a contract that changes nothing, and how its answer is read.
public struct ContractCall<Answer: Sendable>: Sendable {
    public let contract: Address
    public let data: [UInt8]
    private let function: ABIFunction
    private let read: @Sendable ([ABIValue]) -> Answer?

    init(
        _ contract: Address,
        _ function: ABIFunction,
        _ arguments: [ABIValue] = [],
        _ read: @escaping @Sendable ([ABIValue]) -> Answer?
    ) {
        self.contract = contract
        self.function = function
        self.read = read
        data = function.encode(arguments)
    }

    /// Reads what the contract answered.
    public func decode(_ answer: [UInt8]) throws(ABIError) -> Answer {
        guard let value = read(try function.decodeResults(answer)) else { throw .invalidValue }
        return value
    }
}

extension EthereumNode {
    /// Asks a contract.
    ///
    /// Throws ``NodeError/malformed(_:)`` when there is no such contract or it answers something else.
    public func ask<Answer: Sendable>(
        _ call: ContractCall<Answer>,
        at block: BlockReference = .latest
    ) async throws(NodeError) -> Answer {
        let answer = try await self.call(TransactionRequest(to: call.contract, data: call.data), at: block)
        do throws(ABIError) {
            return try call.decode(answer)
        } catch {
            throw .malformed("\(call.contract.checksummed) does not answer as the expected contract does")
        }
    }
}
