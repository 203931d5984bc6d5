import Foundation
import Glibc

/// What the benchmarks of the name server need beside it; see names.py.
///
///     NamesBench fill FOLDER COUNT        a store with so many names, n0000000 and so on, each with evidence of full size
///     NamesBench plain PORT SIZE          a static answer by Hummingbird as it comes
///     NamesBench static PORT SIZE         a static answer by the name server's own HTTP side
///     NamesBench verify SECONDS           checks of evidence with a key of 4096 bits
///     NamesBench prove SECONDS            checks of proofs, whole and in parts
@main
enum Program {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let numbers = arguments.dropFirst().compactMap { Int($0) }
        switch (arguments.first, arguments.count, numbers.count) {
        case ("fill", 3, 1): try await Filling(folder: arguments[1], count: numbers[0]).run()
        case ("plain", 3, 2): try await StaticAnswers.servePlain(port: numbers[0], size: numbers[1])
        case ("static", 3, 2): try await StaticAnswers.serve(port: numbers[0], size: numbers[1])
        case ("verify", 2, 1): try Verifying.run(seconds: Double(numbers[0]))
        case ("prove", 2, 1): try Proving().run(seconds: Double(numbers[0]))
        default: exit(2)
        }
    }

    /// How often something is done in a second of processor time.
    static func rate(_ seconds: Double, _ work: () throws -> Void) rethrows -> Double {
        try work()
        let begin = clock()
        var (count, spent) = (0, 0.0)
        while spent < seconds {
            for _ in 0..<20 { try work() }
            count += 20
            spent = Double(clock() - begin) / Double(CLOCKS_PER_SEC)
        }
        return Double(count) / spent
    }

    /// One line, at once.
    static func answer(_ line: String) {
        print(line)
        fflush(nil)
    }
}
