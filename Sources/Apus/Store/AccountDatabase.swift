import Foundation
package import GRDB
import Swarm

/// The database of one account: contacts, requests, devices, conversations, messages and events.
///
/// One writer at a time, and nothing is acknowledged before its transaction is on disk.
package struct AccountDatabase: Sendable {
    package let pool: DatabasePool

    package init(path: String) throws {
        var configuration = Configuration()
        configuration.journalMode = .wal
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { database in
            // An accepted message survives a power cut, not only a crash of the program.
            try database.execute(sql: "PRAGMA synchronous = FULL")
        }
        pool = try DatabasePool(path: path, configuration: configuration)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        try Self.migrator.migrate(pool)
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        SwarmSchema.register(in: &migrator)
        migrator.registerMigration("account.1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE contact (
                        id TEXT PRIMARY KEY,
                        alias TEXT NOT NULL DEFAULT '',
                        added INTEGER NOT NULL,
                        removed INTEGER NOT NULL DEFAULT 0,
                        confirmed INTEGER NOT NULL DEFAULT 0,
                        banned INTEGER NOT NULL DEFAULT 0,
                        conversation TEXT NOT NULL,
                        invited INTEGER NOT NULL DEFAULT 0,
                        answerDue INTEGER NOT NULL DEFAULT 0
                    ) STRICT;
                    CREATE TABLE request (
                        id TEXT PRIMARY KEY,
                        conversation TEXT NOT NULL,
                        received INTEGER NOT NULL,
                        payload BLOB NOT NULL
                    ) STRICT;
                    CREATE TABLE device (
                        id TEXT PRIMARY KEY,
                        shortId TEXT NOT NULL UNIQUE,
                        account TEXT NOT NULL,
                        chain TEXT NOT NULL,
                        seen INTEGER NOT NULL
                    ) STRICT;
                    CREATE INDEX deviceByAccount ON device (account);
                    CREATE TABLE message (
                        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
                        id TEXT NOT NULL UNIQUE,
                        conversation TEXT NOT NULL,
                        contact TEXT NOT NULL,
                        author TEXT NOT NULL,
                        body TEXT NOT NULL,
                        time INTEGER NOT NULL,
                        state TEXT NOT NULL,
                        isRead INTEGER NOT NULL DEFAULT 0
                    ) STRICT;
                    CREATE INDEX messageByConversation ON message (conversation, sequence);
                    CREATE INDEX messageUnread ON message (sequence) WHERE isRead = 0;
                    CREATE INDEX messageUnsent ON message (conversation) WHERE state = 'stored';
                    CREATE TABLE event (
                        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
                        content TEXT NOT NULL
                    ) STRICT;
                    CREATE TABLE treated (
                        id TEXT PRIMARY KEY,
                        time INTEGER NOT NULL
                    ) STRICT;
                    """
            )
        }
        migrator.registerMigration("account.2") { database in
            try database.execute(
                sql: """
                    ALTER TABLE contact ADD COLUMN registeredName TEXT NOT NULL DEFAULT '';
                    ALTER TABLE contact ADD COLUMN nameAssurance TEXT NOT NULL DEFAULT '';
                    ALTER TABLE contact ADD COLUMN nameServer TEXT NOT NULL DEFAULT '';
                    ALTER TABLE contact ADD COLUMN nameChecked INTEGER NOT NULL DEFAULT 0;
                    ALTER TABLE contact ADD COLUMN nameConflict TEXT NOT NULL DEFAULT '';
                    CREATE UNIQUE INDEX contactByName ON contact (registeredName) WHERE registeredName <> '';
                    CREATE TABLE ownName (
                        id INTEGER PRIMARY KEY CHECK (id = 1),
                        name TEXT NOT NULL,
                        server TEXT NOT NULL
                    ) STRICT;
                    CREATE TABLE nameRegistration (
                        id INTEGER PRIMARY KEY CHECK (id = 1),
                        name TEXT NOT NULL,
                        owner TEXT NOT NULL,
                        publicKey BLOB NOT NULL,
                        signature BLOB NOT NULL,
                        server TEXT NOT NULL,
                        requested INTEGER NOT NULL,
                        deadline INTEGER NOT NULL,
                        state TEXT NOT NULL,
                        reason TEXT NOT NULL DEFAULT ''
                    ) STRICT;
                    """
            )
        }
        return migrator
    }
}
