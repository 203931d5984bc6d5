public import Apus
import Foundation
import Identity
public import JSON
import Keys
import Names
import Swarm

/// The methods of the control socket, each bound to the service.
///
/// Results are what the method made true: a message is stored, an account is on disk. Nothing is answered earlier.
public struct ControlMethods: Sendable {
    private let service: ApusService
    private let started = Date()
    private let stop: @Sendable () -> Void

    /// The version of this interface; grows when a method changes its meaning.
    public static let version = 1

    /// Binds the methods; `stop` is called when a client asks the daemon to end.
    public init(service: ApusService, stop: @escaping @Sendable () -> Void) {
        self.service = service
        self.stop = stop
    }

    /// Answers one request.
    public func answer(_ request: RPCRequest, for peer: ControlPeer) async throws -> JSONValue {
        do {
            return try await dispatch(request, for: peer)
        } catch let error as ApusError {
            throw RPCError(code: .application, message: error.reason, name: error.code.name)
        } catch let error as DecodingError {
            throw RPCError(code: .invalidParameters, message: Self.sentence(for: error, method: request.method))
        }
    }

    private static func sentence(for error: DecodingError, method: String) -> String {
        switch error {
        case .keyNotFound(let key, _): "\(method) needs the parameter “\(key.stringValue)”."
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            "A parameter of \(method) is not of its type: \(context.codingPath.map(\.stringValue).joined(separator: "."))."
        @unknown default: "The parameters of \(method) were not understood."
        }
    }

    // MARK: Parameters

    struct AccountParameters: Decodable {
        var account: String?
    }

    struct NewAccountParameters: Decodable {
        var alias: String
        var password: String?
        var bootstrap: [String]?
    }

    struct AccountSettingsParameters: Decodable {
        var account: String?
        var nameServer: String?
    }

    struct ContactParameters: Decodable {
        var account: String?
        var id: String
        var alias: String?
        var acceptUnsigned: Bool?
    }

    struct RegistrationParameters: Decodable {
        var account: String?
        var name: String
        var password: String?
        /// How long a server in trouble is asked again, in seconds.
        var patience: Int64?
    }

    struct SendParameters: Decodable {
        var account: String?
        var to: String
        var body: String
    }

    struct MessagesParameters: Decodable {
        var account: String?
        var contact: String?
        var before: Int64?
        var limit: Int?
    }

    struct MarkParameters: Decodable {
        var account: String?
        var messages: [String]
    }

    struct ConversationParameters: Decodable {
        var account: String?
        var conversation: String
        var limit: Int?
        var folder: String?
    }

    struct EventsParameters: Decodable {
        var account: String?
        var since: Int64?
    }

    // MARK: Dispatch

    private func dispatch(_ request: RPCRequest, for peer: ControlPeer) async throws -> JSONValue {
        let params = request.params ?? .object([:])
        switch request.method {
        case "daemon.hello":
            return .object([
                "version": .integer(Int64(Self.version)),
                "pid": .integer(Int64(ProcessInfo.processInfo.processIdentifier)),
                "uptime": .integer(Int64(Date().timeIntervalSince(started))),
            ])
        case "daemon.stop":
            stop()
            return .object(["stopping": .boolean(true)])
        case "status.get": return try JSONValue(encoding: try await service.statuses())
        case "account.list": return try JSONValue(encoding: await service.accountInfos())
        case "account.create":
            let wanted = try params.decode(NewAccountParameters.self)
            let info = try await service.createAccount(
                alias: wanted.alias,
                password: wanted.password ?? "",
                bootstrap: wanted.bootstrap ?? []
            )
            return try JSONValue(encoding: info)
        case "account.set":
            let wanted = try params.decode(AccountSettingsParameters.self)
            let account = try await service.account(named: wanted.account)
            return try JSONValue(encoding: try await service.setNameServer(wanted.nameServer, of: account))
        default:
            break
        }
        if request.method.hasPrefix("name.") { return try await names(request.method, params) }
        if request.method.hasPrefix("contact.") { return try await contacts(request.method, params) }
        if request.method.hasPrefix("message.") { return try await messages(request.method, params) }
        if request.method.hasPrefix("conversation.") { return try await conversations(request.method, params) }
        if request.method.hasPrefix("events.") { return try await events(request.method, params, for: peer) }
        throw Self.unknown(request.method)
    }

    private static func unknown(_ method: String) -> RPCError {
        RPCError(code: .methodNotFound, message: "There is no method “\(method)”.")
    }

    private func contacts(_ method: String, _ params: JSONValue) async throws -> JSONValue {
        if method == "contact.list" {
            let wanted = try params.decode(AccountParameters.self)
            return try JSONValue(encoding: try await service.account(named: wanted.account).contacts())
        }
        let wanted = try params.decode(ContactParameters.self)
        let account = try await service.account(named: wanted.account)
        switch method {
        case "contact.add":
            if let id = UserURI.accountID(in: wanted.id) {
                return try JSONValue(encoding: try await account.addContact(id, alias: wanted.alias ?? ""))
            }
            let contact = try await account.addContact(
                named: wanted.id,
                alias: wanted.alias ?? "",
                acceptsUnsigned: wanted.acceptUnsigned ?? false
            )
            return try JSONValue(encoding: contact)
        case "contact.accept":
            let contact = try await account.contact(named: wanted.id)
            guard let id = InfoHash(hex: contact.id) else { throw Self.invalidIdentifier(wanted.id) }
            return try JSONValue(encoding: try await account.acceptContact(id, alias: wanted.alias ?? ""))
        case "contact.get": return try JSONValue(encoding: try await account.contact(named: wanted.id))
        default: throw Self.unknown(method)
        }
    }

