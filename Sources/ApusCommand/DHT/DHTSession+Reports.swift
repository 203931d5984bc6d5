import ControlAPI
import DHT
import JSON

extension DHTSession {
    /// Says how the node is connected, and each change, until the task is cancelled.
    func reportConnection() async {
        var last: NodeStatus?
        for await status in await node.statusChanges where status != last {
            let isFirst = last == nil || last == .connecting && status != .connected
            last = status
            if options.json {
                Output.say(
                    JSONValue.object(["event": .string("status"), "status": .string("\(status)")]).line
                )
                continue
            }
            switch status {
            case .connected: Output.note("Connected.")
            case .connecting: break
            case .disconnected: if !isFirst || !options.bootstrap.isEmpty { Output.note(await disconnection()) }
            }
        }
    }

    private func disconnection() async -> String {
        let serving = options.noDiscovery ? "waiting for others" : "serving the local network"
        return "\(await unreachable().dropLast()); \(serving)."
    }
}
