import ArgumentParser
import DHT
import Foundation
import JSON
import Keys

/// Stores a value.
struct DHTPut: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "put",
        abstract: "Store a text at a key.",
        discussion: """
            Example: apus dht put meeting "at nine, under the clock"

            Nodes keep a text for ten minutes. With --permanent it is kept as long as this command runs. With --json \
            the fields are key, id (hexadecimal), signed, encrypted, permanent, seconds.
            """
    )

    @OptionGroup var options: DHTOptions

    @Argument(help: "A text, or 40 hexadecimal digits.")
    var key: DHTKey

    @Argument(help: "What to store; “-” takes it from the standard input.")
    var text: String

    @Flag(help: "Keep it there until this command is ended.")
    var permanent = false

    @Option(help: "The number of the value's type, which decides how long it is kept.")
    var type: UInt16 = 0

    @Option(help: "What the bytes are.")
    var userType = "text/plain"

    @Flag(help: "Sign it with the key of --identity.")
    var sign = false

    @Option(help: "Encrypt it for the owner of this key: 40 or 64 hexadecimal digits.")
    var encryptFor: KeyName?

    func validate() throws {
        if sign || encryptFor != nil, options.identity == nil, options.saveIdentity == nil {
            throw ValidationError(
                "Signing needs a key: name one with --identity FILE, or have one made with --save-identity FILE."
            )
        }
    }

    func run() async throws {
        let data = text == "-" ? [UInt8](try FileHandle.standardInput.readToEnd() ?? Data()) : Array(text.utf8)
        let start = ContinuousClock.now
        let signals = permanent ? StopSignals() : nil
        let session = try await DHTSession.start(options, isBrief: true)
        try await session.connect()
        let value = Value(type: type, data: data, userType: userType)
        let id = try await Limited.run(within: options.patience, orThrow: Self.late) {
            try await store(value, in: session)
        }
        let seconds = start.duration(to: .now)
        Output.line(
            "Stored at \(key.hash) as \(ValueText.id(id)) within \(Phrase.time(seconds)).",
            json: [
                "key": .string(key.hash.hex), "id": .string(ValueText.id(id)), "signed": .boolean(sign),
                "encrypted": .boolean(encryptFor != nil), "permanent": .boolean(permanent),
                "seconds": .number(Phrase.number(seconds)),
            ],
            options.common
        )
        if permanent {
            if !options.json { Output.note("It is kept there until you end this command with Ctrl-C.") }
            await signals?.wait(atMost: options.timeout.map { .seconds($0) })
        }
        try await session.end()
    }

    private func store(_ value: Value, in session: DHTSession) async throws -> Value.ID {
        let node = session.node
        do {
            if let encryptFor {
                let reader = try await encryptFor.publicKey(through: node)
                return try await node.putEncrypted(value, at: key.hash, for: reader, permanent: permanent)
            }
            if sign { return try await node.putSigned(value, at: key.hash, permanent: permanent) }
            return try await node.put(value, at: key.hash, permanent: permanent)
        } catch let error as DHTError {
            throw Failure(error)
        }
    }

    private static let late = Failure(kind: .notYet, sentence: "The nodes of the network did not confirm in time.")
}

/// The id of somebody's key: its SHA-1 or its SHA-256.
enum KeyName: ExpressibleByArgument, Equatable {
    case short(InfoHash)
    case long(LongID)

    init?(argument: String) {
        self.init(argument)
    }

    init?(_ text: String) {
        if let id = InfoHash(hex: text) {
            self = .short(id)
        } else if let id = LongID(hex: text) {
            self = .long(id)
        } else {
            return nil
        }
    }

    var hex: String {
        switch self {
        case .short(let id): id.hex
        case .long(let id): id.hex
        }
    }

    /// The key itself, from the certificate that its owner has put into the DHT.
    func publicKey(through node: DHTNode) async throws -> RSAPublicKey {
        let chain: CertificateChain?
        switch self {
        case .short(let id): chain = try await node.findCertificate(shortID: id)
        case .long(let id): chain = try await node.findCertificate(longID: id)
        }
        guard let key = chain?.leaf.publicKey else {
            throw Failure(kind: .notFound, sentence: "Nobody has a certificate of the key \(hex).")
        }
        return key
    }
}
