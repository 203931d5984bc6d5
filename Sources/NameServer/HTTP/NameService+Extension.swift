import Ethereum
import Logging
import NameRegistry
import Runtime

extension NameService {
    /// Answers what only newer clients ask.
    func readExtension(_ target: RequestTarget) async -> Reply {
        do {
            switch target {
            case .status: return await status()
            case .currentName(let name):
                guard let name else { return ExtensionAnswers.invalidName }
                guard let stored = try await store.find(name) else { return ExtensionAnswers.notRegistered }
                return ExtensionAnswers.name(stored)
            case .journal(let from, let limit): return try await journal(from: from, limit: limit).reply
            case .nameProof(let name, let block):
                guard let name else { return ExtensionAnswers.invalidName }
                guard let chain else { return ExtensionAnswers.noChain }
                return Reply(.ok, Array(try await chain.proof(of: name, at: block).utf8))
            case .accountProof(let account, let block):
                guard let account else { return ExtensionAnswers.invalidAddress }
                guard let chain else { return ExtensionAnswers.noChain }
                return Reply(.ok, Array(try await chain.proof(of: account, at: block).utf8))
            default:
                return Reply(.methodNotAllowed, .object { $0.add("error", "method not allowed") })
            }
        } catch let failure as ChainFailure {
            return ExtensionAnswers.failure(failure)
        } catch {
            return storeFailure(error)
        }
    }

    func storeFailure(_ error: any Error) -> Reply {
        ServerCounters.add(counters.unavailable)
        let error = error as? NameStoreError
        logger.warning("The store failed", metadata: ["reason": "\(error?.detail ?? "unknown")"])
        let sentence = error?.sentence ?? "the store fails"
        return ExtensionAnswers.failure(.unavailable, "storeUnavailable", sentence, retryAfter: 10)
    }

    /// The operations of this server, or of the chain where it has the last word.
    func journal(from sequence: UInt64, limit: Int) async throws -> JournalPage {
        let isOfChain = mode.awaitsInclusion
        return try await store.read { reader in
            var page = JournalPage(isOfChain: isOfChain, sequence: 0, head: .zero, entries: [])
            if isOfChain {
                let last = try reader.lastChainOperation()
                (page.sequence, page.head) = (last?.operation.sequence ?? 0, last?.head ?? .zero)
                page.entries = try reader.chainOperations(from: sequence, limit: limit).map {
                    JournalPage.Entry(operation: $0.operation, head: $0.head, block: $0.block)
                }
            } else {
                let last = try reader.lastLocalEntry()
                (page.sequence, page.head) = (last?.operation.sequence ?? 0, last?.head ?? .zero)
                page.entries = try reader.localLog(from: sequence, limit: limit).map {
                    JournalPage.Entry(operation: $0.operation, head: $0.head, time: $0.time.milliseconds)
                }
            }
            for index in page.entries.indices where !page.entries[index].operation.evidenceDigest.isZero {
                page.entries[index].evidence = try reader.evidence(page.entries[index].operation.evidenceDigest)
            }
            return page
        }
    }

    private func status() async -> Reply {
        let sight = await probe.look()
        let chainStatus = await chain?.status()
        let mirrorStatus = mirror?.status
        return Reply(
            .ok,
            .object {
                $0.add("mode", plain: mode.rawValue)
                if let chainStatus {
                    $0.add("chainId", plain: "0x" + String(chainStatus.chainID, radix: 16))
                    $0.add("council", plain: chainStatus.council.hex)
                    $0.add("store", plain: chainStatus.store.hex)
                    if let logic = chainStatus.logic { $0.add("logic", plain: logic.hex) }
                    $0.add("head", chainStatus.head)
                    $0.add("final", chainStatus.final)
                    $0.add("lagSeconds", chainStatus.lagSeconds)
                    $0.add("stalled", chainStatus.isStalled)
                    if let stall = chainStatus.stall { $0.add("stall", stall) }
                }
                $0.add("names", sight.names)
                $0.add("localSeq", sight.localSequence)
                $0.add("localJournal", plain: sight.localJournal.hex)
                if let chainStatus {
                    $0.add("chainSeq", chainStatus.sequence)
                    $0.add("chainJournal", plain: chainStatus.journal.hex)
                }
                $0.add("pending", sight.pending)
                $0.add("conflicts", sight.conflicts)
                if let mirrorStatus {
                    $0.add("origin", mirrorStatus.origin)
                    $0.add("originSeq", mirrorStatus.originSequence)
                    $0.add("unproved", mirrorStatus.unproved)
                    if let problem = mirrorStatus.problem { $0.add("problem", problem) }
                    $0.add("stopped", mirrorStatus.hasStopped)
                }
                if let failure = sight.failure { $0.add("failure", failure) }
            }
        )
    }

    // MARK: Posting

    func postExtension(_ target: RequestTarget, _ body: [UInt8]) async -> Reply {
        guard let chain else { return ExtensionAnswers.noChain }
        do {
            switch target {
            case .commitment:
                return ExtensionAnswers.transaction(try await chain.commit(try ExtensionRequest(body).commitment()))
            case .currentName(let name):
                guard let name else { return ExtensionAnswers.invalidName }
                let reveal = try await verified { try ExtensionRequest(body).reveal(of: name) }
                let state = try await chain.reveal(reveal.registration, secret: reveal.secret)
                return Reply(.accepted, .object { $0.add("state", plain: state.text) })
            case .ownerRequest(let name, let kind):
                guard let name else { return ExtensionAnswers.invalidName }
                let operation = try await verified { try ExtensionRequest(body).ownerOperation(kind, on: name) }
                return ExtensionAnswers.transaction(try await chain.relay(operation))
            default:
                return Reply(.methodNotAllowed, .object { $0.add("error", "method not allowed") })
            }
        } catch let problem as ExtensionRequest.Problem {
            return ExtensionAnswers.failure(.badRequest, code: problem.code, problem.sentence)
        } catch let failure as ChainFailure {
            return ExtensionAnswers.failure(failure)
        } catch {
            return storeFailure(error)
        }
    }
}
