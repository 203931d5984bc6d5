import Keys
import Synchronization

/// The keys of those whose values came lately, read and prepared once.
final class SignerKeys: Sendable {
    private struct Known {
        var keys: [[UInt8]: RSAPublicKey] = [:]
        /// In the order in which they came.
        var order: [[UInt8]] = []
    }

    private let known = Mutex(Known())
    private let limit: Int

    init(limit: Int = 128) {
        self.limit = limit
    }

    var count: Int { known.withLock { $0.keys.count } }

    /// The key that an owner field holds; `nil` when it holds none.
    func key(_ owner: [UInt8]) -> RSAPublicKey? {
        if let key = known.withLock({ $0.keys[owner] }) { return key }
        guard let key = try? RSAPublicKey(spki: owner) else { return nil }
        known.withLock { known in
            guard known.keys.updateValue(key, forKey: owner) == nil else { return }
            known.order.append(owner)
            if known.order.count > limit { known.keys[known.order.removeFirst()] = nil }
        }
        return key
    }
}
