/// A line that is being typed: keys go in, a line comes out.
///
/// Pure, so that it can be tested without a terminal.
struct LineEditor: Sendable {
    enum Outcome: Equatable, Sendable {
        case edited
        case submitted(String)
        /// Ctrl-C on a line without text.
        case interrupted
        /// Ctrl-D on a line without text.
        case ended
        case suspended
        case clearScreen
        /// Several words fit; they are to be shown.
        case candidates([String])
    }

    /// A backward search through the lines of before.
    struct Search: Equatable, Sendable {
        var text = ""
        /// The place of the line that was found.
        var match: Int?
        /// What stood there before.
        let original: [Character]
    }

    /// Characters of one line at most.
    static let limit = 4096

    private(set) var characters: [Character] = []
    /// Between 0 and the count of characters.
    private(set) var cursor = 0
    private(set) var search: Search?
    private(set) var history: [String]
    /// Words that can stand first.
    var words: [String] = []
    /// The place in the history; its count for the line that is new.
    private var place: Int
    private var draft: [Character] = []
    private var cut: [Character] = []

    init(history: [String] = []) {
        self.history = history
        place = history.count
    }

    var text: String { String(characters) }

    mutating func handle(_ key: Key) -> Outcome {
        if search != nil, let outcome = handleInSearch(key) { return outcome }
        switch key {
        case .character(let character): insert(character)
        case .enter: return submit()
        case .tab: return complete()
        case .backspace: delete(from: max(cursor - 1, 0), to: cursor)
        case .delete: delete(from: cursor, to: min(cursor + 1, characters.count))
        case .left, .control("b"): cursor = max(cursor - 1, 0)
        case .right, .control("f"): cursor = min(cursor + 1, characters.count)
        case .home, .control("a"): cursor = 0
        case .end, .control("e"): cursor = characters.count
        case .up, .control("p"): recall(place - 1)
        case .down, .control("n"): recall(place + 1)
        case .wordLeft: cursor = wordStart
        case .wordRight: cursor = wordEnd
        case .control("w"), .deleteWord: kill(from: wordStart, to: cursor)
        case .deleteWordRight: kill(from: cursor, to: wordEnd)
        case .control("u"): kill(from: 0, to: cursor)
        case .control("k"): kill(from: cursor, to: characters.count)
        case .control("y"): for character in cut { insert(character) }
        case .control("t"): transpose()
        case .control("r"): search = Search(original: characters)
        case .control("l"): return .clearScreen
        case .control("z"): return .suspended
        case .control("c"):
            guard !characters.isEmpty else { return .interrupted }
            clear()
        case .control("d"):
            guard !characters.isEmpty else { return .ended }
            delete(from: cursor, to: min(cursor + 1, characters.count))
        case .control, .escape: break
        }
        return .edited
    }

    // MARK: Changing

    private mutating func insert(_ character: Character) {
        guard characters.count < Self.limit else { return }
        // What combines with the character before it is a part of that one.
        if cursor > 0 {
            let joined = String(characters[cursor - 1]) + String(character)
            if joined.count == 1, let whole = joined.first {
                characters[cursor - 1] = whole
                return
            }
        }
        characters.insert(character, at: cursor)
        cursor += 1
    }

    private mutating func delete(from start: Int, to end: Int) {
        characters.removeSubrange(start..<end)
        cursor = start
    }

    private mutating func kill(from start: Int, to end: Int) {
        guard start < end else { return }
        cut = Array(characters[start..<end])
        delete(from: start, to: end)
    }

    private mutating func transpose() {
        guard cursor > 0, characters.count > 1 else { return }
        let right = min(cursor, characters.count - 1)
        characters.swapAt(right - 1, right)
        cursor = right + 1
    }

    private mutating func clear() {
        characters = []
        cursor = 0
        place = history.count
    }

    private mutating func submit() -> Outcome {
        let line = text
        var kept = line[...]
        while kept.last?.isWhitespace == true { kept.removeLast() }
        if !kept.isEmpty, kept != history.last ?? "" { history.append(String(kept)) }
        clear()
        return .submitted(line)
    }

    private var wordStart: Int {
        var index = cursor
        while index > 0, characters[index - 1].isWhitespace { index -= 1 }
        while index > 0, !characters[index - 1].isWhitespace { index -= 1 }
        return index
    }

    private var wordEnd: Int {
        var index = cursor
        while index < characters.count, characters[index].isWhitespace { index += 1 }
        while index < characters.count, !characters[index].isWhitespace { index += 1 }
        return index
    }

    // MARK: History

    private mutating func recall(_ wanted: Int) {
        guard (0...history.count).contains(wanted), wanted != place else { return }
        if place == history.count { draft = characters }
        place = wanted
        characters = wanted == history.count ? draft : Array(history[wanted])
        cursor = characters.count
    }

    /// `nil` when the key ends the search and is to be handled as always.
    private mutating func handleInSearch(_ key: Key) -> Outcome? {
        guard var current = search else { return nil }
        switch key {
        case .character(let character): current.text.append(character)
        case .backspace: current.text = String(current.text.dropLast())
        case .control("r"):
            search = found(current, before: current.match ?? history.count)
            return .edited
        case .control("g"), .control("c"), .escape:
            characters = current.original
            cursor = characters.count
            search = nil
            return .edited
        default:
            search = nil
            return nil
        }
        current.match = nil
        search = found(current, before: history.count)
        return .edited
    }

    /// The search with the last match before a place; with the one of before when there is none.
    private mutating func found(_ search: Search, before end: Int) -> Search {
        var search = search
        guard !search.text.isEmpty else {
            characters = search.original
            cursor = characters.count
            return search
        }
        guard let match = history[..<end].lastIndex(where: { $0.contains(search.text) }) else { return search }
        search.match = match
        characters = Array(history[match])
        cursor = characters.count
        return search
    }

    // MARK: Completion

    private mutating func complete() -> Outcome {
        let start = wordStart
        let typed = String(characters[start..<cursor])
        let fitting = (start == 0 ? words : usedWords).filter { $0.hasPrefix(typed) && $0 != typed }
        guard let first = fitting.first else { return .edited }
        let common = fitting.dropFirst().reduce(first) { $0.commonPrefix(with: $1) }
        guard fitting.count == 1 || common.count > typed.count else { return .candidates(fitting) }
        for character in common.dropFirst(typed.count) { insert(character) }
        if fitting.count == 1 { insert(" ") }
        return .edited
    }

    /// The second words of the lines of before, each once, the latest first: keys, mostly.
    private var usedWords: [String] {
        var seen: [String] = []
        for line in history.reversed() {
            let parts = line.split(separator: " ", maxSplits: 2)
            guard parts.count > 1, seen.count < 64 else { continue }
            let word = String(parts[1])
            if !seen.contains(word) { seen.append(word) }
        }
        return seen
    }
}

extension String {
    fileprivate func commonPrefix(with other: String) -> String {
        String(zip(self, other).prefix { $0 == $1 }.map(\.0))
    }
}
