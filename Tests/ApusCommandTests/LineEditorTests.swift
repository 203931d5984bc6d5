import Testing

@testable import ApusCommand

@Suite struct LineEditorTests {
    private func type(_ text: String, into editor: inout LineEditor) {
        for character in text { _ = editor.handle(.character(character)) }
    }

    /// The text after some keys, with a bar where the cursor is.
    private func shown(_ editor: LineEditor) -> String {
        String(editor.characters[..<editor.cursor]) + "|" + String(editor.characters[editor.cursor...])
    }

    private func press(_ keys: [Key], in editor: inout LineEditor) {
        for key in keys { _ = editor.handle(key) }
    }

    @Test(arguments: [
        ([Key.left, .left, .character("x")], "one two thrx|ee"),
        ([.control("a"), .character("x")], "x|one two three"),
        ([.control("a"), .control("e"), .character("x")], "one two threex|"),
        ([.control("w")], "one two |"),
        ([.control("w"), .control("w")], "one |"),
        ([.control("w"), .control("w"), .control("w"), .control("w")], "|"),
        ([.control("u")], "|"),
        ([.wordLeft, .control("k")], "one two |"),
        ([.wordLeft, .control("k"), .home, .control("y")], "three|one two "),
        ([.home, .wordRight], "one| two three"),
        ([.home, .deleteWordRight], "| two three"),
        ([.home, .delete], "|ne two three"),
        ([.home, .backspace, .left], "|one two three"),
        ([.backspace, .right, .delete], "one two thre|"),
        ([.control("t"), .left, .left, .control("t")], "one two theř|e".replacing("eř", with: "er")),
        ([.left, .control("t")], "one two three|"),
        ([.control("a"), .right, .control("t")], "no|e two three"),
        ([.control("c")], "|"),
        ([.control("d"), .escape, .control("x")], "one two three|"),
    ])
    func `keys edit a line`(keys: [Key], expected: String) {
        var editor = LineEditor()
        type("one two three", into: &editor)
        press(keys, in: &editor)
        #expect(shown(editor) == expected)
    }

    @Test func `enter gives the line and begins a new one`() {
        var editor = LineEditor()
        type("g foo", into: &editor)
        let outcome = editor.handle(.enter)
        #expect(outcome == .submitted("g foo"))
        #expect(shown(editor) == "|")
        #expect(editor.history == ["g foo"])
        let empty = editor.handle(.enter)
        #expect(empty == .submitted(""))
        #expect(editor.history == ["g foo"])
    }

    @Test func `an empty line can be interrupted and ended, another cannot`() {
        var editor = LineEditor()
        let interrupted = editor.handle(.control("c"))
        let ended = editor.handle(.control("d"))
        #expect(interrupted == .interrupted && ended == .ended)
        type("x", into: &editor)
        let cleared = editor.handle(.control("c"))
        #expect(cleared == .edited && editor.text.isEmpty)
    }

    @Test func `arrows go through the history and back to what was typed`() {
        var editor = LineEditor(history: ["first", "second"])
        type("new", into: &editor)
        press([.up], in: &editor)
        #expect(editor.text == "second")
        press([.up, .up, .up], in: &editor)
        #expect(editor.text == "first")
        press([.down, .down, .down], in: &editor)
        #expect(shown(editor) == "new|")
    }

    @Test func `the same line twice is remembered once`() {
        var editor = LineEditor(history: ["a"])
        for line in ["a", "b", "b", "  ", "a"] {
            type(line, into: &editor)
            press([.enter], in: &editor)
        }
        #expect(editor.history == ["a", "b", "a"])
    }

    @Test func `a search goes backwards through the history`() {
        var editor = LineEditor(history: ["get room", "put room x", "get hall"])
        type("kept", into: &editor)
        press([.control("r"), .character("r"), .character("o")], in: &editor)
        #expect(editor.text == "put room x" && editor.search?.text == "ro")
        press([.control("r")], in: &editor)
        #expect(editor.text == "get room")
        press([.control("r")], in: &editor)
        #expect(editor.text == "get room")
        press([.backspace, .backspace], in: &editor)
        #expect(editor.text == "kept")
        press([.character("h"), .control("g")], in: &editor)
        #expect(editor.text == "kept" && editor.search == nil)
        press([.control("r"), .character("h")], in: &editor)
        let outcome = editor.handle(.enter)
        #expect(outcome == .submitted("get hall"))
    }

    @Test func `a word is completed as far as it is certain`() {
        var editor = LineEditor(history: ["g meeting", "p meeting at nine"])
        editor.words = ["log", "quit", "query"]
        type("lo", into: &editor)
        press([.tab], in: &editor)
        #expect(shown(editor) == "log |")
        press([.control("u"), .character("q")], in: &editor)
        press([.tab], in: &editor)
        #expect(shown(editor) == "qu|")
        let several = editor.handle(.tab)
        #expect(several == .candidates(["quit", "query"]))
        press([.control("u")], in: &editor)
        type("g me", into: &editor)
        press([.tab], in: &editor)
        #expect(shown(editor) == "g meeting |")
        let none = editor.handle(.tab)
        #expect(none == .candidates(["meeting"]) || none == .edited)
    }

