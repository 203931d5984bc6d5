import FuzzLoop
import JSON
import Keys

@testable import Ethereum

/// The entry point, by the name under which the build system looks for it in a target of this name.
@_cdecl("EthereumFuzz_main")
public func main(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    fuzz(targets, count, arguments)
}

/// What nodes of a chain, and servers that offer proofs, send.
///
/// Where a type can be written again, what was read must be written to the same.
private let targets: [String: FuzzTarget] = [
    "abi": abi,
    "account-proof": accountProof,
    "block-header": blockHeader,
    "node-answer": nodeAnswer,
    "rlp": rlp,
    "transaction": transaction,
    "trie-proof": trieProof,
]

private func rlp(_ bytes: [UInt8]) {
    guard let value = try? RLPValue(decoding: bytes) else { return }
    precondition(value.encoded == bytes, "written and read again")
}

private let abiTypes: [[ABIType]] = [
    [.bytes, .boolean, .array(of: .uint256)],
    [.array(of: .tuple([.bytes32, .address, .string]))],
    [.array(of: .array(of: .bytes)), .fixedArray(of: .signed(bits: 8), count: 3)],
    [.tuple([.string, .fixedArray(of: .array(of: .address), count: 2)]), .fixedBytes(4)],
]

private func abi(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    let types = abiTypes[Int(first) % abiTypes.count]
    guard let values = try? ABIValue.decode(Array(bytes.dropFirst()), as: types) else { return }
    let again = try? ABIValue.decode(ABIValue.encode(values), as: types)
    precondition(again == values, "written and read again")
}

/// Nodes with two bytes of length before each, the root being that of the first node.
private func nodes(_ bytes: [UInt8]) -> [[UInt8]] {
    var nodes: [[UInt8]] = []
    var rest = bytes[...]
    while rest.count > 2 {
        let count = Int(rest.removeFirst()) << 8 | Int(rest.removeFirst())
        nodes.append(Array(rest.prefix(count)))
        rest = rest.dropFirst(count)
    }
    return nodes
}

/// The first byte says how long the path is.
private func trieProof(_ bytes: [UInt8]) {
    guard let first = bytes.first else { return }
    let path = Array(bytes.dropFirst().prefix(Int(first) % 33))
    let nodes = nodes(Array(bytes.dropFirst(1 + path.count)))
    let root = Word(hashing: nodes.first ?? [0x80])
    _ = try? TrieProof.value(at: path, root: root, nodes: nodes)
}

private func accountProof(_ bytes: [UInt8]) {
    guard let json = JSONValue(parsing: String(decoding: bytes, as: UTF8.self)),
        let proof = AccountProof(json: json, slots: [.zero])
    else { return }
    let root = Word(hashing: proof.nodes.first ?? [])
    guard let account = try? proof.account(stateRoot: root) else { return }
    for slot in proof.slots { _ = try? slot.value(storageRoot: account.storageRoot) }
}

private func blockHeader(_ bytes: [UInt8]) {
    guard let header = try? BlockHeader(decoding: bytes) else { return }
    precondition(header.encoded == bytes, "written and read again")
    _ = try? header.cliqueSigners()
    guard let signer = try? header.cliqueSigner() else { return }
    var run = CliqueRun(signers: [signer], epochLength: 30_000)
    try? run.append(header)
    try? run.append(header)
    precondition(CliqueContradiction(header, header) == nil, "a block does not contradict itself")
}

private func transaction(_ bytes: [UInt8]) {
    guard let transaction = try? SignedTransaction(decoding: bytes) else { return }
    precondition(transaction.raw == bytes, "written and read again")
}

private func nodeAnswer(_ bytes: [UInt8]) {
    for count in [1, 2] {
        guard let answers = try? NodeMessage.decode(bytes, firstID: 1, count: count) else { continue }
        precondition(answers.count == count, "an answer to each question")
        for case .success(let value) in answers {
            _ = try? Block.parse(value, for: .latest)
            _ = Receipt(json: value)
            _ = Log(json: value)
            _ = AccountProof(json: value, slots: [])
        }
    }
}
