import Foundation

/// Colours of a terminal, or none.
struct Paint: Sendable {
    enum Colour: Int, Sendable {
        case red = 31
        case green = 32
        case yellow = 33
        case cyan = 36
    }

    let isOn: Bool

    static let none = Paint(isOn: false)

    /// Colours if the standard output is a terminal and nobody has asked for none, as <https://no-color.org> says.
    static var standard: Paint {
        let wish = ProcessInfo.processInfo.environment["NO_COLOR"] ?? ""
        return Paint(isOn: wish.isEmpty && isatty(STDOUT_FILENO) == 1)
    }

    func callAsFunction(_ colour: Colour, _ text: String) -> String {
        wrap(text, "\(colour.rawValue)")
    }

    func bold(_ text: String) -> String { wrap(text, "1") }
    func faint(_ text: String) -> String { wrap(text, "2") }

    private func wrap(_ text: String, _ code: String) -> String {
        isOn && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}
