package import NIOCore
package import Runtime

/// The channels of one connection, as a pure state machine above the plaintext of TLS.
///
/// Source: peer connections protocol, "Multiplexed socket".
package struct Multiplexer: Sendable {
    package enum Effect: Equatable, Sendable {
        /// Bytes for the TLS stream.
        case send([UInt8])
        /// The peer asks for a channel; answer with ``answer(_:accepting:)`` once.
        case requested(UInt16, name: String)
        /// The peer has accepted our request.
        case opened(UInt16)
        /// Our request came to nothing.
        case refused(UInt16, Refusal)
        case received(UInt16, [UInt8])
        /// The peer has closed a channel.
        case ended(UInt16)
        /// The connection is of no use any more.
        case close(Failure)
    }

    package enum Refusal: Equatable, Sendable {
        case declined, timedOut
    }

    package enum Failure: Equatable, Sendable {
        /// The stream cannot be read on.
        case malformedStream
        /// More odd objects, or more unread answers, than is reasonable.
        case misbehaviour
        /// No reply to a beacon.
        case dead
    }

    private enum Channel: Equatable, Sendable {
        /// Asked for by us; the serial tells a reply timer which request it was set for.
        case requested(serial: UInt64)
        /// Asked for by us and given up; a late ACCEPT is answered with an end.
        case abandoned
        /// Asked for by the peer, not decided yet.
        case offered(name: String)
        case open
    }

    private enum Timer: Sendable {
        case reply(UInt16, serial: UInt64)
        case beacon(serial: UInt64)
    }

    private var channels: [UInt16: Channel] = [:]
    private var nextSerial: UInt64 = 0
    private var nextNumber: UInt16
    private var decoder = MultiplexDecoder()
    private var timers = DeadlineQueue<Timer>()
    private var offeredCount = 0
    private var oddObjects = 0
    private var unreadAnswers = 0
    private var beaconsSent: UInt64 = 0
    private var beaconsAnswered: UInt64 = 0
    private var isFinished = false

    /// Whether the socket takes more bytes at once; told by the driver.
    package var isWritable = true {
        didSet { if isWritable { unreadAnswers = 0 } }
    }
    /// What the peer has announced; beacons need at least 1.
    package private(set) var peerVersion: UInt64 = 0

    /// - Parameter isClient: whether this side is the TLS client; it decides where channel numbers start.
    package init(isClient: Bool) {
        nextNumber = isClient ? 1 : 0x8000
    }

    package var nextDeadline: Instant? { timers.next }
    package var channelCount: Int { channels.count }

    /// What each side says first.
    package func greeting() -> [UInt8] {
        Self.message(.version(1), on: MultiplexMessage.meta)
    }

    // MARK: From the socket

    /// Takes plaintext in, in any pieces.
    package mutating func receive(_ bytes: ByteBuffer) -> [Effect] {
        guard !isFinished else { return [] }
        var effects: [Effect] = []
        decoder.append(bytes)
        do throws(MultiplexStreamError) {
            while !isFinished, let message = try decoder.next() { take(message, into: &effects) }
        } catch {
            finish(.malformedStream, into: &effects)
        }
        if decoder.skipped + oddObjects > MultiplexLimits.oddObjects { finish(.misbehaviour, into: &effects) }
        return effects
    }

    private mutating func take(_ message: MultiplexMessage, into effects: inout [Effect]) {
        switch message.channel {
        case MultiplexMessage.control, MultiplexMessage.meta:
            let (messages, odd) = ControlMessage.decode(message.data)
            oddObjects += odd
            for message in messages { take(message, into: &effects) }
        case let number:
            switch channels[number] {
            case .open where message.data.isEmpty:
                channels[number] = nil
                effects.append(.ended(number))
            case .open:
                effects.append(.received(number, message.data))
            case .offered where message.data.isEmpty:
                channels[number] = nil
                offeredCount -= 1
            case .offered, .requested, .abandoned, nil:
                break
            }
        }
    }

    private mutating func take(_ message: ControlMessage, into effects: inout [Effect]) {
        switch message {
        case .request(let name, let number):
            let isReserved = number == MultiplexMessage.control || number == MultiplexMessage.meta
            let isFull =
                channels.count >= MultiplexLimits.channels || offeredCount >= MultiplexLimits.unansweredRequests
            guard !isReserved, !isFull, channels[number] == nil, name.utf8.count <= MultiplexLimits.nameSize else {
                reply(.decline(name: name, channel: number), into: &effects)
                return
            }
            channels[number] = .offered(name: name)
            offeredCount += 1
            effects.append(.requested(number, name: name))
        case .accept(_, let number):
            switch channels[number] {
            case .requested:
                channels[number] = .open
                effects.append(.opened(number))
            case .abandoned:
                channels[number] = nil
                effects.append(.send(MultiplexMessage(channel: number, data: []).encode()))
            case .offered, .open, nil:
                break
            }
        case .decline(_, let number):
            switch channels[number] {
            case .requested:
                channels[number] = nil
                effects.append(.refused(number, .declined))
            case .abandoned:
                channels[number] = nil
            case .offered, .open, nil:
                break
            }
        case .version(let version):
            peerVersion = version
        case .beaconRequest:
            reply(.beaconReply, on: MultiplexMessage.meta, into: &effects)
        case .beaconReply:
            beaconsAnswered = min(beaconsAnswered + 1, beaconsSent)
        }
    }

    /// Answers come without a wait for the socket, so their number is bounded while the peer does not read.
    private mutating func reply(
        _ message: ControlMessage,
        on channel: UInt16 = MultiplexMessage.control,
        into effects: inout [Effect]
    ) {
        if !isWritable { unreadAnswers += 1 }
        guard unreadAnswers <= MultiplexLimits.unreadAnswers else {
            finish(.misbehaviour, into: &effects)
            return
        }
        effects.append(.send(Self.message(message, on: channel)))
    }

    private mutating func finish(_ failure: Failure, into effects: inout [Effect]) {
        guard !isFinished else { return }
        isFinished = true
        effects.append(.close(failure))
    }

    // MARK: From above

    /// Asks the peer for a channel; `nil` when no number is free or the name is too long.
    package mutating func open(_ name: String, now: Instant) -> (number: UInt16, effects: [Effect])? {
        guard name.utf8.count <= MultiplexLimits.nameSize, channels.count < MultiplexLimits.channels else { return nil }
        guard let number = freeNumber() else { return nil }
        nextSerial += 1
        channels[number] = .requested(serial: nextSerial)
        timers.insert(.reply(number, serial: nextSerial), at: now + MultiplexLimits.replyTimeout)
        let request = ControlMessage.request(name: name, channel: number)
        return (number, [.send(Self.message(request, on: MultiplexMessage.control))])
    }

    /// The TLS client counts from 1 and the server from 0x8000, so that both never meet.
    private mutating func freeNumber() -> UInt16? {
        for _ in 0..<UInt16.max {
            let number = nextNumber
            nextNumber &+= 1
            let isReserved = number == MultiplexMessage.control || number == MultiplexMessage.meta
            if !isReserved, channels[number] == nil { return number }
        }
        return nil
    }

    /// Answers a request of the peer.
    ///
    /// The channel must exist above before this is called, since data may follow at once.
    ///
    /// - Returns: whether the channel is open now; the peer may have given up in between.
    package mutating func answer(_ number: UInt16, accepting: Bool) -> (isOpen: Bool, effects: [Effect]) {
        guard case .offered(let name) = channels[number] else { return (false, []) }
        offeredCount -= 1
        channels[number] = accepting ? .open : nil
        var effects: [Effect] = []
        let message: ControlMessage =
            accepting ? .accept(name: name, channel: number) : .decline(name: name, channel: number)
        reply(message, into: &effects)
        return (accepting && !isFinished, effects)
    }

    /// Data for an open channel as messages; `nil` when the channel is not open.
    package func write(_ bytes: ArraySlice<UInt8>, to number: UInt16) -> [UInt8]? {
        guard channels[number] == .open, !bytes.isEmpty, bytes.count <= MultiplexLimits.messageSize else { return nil }
        return MultiplexMessage(channel: number, data: Array(bytes)).encode()
    }

    package func isOpen(_ number: UInt16) -> Bool {
        channels[number] == .open
    }

    /// Closes a channel, or gives up a request that is not answered yet.
    package mutating func close(_ number: UInt16) -> [Effect] {
        switch channels[number] {
        case .open:
            channels[number] = nil
            return [.send(MultiplexMessage(channel: number, data: []).encode())]
        case .requested:
            channels[number] = .abandoned
            return []
        case .offered, .abandoned, nil:
            return []
        }
    }

    // MARK: Time

    /// Asks the peer for a sign of life; nothing for a peer that does not know beacons.
    package mutating func beacon(now: Instant) -> [Effect] {
        guard peerVersion >= 1, !isFinished else { return [] }
        beaconsSent += 1
        timers.insert(.beacon(serial: beaconsSent), at: now + MultiplexLimits.beaconTimeout)
        return [.send(Self.message(.beaconRequest, on: MultiplexMessage.meta))]
    }

    package mutating func timerFired(now: Instant) -> [Effect] {
        var effects: [Effect] = []
        while let timer = timers.popDue(at: now) {
            switch timer {
            case .reply(let number, let serial):
                guard channels[number] == .requested(serial: serial) else { continue }
                channels[number] = .abandoned
                effects.append(.refused(number, .timedOut))
            case .beacon(let serial):
                if beaconsAnswered < serial { finish(.dead, into: &effects) }
            }
        }
        return effects
    }

    private static func message(_ message: ControlMessage, on channel: UInt16) -> [UInt8] {
        MultiplexMessage(channel: channel, data: message.encode()).encode()
    }
}
