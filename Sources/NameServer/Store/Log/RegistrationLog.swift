import NameRegistry

/// The file `registrations.log`: a line for each operation that was accepted, on disk before the database has it.
///
/// The rule, with the database as the judge of what was acknowledged:
///
/// 1. A group of operations is written to the open transaction of the database, then as lines here, then the lines are
///    synchronized, then the transaction is committed, then the callers are answered. Writers of other processes are
///    excluded by the transaction from the first line to the commit.
/// 2. When the lines cannot be written or synchronized, the transaction is rolled back, the lines are cut off, and all
///    callers are refused.
/// 3. When the commit fails, another transaction looks whether the database has the group all the same (a connection may
///    break behind a commit). If not, a line `void` withdraws the group's lines before anybody is answered; where even
///    that cannot be written, they are cut off.
/// 4. Until the fate of lines is settled nothing more is accepted, so that a process never writes behind its own open lines.
///    Another process that comes to them first treats them by rule 5.
/// 5. At the start, and whenever another process has appended, lines behind the last one that the database has are
///    replayed in their order. A line whose number the database has given to another operation was never
///    acknowledged: it gets a `void`. A replay never overwrites a record; what contradicts one becomes a conflict.
/// 6. A last line without an end was never synchronized and is cut off.
/// 7. What the database has and this file lacks is appended at the start, so a file that was lost is written again.
///
/// So what was acknowledged is in both, and what was refused is in neither, or (when the process died before 3 was done)
/// is accepted at the next start unless something acknowledged has its place.
///
/// Used by the thread of the store's writer. Source: names protocol, "Registrations' log".
final class RegistrationLog {
    private let file: AppendOnlyFile
    private let steps: StoreSteps
    /// The end of the lines that the database has, or that are void.
    private(set) var settledLength = 0
    /// The lines behind it, if there are any.
    private(set) var open: OpenLines?

    /// Lines whose fate is open.
    struct OpenLines {
        /// The last operation, and the last registration that was taken back.
        let tail: LogTail?
        let undone: UInt64?
        let byteCount: Int
        /// The end of the database's local log before them.
        let before: LogTail
        /// The length that the file was left with, if it is known.
        var fileLength: Int?
        /// Whether all of them are on disk, with nothing torn behind.
        var areWhole = false
    }

    var path: String { file.path }

    init(path: String, steps: @escaping StoreSteps) throws(NameStoreError) {
        file = try AppendOnlyFile(path: path)
        self.steps = steps
    }

    /// Puts the lines of a group on disk; they stay open until ``confirm()`` or ``withdraw()``.
    ///
    /// Throws after cutting off what was written. Wants writers of other processes to be excluded.
    func append(_ lines: [LogLine], behind before: LogTail) throws(NameStoreError) {
        guard !lines.isEmpty else { return }
        let bytes = lines.flatMap(\.bytes)
        open = OpenLines(
            tail: lines.compactMap { $0.entry.map { LogTail($0.entry) } }.last,
            undone: lines.compactMap(\.undone).last,
            byteCount: bytes.count,
            before: before
        )
        do throws(NameStoreError) {
            try steps(.beforeLogWrite)
            try file.write(bytes)
            try steps(.afterLogWrite)
            try file.synchronize()
            open?.areWhole = true
            open?.fileLength = settledLength + bytes.count
            try steps(.afterLogSync)
        } catch {
            withdraw()
            throw error
        }
    }

    /// The database has the open lines.
    func confirm() {
        settledLength += open?.byteCount ?? 0
        open = nil
    }

    /// The database does not have the open lines, and nobody has touched the file since: takes them back durably, or
    /// leaves them open.
    ///
    /// Wants writers of other processes to be excluded.
    func withdraw() {
        guard let lines = open else { return }
        if lines.areWhole {
            do throws(NameStoreError) {
                let bytes = LogLine.void(back: lines.byteCount, byteCount: lines.byteCount).bytes
                try steps(.beforeVoidWrite)
                open?.areWhole = false
                try file.write(bytes)
                try file.synchronize()
                settledLength += bytes.count
                return confirm()
            } catch {
                // Cutting them off needs no space.
            }
        }
        do throws(NameStoreError) {
            try steps(.beforeCut)
            try file.cut(to: settledLength)
            open = nil
        } catch {
            // They stay open, which refuses everything until they are settled.
            open?.fileLength = try? file.size()
        }
    }

