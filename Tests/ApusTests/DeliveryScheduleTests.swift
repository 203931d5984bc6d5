import Runtime
import Testing

@testable import Apus

@Suite struct DeliveryScheduleTests {
    typealias Schedule = DeliverySchedule<String, Int>

    private let target = Schedule.Target(device: "phone", conversation: 1)

    private func at(_ seconds: Int) -> Instant {
        Instant() + .seconds(seconds)
    }

    private func order(_ attempt: Int) -> Schedule.Order {
        Schedule.Order(target: target, attempt: attempt)
    }

    @Test func `an absent device is told when it comes`() {
        var schedule = Schedule()
        let before = schedule.commitsMissing(target, now: at(0))
        let deadline = schedule.deadline
        let after = schedule.devicePresent("phone", now: at(100))
        #expect(before.isEmpty)
        #expect(deadline == nil)
        #expect(after == [order(1)])
    }

    @Test func `a notification repeats until the device has fetched`() {
        var schedule = Schedule()
        _ = schedule.devicePresent("phone", now: at(0))
        var orders = schedule.commitsMissing(target, now: at(0))
        #expect(orders == [order(1)])
        var now = at(0)
        for (index, pause) in Schedule.pauses.enumerated() {
            let ended = schedule.attemptEnded(target, now: now)
            #expect(ended.isEmpty)
            #expect(schedule.deadline == now + pause)
            now = now + pause
            orders = schedule.timer(now: now)
            #expect(orders == [order(index + 2)])
        }
        _ = schedule.attemptEnded(target, now: now)
        #expect(schedule.deadline == now + Schedule.slowPause)
        schedule.fetched(target)
        #expect(schedule.deadline == nil)
        #expect(schedule.pendingCount == 0)
    }

    @Test func `only one attempt for a target is under way`() {
        var schedule = Schedule()
        _ = schedule.devicePresent("phone", now: at(0))
        _ = schedule.commitsMissing(target, now: at(0))
        let again = schedule.commitsMissing(target, now: at(1))
        let timer = schedule.timer(now: at(60))
        let ended = schedule.attemptEnded(target, now: at(61))
        #expect(again.isEmpty)
        #expect(timer.isEmpty)
        #expect(ended == [order(1)])
    }

    @Test func `a late end of an attempt after the fetch changes nothing`() {
        var schedule = Schedule()
        _ = schedule.devicePresent("phone", now: at(0))
        _ = schedule.commitsMissing(target, now: at(0))
        schedule.fetched(target)
        let orders = schedule.attemptEnded(target, now: at(3))
        #expect(orders.isEmpty)
        #expect(schedule.pendingCount == 0)
    }

    @Test func `a device that went away waits without a deadline`() {
        var schedule = Schedule()
        _ = schedule.devicePresent("phone", now: at(0))
        _ = schedule.commitsMissing(target, now: at(0))
        schedule.deviceAbsent("phone")
        _ = schedule.attemptEnded(target, now: at(3))
        #expect(schedule.deadline == nil)
        let orders = schedule.devicePresent("phone", now: at(500))
        #expect(orders == [order(1)])
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func `whatever happens, what is missing stays scheduled`(seed: UInt64) {
        var randomness = Randomness.seeded(seed)
        var schedule = Schedule()
        var underWay: Set<Schedule.Target> = []
        var missing: Set<Schedule.Target> = []
        var now = at(0)
        for _ in 0..<2000 {
            now = now + randomness.duration(in: .zero ... .seconds(20))
            let target = Schedule.Target(
                device: ["a", "b"].randomElement(using: &randomness) ?? "a",
                conversation: Int.random(in: 1...2, using: &randomness)
            )
            var orders: [Schedule.Order] = []
            switch Int.random(in: 0..<6, using: &randomness) {
            case 0:
                orders = schedule.commitsMissing(target, now: now)
                missing.insert(target)
            case 1: orders = schedule.devicePresent(target.device, now: now)
            case 2: schedule.deviceAbsent(target.device)
            case 3 where underWay.contains(target):
                underWay.remove(target)
                orders = schedule.attemptEnded(target, now: now)
            case 4 where Bool.random(using: &randomness):
                schedule.fetched(target)
                missing.remove(target)
                underWay.remove(target)
            default: orders = schedule.timer(now: now)
            }
            for order in orders {
                let isNew = underWay.insert(order.target).inserted
                #expect(isNew)
                #expect(missing.contains(order.target))
            }
        }
        // Once every device is back and every attempt has ended, all that is missing is ordered.
        for target in underWay.sorted() { _ = schedule.attemptEnded(target, now: now) }
        var ordered: Set<Schedule.Target> = []
        for device in ["a", "b"] {
            for order in schedule.devicePresent(device, now: now) { ordered.insert(order.target) }
        }
        for target in missing { #expect(schedule.isPending(target)) }
        #expect(ordered.isSubset(of: missing))
    }
}
