public import Keys
public import MessagePack
import Runtime

extension ContactRecord {
    /// Reads either generation's map.
    public init(_ value: MessagePackValue) throws(PayloadError) {
        guard value.map != nil else { throw .malformed }
        let fields = Fields(value)
        self.init(
            added: try fields.time(seconds: "added", milliseconds: "addedMs"),
            removed: try fields.time(seconds: "removed", milliseconds: "removedMs"),
            isConfirmed: try fields.boolean("confirmed"),
            bannedFlag: try fields.boolean("banned"),
            conversationID: try fields.conversation("conversationId")
        )
    }

    public func encoded(for generation: Generation = .daemon2026) -> MessagePackValue {
        func number(_ value: Int64) -> MessagePackValue { .unsigned(UInt64(max(value, 0))) }
        var pairs: [MessagePackValue.Pair] = [
            .init(.text("added"), number(added.seconds)),
            .init(.text("removed"), number(removed.seconds)),
            .init(.text("confirmed"), .boolean(isConfirmed)),
            .init(.text("banned"), .boolean(bannedFlag)),
            .init(.text("conversationId"), .text(conversationID)),
        ]
        if generation == .daemon2026 {
            pairs.append(.init(.text("addedMs"), number(added.milliseconds)))
            pairs.append(.init(.text("removedMs"), number(removed.milliseconds)))
        }
        return .map(pairs)
    }
}

/// The contacts of an account as the file `contacts` and the synchronisation between devices have them.
///
/// Source: accounts protocol, "Contact record" and "DeviceSync".
public enum ContactList {
    /// Reads a map from account ids to records; an entry that cannot be read is skipped.
    public static func decode(_ bytes: [UInt8]) throws(PayloadError) -> [InfoHash: ContactRecord] {
        let value: MessagePackValue
        do throws(MessagePackError) {
            value = try MessagePackValue.decode(bytes, limits: MessagePackLimits(items: 1 << 20))
        } catch {
            throw .malformed
        }
        guard let pairs = value.map else { throw .malformed }
        var contacts: [InfoHash: ContactRecord] = [:]
        for pair in pairs {
            guard let id = pair.key.bytes.flatMap({ InfoHash($0) }), let record = try? ContactRecord(pair.value) else {
                continue
            }
            contacts[id] = record
        }
        return contacts
    }

    /// The map, ordered by account id.
    public static func encode(
        _ contacts: [InfoHash: ContactRecord],
        for generation: Generation = .daemon2026
    ) -> [UInt8] {
        let pairs = contacts.sorted { $0.key < $1.key }
            .map { MessagePackValue.Pair(.binary($0.key.bytes), $0.value.encoded(for: generation)) }
        return MessagePackValue.map(pairs).encoded
    }
}