    /// Whether the file ends with the open lines, given the end of the database's local log now.
    func endsWithOpenLines(_ tail: LogTail) throws(NameStoreError) -> Bool {
        guard let open, let length = open.fileLength, open.before == tail else { return false }
        return try file.size() == length
    }

    /// Leaves the open lines to a replay: another process has come to them first.
    func leaveToReplay() {
        open = nil
    }

    /// Withdraws lines that were found to be of operations that the database does not have.
    func void(_ lines: [Range<Int>]) throws(NameStoreError) {
        guard !lines.isEmpty else { return }
        var bytes: [UInt8] = []
        let end = try file.size()
        for line in lines {
            let back = end + bytes.count - line.lowerBound
            bytes += LogLine.void(back: back, byteCount: line.count).bytes
        }
        try file.write(bytes)
        try file.synchronize()
        settledLength = try file.size()
    }
}

extension LogTail {
    init(_ entry: LocalLogEntry) {
        self.init(sequence: entry.operation.sequence, head: entry.head)
    }
}

// What a replay reads.
extension RegistrationLog {
    /// Whether another process has appended since the lines were settled.
    func hasForeignLines() throws(NameStoreError) -> Bool {
        try file.size() != settledLength
    }

    /// Cuts off a last line that has no end, and returns its length.
    func repairEnd() throws(NameStoreError) -> Int {
        let (size, end) = (try file.size(), try file.endOfLines())
        if end < size { try file.cut(to: end) }
        return size - end
    }

    func settle() throws(NameStoreError) {
        settledLength = try file.size()
    }

    func parse(_ bytes: ArraySlice<UInt8>, end: Int) throws(NameStoreError) -> LogLine {
        guard let line = LogLine(bytes) else {
            throw .damaged(reason: "\(path) has a line that cannot be read, which ends at byte \(end)")
        }
        return line
    }

    /// The newest line that a check accepts, and the offset behind it.
    func newest(
        where isWanted: (LogEntry) throws(NameStoreError) -> Bool
    ) throws(NameStoreError) -> (entry: LogEntry, end: Int)? {
        var found: (LogEntry, Int)?
        try file.forEachLineBackwards { (bytes, end) throws(NameStoreError) in
            guard case .entry(let entry) = try parse(bytes, end: end), try isWanted(entry) else { return true }
            found = (entry, end)
            return false
        }
        return found
    }

    /// The bytes that are withdrawn by lines behind an offset.
    func voids(from offset: Int) throws(NameStoreError) -> [Range<Int>] {
        var voids: [Range<Int>] = []
        try file.forEachLine(from: offset) { (bytes, end) throws(NameStoreError) in
            guard bytes.starts(with: "{\"void\"".utf8), case .void(let back, let count) = try parse(bytes, end: end)
            else { return }
            let (start, overflows) = (end - bytes.count - 1).subtractingReportingOverflow(back)
            if !overflows { voids.append(start..<start + count) }
        }
        return voids
    }

    /// Hands over lines that count, each with its bytes.
    func forEachLine(
        from offset: Int,
        _ body: (LogLine, Range<Int>) throws(NameStoreError) -> Void
    ) throws(NameStoreError) {
        let voids = try voids(from: offset)
        try file.forEachLine(from: offset) { (bytes, end) throws(NameStoreError) in
            let range = end - bytes.count - 1..<end
            guard !voids.contains(where: { $0.lowerBound <= range.lowerBound && range.upperBound <= $0.upperBound })
            else { return }
            try body(try parse(bytes, end: end), range)
        }
    }
}
