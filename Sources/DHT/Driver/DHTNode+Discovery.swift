import Keys
import NIOCore
import Runtime

extension DHTNode {
    func startDiscovery() async {
        guard configuration.discovery, state == .running else { return }
        let families = Endpoint.Family.all.filter { sockets[$0] != nil }
        let ports = families.map { ($0, UInt16(truncatingIfNeeded: boundPorts[$0])) }
        let started = LocalDiscovery(
            core: DiscoveryCore(
                id: core.id,
                network: configuration.network,
                ports: Dictionary(uniqueKeysWithValues: ports),
                isAnnounced: !configuration.isClient
            ),
            families: families,
            eventLoop: eventLoop,
            time: time,
            logger: logger
        ) { [weak self] endpoint in
            self?.assumeIsolated { node in
                guard node.isRunning else { return }
                node.turn { core, now in core.ping([endpoint], now: now) }
            }
        }
        discovery = started
        await started.begin()
    }

    func tellDiscovery(_ status: NodeStatus) {
        guard let discovery else { return }
        switch status {
        case .connected: discovery.assumeIsolated { $0.rest() }
        case .connecting: break
        // Ends by itself: opening sockets either succeeds or fails.
        case .disconnected: Task { await discovery.begin() }
        }
    }

    func publishCertificate() {
        guard !isCertificatePublished, let chain = configuration.identity?.chain else { return }
        isCertificatePublished = true
        let key = chain.leaf.publicKey
        let value = Value(
            id: CertificatePayload.valueID,
            type: ValueType.certificate.number,
            data: CertificatePayload.data(of: chain)
        )
        // Other implementations look at one of the two, depending on their age.
        for location in [key.shortID, CertificatePayload.location(of: key.longID)] {
            _ = core.put(value, at: location, permanent: true, isIDDrawn: false, now: now)
        }
        eventLoop.execute { [weak self] in self?.assumeIsolated { $0.endTurn() } }
    }
}
