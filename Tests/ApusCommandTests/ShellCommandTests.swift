import DHT
import Keys
import Testing

@testable import ApusCommand

@Suite struct ShellCommandTests {
    private static let foo = InfoHash(hashing: "foo")
    private static let hex = String(repeating: "0f", count: 20)

    private func parse(_ line: String) throws(ShellError) -> ShellCommand? {
        try ShellCommand(parsing: line)
    }

    private static func key(_ text: String) -> DHTKey {
        guard let key = DHTKey(text) else { preconditionFailure("\(text) is no key") }
        return key
    }

    @Test(arguments: [
        ("h", ShellCommand.help), ("help", .help), ("  x ", .quit), ("quit", .quit), ("exit", .quit), ("ll", .info),
        ("lr", .table), ("la", .addresses), ("cc", .connectivityChanged), ("ls", .searches(nil)),
        ("ls foo", .searches(key("foo"))), ("ld", .storage(nil)), ("log", .log(nil)), ("log foo", .log(key("foo"))),
        ("b host:4222", .bootstrap("host:4222")),
        ("g foo", .get(key("foo"), [])), ("g \(hex)", .get(key(hex), [])),
        ("g foo WHERE id=5", .get(key("foo"), [.id(5)])),
        ("l foo where user_type=\"a b\"", .listen(key("foo"), [.userType("a b")])),
        (
            "q foo SELECT id,seq WHERE value_type=3",
            .query(key("foo"), Query(fields: [.id, .sequence], filters: [.type(3)]))
        ),
        ("cl foo 2", .cancelListen(key("foo"), token: 2)),
        ("p foo  two words ", .put(key("foo"), "two words ", isPermanent: false)),
        ("pp foo x", .put(key("foo"), "x", isPermanent: true)),
        ("cpp foo 4c181ca571554a01", .cancelPut(key("foo"), 0x4c18_1ca5_7155_4a01)),
        ("s foo x", .putSigned(key("foo"), "x")),
        ("e foo \(hex) for you", .putEncrypted(key("foo"), .short(key(hex).hash), "for you")),
        ("a foo 80", .announce(key("foo"), port: 80)),
    ])
    func `lines are commands`(line: String, command: ShellCommand) throws {
        #expect(try parse(line) == command)
    }

    @Test(arguments: ["", "   ", "\t"]) func `an empty line is nothing`(line: String) throws {
        #expect(try parse(line) == nil)
    }

    @Test(arguments: [
        "frobnicate", "g", "g 0000000000000000000000000000000000000000", "g foo bar", "g foo WHERE nope=1", "p foo",
        "pp",
        "q foo SELECT nope", "cl foo", "cl foo x", "cpp foo", "cpp foo xyz", "cpp foo 0", "e foo x y", "a foo 0",
        "a foo 65536", "b", "ll more", "cc x", "il x", "ii x", "pst 80", "stt", "rp x",
    ])
    func `what cannot be done is said in a sentence`(line: String) throws {
        let error = #expect(throws: ShellError.self) { try parse(line) }
        let sentence = try #require(error?.sentence)
        #expect(!sentence.isEmpty)
        #expect(!sentence.contains("Error"))
    }

    @Test func `every command is in the help, once`() {
        let names = ShellCommand.names
        #expect(Set(names).count == names.count)
        for name in names { #expect(ShellCommand.helpText.contains("  \(name)") || name.count > 1) }
    }

    @Test func `a key is a text or forty digits`() {
        #expect(DHTKey("foo")?.hash == Self.foo)
        #expect(DHTKey(Self.hex)?.hash.hex == Self.hex)
        #expect(DHTKey(Self.hex)?.isHashed == false)
        #expect(DHTKey("") == nil)
    }
}
