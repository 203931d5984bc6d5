import DHT
import Keys
import Logging
import NIOPosix

extension DHTNode {
    /// A node on loopback without limits on rates.
    static func unlimited(on group: MultiThreadedEventLoopGroup, bootstrap: [String] = []) async throws -> DHTNode {
        var configuration = Configuration()
        configuration.bindAddress = "127.0.0.1"
        configuration.bindAddress6 = nil
        configuration.bootstrap = bootstrap
        configuration.limitsRequests = false
        let node = DHTNode(configuration: configuration, eventLoopGroup: group, logger: Logger(label: "dht"))
        try await node.start()
        return node
    }
}

/// A node that does what it is told on its standard input.
enum Commanded {
    static func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let node = try await DHTNode.unlimited(on: group)
        Program.answer("{\"port\": \(await node.boundPort)}")
        var listeners: [DHTListener] = []
        while let line = readLine() {
            let words = line.split(separator: " ")
            switch words.first {
            case "bootstrap":
                for port in words.dropFirst() { await node.bootstrap("127.0.0.1:\(port)") }
            case "listen":
                for index in 0..<(words.last.flatMap { Int($0) } ?? 0) {
                    listeners.append(await node.listen(at: InfoHash(hashing: "\(index)")))
                }
            default:
                return await node.shutdown()
            }
            Program.answer("{}")
        }
    }
}
