/// A date and time of day in UTC, in the proleptic Gregorian calendar.
struct CivilTime: Equatable {
    var year: Int
    var month: Int
    var day: Int
    var hour: Int
    var minute: Int
    var second: Int
}

extension CivilTime {
    /// The time that many seconds after 1970; years outside 0...9999 are moved to that range.
    init(secondsSince1970 seconds: Int64) {
        let clamped = min(max(seconds, -62_167_219_200), 253_402_300_799)
        let days = (clamped >= 0 ? clamped : clamped - 86_399) / 86_400
        let rest = Int(clamped - days * 86_400)
        // Days are counted from 1 March of year 0, so that a leap day ends a year.
        let shifted = Int(days) + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        hour = rest / 3_600
        minute = rest / 60 % 60
        second = rest % 60
    }

    var secondsSince1970: Int64 {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = Int64(era) * 146_097 + Int64(dayOfEra) - 719_468
        return days * 86_400 + Int64(hour * 3_600 + minute * 60 + second)
    }

    /// Reads the digits of a UTCTime or GeneralizedTime: with seconds, ending in `Z`, without fractions.
    init?(digits: some Collection<UInt8>, isShort: Bool) {
        guard digits.count == (isShort ? 13 : 15) else { return nil }
        var numbers: [Int] = []
        var isSecondDigit = false
        for (index, character) in digits.enumerated() {
            if index == digits.count - 1 {
                guard character == 0x5A else { return nil }
                break
            }
            guard (0x30...0x39).contains(character) else { return nil }
            let digit = Int(character - 0x30)
            if isSecondDigit {
                numbers[numbers.count - 1] = numbers[numbers.count - 1] * 10 + digit
            } else {
                numbers.append(digit)
            }
            isSecondDigit.toggle()
        }
        if isShort {
            numbers[0] += numbers[0] < 50 ? 2_000 : 1_900
        } else {
            numbers[0] = numbers[0] * 100 + numbers.remove(at: 1)
        }
        self.init(
            year: numbers[0],
            month: numbers[1],
            day: numbers[2],
            hour: numbers[3],
            minute: numbers[4],
            second: numbers[5]
        )
        guard (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60 else { return nil }
    }
}
