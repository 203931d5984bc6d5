public import Keys

/// The certificates that were found lately; bounded, the oldest leave first.
struct CertificateCache {
    static let capacity = 1024

    private var chains: [LongID: CertificateChain] = [:]
    private var longIDs: [InfoHash: LongID] = [:]
    private var order: [LongID] = []

    mutating func insert(_ chain: CertificateChain) {
        let id = chain.deviceID
        if chains.updateValue(chain, forKey: id) == nil {
            order.append(id)
            longIDs[chain.shortDeviceID] = id
        }
        guard order.count > Self.capacity else { return }
        let oldest = order.removeFirst()
        if let removed = chains.removeValue(forKey: oldest) { longIDs[removed.shortDeviceID] = nil }
    }

    func chain(shortID: InfoHash?, longID: LongID?) -> CertificateChain? {
        if let longID { return chains[longID] }
        return shortID.flatMap { longIDs[$0] }.flatMap { chains[$0] }
    }
}

extension DHTNode {
    /// The certificate chain of the owner of a key, from this node's cache or from the network.
    ///
    /// Both places are searched where certificates of the key may be, at the same time. The leaf of the chain belongs to
    /// the key; whether the chain can be trusted is for the caller to decide. Source: DHT protocol, "Secure layer".
    ///
    /// - Parameters:
    ///   - shortID: the SHA-1 id of the key, if known.
    ///   - longID: the SHA-256 id of the key, if known.
    /// - Returns: `nil` when nobody has it.
    /// - Throws: `DHTError.Code.notRunning`, or `invalidArgument` without any id.
    public func findCertificate(
        shortID: InfoHash? = nil,
        longID: LongID? = nil
    ) async throws(DHTError) -> CertificateChain? {
        if let known = certificates.chain(shortID: shortID, longID: longID) { return known }
        let locations = (longID.map { [CertificatePayload.location(of: $0)] } ?? []) + (shortID.map { [$0] } ?? [])
        guard !locations.isEmpty else { throw DHTError(.invalidArgument, "No id of the key is given") }
        let matches: @Sendable (CertificateChain) -> Bool = { chain in
            if let longID { chain.deviceID == longID } else { chain.shortDeviceID == shortID }
        }
        let found = await withTaskGroup(of: CertificateChain?.self) { group in
            for location in locations {
                group.addTask { await self.searchCertificate(at: location, matches) }
            }
            for await chain in group {
                guard let chain else { continue }
                group.cancelAll()
                return chain as CertificateChain?
            }
            return nil
        }
        if let found { certificates.insert(found) }
        return found
    }

    private func searchCertificate(
        at location: InfoHash,
        _ matches: @escaping @Sendable (CertificateChain) -> Bool
    ) async -> CertificateChain? {
        let isWanted: @Sendable (OpenedValue) -> Bool = { opened in
            CertificatePayload.chain(in: opened.value.data).map(matches) ?? false
        }
        let values = try? await get(location, filters: [.type(ValueType.certificate.number)], until: isWanted)
        return values?.lazy.compactMap { CertificatePayload.chain(in: $0.value.data) }.first(where: matches)
    }
}
