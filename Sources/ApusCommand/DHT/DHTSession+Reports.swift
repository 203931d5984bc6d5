import DHT
import JSON
import Keys

extension DHTSession {
    var greeting: String {
        get async { "Node \(await node.id) runs on port \(await node.boundPort)." }
    }

    /// The fields `event`, `id`, `port`, and `port_ipv6` where IPv6 can be used.
    var readiness: [String: JSONValue] {
        get async {
            var fields: [String: JSONValue] = [
                "event": .string("ready"), "id": .string(await node.id.hex),
                "port": .integer(Int64(await node.boundPort)),
            ]
            let port = await node.boundPort(of: .ipv6)
            if port != 0 { fields["port_ipv6"] = .integer(Int64(port)) }
            return fields
        }
    }

    /// Says how the node is connected, and each change, until the task is cancelled.
    func reportConnection(to note: @Sendable (String) -> Void = { Output.note($0) }) async {
        var last: NodeStatus?
        // A node that is alone tries again and again, which need not be said again.
        var complaint: String?
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
            case .connected:
                complaint = nil
                note("Connected.")
            case .connecting:
                break
            case .disconnected:
                guard !isFirst || !options.bootstrap.isEmpty else { continue }
                let sentence = await disconnection()
                if sentence != complaint { note(sentence) }
                complaint = sentence
            }
        }
    }

    private func disconnection() async -> String {
        let serving = options.noDiscovery ? "waiting for others" : "serving the local network"
        return "\(await unreachable().dropLast()); \(serving)."
    }
}
