import Glibc
import Synchronization

/// Kills the process when a step comes for the n-th time.
final class Death: Sendable {
    private let step: String
    private let count: Int
    /// How often the step has come; `nil` until it counts.
    private let seen: Mutex<Int?>

    init(_ step: String, _ count: Int, isArmed: Bool = false) {
        self.step = step
        self.count = count
        seen = Mutex(isArmed ? 0 : nil)
    }

    /// From now on steps count.
    func arm() { seen.withLock { $0 = $0 ?? 0 } }

    func reached(_ reached: String) {
        guard reached == step else { return }
        let isLast = seen.withLock { seen in
            guard let before = seen else { return false }
            seen = before + 1
            return before + 1 == count
        }
        if isLast { kill(getpid(), SIGKILL) }
    }
}
