import Keys
import NameRegistry

/// Single questions to single servers, with the limits and the reading of answers that go with each.
struct NameServerClient: Sendable {
    let transport: any NameServerTransport
    let lookupLimit: Duration
    let registrationLimit: Duration

    /// What a server says of a name; `nil` for "nobody has it".
    func name(_ name: Name, at server: NameServerAddress) async throws(NameServerFault) -> NameAnswer? {
        let request = NameServerRequest.get("/name/\(name.text)", limit: lookupLimit)
        return try NameAnswer.read(try await transport.send(request, to: server), for: name)
    }

    /// What a server says that an account is called; `nil` for "it has no name".
    func name(of account: InfoHash, at server: NameServerAddress) async throws(NameServerFault) -> Name? {
        let request = NameServerRequest.get("/addr/\(account.hex)", limit: lookupLimit)
        return try NameAnswer.readName(try await transport.send(request, to: server), of: account)
    }

    /// A server's answer with proof about a name.
    func proof(of name: Name, at server: NameServerAddress) async throws(NameServerFault) -> ProofAnswer {
        let request = NameServerRequest.get("/v2/name/\(name.text)/proof", limit: lookupLimit)
        return try ProofAnswer(try await transport.send(request, to: server))
    }

    /// A server's answer with proof about an account.
    func proof(of account: InfoHash, at server: NameServerAddress) async throws(NameServerFault) -> ProofAnswer {
        let request = NameServerRequest.get("/v2/addr/\(account.hex)/proof", limit: lookupLimit)
        return try ProofAnswer(try await transport.send(request, to: server))
    }

    /// Asks for a registration.
    func register(_ registration: Registration, at server: NameServerAddress) async -> RegistrationOutcome {
        let request = NameServerRequest.post(
            "/name/\(registration.name.text)",
            body: registration.requestBody,
            limit: registrationLimit
        )
        do throws(NameServerFault) {
            return .read(try await transport.send(request, to: server), to: registration)
        } catch {
            return .undecided(error)
        }
    }
}
