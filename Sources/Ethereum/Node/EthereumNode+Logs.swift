import JSON

extension EthereumNode {
    /// Entries of the log in a range of blocks, in their order.
    ///
    /// A range is asked in parts of ``NodeOptions/blocksPerLogRequest``; a part that a node refuses or that is too large is
    /// halved. Entries that were not asked for, or that are not in order, make the answer malformed.
    public func logs(_ filter: LogFilter, in blocks: ClosedRange<UInt64>) async throws(NodeError) -> [Log] {
        var logs: [Log] = []
        var next = blocks.lowerBound
        var count = max(1, client.options.blocksPerLogRequest)
        while true {
            let (end, overflow) = next.addingReportingOverflow(count - 1)
            let last = overflow ? blocks.upperBound : min(blocks.upperBound, end)
            do throws(NodeError) {
                logs += try await logsOnce(filter, in: next...last)
                guard logs.count <= client.options.logLimit else { throw .tooLarge }
                guard last < blocks.upperBound else { return logs }
                next = last + 1
            } catch {
                guard error.mayFitWhenHalved, next < last, logs.count <= client.options.logLimit else { throw error }
                count = (last - next + 1) / 2
            }
        }
    }

    /// Entries of the log in one block, by its hash.
    ///
    /// Source: EIP-234.
    public func logs(_ filter: LogFilter, inBlock hash: Word) async throws(NodeError) -> [Log] {
        let logs = try await ask(filter, ["blockHash": .string(hash.hex)])
        guard logs.allSatisfy({ $0.blockHash == hash }) else { throw .malformed("a log entry of another block") }
        return logs
    }

    private func logsOnce(_ filter: LogFilter, in blocks: ClosedRange<UInt64>) async throws(NodeError) -> [Log] {
        let logs = try await ask(
            filter,
            [
                "fromBlock": .string(HexText.quantity(blocks.lowerBound)),
                "toBlock": .string(HexText.quantity(blocks.upperBound)),
            ]
        )
        guard logs.allSatisfy({ blocks.contains($0.blockNumber) }) else {
            throw .malformed("a log entry outside of the blocks that were asked for")
        }
        return logs
    }

    private func ask(_ filter: LogFilter, _ range: [String: JSONValue]) async throws(NodeError) -> [Log] {
        var object = range
        if !filter.addresses.isEmpty { object["address"] = .array(filter.addresses.map { .string($0.hex) }) }
        if !filter.events.isEmpty { object["topics"] = [.array(filter.events.map { .string($0.hex) })] }
        let logs = try await ask(NodeQuestion("eth_getLogs", [.object(object)])) { value throws(NodeError) in
            guard let elements = value.array else { throw .malformed("log entries are no array") }
            let logs = elements.compactMap { Log(json: $0) }
            guard logs.count == elements.count else { throw .malformed("a log entry") }
            return logs
        }
        guard logs.allSatisfy(filter.admits) else { throw .malformed("a log entry that was not asked for") }
        let isOrdered = zip(logs, logs.dropFirst()).allSatisfy {
            ($0.blockNumber, $0.index) < ($1.blockNumber, $1.index)
        }
        guard isOrdered else { throw .malformed("log entries are not in order") }
        return logs
    }
}

extension NodeError {
    /// Whether fewer blocks may get an answer.
    fileprivate var mayFitWhenHalved: Bool {
        switch self {
        case .refused, .tooLarge, .timedOut: true
        case .unreachable, .otherChain, .malformed, .busy, .cancelled: false
        }
    }
}
