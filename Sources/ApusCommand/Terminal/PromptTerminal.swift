import Foundation
import Synchronization

/// A prompt at the bottom of a terminal, and lines that appear above it at any time.
final class PromptTerminal: Sendable {
    private struct State {
        var editor: LineEditor
        var decoder = KeyDecoder()
        var isShown = false
    }

    private let prompt: String
    private let state: Mutex<State>

    init(prompt: String, history: [String], words: [String]) {
        self.prompt = prompt
        var editor = LineEditor(history: history)
        editor.words = words
        state = Mutex(State(editor: editor))
    }

    var history: [String] { state.withLock { $0.editor.history } }

    func show() {
        state.withLock { state in
            state.isShown = true
            paint(state)
        }
    }

    /// Leaves the prompt behind, at the end of the program.
    func hide() {
        state.withLock { state in
            if state.isShown { write("\r\u{1B}[K") }
            state.isShown = false
        }
    }

    /// A line above the prompt.
    func say(_ text: String) {
        state.withLock { state in
            guard state.isShown else { return write(text + "\n") }
            write("\r\u{1B}[K\(text)\n")
            paint(state)
        }
    }

    /// What typed bytes lead to; an empty array says that nothing follows those before.
    func handle(_ bytes: [UInt8]) -> [LineEditor.Outcome] {
        state.withLock { state in
            let keys = bytes.isEmpty ? state.decoder.flush() : state.decoder.decode(bytes)
            var outcomes: [LineEditor.Outcome] = []
            for key in keys {
                let outcome = state.editor.handle(key)
                outcomes.append(outcome)
                switch outcome {
                case .submitted(let line): write("\r\u{1B}[K\(prompt)\(line)\n")
                case .clearScreen: write("\u{1B}[H\u{1B}[2J")
                case .candidates(let words): write("\r\u{1B}[K\(words.joined(separator: "  "))\n")
                case .suspended:
                    write("\r\u{1B}[K")
                    RawTerminal.suspend()
                case .edited, .interrupted, .ended: break
                }
            }
            if state.isShown { paint(state) }
            return outcomes
        }
    }

    private func paint(_ state: borrowing State) {
        let row = LinePainter.row(state.editor, prompt: prompt, columns: RawTerminal.size.columns)
        write(LinePainter.paint(row))
    }

    private func write(_ text: String) {
        FileHandle.standardOutput.write(Data(text.utf8))
    }
}
