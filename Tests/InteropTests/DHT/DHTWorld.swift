import TestSupport

/// Real nodes and nodes of ours, each on a host of its own in one private network.
actor DHTWorld {
    let lab: NetworkLab
    let setting: DHTSetting
    private var hosts = 0
    private var ending: [@Sendable () async -> Void] = []

    private init(lab: NetworkLab, setting: DHTSetting) {
        self.lab = lab
        self.setting = setting
    }

    /// Makes a network, and ends all that runs in it however the body ends.
    static func with(_ setting: DHTSetting, isDual: Bool = false, _ body: (DHTWorld) async throws -> Void) async throws
    {
        let lab = try await NetworkLab.make(named: "dht", hasIPv6: isDual || setting.family == .ipv6)
        let world = DHTWorld(lab: lab, setting: setting)
        do {
            try await body(world)
            await world.close()
        } catch {
            await world.close()
            throw error
        }
    }

    private func close() async {
        for end in ending { await end() }
        await lab.close()
    }

    func host(families: String? = nil) async throws -> NetworkLab.Host {
        hosts += 1
        return try await lab.host("h\(hosts)", families: families ?? setting.family.rawValue)
    }

    /// A node of ours, or a real one of the version that is met; it joins another one, if there is any.
    func node(
        _ side: DHTSide,
        joining other: DHTPeerNode? = nil,
        _ options: String...
    ) async throws -> DHTPeerNode {
        try await node(side, joining: other, options: options)
    }

    func node(
        _ side: DHTSide,
        joining other: DHTPeerNode? = nil,
        options: [String],
        on place: NetworkLab.Host? = nil
    ) async throws -> DHTPeerNode {
        let kind = side == .ours ? DHTPeerNode.Kind.ours : .real(setting.version)
        let host = if let place { place } else { try await host() }
        let node = try await DHTPeerNode.start(kind, options, on: host, in: lab)
        ending.append { await node.kill() }
        if let other { try await node.join(other.address) }
        return node
    }

    /// Debian's `dhtnode`, with a key.
    func shell(joining other: DHTPeerNode? = nil) async throws -> DHTShell {
        let shell = try await DHTShell.start(
            on: host(),
            port: DHTPeerNode.port,
            bootstrap: other.map { "\($0.address.contains(":") ? "[\($0.address)]" : $0.address):\(DHTPeerNode.port)" },
            hasIdentity: true
        )
        ending.append { await shell.stop() }
        return shell
    }
}
