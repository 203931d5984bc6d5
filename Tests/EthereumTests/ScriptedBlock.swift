import JSON

@testable import Ethereum

/// Blocks as nodes answer them.
enum ScriptedBlock {
    static func json(_ header: BlockHeader) -> JSONValue {
        var members: [String: JSONValue] = [
            "hash": .string(header.hash.hex),
            "transactions": [],
            "parentHash": .string(header.parentHash.hex),
            "sha3Uncles": .string(header.ommersHash.hex),
            "miner": .string(header.beneficiary.hex),
            "stateRoot": .string(header.stateRoot.hex),
            "transactionsRoot": .string(header.transactionsRoot.hex),
            "receiptsRoot": .string(header.receiptsRoot.hex),
            "logsBloom": .string(HexText.data(header.logsBloom)),
            "difficulty": .string(HexText.quantity(header.difficulty)),
            "number": .string(HexText.quantity(header.number)),
            "gasLimit": .string(HexText.quantity(header.gasLimit)),
            "gasUsed": .string(HexText.quantity(header.gasUsed)),
            "timestamp": .string(HexText.quantity(header.timestamp)),
            "extraData": .string(HexText.data(header.extraData)),
            "mixHash": .string(header.mixHash.hex),
            "nonce": .string(HexText.data(header.nonce)),
            "baseFeePerGas": .string(HexText.quantity(header.baseFee)),
        ]
        func add(_ withdrawals: Word) { members["withdrawalsRoot"] = .string(withdrawals.hex) }
        func add(_ used: UInt64, _ excess: UInt64, _ beacon: Word) {
            members["blobGasUsed"] = .string(HexText.quantity(used))
            members["excessBlobGas"] = .string(HexText.quantity(excess))
            members["parentBeaconBlockRoot"] = .string(beacon.hex)
        }
        switch header.later {
        case .london: break
        case .shanghai(let withdrawals): add(withdrawals)
        case .cancun(let withdrawals, let used, let excess, let beacon):
            add(withdrawals)
            add(used, excess, beacon)
        case .prague(let withdrawals, let used, let excess, let beacon, let requests):
            add(withdrawals)
            add(used, excess, beacon)
            members["requestsHash"] = .string(requests.hex)
        }
        return .object(members)
    }
}
