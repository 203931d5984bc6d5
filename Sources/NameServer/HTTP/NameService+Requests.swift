import Keys
import Logging
import NIOCore
import NameRegistry

extension NameService: RequestResponder {
    var trustsProxy: Bool { options.trustsProxy }

    func admit(_ request: ServerRequest) -> Reply? {
        let kind = Self.kind(of: request)
        counters.count(kind)
        guard let wait = throttle(request.client, isRegistration: kind == .registration) else { return nil }
        ServerCounters.add(counters.throttled)
        let reason = "too many requests; try again in \(wait) s"
        // To a legacy client any 4xx would mean that the name is not there, or taken.
        guard request.target.isLegacy else {
            return ExtensionAnswers.failure(.tooManyRequests, "tooManyRequests", reason, retryAfter: wait)
        }
        return LegacyAnswers.unavailable(reason, retryAfter: wait, isRegistration: kind == .registration)
    }

    private static func kind(of request: ServerRequest) -> ServerCounters.Kind {
        switch (request.target, request.method) {
        case (.name, .post), (.currentName, .post), (.commitment, .post), (.ownerRequest, .post): .registration
        case (.name, _), (.account, _): .lookUp
        case (.page, _), (.health, _), (.metrics, _): .page
        case (.unknown, _), (.malformedQuery, _): .unknown
        default: .extension
        }
    }

    func respond(to request: ServerRequest) -> ServerAnswer {
        switch request.method {
        case .get, .head: return respondToRead(request.target)
        case .post: return respondToPost(request)
        case .other:
            return .now(Reply(.methodNotAllowed, .object { $0.add("error", "method not allowed") }))
        }
    }

    func lateReply(to request: ServerRequest) -> Reply {
        busy(request, "the server did not get an answer in time")
    }

    func malformedReply(to request: ServerRequest) -> Reply {
        request.method == .post
            ? LegacyRegistration.Refusal.malformedBody.reply
            : Reply(.badRequest, .object { $0.add("error", "bad request") })
    }

    private func busy(_ request: ServerRequest, _ reason: String) -> Reply {
        ServerCounters.add(counters.unavailable)
        return LegacyAnswers.unavailable(reason, retryAfter: 5, isRegistration: request.method == .post)
    }

    // MARK: Reading

    private func respondToRead(_ target: RequestTarget) -> ServerAnswer {
        switch target {
        case .name(nil, _, _): .now(LegacyAnswers.invalidName)
        case .account(nil): .now(LegacyAnswers.invalidAddress)
        case .name(let name?, let part, _):
            counted { answer in
                self.store.find(name) { found in
                    answer {
                        self.reply(to: found, { LegacyAnswers.name($0, part) }, orElse: LegacyAnswers.nameNotRegistered)
                    }
                }
            }
        case .account(let account?):
            counted { answer in
                self.store.find(account) { found in
                    answer { self.reply(to: found, LegacyAnswers.account, orElse: LegacyAnswers.addressNotRegistered) }
                }
            }
        case .page: .later { await self.statusPage() }
        case .health: .later { await self.health() }
        case .metrics: .later { await self.metrics() }
        case .malformedQuery:
            .now(ExtensionAnswers.failure(.badRequest, "invalidQuery", "A number in the query is none."))
        case .unknown:
            .now(ExtensionAnswers.failure(.notFound, "notFound", "There is nothing at this address."))
        default: .later { await self.readExtension(target) }
        }
    }

    /// Begins a look-up unless too many are running.
    private func counted(
        _ work: @escaping @Sendable (_ answer: @escaping @Sendable (@escaping @Sendable () -> Reply) -> Void) -> Void
    ) -> ServerAnswer {
        guard requests.enter() else {
            ServerCounters.add(counters.unavailable)
            return .now(LegacyAnswers.unavailable("the server is busy", retryAfter: 1, isRegistration: false))
        }
        let requests = requests
        return .soon { answer in
            work { reply in
                requests.leave()
                answer(reply)
            }
        }
    }

