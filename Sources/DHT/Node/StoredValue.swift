public import Keys
import MessagePack
public import Runtime

/// A value that a node keeps for the network, and for how long.
///
/// Source: DHT protocol, "State file".
public struct StoredValue: Sendable, Equatable {
    /// When a value was created or refreshed.
    public enum Creation: Sendable, Equatable {
        case wallTime(WallTime)
        /// By the monotonic clock of the machine, which means something until it is started again.
        case steadyTime(Instant)
    }

    public var key: InfoHash
    public var value: Value
    public var created: Creation
    /// `nil` when only its type tells how long it lives.
    public var expires: WallTime?
    /// Whose quota it counts against, `nil` for a value that the node itself put; the port says nothing.
    public var source: Endpoint?

    public init(
        key: InfoHash,
        value: Value,
        created: Creation,
        expires: WallTime? = nil,
        source: Endpoint? = nil
    ) {
        self.key = key
        self.value = value
        self.created = created
        self.expires = expires
        self.source = source
    }

    /// How long it is still to be kept; not above zero when its time is over.
    ///
    /// A clock that was set back does not let it live longer than its type allows, and neither does the state itself. A
    /// monotonic time that is still to come is of an earlier start of the machine, so that nothing is known.
    func remaining(now: Instant, wallTime: WallTime, types: ValueTypes) -> Duration {
        let lifetime = types.lifetime(of: value)
        switch created {
        case .wallTime(let created):
            let end = expires.map { min($0.milliseconds, Self.end(created, lifetime)) } ?? Self.end(created, lifetime)
            let left = end.subtractingReportingOverflow(wallTime.milliseconds)
            return left.overflow ? .zero : min(.milliseconds(left.partialValue), lifetime)
        case .steadyTime(let created):
            return created > now ? .zero : lifetime - (now - created)
        }
    }

    private static func end(_ created: WallTime, _ lifetime: Duration) -> Int64 {
        let end = created.milliseconds.addingReportingOverflow(lifetime.wholeMilliseconds)
        return end.overflow ? .max : end.partialValue
    }
}

// MARK: - Codec

extension StoredValue {
    /// How times are written.
    enum Form {
        case timestamps
        case steadyTimes(now: Instant, wallTime: WallTime)
    }

    private static let timestampType: Int8 = -1

    static func readAll(_ reader: inout MessagePackReader) throws(WireError) -> [StoredValue] {
        var values: [StoredValue] = []
        for _ in 0..<(try reader.arrayHeader()) {
            let range = try reader.object { (reader) throws(MessagePackError) in try reader.skip() }
            guard values.count < NodeState.valueCapacity else { continue }
            // What cannot be read costs the values of one key only, or one value.
            try? readPlace(reader.bytes.extracting(range), into: &values)
        }
        return values
    }

    private static func readPlace(_ bytes: RawSpan, into values: inout [StoredValue]) throws(WireError) {
        var reader = MessagePackReader(bytes, limits: WireLimits.standard.messagePack)
        guard try reader.arrayHeader() == 2 else { throw .invalid("values") }
        let key = try reader.readInfoHash()
        let content = try reader.object { (reader) throws(MessagePackError) in try reader.readBinaryRange() }
        guard !key.isZero else { throw .invalid("key") }
        var entries = MessagePackReader(bytes.extracting(content), limits: WireLimits.standard.messagePack)
        for _ in 0..<(try entries.arrayHeader()) {
            let range = try entries.object { (reader) throws(MessagePackError) in try reader.skip() }
            guard values.count < NodeState.valueCapacity else { return }
            let entry = bytes.extracting(content).extracting(range)
            if let value = try? StoredValue(reading: entry, key: key) { values.append(value) }
        }
    }

    private init(reading bytes: RawSpan, key: InfoHash) throws(WireError) {
        var reader = MessagePackReader(bytes, limits: WireLimits.standard.messagePack)
        let count = try reader.arrayHeader()
        guard (2...4).contains(count) else { throw .invalid("entry of \(count)") }
        let kind = try reader.object { (reader) throws(MessagePackError) in try reader.peek() }
        let created: Creation
        if kind == .integer {
            guard let nanoseconds = Int64(exactly: try reader.number()) else { throw .invalid("time") }
            created = .steadyTime(Instant(nanoseconds: nanoseconds))
        } else {
            created = .wallTime(try Self.readTimestamp(&reader))
        }
        self.init(key: key, value: try Value(reading: &reader), created: created)
        guard value.id != 0 else { throw .invalid("id") }
        if count > 2 { source = SocketAddressBytes(try reader.readBlob())?.endpoint }
        if count > 3 { expires = try Self.readTimestamp(&reader) }
    }

