import Keys
import NameRegistry
import Runtime

typealias StoreAnswer<Value: Sendable> = CheckedContinuation<Result<Value, NameStoreError>, Never>

/// What the writer is asked.
enum WriteJob: Sendable {
    case registration(Registration, chained: Bool, time: WallTime, StoreAnswer<RegistrationOutcome>)
    case body(WriteBody)

    var isRegistration: Bool {
        switch self {
        case .registration: true
        case .body: false
        }
    }

    func fail(_ error: NameStoreError) {
        switch self {
        case .registration(_, _, _, let answer): answer.resume(returning: .failure(error))
        case .body(let body): body.fail(error)
        }
    }
}

struct WriteBody: Sendable {
    /// Writes, and returns what answers the caller after the commit.
    let run: @Sendable (StoreTransaction) throws -> @Sendable () -> Void
    let fail: @Sendable (any Error) -> Void
}

enum Lookup: Sendable {
    typealias Answer = @Sendable (Result<StoredName?, NameStoreError>) -> Void

    case name(Name, Answer)
    case account(InfoHash, Answer)

    func fail(_ error: NameStoreError) {
        switch self {
        case .name(_, let answer), .account(_, let answer): answer(.failure(error))
        }
    }
}

struct ReadBody: Sendable {
    let run: @Sendable (StoreTransaction) -> Void
    let fail: @Sendable (any Error) -> Void
}
