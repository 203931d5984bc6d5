import Synchronization

extension NameService {
    /// The state of the server in the text format of Prometheus.
    func metrics() async -> Reply {
        let sight = await probe.look()
        var text = MetricsText()
        text.family("requests_total", .counter, "Requests by kind")
        for (label, counter) in [
            (ServerCounters.Kind.lookUp.label, counters.lookUps.load(ordering: .relaxed)),
            (ServerCounters.Kind.registration.label, counters.registrations.load(ordering: .relaxed)),
            (ServerCounters.Kind.extension.label, counters.extensions.load(ordering: .relaxed)),
            (ServerCounters.Kind.page.label, counters.pages.load(ordering: .relaxed)),
            (ServerCounters.Kind.unknown.label, counters.unknown.load(ordering: .relaxed)),
        ] {
            text.sample("requests_total", counter, label: ("kind", label))
        }
        text.family("look_ups_total", .counter, "Look-ups by result")
        text.sample("look_ups_total", counters.found.load(ordering: .relaxed), label: ("result", "found"))
        text.sample("look_ups_total", counters.notFound.load(ordering: .relaxed), label: ("result", "not-found"))
        text.family("registrations_total", .counter, "Attempts to register by result")
        for (label, counter) in [
            ("acknowledged", counters.acknowledged.load(ordering: .relaxed)),
            ("taken", counters.taken.load(ordering: .relaxed)),
            ("rejected", counters.rejected.load(ordering: .relaxed)),
        ] {
            text.sample("registrations_total", counter, label: ("result", label))
        }
        text.single("throttled_total", .counter, "Requests over a client's rate", counters.throttled)
        text.single("unavailable_total", .counter, "Requests answered with 503", counters.unavailable)
        text.single("timed_out_total", .counter, "Requests whose answer came too late", counters.timedOut)
        text.single("malformed_total", .counter, "Requests that are no HTTP", counters.malformedRequests)
        text.single("connections_total", .counter, "Connections so far", counters.connections)
        text.single("connections", .gauge, "Open connections", counters.openConnections)
        text.single("slow_connections_total", .counter, "Connections cut off as too slow", counters.slowConnections)
        text.single("evicted_connections_total", .counter, "Idle connections closed", counters.evictedConnections)
        text.single("requests_running", .gauge, "Look-ups being answered", requests.count)
        text.single("registrations_running", .gauge, "Registrations being worked on", registrations.count)
        text.single("names", .gauge, "Names in the store", sight.names)
        text.single("operations", .gauge, "Operations in the local log", Int(clamping: sight.localSequence))
        text.single("outbox", .gauge, "Registrations on their way to the chain", sight.pending)
        text.single("outbox_failed", .gauge, "Transactions that failed", sight.failedTransactions)
        text.single("conflicts", .gauge, "Names that differ from the chain", sight.conflicts)
        text.single("healthy", .gauge, "Whether the store takes writes", sight.failure == nil ? 1 : 0)
        addStore(to: &text)
        await addChain(to: &text)
        if let status = mirror?.status {
            let lag = Int(clamping: status.behind(sight.localSequence))
            text.single("mirror_lag", .gauge, "Operations behind the origin", lag)
            text.single("mirror_stopped", .gauge, "Whether the origin contradicted itself", status.hasStopped ? 1 : 0)
        }
        return Reply(.ok, Array(text.text.utf8), content: .text)
    }

    private func addStore(to text: inout MetricsText) {
        let done = store.statistics
        text.single("store_lookups_total", .counter, "Reads of the store", Int(clamping: done.lookups))
        text.single("store_registrations_total", .counter, "Names stored", Int(clamping: done.registrations))
        text.single("store_commits_total", .counter, "Commits of the store", Int(clamping: done.commits))
        text.single("store_failed_commits_total", .counter, "Commits that failed", Int(clamping: done.failedCommits))
    }

    private func addChain(to text: inout MetricsText) async {
        guard let chain else { return }
        let status = await chain.status()
        for gauge in chain.gauges() { text.single("chain_\(gauge.name)", .gauge, gauge.help, gauge.value) }
        text.single("chain_head", .gauge, "Newest block seen", Int(clamping: status.head))
        text.single("chain_final", .gauge, "Newest final block", Int(clamping: status.final))
        text.single("chain_lag_seconds", .gauge, "Age of the newest block", Int(clamping: status.lagSeconds))
        text.single("chain_stalled", .gauge, "Whether the chain stands still", status.isStalled ? 1 : 0)
        text.single("chain_operations", .gauge, "Operations read from the chain", Int(clamping: status.sequence))
    }
}

/// Writes the text format of Prometheus, version 0.0.4.
struct MetricsText {
    enum Kind: String {
        case counter
        case gauge
    }

    private(set) var text = ""

    mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        text += "# HELP apus_names_\(name) \(help)\n# TYPE apus_names_\(name) \(kind.rawValue)\n"
    }

    /// A sample; labels are words of this program, which need no escapes.
    mutating func sample(_ name: String, _ value: Int, label: (String, String)? = nil) {
        let labels = label.map { "{\($0.0)=\"\($0.1)\"}" } ?? ""
        text += "apus_names_\(name)\(labels) \(value)\n"
    }

    mutating func single(_ name: String, _ kind: Kind, _ help: String, _ value: Int) {
        family(name, kind, help)
        sample(name, value)
    }

    mutating func single(_ name: String, _ kind: Kind, _ help: String, _ counter: borrowing Atomic<Int>) {
        single(name, kind, help, counter.load(ordering: .relaxed))
    }
}
