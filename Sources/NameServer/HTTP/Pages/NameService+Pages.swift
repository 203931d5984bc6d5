import Runtime

extension NameService {
    /// Whether the process lives and its store takes writes.
    func health() async -> Reply {
        let sight = await probe.look()
        let problem = sight.failure ?? mirror?.status.stopReason
        return Reply(
            problem == nil ? .ok : .unavailable,
            .object {
                $0.add("healthy", problem == nil)
                if let problem { $0.add("problem", problem) }
            },
            retryAfter: problem == nil ? nil : 10
        )
    }

    /// A page for a person.
    func statusPage() async -> Reply {
        let sight = await probe.look()
        let chainStatus = await chain?.status()
        var rows = [
            ("Names", "\(sight.names)"),
            ("Operations", "\(sight.localSequence)"),
            ("Mode", Self.explanation(of: mode)),
            ("Running for", Self.phrase(seconds: time.wallTime.seconds - started.seconds)),
        ]
        if let chainStatus {
            rows.append(("Chain", "\(chainStatus.chainID), block \(chainStatus.head), final \(chainStatus.final)"))
            rows.append(("On their way to the chain", "\(sight.pending)"))
        }
        if sight.conflicts > 0 { rows.append(("Conflicts with the chain", "\(sight.conflicts)")) }
        if let mirror {
            rows.append(("Mirror of", "\(mirror.status.origin), which has \(mirror.status.originSequence) operations"))
        }
        let problems = [sight.failure, chainStatus?.stall, mirror?.status.problem].compactMap(\.self)
        let page = Self.page(rows: rows, problems: problems, isMirror: mirror != nil)
        return Reply(.ok, Array(page.utf8), content: .html)
    }

    private static func explanation(of mode: ServerMode) -> String {
        switch mode {
        case .sql: "sql: this server's store has the last word"
        case .shadow: "shadow: this server's store has the last word, a chain follows it"
        case .dual: "dual: a name counts once both the store and the chain hold it"
        case .chain: "chain: the chain has the last word"
        }
    }

    private static func phrase(seconds: Int64) -> String {
        let minutes = max(0, seconds) / 60
        switch minutes {
        case ..<1: return "less than a minute"
        case ..<120: return "\(minutes) minutes"
        case ..<2_880: return "\(minutes / 60) hours"
        default: return "\(minutes / 1_440) days"
        }
    }

    private static func page(rows: [(String, String)], problems: [String], isMirror: Bool) -> String {
        let table = rows.map { row in
            "<tr><th scope=\"row\">\(HTMLText.escaped(row.0))</th><td>\(HTMLText.escaped(row.1))</td></tr>"
        }.joined(separator: "\n")
        let health =
            problems.isEmpty
            ? "<p class=\"good\">Everything works.</p>"
            : problems.map { "<p class=\"bad\">Trouble: \(HTMLText.escaped($0)).</p>" }.joined(separator: "\n")
        let registering =
            isMirror
            ? "This is a mirror: it answers look-ups, and registers no names."
            : "Register a name from Jami or with <code>apus name register NAME</code>."
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Name server</title>
            <style>
            body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; }
            th { text-align: left; font-weight: normal; color: #555; padding-right: 2rem; vertical-align: top; }
            .good { color: #176b2c; } .bad { color: #a3151c; font-weight: bold; }
            code { background: #eee; padding: 0 .25rem; }
            @media (prefers-color-scheme: dark) {
            body { background: #181818; color: #ddd; } th { color: #999; } code { background: #333; }
            .good { color: #6fce86; } .bad { color: #ff8b8f; }
            }
            </style>
            </head>
            <body>
            <h1>Name server</h1>
            <p>This server tells who has a name, so that people who use Jami or Apus find each other.</p>
            \(health)
            <table>
            \(table)
            </table>
            <h2>How to use it</h2>
            <p>Set this server's address as the name server of your account. \(registering)</p>
            <p>Look-ups: <code>/name/NAME</code> and <code>/addr/ADDRESS</code>. For programs:
            <a href="/v2/status">status</a>, <a href="/v2/journal?limit=100">journal</a>,
            <a href="/healthz">health</a>, <a href="/metrics">metrics</a>.</p>
            <p>A name register is public: who asks for a name learns the account that has it.</p>
            </body>
            </html>

            """
    }
}
