public import Ethereum

/// What binds a registration before its name is revealed, so that nobody who sees it on its way can take the name first.
///
/// Source: names protocol, "Registering by commitment".
public enum Commitment {
    /// Ages at which a commitment can be revealed, in seconds.
    public static let acceptedAges: ClosedRange<UInt64> = 60...86_400

    /// The commitment to a registration with one logic contract of one chain.
    ///
    /// The secret has to be drawn by chance; it is what keeps the name hidden.
    public static func of(_ registration: Registration, chain: UInt64, logic: Address, secret: Word) -> Word {
        let evidence = registration.evidence
        let words = [
            Word(chain), Word(logic), registration.name.word, Word(registration.owner),
            Word(Address(registration.account)), Word(hashing: evidence?.publicKey ?? []),
            Word(hashing: evidence?.signature ?? []), secret,
        ]
        return Word(hashing: words.flatMap(\.bytes))
    }
}
