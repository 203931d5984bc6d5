import Ethereum
import JSON
import Keys
import NameRegistry
import Names
import Runtime

/// What look-ups tell a person and a program, and how they end.
enum NameReport {
    // MARK: Sentences

    static func sentence(_ lookup: NameLookup) -> String {
        switch lookup.answer {
        case .found(let account): "“\(lookup.name)” is \(account)\n  \(reason(lookup))"
        case .absent where lookup.assurance == .proved:
            "Nobody is called “\(lookup.name)”: proved in block \(lookup.block?.number ?? 0)."
        case .absent: "Nobody is called “\(lookup.name)”, says \(lookup.server). That is its word; it proved nothing."
        case .withdrawn: "“\(lookup.name)” was given up for ever: proved in block \(lookup.block?.number ?? 0)."
        }
    }

    private static func reason(_ lookup: NameLookup) -> String {
        switch (lookup.assurance, lookup.block) {
        case (.proved, let block?):
            "proved: the registry says so in block \(block.number) of \(Output.time(block.time.milliseconds)), and they "
                + "signed the name."
        case (.unsigned, let block?):
            "unsigned: the registry says so in block \(block.number), but they never signed the name. Ask them."
        case (.signed, _), (.proved, nil):
            "signed: they signed the name; that nobody else was given it is the word of \(lookup.server)."
        case (.unsigned, nil): "unsigned: only \(lookup.server) says so. Ask them before you trust it."
        }
    }

    static func sentence(_ lookup: AccountLookup) -> String {
        guard let name = lookup.name else {
            return "\(lookup.account) has no name"
                + (lookup.block.map { ": proved in block \($0.number)." } ?? ", says \(lookup.server).")
        }
        return "\(lookup.account) is “\(name.name)”\n  \(reason(name))"
    }

    static func notes(_ problems: [NameServerProblem]) {
        for problem in problems { Output.note((problem.isLie ? "Caught: " : "") + problem.sentence) }
    }

    // MARK: JSON

    static func json(_ lookup: NameLookup) -> [String: JSONValue] {
        var members: [String: JSONValue] = [
            "name": .string(lookup.name.text),
            "assurance": .string(lookup.assurance.text),
            "server": .string(lookup.server.text),
            "time": .integer(lookup.time.milliseconds),
            "problems": json(lookup.problems),
        ]
        switch lookup.answer {
        case .found(let account):
            members["answer"] = "found"
            members["account"] = .string(account.hex)
        case .absent: members["answer"] = "absent"
        case .withdrawn: members["answer"] = "withdrawn"
        }
        members["block"] = lookup.block.map(json)
        return members
    }

    private static func json(_ block: ProvedBlock) -> JSONValue {
        .object([
            "number": .integer(Int64(clamping: block.number)), "hash": .string(block.hash.hex),
            "time": .integer(block.time.milliseconds),
        ])
    }

    static func json(_ lookup: AccountLookup) -> [String: JSONValue] {
        var members = lookup.name.map { json($0) } ?? ["answer": "absent", "server": .string(lookup.server.text)]
        members["account"] = .string(lookup.account.hex)
        members["block"] = lookup.block.map(json)
        members["problems"] = json(lookup.problems)
        return members
    }

    static func json(_ problems: [NameServerProblem]) -> JSONValue {
        .array(
            problems.map { problem in
                .object([
                    "server": .string(problem.server.text), "code": .string(problem.fault.code),
                    "lie": .boolean(problem.isLie), "reason": .string(problem.sentence),
                ])
            }
        )
    }

    // MARK: Ends

    /// A failed look-up: its problems, and the exit code of the gravest.
    static func fail(_ error: NameDirectoryError, _ options: GlobalOptions) -> Failure {
        if options.json {
            Output.say(JSONValue.object(["answer": "unknown", "problems": json(error.problems)]).line)
        }
        return Failure(kind: kind(error.problems), sentence: error.sentence)
    }

    static func kind(_ problems: [NameServerProblem]) -> Failure.Kind {
        if problems.contains(where: \.isLie) { return .lied }
        let isUnverifiable = problems.contains { $0.fault.code == "unverifiable" }
        let isRefused = problems.contains { $0.fault.code == "refused" }
        return isUnverifiable ? .unproved : isRefused ? .refused : .unavailable
    }

    static func query(_ text: String) throws -> NameQuery {
        do throws(NameQueryError) {
            return try NameQuery(text)
        } catch {
            throw Failure(kind: .refused, sentence: error.sentence)
        }
    }
}
