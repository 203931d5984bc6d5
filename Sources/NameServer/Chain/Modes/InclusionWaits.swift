package import NameRegistry

/// Those who wait for a registration to reach the chain; each is answered once.
package struct InclusionWaits<Waiter: Sendable>: Sendable {
    package struct Wait: Sendable {
        package let registration: Registration
        package let waiter: Waiter
    }

    /// More are turned away at once.
    package let limit: Int
    private var waits: [UInt64: Wait] = [:]
    private var nextID: UInt64 = 0

    package init(limit: Int = 10_000) {
        self.limit = limit
    }

    package var isEmpty: Bool { waits.isEmpty }
    package var registrations: [UInt64: Registration] { waits.mapValues(\.registration) }

    /// Takes somebody who waits; `nil` when too many do.
    package mutating func add(_ registration: Registration, _ waiter: Waiter) -> UInt64? {
        guard waits.count < limit else { return nil }
        nextID += 1
        waits[nextID] = Wait(registration: registration, waiter: waiter)
        return nextID
    }

    /// Lets go of somebody who is to be answered now; `nil` if that was done before.
    package mutating func remove(_ id: UInt64) -> Waiter? {
        waits.removeValue(forKey: id)?.waiter
    }

    package mutating func removeAll() -> [Waiter] {
        defer { waits.removeAll() }
        return waits.values.map(\.waiter)
    }
}
