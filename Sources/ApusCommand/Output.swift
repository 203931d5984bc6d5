import Apus
import ControlAPI
import Foundation

/// What commands print: sentences for a person, JSON for a program.
enum Output {
    static func line(_ sentence: String, json: [String: JSONValue], _ options: GlobalOptions) {
        print(options.json ? JSONValue.object(json).line : sentence)
    }

    static func note(_ sentence: String) {
        FileHandle.standardError.write(Data((sentence + "\n").utf8))
    }

    /// A local time of day, with the date when it is not today.
    static func time(_ milliseconds: Int64) -> String {
        let now = localTime(Int64(Date().timeIntervalSince1970))
        let then = localTime(milliseconds / 1000)
        let isToday = now.tm_year == then.tm_year && now.tm_yday == then.tm_yday
        let clock = "\(twoDigits(then.tm_hour)):\(twoDigits(then.tm_min))"
        if isToday { return clock }
        return "\(then.tm_year + 1900)-\(twoDigits(then.tm_mon + 1))-\(twoDigits(then.tm_mday)) \(clock)"
    }

    private static func localTime(_ seconds: Int64) -> tm {
        var parts = unsafe tm()
        var seconds = time_t(seconds)
        unsafe localtime_r(&seconds, &parts)
        return unsafe parts
    }

    private static func twoDigits(_ number: Int32) -> String {
        number < 10 ? "0\(number)" : "\(number)"
    }

    /// Text of others without the control characters that could steer a terminal.
    static func safe(_ text: String) -> String {
        String(text.unicodeScalars.filter { $0 == "\n" || $0 == "\t" || !($0.properties.generalCategory == .control) })
    }

    /// The first digits of an identifier, enough to tell a few apart.
    static func short(_ id: String) -> String {
        String(id.prefix(12)) + "…"
    }
}
