import Glibc

/// The store of the name server, measured; see names_store.py.
@main
enum Program {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let numbers = arguments.dropFirst(2).compactMap { Int($0) }
        switch (arguments.first, numbers.count) {
        case ("fill", 1): try await Filling(path: arguments[1]).run(count: numbers[0])
        case ("find", 3):
            try await Finding(path: arguments[1], count: numbers[0]).run(seconds: numbers[1], flight: numbers[2])
        case ("statement", 2): try StatementLoop(path: arguments[1], count: numbers[0]).run(seconds: numbers[1])
        case ("register", 3):
            try await Registering(path: arguments[1]).run(seconds: numbers[0], flight: numbers[1], group: numbers[2])
        case ("dump", 1): try Dumping(path: arguments[1]).run(count: numbers[0])
        case ("import", 0) where arguments.count == 3:
            try await Importing(path: arguments[1], dump: arguments[2]).run()
        case ("insert", 2):
            try await InsertLoop(path: arguments[1], signed: numbers[1] != 0).run(count: numbers[0])
        case ("sync", 1): try SyncLoop(folder: arguments[1]).run(seconds: numbers[0])
        default: exit(2)
        }
    }

    /// One line of JSON, at once.
    static func answer(_ members: KeyValuePairs<String, Double>) {
        print("{" + members.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ") + "}")
        fflush(nil)
    }

    /// Processor time of this process in seconds.
    static var processorTime: Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    /// Resident memory in MB, all of it and what is not backed by files.
    static var memory: (resident: Double, anonymous: Double) {
        guard let file = fopen("/proc/self/status", "r") else { return (0, 0) }
        defer { fclose(file) }
        var values: [String: Double] = [:]
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, 256, file) != nil {
            let fields = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                .split(whereSeparator: \.isWhitespace)
            if fields.count == 3 { values[String(fields[0])] = Double(fields[1]) }
        }
        return ((values["VmRSS:"] ?? 0) / 1024, (values["RssAnon:"] ?? 0) / 1024)
    }
}