    @Test func `what combines is one character`() {
        var editor = LineEditor()
        for scalar in "e\u{301}👩\u{200D}🚀".unicodeScalars { _ = editor.handle(.character(Character(scalar))) }
        #expect(editor.characters == ["e\u{301}", "👩\u{200D}🚀"])
        press([.backspace, .backspace], in: &editor)
        #expect(editor.text.isEmpty)
    }

    @Test func `a line has an end`() {
        var editor = LineEditor()
        for _ in 0..<LineEditor.limit + 10 { _ = editor.handle(.character("x")) }
        #expect(editor.characters.count == LineEditor.limit)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `no keys break it`(seed: UInt64) {
        var state = seed
        var editor = LineEditor(history: ["one", "two words", "漢字"])
        editor.words = ["get", "put"]
        var decoder = KeyDecoder()
        for _ in 0..<5000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let bytes = (0..<Int(state >> 60)).map { UInt8(truncatingIfNeeded: state >> UInt64($0 * 4)) }
            for key in decoder.decode(bytes) { _ = editor.handle(key) }
            #expect((0...editor.characters.count).contains(editor.cursor))
            let row = LinePainter.row(editor, prompt: "> ", columns: Int(state >> 57))
            #expect(row.column >= 0)
        }
    }
}

@Suite struct LinePainterTests {
    private func editor(_ text: String, _ keys: [Key] = []) -> LineEditor {
        var editor = LineEditor()
        for character in text { _ = editor.handle(.character(character)) }
        for key in keys { _ = editor.handle(key) }
        return editor
    }

    @Test func `a short line is shown whole`() {
        #expect(LinePainter.row(editor("abc", [.left]), prompt: "> ", columns: 20) == .init(text: "> abc", column: 4))
    }

    @Test func `of a long line the part around the cursor is shown`() {
        let text = (0..<40).map { String($0 % 10) }.joined()
        #expect(
            LinePainter.row(editor(text), prompt: "> ", columns: 20) == .init(text: "> 34567890123456789", column: 19)
        )
        #expect(
            LinePainter.row(editor(text, [.home]), prompt: "> ", columns: 20)
                == .init(text: "> 01234567890123456", column: 2)
        )
    }

    @Test func `wide characters take two columns`() {
        #expect(LinePainter.row(editor("漢字", [.left]), prompt: "> ", columns: 20) == .init(text: "> 漢字", column: 4))
        #expect(DisplayWidth.of("e\u{301}") == 1)
        #expect(DisplayWidth.of("👩\u{200D}🚀") == 2)
        #expect(DisplayWidth.of("ｆｕｌｌ") == 8)
        #expect(DisplayWidth.fit("漢字漢", to: 5) == "漢字…")
        #expect(DisplayWidth.fit("ab", to: 4) == "ab  ")
        #expect(DisplayWidth.fit("ab", to: 4, isRight: true) == "  ab")
    }

    @Test func `a search shows itself in place of the prompt`() {
        let row = LinePainter.row(editor("", [.control("r"), .character("x")]), prompt: "> ", columns: 40)
        #expect(row.text == "(search: x) ")
    }
}

@Suite struct KeyDecoderTests {
    @Test(arguments: [
        ([0x61], [Key.character("a")]),
        ([0x0D], [.enter]), ([0x0A], [.enter]), ([0x09], [.tab]), ([0x7F], [.backspace]), ([0x08], [.backspace]),
        ([0x01], [.control("a")]), ([0x1A], [.control("z")]),
        ([0x1B, 0x5B, 0x41], [.up]), ([0x1B, 0x5B, 0x42], [.down]), ([0x1B, 0x4F, 0x43], [.right]),
        ([0x1B, 0x5B, 0x31, 0x3B, 0x35, 0x44], [.wordLeft]), ([0x1B, 0x5B, 0x33, 0x7E], [.delete]),
        ([0x1B, 0x5B, 0x34, 0x7E], [.end]), ([0x1B, 0x62], [.wordLeft]), ([0x1B, 0x7F], [.deleteWord]),
        ([0x1B, 0x5B, 0x39, 0x39, 0x7E, 0x61], [.character("a")]),
        (Array("hä漢🚀".utf8), [.character("h"), .character("ä"), .character("漢"), .character("🚀")]),
        ([0xFF, 0x61], [.character("a")]), ([0xC3, 0x61], [.character("a")]), ([0xE6, 0xBC, 0x61], [.character("a")]),
    ])
    func `bytes are keys`(bytes: [UInt8], keys: [Key]) {
        var whole = KeyDecoder()
        let atOnce = whole.decode(bytes)
        #expect(atOnce == keys)
        var pieces = KeyDecoder()
        var oneByOne: [Key] = []
        for byte in bytes { oneByOne += pieces.decode([byte]) }
        #expect(oneByOne == keys)
    }

    @Test func `an escape character with nothing behind it is the escape key`() {
        var decoder = KeyDecoder()
        let before = decoder.decode([0x1B])
        let after = decoder.flush()
        let again = decoder.flush()
        #expect(before.isEmpty && after == [.escape] && again.isEmpty)
    }

    @Test func `a sequence without end is forgotten`() {
        var decoder = KeyDecoder()
        let none = decoder.decode([0x1B, 0x5B] + [UInt8](repeating: 0x31, count: 100))
        let next = decoder.decode([0x61])
        #expect(none.isEmpty && next == [.character("a")])
    }
}
