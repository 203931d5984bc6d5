/// A function of a contract: how it is called and what it answers.
public struct ABIFunction: Hashable, Sendable {
    public let name: String
    public let parameters: [ABIType]
    public let results: [ABIType]
    /// The first four bytes of the hash of the signature.
    public let selector: [UInt8]

    public init(_ name: String, _ parameters: [ABIType] = [], returns results: [ABIType] = []) {
        self.name = name
        self.parameters = parameters
        self.results = results
        selector = Array(Word(hashing: Array("\(name)\(ABIType.tuple(parameters))".utf8)).bytes.prefix(4))
    }

    public var signature: String { "\(name)\(ABIType.tuple(parameters))" }

    /// The data of a call.
    public func encode(_ arguments: [ABIValue]) -> [UInt8] {
        selector + ABIValue.encode(arguments)
    }

    /// The arguments of a call's data.
    public func decodeCall(_ data: [UInt8]) throws(ABIError) -> [ABIValue] {
        guard data.starts(with: selector) else { throw .otherSignature }
        return try ABIValue.decode(Array(data.dropFirst(selector.count)), as: parameters)
    }

    /// The results of an answer.
    public func decodeResults(_ data: [UInt8]) throws(ABIError) -> [ABIValue] {
        try ABIValue.decode(data, as: results)
    }
}

/// An event of a contract, which it writes to the log.
public struct ABIEvent: Hashable, Sendable {
    public struct Parameter: Hashable, Sendable {
        public let type: ABIType
        public let isIndexed: Bool

        public static func indexed(_ type: ABIType) -> Parameter { Parameter(type: type, isIndexed: true) }
        public static func data(_ type: ABIType) -> Parameter { Parameter(type: type, isIndexed: false) }
    }

    public let name: String
    public let parameters: [Parameter]
    /// The hash of the signature, the first topic of its entries in the log.
    public let topic: Word

    public init(_ name: String, _ parameters: [Parameter]) {
        self.name = name
        self.parameters = parameters
        topic = Word(hashing: Array("\(name)\(ABIType.tuple(parameters.map(\.type)))".utf8))
    }

    public var signature: String { "\(name)\(ABIType.tuple(parameters.map(\.type)))" }

    /// The values in the order of the declaration.
    ///
    /// An indexed value of a dynamic type is the hash of the value.
    public func decode(_ log: Log) throws(ABIError) -> [ABIValue] {
        guard log.topics.first == topic else { throw .otherSignature }
        let indexed = parameters.filter(\.isIndexed)
        guard log.topics.count == indexed.count + 1 else { throw .otherSignature }
        let topics = log.topics.dropFirst().flatMap(\.bytes)
        var fromTopics = try ABIValue.decode(topics, as: indexed.map { $0.type.isDynamic ? .bytes32 : $0.type })[...]
        let data = parameters.filter { !$0.isIndexed }.map(\.type)
        var fromData = try ABIValue.decode(log.data, as: data)[...]
        return parameters.compactMap { $0.isIndexed ? fromTopics.popFirst() : fromData.popFirst() }
    }
}
