import Apus
import Testing

@testable import ApusCommand

@Suite struct CommandLineTests {
    private let commands = ["status", "send", "account"]

    @Test(arguments: [
        (["status"], ["status"]),
        (["--data", "/d", "status", "--json"], ["status", "--json", "--data", "/d"]),
        (["--json", "--data=/d", "send", "bob", "hi"], ["send", "bob", "hi", "--json", "--data=/d"]),
        (["--json", "send", "bob", "--", "-5"], ["send", "bob", "--json", "--", "-5"]),
        (["--data", "/d"], ["--data", "/d"]),
        (["--help"], ["--help"]),
        ([], []),
    ])
    func `global options may stand in front of the command`(given: [String], expected: [String]) throws {
        #expect(try ArgumentOrder.commandFirst(given, commands: commands) == expected)
    }

    @Test func `a command that does not exist is named`() {
        let failure = #expect(throws: Failure.self) {
            try ArgumentOrder.commandFirst(["--json", "frobnicate"], commands: commands)
        }
        #expect(failure?.kind == .usage)
        #expect(failure?.sentence.contains("frobnicate") == true)
    }

    @Test func `text of others cannot steer the terminal`() {
        #expect(Output.safe("a\u{1B}[2Jb\u{7}\nc\td") == "a[2Jb\nc\td")
    }
}
