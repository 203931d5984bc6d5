import Keys
import MessagePack

extension Value {
    /// The canonical form on the wire.
    public var encoded: [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: size + (owner?.count ?? 0) + 96)
        write(to: &writer)
        return writer.bytes
    }

    /// The bytes that a signature covers: the body in its canonical form.
    public var signedBytes: [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: data.count + (owner?.count ?? 0) + 96)
        writeBody(to: &writer)
        return writer.bytes
    }

    /// Body and signature in their canonical form: the plaintext of an encrypted value.
    public var sealableBytes: [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: size + (owner?.count ?? 0) + 96)
        writeContent(to: &writer)
        return writer.bytes
    }

    func write(to writer: inout MessagePackWriter) {
        writer.writeMapHeader(count: 2 + (priority == 0 ? 0 : 1) + (pushType.isEmpty ? 0 : 1))
        writer.write(key: "id")
        writer.write(id)
        writer.write(key: "dat")
        writeContent(to: &writer)
        if priority != 0 {
            writer.write(key: "p")
            writer.write(priority)
        }
        if !pushType.isEmpty {
            writer.write(key: "pt")
            writer.write(pushType)
        }
    }

    private func writeContent(to writer: inout MessagePackWriter) {
        guard !isEncrypted else { return writer.write(binary: cypher) }
        writer.writeMapHeader(count: isSigned ? 2 : 1)
        writer.write(key: "body")
        writeBody(to: &writer)
        if isSigned {
            writer.write(key: "sig")
            writer.write(binary: signature)
        }
    }

    private func writeBody(to writer: inout MessagePackWriter) {
        let signer = owner
        let hasRecipient = signer != nil && recipient.map { !$0.isZero } == true
        writer.writeMapHeader(
            count: 2 + (signer == nil ? 0 : 2) + (hasRecipient ? 1 : 0) + (userType.isEmpty ? 0 : 1)
        )
        if let signer {
            writer.write(key: "seq")
            writer.write(sequence)
            writer.write(key: "owner")
            writer.write(binary: signer)
            if hasRecipient, let recipient {
                writer.write(key: "to")
                writer.write(recipient)
            }
        }
        writer.write(key: "type")
        writer.write(type)
        writer.write(key: "data")
        writer.write(binary: data)
        if !userType.isEmpty {
            writer.write(key: "utype")
            writer.write(userType)
        }
    }
}

// MARK: - Decoding

extension Value {
    /// Reads one value and nothing behind it.
    public init(decoding bytes: [UInt8]) throws(WireError) {
        // A byte array has no padding, so its raw bytes are all initialised.
        var reader = unsafe MessagePackReader(bytes.span.bytes, limits: WireLimits.standard.messagePack)
        try self.init(reading: &reader)
        guard reader.isAtEnd else { throw .malformed(.trailingBytes) }
    }

    /// Reads the plaintext of an encrypted value.
    public init(opening plaintext: [UInt8], of sealed: Value) throws(WireError) {
        self.init(id: sealed.id, priority: sealed.priority, pushType: sealed.pushType)
        var reader = unsafe MessagePackReader(plaintext.span.bytes, limits: WireLimits.standard.messagePack)
        try readContent(&reader)
        guard reader.isAtEnd else { throw .malformed(.trailingBytes) }
        guard !isEncrypted else { throw .invalid("dat") }
    }

    init(reading reader: inout MessagePackReader) throws(WireError) {
        self.init()
        var hasID = false
        var hasContent = false
        try reader.readEntries { (reader, key) throws(WireError) in
            switch reader.bytes.shortText(at: key) {
            case 0x6964:  // id
                self.id = try reader.number()
                hasID = true
            case 0x64_6174:  // dat
                try self.readContent(&reader)
                hasContent = true
            case 0x70:  // p
                self.priority = try reader.number()
            case 0x7074:  // pt
                self.pushType = try reader.object { (reader) throws(MessagePackError) in try reader.readText() }
            default:
                try reader.skipObject()
            }
        }
        guard hasID else { throw .missing("id") }
        guard hasContent else { throw .missing("dat") }
    }

    private mutating func readContent(_ reader: inout MessagePackReader) throws(WireError) {
        let kind = try reader.object { (reader) throws(MessagePackError) in try reader.peek() }
        guard kind == .map else {
            cypher = try reader.readBlob()
            guard !cypher.isEmpty else { throw .invalid("dat") }
            return
        }
        var hasBody = false
        try reader.readEntries { (reader, key) throws(WireError) in
            switch reader.bytes.shortText(at: key) {
            case 0x626F_6479:  // body
                try self.readBody(&reader)
                hasBody = true
            case 0x73_6967:  // sig
                self.signature = try reader.readBlob()
            default:
                try reader.skipObject()
            }
        }
        guard hasBody else { throw .missing("body") }
        if owner != nil {
            guard !signature.isEmpty else { throw .missing("sig") }
        } else {
            signature = []
            recipient = nil
            sequence = 0
        }
    }

    private mutating func readBody(_ reader: inout MessagePackReader) throws(WireError) {
        var hasType = false
        var hasData = false
        var hasSequence = false
        try reader.readEntries { (reader, key) throws(WireError) in
            switch reader.bytes.shortText(at: key) {
            case 0x7479_7065:  // type
                self.type = try reader.object { (reader) throws(MessagePackError) in
                    try reader.readUnsigned(UInt16.self)
                }
                hasType = true
            case 0x6461_7461:  // data
                self.data = try reader.readBlob()
                hasData = true
            case 0x6F_776E_6572:  // owner
                let key = try reader.readBlob()
                guard !key.isEmpty else { throw .invalid("owner") }
                self.owner = key
            case 0x73_6571:  // seq
                self.sequence = try reader.object { (reader) throws(MessagePackError) in
                    try reader.readUnsigned(UInt16.self)
                }
                hasSequence = true
            case 0x746F:  // to
                let recipient = try reader.readInfoHash()
                self.recipient = recipient.isZero ? nil : recipient
            case 0x75_7479_7065:  // utype
                self.userType = try reader.object { (reader) throws(MessagePackError) in try reader.readText() }
            default:
                try reader.skipObject()
            }
        }
        guard hasType else { throw .missing("type") }
        guard hasData else { throw .missing("data") }
        guard owner == nil || hasSequence else { throw .missing("seq") }
    }
}
