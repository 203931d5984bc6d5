import JSON
import Synchronization

/// A plain name server with the old interface: it stores what it is given and answers from memory.
///
/// Source: names protocol, "The legacy API".
public final class LegacyNameServer: Sendable {
    public struct Record: Hashable, Sendable {
        public var address: String
        public var owner: String
        public var publicKey: String?
        public var signature: String?

        public init(address: String, owner: String = "", publicKey: String? = nil, signature: String? = nil) {
            self.address = address
            self.owner = owner
            self.publicKey = publicKey
            self.signature = signature
        }
    }

    private struct State: Sendable {
        var records: [String: Record] = [:]
        /// Statuses that the next registrations are answered with instead.
        var failures: [Int] = []
    }

    private let state = Mutex(State())

    public init() {}

    public subscript(name: String) -> Record? {
        get { state.withLock { $0.records[name] } }
        set { state.withLock { $0.records[name] = newValue } }
    }

    /// The next registrations get these statuses and are not stored.
    public func failNext(_ statuses: [Int]) {
        state.withLock { $0.failures = statuses }
    }

    /// A server on loopback that answers from this memory.
    public func start() async throws -> ScriptedHTTPServer {
        try await ScriptedHTTPServer.start { self.answer($0) }
    }

    public func answer(_ request: ScriptedHTTPServer.Request) -> ScriptedHTTPServer.Answer {
        let parts = request.path.split(separator: "/").map(String.init)
        guard parts.count >= 2 else { return .json(#"{"error":"not found"}"#, status: 404) }
        switch (request.method, parts[0]) {
        case ("GET", "name"): return answer(name: parts[1])
        case ("GET", "addr"): return answer(address: parts[1].lowercased())
        case ("POST", "name"): return register(parts[1], JSONValue(parsing: request.text) ?? .null)
        default: return .json(#"{"error":"not found"}"#, status: 404)
        }
    }

    private func answer(name: String) -> ScriptedHTTPServer.Answer {
        guard let record = self[name] else { return .json(#"{"error":"name not registered"}"#, status: 404) }
        var members: [String: JSONValue] = ["name": .string(name), "addr": .string("0x" + record.address)]
        if let key = record.publicKey, let signature = record.signature {
            members["publickey"] = .string(key)
            members["signature"] = .string(signature)
        }
        return .json(JSONValue.object(members).line)
    }

    private func answer(address: String) -> ScriptedHTTPServer.Answer {
        let digits = address.hasPrefix("0x") ? String(address.dropFirst(2)) : address
        let name = state.withLock { state in state.records.first { $0.value.address == digits }?.key }
        guard let name else { return .json(#"{"error":"address not registered"}"#, status: 404) }
        return .json(#"{"name":"\#(name)"}"#)
    }

    private func register(_ name: String, _ body: JSONValue) -> ScriptedHTTPServer.Answer {
        guard let address = body["addr"]?.string, address.utf8.count == 40 else {
            return .json(#"{"success":false}"#, status: 400)
        }
        guard let owner = body["owner"]?.string, owner.utf8.count == 40 else {
            return .json(#"{"success":false,"error":"no owner"}"#, status: 400)
        }
        let record = Record(
            address: address,
            owner: owner,
            publicKey: body["publickey"]?.string,
            signature: body["signature"]?.string
        )
        return state.withLock { state in
            if !state.failures.isEmpty {
                return .json(#"{"error":"busy"}"#, status: state.failures.removeFirst(), headers: ["Retry-After": "0"])
            }
            if let known = state.records[name] {
                guard known.owner == owner else {
                    return .json(#"{"success":false,"owner":"0x\#(known.owner)"}"#, status: 403)
                }
                guard known.address == address else {
                    return .json(
                        #"{"success":false,"owner":"0x\#(known.owner)","addr":"0x\#(known.address)"}"#,
                        status: 403
                    )
                }
                return .json(#"{"success":true}"#)
            }
            if let other = state.records.first(where: { $0.value.address == address })?.key {
                return .json(#"{"success":false,"name":"\#(other)","addr":"0x\#(address)"}"#, status: 403)
            }
            state.records[name] = record
            return .json(#"{"success":true}"#)
        }
    }
}
