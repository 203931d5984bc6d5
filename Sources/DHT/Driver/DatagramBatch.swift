import CDatagram

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Memory to read and send many datagrams with one call of the system.
///
/// Must stay in one isolation domain.
@safe final class DatagramBatch {
    /// Datagrams in one call.
    static let capacity = 32
    private static let longestDatagram = 65_536
    /// Room for a `sockaddr_in6`.
    private static let longestName = 32
    private static let controlSize = Int(datagrams_control_size)
    /// What the system cuts into datagrams at most, as one that is not cut may have, and less than the least usual MTU.
    private static let longestRun = 64
    private static let longestCut = 1400

    // Everything is allocated here, initialised before `init` ends, and freed in `deinit` only. The system makes the pages
    // of a slot when they are first written, so that long datagrams have room that short ones do not cost.
    private let slots = UnsafeMutableRawPointer.allocate(byteCount: capacity * longestDatagram, alignment: 4096)
    private let names = UnsafeMutableRawPointer.allocate(byteCount: capacity * longestName, alignment: 8)
    private let parts = UnsafeMutablePointer<iovec>.allocate(capacity: capacity)
    private let messages = UnsafeMutablePointer<datagram>.allocate(capacity: capacity)
    private let controls = UnsafeMutableRawPointer.allocate(byteCount: capacity * controlSize, alignment: 8)

    init() {
        unsafe names.initializeMemory(as: UInt8.self, repeating: 0, count: Self.capacity * Self.longestName)
        unsafe parts.initialize(repeating: iovec(), count: Self.capacity)
        unsafe messages.initialize(repeating: datagram(), count: Self.capacity)
        for index in 0..<Self.capacity {
            unsafe messages[index].header.msg_name = names + index * Self.longestName
            unsafe messages[index].header.msg_iov = parts + index
            unsafe messages[index].header.msg_iovlen = 1
        }
    }

    deinit {
        unsafe controls.deallocate()
        unsafe messages.deallocate()
        unsafe parts.deallocate()
        unsafe names.deallocate()
        unsafe slots.deallocate()
    }

    /// Reads the datagrams that have come, at most ``capacity``, without waiting.
    ///
    /// - Returns: how many there were.
    func receive(from socket: DatagramSocket, _ body: (RawSpan, Endpoint) -> Void) -> Int {
        // Indices below the capacity; the messages point to memory of this object, which the system fills up to the lengths
        // that are given, and says how far.
        for index in 0..<Self.capacity {
            unsafe parts[index].iov_base = slots + index * Self.longestDatagram
            unsafe parts[index].iov_len = Self.longestDatagram
            unsafe messages[index].header.msg_namelen = socklen_t(Self.longestName)
            unsafe datagrams_cut(messages + index, controls, 0)
        }
        var count: CInt
        repeat {
            count = unsafe datagrams_receive(socket.descriptor, messages, CUnsignedInt(Self.capacity))
        } while count < 0 && errno == EINTR
        for index in 0..<max(Int(count), 0) {
            let length = unsafe Int(messages[index].length)
            let bytes = unsafe UnsafeRawBufferPointer(start: slots + index * Self.longestDatagram, count: length)
            let name = unsafe UnsafeRawPointer(names + index * Self.longestName)
            guard let sender = unsafe Endpoint(socketAddress: name) else { continue }
            unsafe body(bytes.bytes, sender)
        }
        return max(Int(count), 0)
    }

    /// Sends datagrams one after the other, without waiting.
    ///
    /// One that the system refuses is lost, and no other with it.
    ///
    /// - Parameters:
    ///   - datagrams: in the order in which they are sent.
    ///   - bytes: those of the outbox.
    ///   - socket: of the family of the receivers.
    ///   - unreachable: is told of the addresses that the system knows no way to.
    /// - Returns: where those begin for which the system has no room now.
    func send(
        _ datagrams: ArraySlice<Outbox.Datagram>,
        of bytes: [UInt8],
        on socket: DatagramSocket,
        unreachable: (Endpoint) -> Void = { _ in }
    ) -> Int {
        // The bytes stay where they are during the closure, and the system copies them.
        unsafe bytes.withUnsafeBytes { bytes in
            var next = datagrams.startIndex
            var cuts = true
            while next < datagrams.endIndex {
                var count = 0
                var end = next
                while count < Self.capacity, end < datagrams.endIndex {
                    let run = cuts ? run(from: end, in: datagrams) : end + 1
                    unsafe prepare(count, datagrams[end..<run], of: bytes)
                    end = run
                    count += 1
                }
                let sent = unsafe datagrams_send(socket.descriptor, messages, CUnsignedInt(count))
                if sent > 0 {
                    for _ in 0..<sent { next = cuts ? run(from: next, in: datagrams) : next + 1 }
                } else if errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS {
                    return next
                } else if errno != EINTR {
                    if cuts, run(from: next, in: datagrams) > next + 1 {
                        // Not every device can take what is to be cut.
                        cuts = false
                    } else {
                        if Self.isUnreachable(errno) { unreachable(datagrams[next].receiver) }
                        next += 1
                    }
                }
            }
            return next
        }
    }

