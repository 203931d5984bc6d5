import JSON

extension EthereumNode {
    /// The answer to one question, read by a closure.
    func ask<Value: Sendable>(
        _ question: NodeQuestion,
        _ read: (JSONValue) throws(NodeError) -> Value
    ) async throws(NodeError) -> Value {
        let answers = try await client.ask([question])
        guard let answer = answers.first else { throw .malformed("no answer") }
        return try read(try answer.getValue())
    }

    func bytes(_ question: NodeQuestion) async throws(NodeError) -> [UInt8] {
        try await ask(question) { value throws(NodeError) in
            guard let bytes = value.string.flatMap(HexText.bytes) else {
                throw .malformed("\(question.method) is no data")
            }
            return bytes
        }
    }

    func integer(_ method: String, _ parameters: [JSONValue] = []) async throws(NodeError) -> UInt64 {
        try await ask(NodeQuestion(method, parameters)) { value throws(NodeError) in
            guard let number = value.string.flatMap(HexText.integer) else { throw .malformed("\(method) is no number") }
            return number
        }
    }

    func wideInteger(_ method: String, _ parameters: [JSONValue] = []) async throws(NodeError) -> UInt128 {
        try await ask(NodeQuestion(method, parameters)) { value throws(NodeError) in
            guard let number = value.string.flatMap(HexText.word)?.wideInteger else {
                throw .malformed("\(method) is no number")
            }
            return number
        }
    }
}

extension Result<JSONValue, NodeRefusal> {
    func getValue() throws(NodeError) -> JSONValue {
        switch self {
        case .success(let value): return value
        case .failure(let refusal): throw .refused(refusal)
        }
    }
}

extension NodeQuestion {
    static func block(_ reference: BlockReference) -> NodeQuestion {
        if case .hash(let hash) = reference {
            NodeQuestion("eth_getBlockByHash", [.string(hash.hex), false])
        } else {
            NodeQuestion("eth_getBlockByNumber", [reference.json, false])
        }
    }
}
