import Ethereum
import JSON
public import Keys
public import NameRegistry

/// How a registration ended, or why it has not yet.
///
/// Source: names protocol, "The legacy API".
public enum RegistrationOutcome: Hashable, Sendable {
    case registered
    /// The name was the account's before.
    case alreadyYours
    /// Somebody else has the name; who, where the server tells.
    case taken(by: InfoHash?)
    /// The account has another name, and each has one only.
    case accountHasName(Name)
    /// The server will not register this, however often it is asked.
    case refused(status: Int, reason: String?)
    /// Not decided: the server cannot be reached, is in trouble, or lies.
    case undecided(NameServerFault)

    /// The name of the outcome for programs.
    public var code: String {
        switch self {
        case .registered: "registered"
        case .alreadyYours: "alreadyYours"
        case .taken: "taken"
        case .accountHasName: "accountHasName"
        case .refused: "refused"
        case .undecided(let fault): fault.code
        }
    }

    /// Whether asking again may end otherwise.
    public var isFinal: Bool {
        switch self {
        case .registered, .alreadyYours, .taken, .accountHasName, .refused: true
        case .undecided(let fault): fault.lie != nil
        }
    }

    /// What it means, for a person.
    public func sentence(of name: Name, at server: NameServerAddress) -> String {
        switch self {
        case .registered: "“\(name)” is yours now, registered at \(server)."
        case .alreadyYours: "“\(name)” is yours already."
        case .taken(let account?): "“\(name)” belongs to \(account) already. Choose another name."
        case .taken(nil): "“\(name)” belongs to somebody else already. Choose another name."
        case .accountHasName(let other): "The account has the name “\(other)” already, and each account has one only."
        case .refused(let status, let reason):
            "The name server \(server) refused the registration with \(status)" + (reason.map { ": \($0)" } ?? "") + "."
        case .undecided(let fault): NameServerProblem(server, fault).sentence
        }
    }

    /// Reads a server's answer to a registration.
    package static func read(_ reply: NameServerReply, to registration: Registration) -> RegistrationOutcome {
        switch reply.status {
        case 200..<300:
            let answer = try? AnswerReader.object(reply.body)
            if answer?["success"]?.boolean == true { return .registered }
            return .undecided(.malformed("it neither confirms nor refuses the registration"))
        case 403, 409: return conflict(reply, registration)
        // The old server says so of names that it has in its memory.
        case 400 where AnswerReader.reason(reply) == "name already registered": return .taken(by: nil)
        default:
            let fault = AnswerReader.fault(of: reply)
            guard case .refused(let status, let reason) = fault else { return .undecided(fault) }
            return .refused(status: status, reason: reason)
        }
    }

    private static func conflict(_ reply: NameServerReply, _ registration: Registration) -> RegistrationOutcome {
        let answer = try? AnswerReader.object(reply.body)
        guard let account = answer?["addr"].flatMap(AnswerReader.account) else { return .taken(by: nil) }
        guard account == registration.account else { return .taken(by: account) }
        guard let name = answer?["name"]?.string.flatMap({ Name(canonical: $0) }), name != registration.name else {
            return .alreadyYours
        }
        return .accountHasName(name)
    }
}

extension Registration {
    /// The body of the request, with the members in the order in which Jami's clients send them.
    ///
    /// Source: names protocol, "The legacy API".
    package var requestBody: [UInt8] {
        let owner = owner.hex.dropFirst(2)
        var text = #"{"addr":"\#(account.hex)","owner":"\#(owner)""#
        if let evidence {
            text += #","signature":"\#(evidence.signatureText)","publickey":"\#(evidence.publicKeyText)""#
        }
        return Array((text + "}").utf8)
    }
}
