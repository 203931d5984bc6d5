import Foundation
import Runtime
import TestSupport
import Testing

@testable import DHT

@Suite(.timeLimit(.minutes(10))) struct LargeNetworkTests {
    /// The log of a fixed world.
    ///
    /// It changes with what nodes send and when, and with nothing else. If such a change was meant, the failure's text has
    /// the new one.
    private static let knownLog: UInt64 = 955_875_957_072_905_795

    private static var fullPlan: LargeNetwork.Plan {
        var plan = LargeNetwork.Plan()
        #if DEBUG
            // Code that is not optimised takes too long for all of it.
            plan.size = 500
            plan.duration = 300
            plan.division = 120..<180
        #endif
        return plan
    }

    private static var smallPlan: LargeNetwork.Plan {
        var plan = LargeNetwork.Plan()
        plan.seed = 7
        plan.size = 300
        plan.values = 60
        plan.listeners = 10
        plan.duration = 90
        plan.division = 30..<60
        return plan
    }

    @Test func `ten thousand nodes find what is there, in spite of loss, churn and a partition`() {
        var report = LargeNetwork.Report()
        let time = ContinuousClock().measure { report = LargeNetwork.run(Self.fullPlan) }
        print("\(report) in \(time)")
        #expect(report.lookups.begun > 1000)
        #expect(report.lookups.successShare >= 0.999)
        #expect(report.lookups.latency(at: 0.5) <= .milliseconds(250))
        #expect(report.lookups.latency(at: 0.99) <= .seconds(1))
        // Permanent values survive, those too that were put on one side of the cut.
        #expect(report.lastLookups.begun > 50)
        #expect(report.lastLookups.successShare >= 0.998)
        #expect(report.puts.successShare >= 0.999)
        #expect(report.notifications.successShare >= 0.98)
        #expect(Double(report.connected) >= 0.999 * Double(report.alive))
    }

    @Test func `ten thousand nodes of one seed leave one log`() {
        var plan = Self.fullPlan
        plan.duration = 60
        let first = LargeNetwork.run(plan)
        let second = LargeNetwork.run(plan)
        #expect(first.logs == second.logs)
    }

    @Test func `the log of a seed is the same in every process`() {
        let report = LargeNetwork.run(Self.smallPlan)
        #expect(report.logs.last == Self.knownLog, "\(report)")
        var plan = Self.smallPlan
        plan.seed = 8
        #expect(LargeNetwork.run(plan).logs != report.logs)
    }
}
