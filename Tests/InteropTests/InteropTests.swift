import TestSupport
import Testing

/// Talks with programs that nobody here wrote, each on a host of its own in a private network.
///
/// One test at a time: each has the whole machine for its daemons.
@Suite(.serialized) enum InteropTests {}

extension Trait where Self == ConditionTrait {
    /// Skips, with one line that says why, when something that a test needs is not there.
    static func needs(_ missing: @autoclosure () -> String?) -> ConditionTrait {
        let missing = missing()
        return .enabled(if: missing == nil, Comment(rawValue: missing ?? ""))
    }
}

/// Makes a private network with a first DHT node, and removes it however the body ends.
func withNetwork<Result>(
    named name: String,
    isolation: isolated (any Actor)? = #isolation,
    _ body: (NetworkLab, _ bootstrap: String) async throws -> Result
) async throws -> Result {
    let lab = try await NetworkLab.make(named: name)
    do {
        let dht = try await DHTBootstrapPeer.start(on: lab.host("dht"), in: lab)
        let result = try await body(lab, dht.bootstrap)
        await dht.stop()
        await lab.close()
        return result
    } catch {
        print(lab.logs())
        await lab.close()
        throw error
    }
}
