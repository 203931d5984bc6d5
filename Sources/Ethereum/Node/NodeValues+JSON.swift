import JSON

extension BlockReference {
    var json: JSONValue {
        switch self {
        case .number(let number): .string(HexText.quantity(number))
        case .hash(let hash): ["blockHash": .string(hash.hex)]
        case .latest: "latest"
        case .safe: "safe"
        case .finalized: "finalized"
        case .earliest: "earliest"
        case .pending: "pending"
        }
    }
}

extension TransactionRequest {
    var json: JSONValue {
        var members: [String: JSONValue] = ["data": .string(HexText.data(data))]
        if let from { members["from"] = .string(from.hex) }
        if let to { members["to"] = .string(to.hex) }
        if value != 0 { members["value"] = .string(HexText.quantity(value)) }
        if let gas { members["gas"] = .string(HexText.quantity(gas)) }
        return .object(members)
    }
}

extension Block {
    /// A node's block with the right hash and number, `nil` for `null`.
    static func parse(_ value: JSONValue, for reference: BlockReference) throws(NodeError) -> Block? {
        guard value != .null else { return nil }
        let members = HexMembers(value)
        guard let header = BlockHeader(json: value), let hash = members.word("hash"),
            let transactions = members.byteStrings("transactions")
        else { throw .malformed("a block with other members than known") }
        guard header.hash == hash else { throw .malformed("a block whose members do not give its hash") }
        switch reference {
        case .number(let number) where number != header.number: throw .malformed("a block of another number")
        case .hash(let expected) where expected != hash: throw .malformed("a block of another hash")
        default: break
        }
        let hashes = transactions.compactMap { Word($0) }
        guard hashes.count == transactions.count else { throw .malformed("a hash of a transaction") }
        return Block(header: header, hash: hash, transactions: hashes)
    }
}

extension Log {
    init?(json: JSONValue) {
        let members = HexMembers(json)
        // An entry that a reorganisation removed is no entry.
        guard json["removed"]?.boolean != true, let address = members.address("address"),
            let topics = members.byteStrings("topics"), topics.count <= 4, let data = members.bytes("data"),
            let blockNumber = members.integer("blockNumber"), let blockHash = members.word("blockHash"),
            let transaction = members.word("transactionHash"), let index = members.integer("logIndex")
        else { return nil }
        let words = topics.compactMap { Word($0) }
        guard words.count == topics.count else { return nil }
        self.init(
            address: address,
            topics: words,
            data: data,
            blockNumber: blockNumber,
            blockHash: blockHash,
            transaction: transaction,
            index: index
        )
    }
}

extension Receipt {
    init?(json: JSONValue) {
        let members = HexMembers(json)
        guard let transaction = members.word("transactionHash"), let blockNumber = members.integer("blockNumber"),
            let blockHash = members.word("blockHash"), let status = members.integer("status"), status <= 1,
            let gasUsed = members.integer("gasUsed"), let entries = members.array("logs"),
            !members.isPresent("contractAddress") || members.address("contractAddress") != nil
        else { return nil }
        let logs = entries.compactMap { Log(json: $0) }
        guard logs.count == entries.count,
            logs.allSatisfy({ $0.transaction == transaction && $0.blockHash == blockHash })
        else { return nil }
        self.init(
            transaction: transaction,
            blockNumber: blockNumber,
            blockHash: blockHash,
            succeeded: status == 1,
            gasUsed: gasUsed,
            contract: members.address("contractAddress"),
            logs: logs
        )
    }
}
