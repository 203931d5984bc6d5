/// Lets global options stand in front of the command, as in `apus --data DIR status`.
enum ArgumentOrder {
    /// Global options that take a value.
    private static let valued: Set<String> = ["--data", "--bootstrap", "--account", "--name-server", "--turn"]
    /// Global options that do not.
    private static let flags: Set<String> = ["--json", "--verbose"]

    /// The same arguments with the leading global options behind the command.
    ///
    /// Throws a ``Failure`` for a command that does not exist.
    static func commandFirst(_ arguments: [String], commands: [String]) throws -> [String] {
        var index = 0
        while index < arguments.count {
            let argument = arguments[index]
            if flags.contains(argument) || valued.contains(where: { argument.hasPrefix("\($0)=") }) {
                index += 1
            } else if valued.contains(argument) {
                index += 2
            } else {
                break
            }
        }
        guard index < arguments.count else { return arguments }
        let command = arguments[index]
        guard !command.hasPrefix("-") else { return arguments }
        guard commands.contains(command) else {
            throw Failure(kind: .usage, sentence: "There is no command “\(command)”. See: apus --help")
        }
        let leading = arguments[..<index]
        let rest = arguments[index...]
        let end = rest.firstIndex(of: "--") ?? rest.endIndex
        return Array(rest[..<end] + leading + rest[end...])
    }
}
