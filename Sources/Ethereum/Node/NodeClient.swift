import JSON
import Runtime
import Synchronization

/// Asks the endpoints of one chain, one after the other, until one answers.
///
/// Endpoints that failed are asked last for a while. An endpoint is asked for its chain before anything else, and again
/// after each failure.
final class NodeClient: Sendable {
    private struct Health {
        var isVerified = false
        var pausedUntil = Instant()
        var pauses: Backoff
    }

    private struct State {
        var health: [Health]
        var nextID: Int64 = 1
        var chainID: UInt64?
        var randomness = Randomness.secure
    }

    let options: NodeOptions
    private let endpoints: [NodeEndpoint]
    private let quotas: [RequestQuota]
    private let clock: any TimeSource
    private let state: Mutex<State>

    init(_ endpoints: [NodeEndpoint], chainID: UInt64?, options: NodeOptions, clock: any TimeSource) {
        self.endpoints = endpoints
        self.options = options
        self.clock = clock
        quotas = endpoints.map { _ in RequestQuota(options, clock: clock) }
        let pauses = Backoff(initial: options.firstPause, cap: options.longestPause)
        state = Mutex(State(health: endpoints.map { _ in Health(pauses: pauses) }, chainID: chainID))
    }

    /// The chain that was expected, or else that of the first endpoint that answered.
    var chainID: UInt64? { state.withLock { $0.chainID } }

    /// The answers to questions, in their order; without any, an endpoint's chain is checked all the same.
    ///
    /// Those that are repeatable may be put to another endpoint when one failed without an answer.
    func ask(
        _ questions: [NodeQuestion],
        isRepeatable: Bool = true
    ) async throws(NodeError) -> [Result<JSONValue, NodeRefusal>] {
        try await withDeadline(options.timeout) { () throws(NodeError) in
            var trouble = NodeError.unreachable("no endpoint is configured")
            for index in self.order() {
                do throws(NodeError) {
                    let answers = try await self.attempt(questions, at: index)
                    guard isRepeatable, let refusal = Self.transientRefusal(answers) else { return answers }
                    trouble = .refused(refusal)
                } catch {
                    guard error.isFailureOfEndpoint else { throw error }
                    trouble = error
                    // A transaction may have been taken although its answer was lost; only the sender knows what to do.
                    guard isRepeatable || error.isBeforeSending else { throw error }
                }
            }
            throw trouble
        }
    }

    /// Healthy endpoints as they are configured, then those that pause.
    private func order() -> [Int] {
        let now = clock.now
        let pauses = state.withLock { $0.health.map { max($0.pausedUntil, now) } }
        return endpoints.indices.sorted { (pauses[$0], $0) < (pauses[$1], $1) }
    }

    private func attempt(
        _ questions: [NodeQuestion],
        at index: Int
    ) async throws(NodeError) -> [Result<JSONValue, NodeRefusal>] {
        try await verify(index)
        guard !questions.isEmpty else { return [] }
        return try await exchange(questions, at: index)
    }

    private func verify(_ index: Int) async throws(NodeError) {
        guard state.withLock({ !$0.health[index].isVerified }) else { return }
        let answer = try await exchange([NodeQuestion("eth_chainId")], at: index)
        guard case .success(let value)? = answer.first, let actual = value.string.flatMap(HexText.integer) else {
            fail(index)
            throw .malformed("eth_chainId is no number")
        }
        let expected = state.withLock { state in
            let expected = state.chainID ?? actual
            state.chainID = expected
            state.health[index].isVerified = expected == actual
            return expected
        }
        guard expected == actual else {
            fail(index)
            throw .otherChain(expected: expected, actual: actual)
        }
    }

    private func exchange(
        _ questions: [NodeQuestion],
        at index: Int
    ) async throws(NodeError) -> [Result<JSONValue, NodeRefusal>] {
        let firstID = state.withLock { state in
            defer { state.nextID += Int64(questions.count) }
            return state.nextID
        }
        let body = NodeMessage.encode(questions, firstID: firstID)
        try await quotas[index].enter()
        do throws(NodeError) {
            let answers = try await withDeadline(options.attemptTimeout) { () throws(NodeError) in
                let text: [UInt8]
                do throws(NodeTransportError) {
                    text = try await self.endpoints[index].transport.exchange(body)
                } catch {
                    throw NodeError(error, from: self.endpoints[index].name)
                }
                return try NodeMessage.decode(text, firstID: firstID, count: questions.count)
            }
            await quotas[index].leave()
            state.withLock { $0.health[index].pauses.reset() }
            return answers
        } catch {
            await quotas[index].leave()
            if error.isFailureOfEndpoint { fail(index) }
            throw error
        }
    }

    private func fail(_ index: Int) {
        let now = clock.now
        state.withLock { state in
            state.health[index].isVerified = false
            state.health[index].pausedUntil = now + state.health[index].pauses.next(using: &state.randomness)
        }
    }

    /// The first refusal that another endpoint may not share: an inner error or an exhausted quota.
    private static func transientRefusal(_ answers: [Result<JSONValue, NodeRefusal>]) -> NodeRefusal? {
        for case .failure(let refusal) in answers where !refusal.isRevert {
            if refusal.code == NodeRefusal.internalError || refusal.code == NodeRefusal.limitExceeded {
                return refusal
            }
        }
        return nil
    }
}

extension NodeError {
    fileprivate init(_ error: NodeTransportError, from endpoint: String) {
        self =
            switch error {
            case .unreachable(let reason): .unreachable("\(endpoint): \(reason)")
            case .tooLarge: .tooLarge
            case .cancelled: .cancelled
            }
    }

    /// Whether another endpoint may do better.
    fileprivate var isFailureOfEndpoint: Bool {
        switch self {
        case .unreachable, .timedOut, .otherChain, .malformed: true
        case .refused, .busy, .tooLarge, .cancelled: false
        }
    }

    /// Whether the question was certainly not sent.
    fileprivate var isBeforeSending: Bool {
        if case .otherChain = self { true } else { false }
    }
}