    /// All three widths of the timestamp extension of MessagePack, from 1970 to the year 2514.
    private static func readTimestamp(_ reader: inout MessagePackReader) throws(WireError) -> WallTime {
        let (type, range) = try reader.object { (reader) throws(MessagePackError) in try reader.readExtended() }
        guard type == timestampType else { throw .invalid("time") }
        let seconds: UInt64
        let nanoseconds: UInt64
        switch range.count {
        case 4:
            seconds = UInt64(reader.bytes.word(at: range.lowerBound, as: UInt32.self))
            nanoseconds = 0
        case 8:
            let word = reader.bytes.word(at: range.lowerBound, as: UInt64.self)
            seconds = word & 0x3_FFFF_FFFF
            nanoseconds = word >> 34
        case 12:
            nanoseconds = UInt64(reader.bytes.word(at: range.lowerBound, as: UInt32.self))
            seconds = reader.bytes.word(at: range.lowerBound + 4, as: UInt64.self)
        default:
            throw .invalid("time of \(range.count) bytes")
        }
        guard seconds <= 0x3_FFFF_FFFF, nanoseconds < 1_000_000_000 else { throw .invalid("time") }
        return WallTime(milliseconds: Int64(seconds) * 1000 + Int64(nanoseconds) / 1_000_000)
    }

    /// Values of one key stand together, in the order in which they come.
    static func write(_ values: ArraySlice<StoredValue>, in form: Form, to writer: inout MessagePackWriter) {
        var keys: [InfoHash] = []
        var places: [InfoHash: [StoredValue]] = [:]
        for value in values {
            if places[value.key] == nil { keys.append(value.key) }
            places[value.key, default: []].append(value)
        }
        writer.writeArrayHeader(count: keys.count)
        for key in keys {
            let entries = places[key] ?? []
            var content = MessagePackWriter(reservingCapacity: entries.reduce(8) { $0 + $1.value.size + 128 })
            content.writeArrayHeader(count: entries.count)
            for entry in entries { entry.write(in: form, to: &content) }
            writer.writeArrayHeader(count: 2)
            writer.write(key)
            writer.write(binary: content.bytes)
        }
    }

    private func write(in form: Form, to writer: inout MessagePackWriter) {
        switch form {
        case .timestamps:
            let created = creation
            writer.writeArrayHeader(count: 4)
            Self.write(created, to: &writer)
            value.write(to: &writer)
            writer.write(binary: source.map { SocketAddressBytes($0).bytes } ?? [])
            let end = Self.end(created, ValueTypes.standard.lifetime(of: value))
            Self.write(expires ?? WallTime(milliseconds: end), to: &writer)
        case .steadyTimes(let now, let wallTime):
            writer.writeArrayHeader(count: 2)
            switch created {
            case .steadyTime(let time): writer.write(UInt64(clamping: time.nanoseconds))
            case .wallTime(let time):
                let age = wallTime.milliseconds.subtractingReportingOverflow(time.milliseconds)
                let passed = Duration.milliseconds(age.overflow ? 0 : age.partialValue)
                writer.write(UInt64(clamping: (now - passed).nanoseconds))
            }
            value.write(to: &writer)
        }
    }

    /// As a time of day; of a monotonic time nothing is known.
    private var creation: WallTime {
        if case .wallTime(let time) = created { time } else { WallTime(milliseconds: 0) }
    }

    private static func write(_ time: WallTime, to writer: inout MessagePackWriter) {
        let milliseconds = min(UInt64(clamping: time.milliseconds), 0x3_FFFF_FFFF * 1000)
        let word = (milliseconds % 1000 * 1_000_000) << 34 | milliseconds / 1000
        let bytes = stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> UInt64($0)) }
        writer.writeExtended(type: timestampType, data: bytes)
    }
}
