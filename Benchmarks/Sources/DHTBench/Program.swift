import Foundation

/// Apus's side of the DHT benchmarks.
///
/// See dht.py; Peers/opendht_bench.cpp is the same for OpenDHT.
@main
enum Program {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        let numbers = arguments.dropFirst().compactMap { Int($0) }
        switch (arguments.first, numbers.count) {
        case ("node", 0): try await Commanded.run()
        case ("pingpong", 3): try await RoundTrips(nodes: numbers[0], flight: numbers[1], rounds: numbers[2]).run()
        case ("crypto", 1): try Cryptography(seconds: Double(numbers[0])).run()
        case ("core", 1):
            var costs = CoreCosts(only: arguments.dropFirst(2).first)
            costs.run(repetitions: numbers[0])
        default: exit(2)
        }
    }

    /// One line of JSON, at once.
    static func answer(_ line: String) {
        print(line)
        fflush(nil)
    }
}
