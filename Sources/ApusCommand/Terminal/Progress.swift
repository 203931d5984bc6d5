import Foundation

/// A line at the bottom of a terminal that says what takes so long, and leaves no trace.
struct Progress {
    private let isShown: Bool

    init(isQuiet: Bool) {
        isShown = !isQuiet && isatty(STDERR_FILENO) == 1
    }

    func show(_ text: String) {
        write("\r\u{1B}[K\(text)")
    }

    func clear() {
        write("\r\u{1B}[K")
    }

    private func write(_ text: String) {
        guard isShown else { return }
        FileHandle.standardError.write(Data(text.utf8))
    }
}
