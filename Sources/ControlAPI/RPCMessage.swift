import Foundation
public import JSON

/// A JSON-RPC 2.0 request or notification, one line of the control socket.
public struct RPCRequest: Sendable, Codable, Equatable {
    public var jsonrpc: String
    /// A string or a number; without one the request is a notification and gets no answer.
    public var id: JSONValue?
    public var method: String
    public var params: JSONValue?

    public init(id: JSONValue?, method: String, params: JSONValue? = nil) {
        jsonrpc = "2.0"
        self.id = id
        self.method = method
        self.params = params
    }

    /// Reads one line.
    public static func parse(_ line: [UInt8]) throws(RPCError) -> RPCRequest {
        let value: JSONValue
        do {
            value = try JSONDecoder().decode(JSONValue.self, from: Data(line))
        } catch {
            throw RPCError(code: .parseError, message: "The line is no JSON.")
        }
        guard let request = try? value.decode(RPCRequest.self), request.jsonrpc == "2.0" else {
            throw RPCError(code: .invalidRequest, message: "The line is no JSON-RPC 2.0 request.")
        }
        switch request.id {
        case nil, .string, .integer, .null: return request
        default: throw RPCError(code: .invalidRequest, message: "The id of a request is a string or an integer.")
        }
    }
}

/// Why a request failed.
public struct RPCError: Error, Sendable, Codable, Equatable {
    /// The numbers of JSON-RPC 2.0; failures of the application share one.
    public enum Code: Int, Sendable, Codable {
        case parseError = -32700
        case invalidRequest = -32600
        case methodNotFound = -32601
        case invalidParameters = -32602
        case internalError = -32603
        case application = -32000
    }

    public struct Details: Sendable, Codable, Equatable {
        /// A stable name that programs can test, for instance `contactNotFound`.
        public var code: String
    }

    public var code: Int
    /// A sentence for a person.
    public var message: String
    public var data: Details?

    public init(code: Code, message: String, name: String? = nil) {
        self.code = code.rawValue
        self.message = message
        data = name.map { Details(code: $0) }
    }
}

/// The answer to a request.
public struct RPCResponse: Sendable, Codable, Equatable {
    public var jsonrpc = "2.0"
    public var id: JSONValue?
    public var result: JSONValue?
    public var error: RPCError?

    public init(id: JSONValue?, result: JSONValue) {
        self.id = id
        self.result = result
    }

    public init(id: JSONValue?, error: RPCError) {
        self.id = id
        self.error = error
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(jsonrpc, forKey: .jsonrpc)
        try container.encode(id ?? .null, forKey: .id)
        if let error {
            try container.encode(error, forKey: .error)
        } else {
            try container.encode(result ?? .null, forKey: .result)
        }
    }
}
