import Apus
import ControlAPI
import Foundation
import JSON

/// What commands print: sentences for a person, JSON for a program.
enum Output {
    static func line(_ sentence: String, json: [String: JSONValue], _ options: GlobalOptions) {
        line(sentence, json: json, options.common)
    }

    static func line(_ sentence: String, json: [String: JSONValue], _ options: CommonOptions) {
        Output.say(options.json ? JSONValue.object(json).line : sentence)
    }

    static func note(_ sentence: String) {
        FileHandle.standardError.write(Data((sentence + "\n").utf8))
    }

    /// Writes a line at once, also into a pipe; ends the process when nobody reads it any more.
    static func say(_ sentence: String) {
        do {
            try FileHandle.standardOutput.write(contentsOf: Data((sentence + "\n").utf8))
        } catch {
            // As if by the signal that some libraries switch off.
            Foundation.exit(128 + SIGPIPE)
        }
    }

    /// A local time of day, with the date when it is not today.
    static func time(_ milliseconds: Int64) -> String {
        let date = Date(timeIntervalSince1970: Double(milliseconds) / 1000)
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .current
        let parts = calendar.dateComponents([.year, .month, .day, .hour, .minute], from: date)
        let clock = "\(twoDigits(parts.hour)):\(twoDigits(parts.minute))"
        if calendar.isDateInToday(date) { return clock }
        return "\(parts.year ?? 0)-\(twoDigits(parts.month))-\(twoDigits(parts.day)) \(clock)"
    }

    private static func twoDigits(_ number: Int?) -> String {
        let number = number ?? 0
        return number < 10 ? "0\(number)" : "\(number)"
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