    private static func isUnreachable(_ code: CInt) -> Bool {
        switch code {
        case ENETUNREACH, EHOSTUNREACH, ECONNREFUSED, ENETDOWN, EADDRNOTAVAIL, EAFNOSUPPORT, EPERM, EACCES: true
        default: false
        }
    }

    /// The end of a row of datagrams of one length to one receiver, which the system can make out of one message.
    private func run(from start: Int, in datagrams: ArraySlice<Outbox.Datagram>) -> Int {
        let first = datagrams[start]
        let length = first.end - first.start
        var end = start + 1
        guard datagrams_can_cut != 0, length > 0, length <= Self.longestCut else { return end }
        let limit = min(datagrams.endIndex, start + min(Self.longestRun, Self.longestDatagram / 2 / length))
        while end < limit, datagrams[end].receiver == first.receiver, datagrams[end].start == datagrams[end - 1].end,
            datagrams[end].end - datagrams[end].start == length
        {
            end += 1
        }
        return end
    }

    private func prepare(_ index: Int, _ run: ArraySlice<Outbox.Datagram>, of bytes: UnsafeRawBufferPointer) {
        guard let first = run.first, let last = run.last else { return }
        // An index below the capacity. The system does not write to what it sends. A name has room for both addresses.
        let part = unsafe UnsafeMutableRawBufferPointer(
            mutating: UnsafeRawBufferPointer(rebasing: bytes[first.start..<last.end])
        )
        unsafe parts[index].iov_base = part.baseAddress
        unsafe parts[index].iov_len = part.count
        let name = unsafe names + index * Self.longestName
        unsafe messages[index].header.msg_namelen = first.receiver.writeSocketAddress(to: name)
        let size = run.count > 1 ? UInt16(first.end - first.start) : 0
        unsafe datagrams_cut(messages + index, controls + index * Self.controlSize, size)
    }
}

extension Endpoint {
    // The layouts of `sockaddr_in` and `sockaddr_in6` are the same on all systems from the port on, and plain numbers.

    /// Reads an address of the system, for which there must be room for a `sockaddr_in6`; `nil` for unknown families.
    fileprivate init?(socketAddress: UnsafeRawPointer) {
        let port = unsafe UInt16(bigEndian: socketAddress.load(fromByteOffset: 2, as: UInt16.self))
        switch unsafe CInt(socketAddress.load(as: sockaddr.self).sa_family) {
        case AF_INET:
            let address = unsafe socketAddress.load(fromByteOffset: 4, as: UInt32.self)
            self.init(ipv4: UInt32(bigEndian: address), port: port)
        case AF_INET6:
            let high = unsafe socketAddress.load(fromByteOffset: 8, as: UInt64.self)
            let low = unsafe socketAddress.load(fromByteOffset: 16, as: UInt64.self)
            self.init(ipv6: UInt64(bigEndian: high), UInt64(bigEndian: low), port: port)
        default:
            return nil
        }
    }

    /// Writes an address of the system, for which there must be room for a `sockaddr_in6`; how many bytes.
    fileprivate func writeSocketAddress(to memory: UnsafeMutableRawPointer) -> socklen_t {
        var start = sockaddr()
        start.sa_family = sa_family_t(family == .ipv4 ? AF_INET : AF_INET6)
        unsafe memory.storeBytes(of: start, as: sockaddr.self)
        unsafe memory.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self)
        switch family {
        case .ipv4:
            let address = UInt32(truncatingIfNeeded: low).bigEndian
            unsafe memory.storeBytes(of: address, toByteOffset: 4, as: UInt32.self)
            return 16
        case .ipv6:
            unsafe memory.storeBytes(of: 0, toByteOffset: 4, as: UInt32.self)
            unsafe memory.storeBytes(of: high.bigEndian, toByteOffset: 8, as: UInt64.self)
            unsafe memory.storeBytes(of: low.bigEndian, toByteOffset: 16, as: UInt64.self)
            unsafe memory.storeBytes(of: 0, toByteOffset: 24, as: UInt32.self)
            return 28
        }
    }
}
