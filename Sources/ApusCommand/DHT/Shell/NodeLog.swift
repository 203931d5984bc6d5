import Foundation
import Logging
import Synchronization

/// Where the log of a node goes; it can be turned on and off while the node runs.
final class NodeLog: Sendable {
    private struct State {
        var isOn: Bool
        /// Only lines with this text are shown.
        var filter: String?
        var sink: @Sendable (String) -> Void = { Output.note($0) }
    }

    private let state: Mutex<State>

    init(isOn: Bool) {
        state = Mutex(State(isOn: isOn))
    }

    func send(to sink: @escaping @Sendable (String) -> Void) {
        state.withLock { $0.sink = sink }
    }

    /// Turns it on, or off when it is on already; a text turns it on for lines with it.
    func toggle(filter: String?) -> Bool {
        state.withLock { state in
            state.isOn = filter != nil || !state.isOn
            state.filter = filter
            return state.isOn
        }
    }

    fileprivate func write(_ event: LogEvent) {
        let sink = state.withLock { state -> (@Sendable (String) -> Void)? in
            guard state.isOn || event.level >= .error else { return nil }
            return state.sink
        }
        guard let sink else { return }
        let details = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let line = "\(event.level): \(event.message)\(details.isEmpty ? "" : " ")\(details.joined(separator: " "))"
        let isWanted = state.withLock { $0.filter.map { line.contains($0) } ?? true }
        if isWanted { sink(Output.safe(line)) }
    }

    func logger() -> Logger {
        Logger(label: "dht") { _ in Handler(log: self) }
    }

    private struct Handler: LogHandler {
        let log: NodeLog
        var logLevel = Logger.Level.debug
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.write(event)
        }
    }
}
