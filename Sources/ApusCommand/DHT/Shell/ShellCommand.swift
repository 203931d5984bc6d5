import DHT
import Keys

/// What can be asked for at the prompt of a node; the names are those of `dhtnode`.
enum ShellCommand: Equatable, Sendable {
    case help, quit
    case info, table, addresses, connectivityChanged
    case searches(DHTKey?)
    case storage(DHTKey?)
    /// Shows what the node logs, or what it logs about a key; without a key once more to end it.
    case log(DHTKey?)
    case bootstrap(String)
    case get(DHTKey, [ValueFilter])
    case query(DHTKey, Query)
    case listen(DHTKey, [ValueFilter])
    case cancelListen(DHTKey, token: Int)
    case put(DHTKey, String, isPermanent: Bool)
    case cancelPut(DHTKey, Value.ID)
    case putSigned(DHTKey, String)
    case putEncrypted(DHTKey, KeyName, String)
    case announce(DHTKey, port: UInt16)
}

/// Why a line is not a command, in a sentence.
struct ShellError: Error, Equatable {
    let sentence: String
}

extension ShellCommand {
    /// A name, what follows it, and what it does.
    struct Entry: Sendable {
        let names: [String]
        let arguments: String
        let summary: String

        init(_ names: String..., arguments: String = "", does summary: String) {
            self.names = names
            self.arguments = arguments
            self.summary = summary
        }
    }

    static let entries: [Entry] = [
        Entry("g", arguments: "KEY [WHERE …]", does: "get the values at a key"),
        Entry("l", arguments: "KEY [WHERE …]", does: "listen: show the values at a key, and those to come"),
        Entry("cl", arguments: "KEY TOKEN", does: "end listening"),
        Entry(
            "q",
            arguments: "KEY SELECT … [WHERE …]",
            does: "ask for some fields: id, value_type, owner_pk, seq, user_type"
        ),
        Entry("p", arguments: "KEY TEXT", does: "put a text, which is kept for ten minutes"),
        Entry("pp", arguments: "KEY TEXT", does: "put a text, and keep it there"),
        Entry("cpp", arguments: "KEY ID", does: "keep a text there no longer"),
        Entry("s", arguments: "KEY TEXT", does: "put a text, signed with the key of --identity"),
        Entry("e", arguments: "KEY ID TEXT", does: "put a text, encrypted for the owner of the key ID"),
        Entry("a", arguments: "KEY PORT", does: "announce a service of this machine"),
        Entry("ll", does: "how the node does"),
        Entry("lr", does: "the routing table"),
        Entry("ls", arguments: "[KEY]", does: "the searches"),
        Entry("ld", arguments: "[KEY]", does: "what is stored here"),
        Entry("la", does: "the address at which others see this node"),
        Entry("b", arguments: "HOST[:PORT]", does: "join through an address"),
        Entry("cc", does: "the machine is connected in another way now"),
        Entry("log", arguments: "[KEY]", does: "begin or end to show what the node does"),
        Entry("h", "help", does: "this list"),
        Entry("x", "exit", "quit", does: "end the node"),
    ]

    /// Whether it is for others to answer.
    var needsNetwork: Bool {
        switch self {
        case .get, .query, .put, .putSigned, .putEncrypted, .announce, .listen: true
        case .help, .quit, .info, .table, .addresses, .connectivityChanged, .searches, .storage, .log, .bootstrap,
            .cancelListen, .cancelPut:
            false
        }
    }

    /// Commands of `dhtnode` that are left out, with what they are about.
    static let absent: [String: String] = [
        "il": "Indexes (il, ii) are not there.", "ii": "Indexes (il, ii) are not there.",
        "pst": proxy, "psx": proxy, "psp": proxy, "stt": proxy, "stp": proxy, "rs": proxy, "rp": proxy,
    ]
    private static let proxy = "The proxy and its client (pst, psx, psp, stt, stp, rs, rp) are not there."

    static var names: [String] { entries.flatMap(\.names) }

    static var helpText: String {
        let heads = entries.map { "\($0.names.joined(separator: ", ")) \($0.arguments)" }
        let width = heads.map { DisplayWidth.of($0) }.max() ?? 0
        let lines = zip(heads, entries).map { "  \(DisplayWidth.fit($0, to: width))  \($1.summary)" }
        return """
            A KEY is a word, whose SHA-1 is the place, or 40 hexadecimal digits.
            \(lines.joined(separator: "\n"))
            """
    }

