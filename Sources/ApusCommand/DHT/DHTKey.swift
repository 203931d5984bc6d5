import ArgumentParser
import Keys

/// A place in the DHT as users name it: a text, whose hash it is, or the hash itself.
struct DHTKey: ExpressibleByArgument, Equatable {
    /// What was typed.
    let text: String
    let hash: InfoHash

    init?(argument: String) {
        self.init(argument)
    }

    /// The empty text and the hash of zeros are no places.
    init?(_ text: String) {
        guard !text.isEmpty else { return nil }
        let given = InfoHash(hex: text)
        guard given?.isZero != true else { return nil }
        self.text = text
        hash = given ?? InfoHash(hashing: text)
    }

    var isHashed: Bool { InfoHash(hex: text) == nil }
}
