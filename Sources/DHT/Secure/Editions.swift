import Keys

/// The newest edition of each signed value that was seen, so that older ones, which some nodes still keep, are left out.
///
/// Only to be asked about values whose signatures were checked: anybody can claim a high number.
struct Editions: Sendable {
    private struct Author: Hashable, Sendable {
        let id: Value.ID
        let signer: InfoHash
    }

    private static let capacity = 4096

    private var newest: [Author: UInt16] = [:]

    /// Whether no newer edition was seen; takes note of this one.
    mutating func admit(_ opened: OpenedValue) -> Bool {
        guard let signer = opened.signer else { return true }
        let author = Author(id: opened.value.id, signer: signer.shortID)
        if let known = newest[author], known > opened.value.sequence { return false }
        if newest.count >= Self.capacity { newest.removeAll(keepingCapacity: true) }
        newest[author] = opened.value.sequence
        return true
    }
}

extension Array where Element == OpenedValue {
    /// The values without older editions of those that are there in a newer one too.
    var newestEditions: [OpenedValue] {
        var editions = Editions()
        for opened in self { _ = editions.admit(opened) }
        return filter { editions.admit($0) }
    }
}
