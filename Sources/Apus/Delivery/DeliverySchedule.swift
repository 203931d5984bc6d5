package import Runtime

/// When to tell a peer's device of new commits, until it has fetched them.
///
/// This is the only owner of the retry schedule for notifications; everything else asks it. A pure state machine: facts
/// and time go in, orders come out. A notification counts as delivered when the device has *fetched*, not when it was
/// answered: a peer may acknowledge the text and then lose the fetch. Source: conversation protocol, "Notifications".
package struct DeliverySchedule<
    Device: Hashable & Comparable & Sendable,
    Conversation: Hashable & Comparable & Sendable
>:
    Sendable
{
    package struct Target: Hashable, Comparable, Sendable {
        package var device: Device
        package var conversation: Conversation

        package init(device: Device, conversation: Conversation) {
            self.device = device
            self.conversation = conversation
        }

        package static func < (left: Target, right: Target) -> Bool {
            left.device != right.device ? left.device < right.device : left.conversation < right.conversation
        }
    }

    /// An order to notify a device of the head of a conversation as it is then.
    package struct Order: Equatable, Sendable {
        package var target: Target
        /// Counts from 1 since the last new commit or return of the device.
        package var attempt: Int
    }

    private struct Waiting: Sendable {
        var attempt = 0
        var due: Instant?
        var isUnderWay = false
        /// Something asked for another attempt while one was under way.
        var isWantedAgain = false
    }

    /// Pauses after each attempt of a burst.
    package static var pauses: [Duration] {
        [.seconds(5), .seconds(5), .seconds(10), .seconds(10), .seconds(15), .seconds(30)]
    }

    /// The pause once a burst is over and the device is still present.
    package static var slowPause: Duration { .seconds(600) }

    private var present: Set<Device> = []
    private var waiting: [Target: Waiting] = [:]

    package init() {}

    /// When ``timer(now:)`` wants to be called next.
    package var deadline: Instant? {
        waiting.lazy.filter { !$0.value.isUnderWay }.compactMap(\.value.due).min()
    }

    /// Targets that have not fetched yet, for status displays.
    package var pendingCount: Int { waiting.count }

    package func isPending(_ target: Target) -> Bool { waiting[target] != nil }

    /// The device lacks commits of the conversation: at once if it is present, otherwise when it comes.
    package mutating func commitsMissing(_ target: Target, now: Instant) -> [Order] {
        restart(target, now: now)
        return timer(now: now)
    }

    /// The device came online or was connected; all that it lacks is told anew.
    package mutating func devicePresent(_ device: Device, now: Instant) -> [Order] {
        present.insert(device)
        for target in waiting.keys where target.device == device { restart(target, now: now) }
        return timer(now: now)
    }

    /// The device went offline; what it lacks waits for its return.
    package mutating func deviceAbsent(_ device: Device) {
        present.remove(device)
        for target in waiting.keys where target.device == device { waiting[target]?.due = nil }
    }

    /// The device has everything of the conversation.
    package mutating func fetched(_ target: Target) {
        waiting[target] = nil
    }

    /// An ordered attempt ended, well or not; only a fetch ends the waiting.
    package mutating func attemptEnded(_ target: Target, now: Instant) -> [Order] {
        guard var state = waiting[target], state.isUnderWay else { return [] }
        state.isUnderWay = false
        if state.isWantedAgain {
            state.isWantedAgain = false
            state.due = now
        } else if present.contains(target.device) {
            let index = state.attempt - 1
            state.due = now + (Self.pauses.indices.contains(index) ? Self.pauses[index] : Self.slowPause)
        } else {
            state.due = nil
        }
        waiting[target] = state
        return timer(now: now)
    }

    /// The orders that are due, in a fixed sequence.
    package mutating func timer(now: Instant) -> [Order] {
        var orders: [Order] = []
        for target in waiting.keys.sorted() {
            guard var state = waiting[target], !state.isUnderWay, let due = state.due, due <= now else { continue }
            state.attempt += 1
            state.due = nil
            state.isUnderWay = true
            waiting[target] = state
            orders.append(Order(target: target, attempt: state.attempt))
        }
        return orders
    }

    private mutating func restart(_ target: Target, now: Instant) {
        var state = waiting[target] ?? Waiting()
        state.attempt = 0
        if state.isUnderWay {
            state.isWantedAgain = true
        } else {
            state.due = present.contains(target.device) ? now : nil
        }
        waiting[target] = state
    }
}
