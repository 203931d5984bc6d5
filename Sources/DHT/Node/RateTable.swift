import Runtime

/// Counts requests or bytes in a sliding second, for each address and in all.
///
/// A window is estimated from the counts of this second and the one before, so that an address costs a few words only.
/// Source: DHT protocol, "Rate limiting".
struct RateTable: Sendable {
    private struct Window: Sendable {
        var second: Int64 = .min
        var current = 0
        var previous = 0

        mutating func admit(_ now: Instant, cost: Int, quota: Int) -> Bool {
            let second = now.nanoseconds / 1_000_000_000
            if second != self.second {
                previous = second == self.second &+ 1 ? current : 0
                current = 0
                self.second = second
            }
            let elapsed = Double(now.nanoseconds % 1_000_000_000) / 1e9
            guard Double(current) + Double(previous) * (1 - elapsed) < Double(quota) else { return false }
            current += cost
            return true
        }
    }

    private let perAddress: Int
    private let total: Int
    private let addressLimit: Int
    private var all = Window()
    private var acquaintances = Window()
    private var addresses: [UInt64: Window] = [:]
    private var swept: Int64 = .min

    init(perAddress: Int, total: Int, addressLimit: Int) {
        self.perAddress = perAddress
        self.total = total
        self.addressLimit = addressLimit
    }

    /// Addresses that are told apart.
    var count: Int { addresses.count }

    /// Whether the quotas are not used up yet; what is admitted last may go beyond.
    ///
    /// When a crowd uses up the total, acquaintances have one more of the same size.
    mutating func admit(
        _ endpoint: Endpoint,
        cost: Int = 1,
        now: Instant,
        isAcquaintance: @autoclosure () -> Bool = false
    ) -> Bool {
        guard perAddress != .max || total != .max else { return true }
        let group = endpoint.quotaGroup
        if addresses[group] == nil, addresses.count >= addressLimit {
            sweep(now)
            // With too many addresses in one second only the total counts.
            guard addresses.count < addressLimit else {
                return all.admit(now, cost: cost, quota: total)
                    || isAcquaintance() && acquaintances.admit(now, cost: cost, quota: total)
            }
        }
        guard addresses[group, default: Window()].admit(now, cost: cost, quota: perAddress) else { return false }
        return all.admit(now, cost: cost, quota: total)
            || isAcquaintance() && acquaintances.admit(now, cost: cost, quota: total)
    }

    private mutating func sweep(_ now: Instant) {
        let second = now.nanoseconds / 1_000_000_000
        guard second != swept else { return }
        swept = second
        addresses = addresses.filter { $0.value.second >= second - 1 }
    }
}