    private func reply(
        to found: Result<StoredName?, NameStoreError>,
        _ reply: (StoredName) -> Reply,
        orElse missing: Reply
    ) -> Reply {
        do throws(NameStoreError) {
            let stored = shown(try found.get())
            count(found: stored != nil)
            return stored.map(reply) ?? missing
        } catch {
            return trouble(error)
        }
    }

    /// Names that are not deep enough on the chain are nobody's yet.
    private func shown(_ stored: StoredName?) -> StoredName? {
        guard let stored, chain?.shows(stored.state) ?? true else { return nil }
        return stored
    }

    private func count(found: Bool) {
        if found {
            ServerCounters.add(counters.found)
        } else {
            ServerCounters.add(counters.notFound)
        }
    }

    private func trouble(_ error: NameStoreError) -> Reply {
        ServerCounters.add(counters.unavailable)
        logger.warning("The store failed", metadata: ["reason": "\(error.detail)"])
        return LegacyAnswers.unavailable(error.sentence, retryAfter: 10, isRegistration: false)
    }

    // MARK: Posting

    private func respondToPost(_ request: ServerRequest) -> ServerAnswer {
        guard registrations.enter() else {
            return .now(busy(request, "too many registrations wait; try again later"))
        }
        let registrations = registrations
        return .later {
            defer { registrations.leave() }
            return await self.post(request)
        }
    }

    private func post(_ request: ServerRequest) async -> Reply {
        let body = Array(request.body.readableBytesView)
        switch request.target {
        case .name(let name, .whole, let isCanonical):
            return await registerLegacy(body, name: isCanonical ? name : nil)
        case .commitment, .currentName, .ownerRequest:
            return await postExtension(request.target, body)
        case .unknown, .malformedQuery:
            return ExtensionAnswers.failure(.notFound, "notFound", "There is nothing at this address.")
        default:
            return Reply(.methodNotAllowed, .object { $0.add("error", "method not allowed") })
        }
    }

    /// Whether a contract's call takes evidence of this size; one that it refuses would hold up all behind it.
    static func fitsContract(_ evidence: NameEvidence?) -> Bool {
        guard let evidence else { return true }
        return max(evidence.publicKey.count, evidence.signature.count) <= NameEvidence.maximumByteCount
    }

    private func registerLegacy(_ body: [UInt8], name: Name?) async -> Reply {
        let allowsUnsigned = options.allowsUnsigned
        do {
            let registration = try await verified {
                try LegacyRegistration.read(body, name: name, allowsUnsigned: allowsUnsigned)
            }
            guard !mode.usesChain || Self.fitsContract(registration.evidence) else {
                ServerCounters.add(counters.rejected)
                return LegacyAnswers.refused(.unauthorized, "publickey too large for the chain")
            }
            switch await register(registration) {
            case .registered:
                ServerCounters.add(counters.acknowledged)
                return LegacyAnswers.success
            case .nameTaken(let record):
                ServerCounters.add(counters.taken)
                return LegacyAnswers.nameTaken(record)
            case .accountTaken(let record):
                ServerCounters.add(counters.taken)
                return LegacyAnswers.accountTaken(record)
            case .notNow(let reason, let seconds):
                ServerCounters.add(counters.unavailable)
                return LegacyAnswers.unavailable(reason, retryAfter: seconds, isRegistration: true)
            }
        } catch let refusal as LegacyRegistration.Refusal {
            ServerCounters.add(counters.rejected)
            return refusal.reply
        } catch {
            return LegacyAnswers.unavailable("the server is stopping", retryAfter: 10, isRegistration: true)
        }
    }
}

extension RequestTarget {
    /// Whether clients of old servers call it.
    var isLegacy: Bool {
        switch self {
        case .name, .account: true
        default: false
        }
    }
}
