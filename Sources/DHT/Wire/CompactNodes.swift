package import Keys
import MessagePack

/// A node as others tell about it.
package struct Contact: Sendable, Hashable {
    package var id: InfoHash
    package var endpoint: Endpoint

    package init(id: InfoHash, endpoint: Endpoint) {
        self.id = id
        self.endpoint = endpoint
    }
}

/// Lists of nodes of one family, packed without any separators.
enum CompactNodes {
    static func entrySize(_ family: Endpoint.Family) -> Int {
        InfoHash.byteCount + (family == .ipv4 ? 6 : 18)
    }

    /// Visits the contacts of a packed list, at most ``WireConstants/nodesPerList``; `false` for a length that is none.
    static func visit(
        _ bytes: RawSpan,
        _ range: Range<Int>,
        family: Endpoint.Family,
        _ body: (Contact) -> Void
    ) -> Bool {
        let size = entrySize(family)
        guard range.count % size == 0 else { return false }
        for index in 0..<min(range.count / size, WireConstants.nodesPerList) {
            let start = range.lowerBound + index * size
            let address = start + InfoHash.byteCount
            let endpoint: Endpoint
            switch family {
            case .ipv4:
                endpoint = Endpoint(
                    ipv4: bytes.word(at: address, as: UInt32.self),
                    port: bytes.word(at: address + 4, as: UInt16.self)
                )
            case .ipv6:
                endpoint = Endpoint(
                    ipv6: bytes.word(at: address, as: UInt64.self),
                    bytes.word(at: address + 8, as: UInt64.self),
                    port: bytes.word(at: address + 16, as: UInt16.self)
                )
            }
            body(Contact(id: bytes.infoHash(at: start), endpoint: endpoint))
        }
        return true
    }

    /// The contacts must be of one family.
    static func write(_ contacts: [Contact], to writer: inout MessagePackWriter) {
        guard let family = contacts.first?.endpoint.family else { return writer.writeBinaryHeader(count: 0) }
        let size = entrySize(family)
        writer.writeBinaryHeader(count: contacts.count * size)
        unsafe writer.append(count: contacts.count * size) { output in
            for index in contacts.indices {
                let contact = contacts[index]
                var offset = index * size
                // There is room for all entries, and each stays in its own.
                func store<T: FixedWidthInteger & BitwiseCopyable>(_ word: T) {
                    unsafe output.storeBytes(of: word.bigEndian, toByteOffset: offset, as: T.self)
                    offset += MemoryLayout<T>.size
                }
                store(contact.id.high)
                store(contact.id.middle)
                store(contact.id.low)
                if family == .ipv6 {
                    store(contact.endpoint.high)
                    store(contact.endpoint.low)
                } else {
                    store(UInt32(truncatingIfNeeded: contact.endpoint.low))
                }
                store(contact.endpoint.port)
            }
        }
    }
}
