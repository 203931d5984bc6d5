import JSON

/// A question to a node.
struct NodeQuestion: Hashable, Sendable {
    let method: String
    let parameters: [JSONValue]

    init(_ method: String, _ parameters: [JSONValue] = []) {
        self.method = method
        self.parameters = parameters
    }
}

/// The texts of JSON-RPC, without any connection.
///
/// Source: JSON-RPC 2.0.
enum NodeMessage {
    /// One request object, or a batch of several; the ids count up from a first one.
    static func encode(_ questions: [NodeQuestion], firstID: Int64) -> [UInt8] {
        let objects = questions.enumerated().map { index, question -> JSONValue in
            [
                "jsonrpc": "2.0",
                "id": .integer(firstID + Int64(index)),
                "method": .string(question.method),
                "params": .array(question.parameters),
            ]
        }
        return Array((objects.count == 1 ? objects[0] : .array(objects)).line.utf8)
    }

    /// The answers in the order of the questions, whatever their order in the text is.
    static func decode(
        _ text: [UInt8],
        firstID: Int64,
        count: Int
    ) throws(NodeError) -> [Result<JSONValue, NodeRefusal>] {
        guard JSONBounds.admit(text) else { throw .tooLarge }
        guard let value = JSONValue(parsing: String(decoding: text, as: UTF8.self)) else {
            throw .malformed("it is no JSON")
        }
        guard count != 1 || value.array != nil else {
            return [try answer(value, expectedID: firstID)]
        }
        guard let objects = value.array else {
            // A whole batch may be refused with one error.
            guard let refusal = Self.refusal(value["error"]) else { throw .malformed("one answer to a batch") }
            return Array(repeating: .failure(refusal), count: count)
        }
        guard objects.count == count else { throw .malformed("a batch has another count of answers than of questions") }
        var answers: [Result<JSONValue, NodeRefusal>?] = Array(repeating: nil, count: count)
        for object in objects {
            guard let id = object["id"]?.integer, (firstID..<firstID + Int64(count)).contains(id),
                answers[Int(id - firstID)] == nil
            else { throw .malformed("an answer has an id that was not asked, or was answered already") }
            answers[Int(id - firstID)] = try answer(object, expectedID: id)
        }
        return answers.compactMap { $0 }
    }

    private static func answer(
        _ object: JSONValue,
        expectedID: Int64
    ) throws(NodeError) -> Result<JSONValue, NodeRefusal> {
        if let error = object["error"], error != .null {
            guard let refusal = refusal(error) else { throw .malformed("an error without a code") }
            // A node that could not read the request answers with an id of null.
            guard object["id"]?.integer == expectedID || object["id"] == .null else {
                throw .malformed("the answer has another id than the question")
            }
            return .failure(refusal)
        }
        guard object["id"]?.integer == expectedID else {
            throw .malformed("the answer has another id than the question")
        }
        guard let result = object["result"] else { throw .malformed("neither a result nor an error") }
        return .success(result)
    }

    private static func refusal(_ error: JSONValue?) -> NodeRefusal? {
        guard let error, let code = error["code"]?.integer else { return nil }
        let message = error["message"]?.string ?? ""
        let cut = String(decoding: message.utf8.prefix(NodeRefusal.maximumMessageLength), as: UTF8.self)
        let data = error["data"]?.string ?? error["data"]?["data"]?.string
        return NodeRefusal(code: code, message: cut, revertData: data.flatMap(HexText.bytes))
    }
}

extension NodeRefusal: Error {}
