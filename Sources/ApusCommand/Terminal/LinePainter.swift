/// Shows a line that is being typed in one row of a terminal.
enum LinePainter {
    /// What is shown, and the column of the cursor in it.
    struct Row: Equatable {
        var text: String
        var column: Int
    }

    /// The part of the line around the cursor that fits beside the prompt.
    static func row(_ editor: LineEditor, prompt: String, columns: Int) -> Row {
        let head = editor.search.map { "(search: \($0.text)) " } ?? prompt
        let headWidth = DisplayWidth.of(head)
        // The last column stays free: a character there would begin the next row.
        let room = max(columns - headWidth - 1, 8)
        let widths = editor.characters.map { DisplayWidth.of($0) }
        var start = editor.cursor
        var before = 0
        while start > 0, before + widths[start - 1] <= room {
            start -= 1
            before += widths[start]
        }
        var end = editor.cursor
        var shown = before
        while end < widths.count, shown + widths[end] <= room {
            shown += widths[end]
            end += 1
        }
        return Row(text: head + String(editor.characters[start..<end]), column: headWidth + before)
    }

    /// The control sequence that paints a row anew, wherever in it the cursor stands.
    static func paint(_ row: Row) -> String {
        let move = row.column > 0 ? "\r\u{1B}[\(row.column)C" : "\r"
        return "\r\u{1B}[K\(row.text)\(move)"
    }
}
