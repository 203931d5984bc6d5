import Runtime

/// A time as C's `ctime` writes it, which is what peers put into `Date`: `Fri Nov 20 23:32:58 2026`, in UTC.
enum CalendarText {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    static func string(for time: WallTime) -> String {
        let seconds = max(0, time.seconds)
        let dayNumber = seconds / 86_400
        let (year, month, day) = civil(fromDay: dayNumber)
        let clock = seconds % 86_400
        let text = [clock / 3600, clock / 60 % 60, clock % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(
            separator: ":"
        )
        let padded = day < 10 ? " \(day)" : "\(day)"
        return "\(days[Int(dayNumber % 7)]) \(months[Int(month) - 1]) \(padded) \(text) \(year)"
    }

    /// The Gregorian date of a day counted from 1970-01-01.
    private static func civil(fromDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = day + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}
