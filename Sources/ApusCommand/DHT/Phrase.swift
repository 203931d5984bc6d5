import Runtime

/// Numbers in sentences.
enum Phrase {
    /// Like “35 ms”, “1.2 s”.
    static func time(_ duration: Duration) -> String {
        let milliseconds = duration.wholeMilliseconds
        guard milliseconds >= 1000 else { return "\(milliseconds) ms" }
        return "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s"
    }

    /// How long something lasts or lasted, roughly: “7 s”, “12 min”, “3 h”, “2 d”.
    static func span(_ duration: Duration) -> String {
        let seconds = max(duration.components.seconds, 0)
        switch seconds {
        case ..<120: return "\(seconds) s"
        case ..<7200: return "\(seconds / 60) min"
        case ..<172_800: return "\(seconds / 3600) h"
        default: return "\(seconds / 86_400) d"
        }
    }

    /// Seconds, to the millisecond.
    static func number(_ duration: Duration) -> Double {
        Double(duration.wholeMilliseconds) / 1000
    }

    /// Like “no values”, “1 value”, “7 values”.
    static func count(_ count: Int, _ noun: String) -> String {
        switch count {
        case 0: "no \(noun)s"
        case 1: "1 \(noun)"
        default: "\(count) \(noun)s"
        }
    }

    /// Like “512 B”, “1.5 KiB”, “64 MiB”.
    static func bytes(_ count: Int) -> String {
        var amount = Double(count)
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if amount < 1000 || unit == "GiB" {
                let tenths = Int((amount * 10).rounded())
                return amount >= 100 || tenths % 10 == 0
                    ? "\(Int(amount.rounded())) \(unit)" : "\(tenths / 10).\(tenths % 10) \(unit)"
            }
            amount /= 1024
        }
        return "\(count) B"
    }
}
