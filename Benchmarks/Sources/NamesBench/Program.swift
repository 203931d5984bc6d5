import Foundation
import Glibc

/// What the benchmarks of the name server need beside it; see names.py.
///
///     NamesBench fill FOLDER COUNT        a store with so many names, n0000000 and so on, each with evidence of full size
///     NamesBench bodies COUNT             the bodies of so many registrations with keys of 2048 bits, a line each
///     NamesBench plain PORT SIZE          a static answer by Hummingbird as it comes
///     NamesBench static PORT SIZE         a static answer by the name server's own HTTP side
///     NamesBench verify SECONDS           checks of evidence with a key of 4096 bits
@main
enum Program {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let numbers = arguments.dropFirst().compactMap { Int($0) }
        switch (arguments.first, arguments.count, numbers.count) {
        case ("fill", 3, 1): try await Filling(folder: arguments[1], count: numbers[0]).run()
        case ("bodies", 2, 1): try await Bodies.print(count: numbers[0])
        case ("plain", 3, 2): try await StaticAnswers.servePlain(port: numbers[0], size: numbers[1])
        case ("static", 3, 2): try await StaticAnswers.serve(port: numbers[0], size: numbers[1])
        case ("verify", 2, 1): try Verifying.run(seconds: Double(numbers[0]))
        default: exit(2)
        }
    }

    /// One line, at once.
    static func answer(_ line: String) {
        print(line)
        fflush(nil)
    }
}
