import Synchronization

/// What a server has done since it was started, for metrics.
final class ServerCounters: Sendable {
    /// Requests by what they were.
    enum Kind: Int, CaseIterable {
        case lookUp
        case registration
        case `extension`
        case page
        case unknown

        var label: String {
            switch self {
            case .lookUp: "look-up"
            case .registration: "registration"
            case .extension: "extension"
            case .page: "page"
            case .unknown: "unknown"
            }
        }
    }

    let lookUps = Atomic<Int>(0)
    let registrations = Atomic<Int>(0)
    let extensions = Atomic<Int>(0)
    let pages = Atomic<Int>(0)
    let unknown = Atomic<Int>(0)
    let found = Atomic<Int>(0)
    let notFound = Atomic<Int>(0)
    let acknowledged = Atomic<Int>(0)
    let taken = Atomic<Int>(0)
    let rejected = Atomic<Int>(0)
    let throttled = Atomic<Int>(0)
    let unavailable = Atomic<Int>(0)
    let timedOut = Atomic<Int>(0)
    let connections = Atomic<Int>(0)
    let openConnections = Atomic<Int>(0)
    let slowConnections = Atomic<Int>(0)
    let evictedConnections = Atomic<Int>(0)
    let malformedRequests = Atomic<Int>(0)

    static func add(_ counter: borrowing Atomic<Int>, _ count: Int = 1) {
        counter.wrappingAdd(count, ordering: .relaxed)
    }

    func count(_ kind: Kind) {
        switch kind {
        case .lookUp: Self.add(lookUps)
        case .registration: Self.add(registrations)
        case .extension: Self.add(extensions)
        case .page: Self.add(pages)
        case .unknown: Self.add(unknown)
        }
    }
}

/// Counts what is being worked on, and says when it is too much.
final class Admission: Sendable {
    let limit: Int
    private let running = Atomic<Int>(0)

    init(limit: Int) {
        self.limit = limit
    }

    var count: Int { running.load(ordering: .relaxed) }

    /// Whether there is room; then ``leave()`` is called once, later.
    func enter() -> Bool {
        guard running.wrappingAdd(1, ordering: .relaxed).newValue <= limit else {
            leave()
            return false
        }
        return true
    }

    func leave() {
        running.wrappingSubtract(1, ordering: .relaxed)
    }
}
