import Ethereum
package import NameRegistry
package import Runtime

/// Brings a stored name into agreement with its final history on the chain.
package enum NameSettlement {
    /// What was done, for reports.
    package enum Outcome: Hashable, Sendable {
        case nothing
        case confirmed
        case taken(hasEvidence: Bool)
        case conflict
    }

    /// Compares and writes; with `logging`, what is taken over goes to the own log, too, for a store that shall live
    /// without the chain.
    @discardableResult package static func settle(
        _ name: Name,
        upTo block: UInt64,
        mode: ServerMode,
        logging: Bool = false,
        at time: WallTime,
        in writer: any NameStoreWriter
    ) throws -> Outcome {
        let operations = try writer.chainOperations(of: name).filter { $0.block <= block }
        let local = try writer.find(name)
        let replay = ChainReplay(operations.map(\.operation))
        let holder = try replay.record?.account.flatMap { try writer.find($0)?.record }
        let decision = NameDecision.decide(
            chain: replay,
            block: operations.last?.block ?? block,
            local: local?.record,
            holder: holder,
            mode: mode
        )
        switch decision {
        case nil:
            return .nothing
        case .confirm(let block):
            guard local?.state != .final else { return .nothing }
            try writer.setState(.final, block: block, of: name)
            return .confirmed
        case .take(let record, let block):
            let stored = try stored(record, block: block, created: local?.created ?? time, in: writer)
            if logging, local == nil, let registration = registration(stored) {
                _ = try writer.append(registration, chained: false, at: time)
                try writer.setState(.final, block: block, of: name)
            } else {
                try writer.put(stored)
            }
            return .taken(hasEvidence: stored.evidence != nil)
        case .keepLocal(let record):
            let kept = local?.record ?? holder
            guard let kept, try writer.find(kept.name)?.state != .conflict else { return .nothing }
            try writer.setState(.conflict, block: nil, of: kept.name)
            try writer.append(.between(local: kept, chain: record, at: time, resolution: nil))
            return .conflict
        case .yield(let record, let block):
            for displaced in [local?.record, holder].compactMap(\.self) where displaced.name == name {
                try writer.append(.between(local: displaced, chain: record, at: time, resolution: "chain"))
                break
            }
            if let holder, holder.name != name {
                try writer.append(.between(local: holder, chain: record, at: time, resolution: "chain"))
                try writer.remove(unacknowledged: holder.name)
            }
            try writer.put(try stored(record, block: block, created: time, in: writer))
            return .conflict
        }
    }

    /// What a record was registered with; `nil` for a withdrawn name, and where only the digest of evidence is known.
    private static func registration(_ stored: StoredName) -> Registration? {
        guard let account = stored.record.account, stored.evidence != nil || stored.record.evidenceDigest.isZero
        else { return nil }
        return Registration(
            name: stored.record.name,
            account: account,
            owner: stored.record.owner,
            evidence: stored.evidence
        )
    }

    private static func stored(
        _ record: NameRecord,
        block: UInt64,
        created: WallTime,
        in writer: any NameStoreWriter
    ) throws -> StoredName {
        var evidence = record.evidenceDigest.isZero ? nil : try writer.evidence(record.evidenceDigest)
        if let account = record.account, let candidate = evidence {
            do throws(NameEvidenceError) {
                try candidate.verify(record.name, of: account)
            } catch {
                // The chain takes any bytes; what does not verify is not served.
                evidence = nil
            }
        }
        return StoredName(record: record, evidence: evidence, state: .final, block: block, created: created)
    }
}
