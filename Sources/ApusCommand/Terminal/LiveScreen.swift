import Foundation
import Synchronization

/// A screen of its own that is painted anew again and again; what was there before comes back at the end.
enum LiveScreen {
    private static let isShown = Mutex(false)
    private static let registration: Void = {
        atexit { LiveScreen.leave() }
    }()

    static func enter() {
        _ = registration
        isShown.withLock { $0 = true }
        RawTerminal.enter()
        write("\u{1B}[?1049h\u{1B}[?25l")
    }

    static func leave() {
        let wasShown = isShown.withLock { shown in
            defer { shown = false }
            return shown
        }
        guard wasShown else { return }
        write("\u{1B}[?25h\u{1B}[?1049l")
        RawTerminal.leave()
    }

    /// Paints lines, as far as there is room.
    static func paint(_ lines: [String]) {
        let size = RawTerminal.size
        let shown = lines.prefix(size.rows).map { ANSIText.cut($0, to: size.columns) }.joined(separator: "\u{1B}[K\r\n")
        write("\u{1B}[H\(shown)\u{1B}[K\u{1B}[J")
    }

    private static func write(_ text: String) {
        FileHandle.standardOutput.write(Data(text.utf8))
    }
}