    private func names(_ method: String, _ params: JSONValue) async throws -> JSONValue {
        if method == "name.register" {
            let wanted = try params.decode(RegistrationParameters.self)
            let account = try await service.account(named: wanted.account)
            let patience = wanted.patience.map { Duration.seconds(min(max($0, 0), 30 * 86_400)) }
            let registration = try await account.registerName(
                wanted.name,
                password: wanted.password ?? "",
                patience: patience ?? RegistrationSchedule.standardPatience
            )
            return try JSONValue(encoding: registration)
        }
        let wanted = try params.decode(AccountParameters.self)
        let account = try await service.account(named: wanted.account)
        switch method {
        case "name.registration":
            guard let registration = try await account.registration() else { return .null }
            return try JSONValue(encoding: registration)
        case "name.stop": return .object(["stopped": .boolean(try await account.stopRegistration())])
        default: throw Self.unknown(method)
        }
    }

    private static func invalidIdentifier(_ text: String) -> ApusError {
        ApusError(
            .invalidIdentifier,
            "“\(text)” is no identifier: that is 40 hexadecimal digits, with or without “jami:” in front."
        )
    }

    private func messages(_ method: String, _ params: JSONValue) async throws -> JSONValue {
        switch method {
        case "message.send":
            let wanted = try params.decode(SendParameters.self)
            let account = try await service.account(named: wanted.account)
            let contact = try await account.contact(named: wanted.to)
            return try JSONValue(encoding: try await account.send(wanted.body, to: contact))
        case "message.list":
            let wanted = try params.decode(MessagesParameters.self)
            let account = try await service.account(named: wanted.account)
            let conversation = try await wanted.contact.asyncMap { try await account.contact(named: $0).conversation }
            let list = try await account.messages(
                conversation: conversation,
                before: wanted.before ?? .max,
                limit: min(max(wanted.limit ?? 100, 1), 10_000)
            )
            return try JSONValue(encoding: list)
        case "message.unread":
            let wanted = try params.decode(AccountParameters.self)
            return try JSONValue(encoding: try await service.account(named: wanted.account).unread())
        case "message.markRead":
            let wanted = try params.decode(MarkParameters.self)
            try await service.account(named: wanted.account).markRead(wanted.messages)
            return .object([:])
        default: throw Self.unknown(method)
        }
    }

    private func conversations(_ method: String, _ params: JSONValue) async throws -> JSONValue {
        if method == "conversation.list" {
            let wanted = try params.decode(AccountParameters.self)
            let contacts = try await service.account(named: wanted.account).contacts()
            return try JSONValue(encoding: contacts.filter { $0.state != .requested })
        }
        let wanted = try params.decode(ConversationParameters.self)
        let account = try await service.account(named: wanted.account)
        guard let id = ConversationID(hex: wanted.conversation) else {
            throw ApusError(
                .invalidIdentifier,
                "“\(wanted.conversation)” is no conversation: that is 40 hexadecimal digits."
            )
        }
        switch method {
        case "conversation.history":
            return try JSONValue(encoding: try await account.history(of: id, limit: wanted.limit ?? .max))
        case "conversation.export":
            guard let folder = wanted.folder, folder.hasPrefix("/") else {
                throw RPCError(
                    code: .invalidParameters,
                    message: "conversation.export needs “folder”, an absolute path."
                )
            }
            try await account.export(id, to: folder)
            return .object(["folder": .string(folder)])
        default: throw Self.unknown(method)
        }
    }

    // MARK: Events

    private func events(_ method: String, _ params: JSONValue, for peer: ControlPeer) async throws -> JSONValue {
        let wanted = try params.decode(EventsParameters.self)
        let account = try await service.account(named: wanted.account)
        switch method {
        case "events.last": return .object(["sequence": .integer(try await account.lastEvent())])
        case "events.list": return try JSONValue(encoding: try await account.events(after: wanted.since ?? 0))
        case "events.subscribe":
            var position = wanted.since ?? 0
            // Subscribed before the first look, so that nothing falls between the two.
            for await _ in Self.startingNow(await account.eventSignals()) {
                while true {
                    let batch = try await account.events(after: position)
                    for event in batch {
                        try await peer.notify("event", JSONValue(encoding: event))
                        position = event.sequence
                    }
                    if batch.isEmpty { break }
                }
            }
            return .object(["sequence": .integer(position)])
        default: throw Self.unknown(method)
        }
    }

    /// The stream with one wake-up in front.
    private static func startingNow(_ stream: AsyncStream<Void>) -> AsyncStream<Void> {
        let (result, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        continuation.yield()
        let task = Task {
            for await _ in stream { continuation.yield() }
            continuation.finish()
        }
        continuation.onTermination = { _ in task.cancel() }
        return result
    }
}

extension Optional where Wrapped == String {
    fileprivate func asyncMap(_ transform: (String) async throws -> String) async throws -> String? {
        guard let self else { return nil }
        return try await transform(self)
    }
}
