public import Keys
public import Runtime

/// Why a transaction that a person waits for was not done.
public enum SendingError: Error, Hashable, Sendable {
    case node(NodeError)
    case invalidKey
    /// It is in a block and was reverted.
    case reverted(Word)
    /// It was sent and is in no block yet, which may still come.
    case pending(Word)
}

/// Sends one transaction after the other from an account and waits until each is in a block.
///
/// For people at a terminal; a service has an outbox instead.
public struct TransactionSender: Sendable {
    public let node: EthereumNode
    public let key: EthereumKey
    /// How long a transaction may take to get into a block.
    public let patience: Duration
    private let interval: Duration
    private let clock: any TimeSource

    public init(
        node: EthereumNode,
        key: EthereumKey,
        patience: Duration = .seconds(300),
        interval: Duration = .milliseconds(500),
        clock: any TimeSource = SystemTime()
    ) {
        self.node = node
        self.key = key
        self.patience = patience
        self.interval = interval
        self.clock = clock
    }

    /// Sends data to a contract, or makes one of it without a receiver; returns the receipt of what was done.
    ///
    /// A call that would be reverted is refused by the node before anything is sent.
    public func send(_ data: [UInt8], to contract: Address?) async throws(SendingError) -> Receipt {
        let transaction: Transaction
        do throws(NodeError) {
            transaction = try await prepare(data, to: contract)
        } catch {
            throw .node(error)
        }
        let signed: SignedTransaction
        do throws(SignatureError) {
            signed = try transaction.signed(by: key)
        } catch {
            throw .invalidKey
        }
        do throws(NodeError) {
            try await node.send(signed)
        } catch {
            // Without an answer it may have been taken.
            if case .refused = error { throw .node(error) }
        }
        return try await wait(for: signed.hash)
    }

    private func prepare(_ data: [UInt8], to contract: Address?) async throws(NodeError) -> Transaction {
        let request = TransactionRequest(from: key.account, to: contract, data: data)
        let gas = try await node.estimateGas(request)
        let (limit, overflow) = gas.addingReportingOverflow(gas / 5)
        return Transaction(
            chainID: try await node.chainID(),
            nonce: try await node.transactionCount(of: key.account, at: .pending),
            fees: try await node.fees().fees,
            gasLimit: overflow ? gas : limit,
            to: contract,
            data: data
        )
    }

    private func wait(for hash: Word) async throws(SendingError) -> Receipt {
        let deadline = clock.now + patience
        while true {
            // A node that does not answer now may answer later.
            if let receipt = try? await node.receipt(of: hash) {
                guard receipt.succeeded else { throw .reverted(hash) }
                return receipt
            }
            guard clock.now < deadline else { throw .pending(hash) }
            do {
                try await Task.sleep(for: interval)
            } catch {
                throw .pending(hash)
            }
        }
    }
}

extension SendingError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .node(let error): error.description
        case .invalidKey: "The key is not valid"
        case .reverted(let hash): "The transaction \(hash) was reverted; nothing was changed"
        case .pending(let hash): "The transaction \(hash) was sent and is in no block yet; look again later"
        }
    }
}
