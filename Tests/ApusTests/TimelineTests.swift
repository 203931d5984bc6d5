import Foundation
import GRDB
import Runtime
import Testing

@testable import Apus

@Suite struct TimelineTests {
    private let timeline = Timeline(account: "0123456789abcdef")
    private let now = WallTime(milliseconds: 1_795_217_578_123)

    private func withDatabase(_ body: (AccountDatabase) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(AccountDatabase(path: folder.appendingPathComponent("account.sqlite").path))
    }

    private func message(_ id: String, state: MessageInfo.State = .received) -> Timeline.NewMessage {
        Timeline.NewMessage(
            id: id,
            conversation: "c",
            contact: "p",
            author: "p",
            body: "text \(id)",
            time: now,
            state: state
        )
    }

    @Test func `a message is recorded once, with one event`() throws {
        try withDatabase { database in
            try database.pool.write { rows in
                try timeline.record(message("m1"), at: now, in: rows)
                try timeline.record(message("m1"), at: now, in: rows)
            }
            let events = try database.pool.read { try Timeline.events(after: 0, limit: 10, in: $0) }
            #expect(events.count == 1)
            #expect(events.first?.kind == .messageNew)
            #expect(events.first?.message?.body == "text m1")
            #expect(events.first?.sequence == 1)
            let unread = try database.pool.read { try Timeline.unread(limit: 10, in: $0) }
            #expect(unread.map(\.id) == ["m1"])
        }
    }

    @Test func `what was read is not unread, and own messages never are`() throws {
        try withDatabase { database in
            try database.pool.write { rows in
                try timeline.record(message("in"), at: now, in: rows)
                try timeline.record(message("out", state: .stored), at: now, in: rows)
                try Timeline.markRead(["in"], in: rows)
            }
            let unread = try database.pool.read { try Timeline.unread(limit: 10, in: $0) }
            #expect(unread.isEmpty)
        }
    }

    @Test func `a fetched message changes its state once`() throws {
        try withDatabase { database in
            try database.pool.write { rows in
                try timeline.record(message("m1", state: .stored), at: now, in: rows)
                try timeline.markSent(["m1", "unknown"], at: now, in: rows)
                try timeline.markSent(["m1"], at: now, in: rows)
            }
            let events = try database.pool.read { try Timeline.events(after: 0, limit: 10, in: $0) }
            #expect(events.map(\.kind) == [.messageNew, .messageStatus])
            #expect(events.last?.message?.state == .sent)
        }
    }

    @Test func `an aborted transaction leaves neither message nor event`() throws {
        struct Crash: Error {}
        try withDatabase { database in
            #expect(throws: Crash.self) {
                try database.pool.write { rows in
                    try timeline.record(message("m1"), at: now, in: rows)
                    throw Crash()
                }
            }
            let events = try database.pool.read { try Timeline.events(after: 0, limit: 10, in: $0) }
            #expect(events.isEmpty)
        }
    }

    @Test func `events go on from where a client was`() throws {
        try withDatabase { database in
            try database.pool.write { rows in
                for number in 1...5 { try timeline.record(message("m\(number)"), at: now, in: rows) }
            }
            let events = try database.pool.read { try Timeline.events(after: 3, limit: 10, in: $0) }
            #expect(events.map(\.sequence) == [4, 5])
            let last = try database.pool.read { try Timeline.lastEvent(in: $0) }
            #expect(last == 5)
        }
    }

    @Test func `an id is new once, and again after a week`() throws {
        try withDatabase { database in
            let later = WallTime(seconds: now.seconds + 8 * 86_400)
            let answers = try database.pool.write { rows in
                try [("a", now), ("a", now), ("b", later), ("a", later)].map { id, time in
                    try TreatedIDs.isNew(id, at: time, in: rows)
                }
            }
            #expect(answers == [true, false, true, true])
        }
    }

    @Test func `only the user may read the database`() throws {
        try withDatabase { database in
            let mode = try FileManager.default.attributesOfItem(atPath: database.pool.path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
        }
    }
}