    /// Reads a line; `nil` when there is nothing in it.
    init?(parsing line: String) throws(ShellError) {
        var words = ShellWords(line)
        guard let name = words.next() else { return nil }
        switch name {
        case "h", "help", "?": self = .help
        case "x", "exit", "quit": self = .quit
        case "ll": self = .info
        case "lr": self = .table
        case "la": self = .addresses
        case "cc": self = .connectivityChanged
        case "ls": self = .searches(try words.optionalKey())
        case "ld": self = .storage(try words.optionalKey())
        case "log": self = .log(try words.optionalKey())
        case "b": self = .bootstrap(try words.word("b HOST[:PORT]"))
        case "g": self = .get(try words.key("g KEY"), try words.filters())
        case "l": self = .listen(try words.key("l KEY"), try words.filters())
        case "q": self = .query(try words.key("q KEY SELECT …"), try words.query())
        case "cl": self = .cancelListen(try words.key("cl KEY TOKEN"), token: try words.token())
        case "p", "pp":
            self = .put(try words.key("\(name) KEY TEXT"), try words.text(name), isPermanent: name == "pp")
        case "cpp": self = .cancelPut(try words.key("cpp KEY ID"), try words.id())
        case "s": self = .putSigned(try words.key("s KEY TEXT"), try words.text(name))
        case "e": self = .putEncrypted(try words.key("e KEY ID TEXT"), try words.keyName(), try words.text(name))
        case "a": self = .announce(try words.key("a KEY PORT"), port: try words.port())
        default:
            throw ShellError(sentence: Self.absent[name] ?? "There is no command “\(name)”; “h” lists those there are.")
        }
        try words.finish()
    }
}

/// The words of a line, one after the other.
private struct ShellWords {
    private var rest: Substring

    init(_ line: String) {
        rest = line[...]
    }

    mutating func next() -> String? {
        skipSpaces()
        guard !rest.isEmpty else { return nil }
        let word = rest.prefix { !$0.isWhitespace }
        rest = rest.dropFirst(word.count)
        return String(word)
    }

    private mutating func skipSpaces() {
        rest = rest.drop(while: \.isWhitespace)
    }

    mutating func word(_ usage: String) throws(ShellError) -> String {
        guard let word = next() else { throw ShellError(sentence: "Something is missing: \(usage)") }
        return word
    }

    mutating func key(_ usage: String) throws(ShellError) -> DHTKey {
        let word = try word(usage)
        guard let key = DHTKey(word) else { throw ShellError(sentence: "The key of zeros is no place.") }
        return key
    }

    mutating func optionalKey() throws(ShellError) -> DHTKey? {
        guard let word = next() else { return nil }
        guard let key = DHTKey(word) else { throw ShellError(sentence: "The key of zeros is no place.") }
        return key
    }

    /// All that follows.
    private mutating func remainder() -> String {
        skipSpaces()
        defer { rest = "" }
        return String(rest)
    }

    mutating func text(_ name: String) throws(ShellError) -> String {
        let text = remainder()
        guard !text.isEmpty else { throw ShellError(sentence: "The text is missing behind “\(name) KEY”.") }
        return text
    }

    mutating func filters() throws(ShellError) -> [ValueFilter] {
        do {
            return try [ValueFilter](parsing: remainder())
        } catch {
            throw ShellError(sentence: "\(error)")
        }
    }

    mutating func query() throws(ShellError) -> Query {
        do {
            return try Query(parsing: remainder())
        } catch {
            throw ShellError(sentence: "\(error)")
        }
    }

    mutating func token() throws(ShellError) -> Int {
        let word = try word("cl KEY TOKEN")
        guard let token = Int(word) else { throw ShellError(sentence: "“\(word)” is no token of a listener.") }
        return token
    }

    mutating func id() throws(ShellError) -> Value.ID {
        let word = try word("cpp KEY ID")
        guard let id = Value.ID(word, radix: 16), id != 0 else {
            throw ShellError(sentence: "“\(word)” is no id of a value, which is hexadecimal.")
        }
        return id
    }

    mutating func keyName() throws(ShellError) -> KeyName {
        let word = try word("e KEY ID TEXT")
        guard let name = KeyName(word) else {
            throw ShellError(sentence: "“\(word)” is no id of a key, which has 40 or 64 hexadecimal digits.")
        }
        return name
    }

    mutating func port() throws(ShellError) -> UInt16 {
        let word = try word("a KEY PORT")
        guard let port = UInt16(word), port > 0 else { throw ShellError(sentence: "“\(word)” is no port.") }
        return port
    }

    mutating func finish() throws(ShellError) {
        let more = remainder()
        guard more.isEmpty else { throw ShellError(sentence: "“\(more)” is too much.") }
    }
}
