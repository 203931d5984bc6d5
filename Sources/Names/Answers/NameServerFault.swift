/// Why a server's answer is of no use.
public enum NameServerFault: Error, Hashable, Sendable {
    /// No connection, or it broke.
    case unreachable(String)
    /// No whole answer came in this many seconds.
    case timedOut(seconds: Int64)
    /// The server says that it cannot answer now.
    case trouble(status: Int, retryAfterSeconds: Int64?)
    /// The server does not answer such a question.
    case refused(status: Int, reason: String?)
    /// The answer is longer than this many bytes.
    case oversized(limit: Int)
    /// The answer cannot be read.
    case malformed(String)
    case lie(NameServerLie)
    /// Not the server's fault: our settings or the nodes that we trust do not allow to judge its proof.
    case unverifiable(String)
    /// Nobody waits for the answer any more.
    case cancelled

    /// The name of the fault for programs.
    public var code: String {
        switch self {
        case .unreachable: "unreachable"
        case .timedOut: "timedOut"
        case .trouble: "trouble"
        case .refused: "refused"
        case .oversized: "oversized"
        case .malformed: "malformed"
        case .lie(let lie): lie.code
        case .unverifiable: "unverifiable"
        case .cancelled: "cancelled"
        }
    }

    public var lie: NameServerLie? {
        guard case .lie(let lie) = self else { return nil }
        return lie
    }

    var predicate: String {
        switch self {
        case .unreachable(let reason): "cannot be reached (\(reason))"
        case .timedOut(let seconds): "did not answer within \(seconds) seconds"
        case .trouble(let status, _): "is in trouble and answered \(status)"
        case .refused(let status, let reason): "refused the question with \(status)" + (reason.map { ": \($0)" } ?? "")
        case .oversized(let limit): "answered with more than \(limit) bytes"
        case .malformed(let what): "sent an answer that cannot be read: \(what)"
        case .lie(let lie): lie.predicate
        case .unverifiable(let why): "sent a proof that cannot be judged: \(why)"
        case .cancelled: "was not waited for"
        }
    }
}

/// A fault and whose it is.
public struct NameServerProblem: Hashable, Sendable {
    public let server: NameServerAddress
    public let fault: NameServerFault

    public init(_ server: NameServerAddress, _ fault: NameServerFault) {
        self.server = server
        self.fault = fault
    }

    public var isLie: Bool { fault.lie != nil }

    /// What happened, for a person.
    public var sentence: String { "The name server \(server) \(fault.predicate)." }
}

/// Why no server gave an answer that can be used.
public enum NameDirectoryError: Error, Hashable, Sendable {
    /// Every server that was asked, in that order, with what was wrong.
    case failed([NameServerProblem])
    case cancelled

    public var problems: [NameServerProblem] {
        guard case .failed(let problems) = self else { return [] }
        return problems
    }

    /// The lies among the problems.
    public var lies: [NameServerProblem] { problems.filter(\.isLie) }

    /// What happened, for a person.
    public var sentence: String {
        switch self {
        case .failed(let problems): problems.map(\.sentence).joined(separator: " ")
        case .cancelled: "The look-up was stopped."
        }
    }
}
