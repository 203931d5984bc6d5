public import GRDB

/// The tables of conversations in an account's database.
///
/// Objects are kept per conversation, so that one can be erased without looking at the others and none can be read through
/// another one. Everything that is stored is valid and reachable from the head of its conversation.
public enum SwarmSchema {
    /// Adds the tables to a migrator.
    public static func register(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("swarm-1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE swarmConversation (
                        row INTEGER PRIMARY KEY,
                        id BLOB NOT NULL UNIQUE,
                        head BLOB,
                        mode INTEGER,
                        isLenient INTEGER NOT NULL DEFAULT 0
                    );
                    CREATE TABLE swarmObject (
                        conversation INTEGER NOT NULL REFERENCES swarmConversation(row) ON DELETE CASCADE,
                        id BLOB NOT NULL,
                        kind INTEGER NOT NULL,
                        size INTEGER NOT NULL,
                        stream BLOB NOT NULL,
                        PRIMARY KEY (conversation, id)
                    );
                    CREATE TABLE swarmCommit (
                        conversation INTEGER NOT NULL REFERENCES swarmConversation(row) ON DELETE CASCADE,
                        id BLOB NOT NULL,
                        position INTEGER NOT NULL,
                        generation INTEGER NOT NULL,
                        time INTEGER NOT NULL,
                        parents BLOB NOT NULL,
                        tree BLOB NOT NULL,
                        device BLOB,
                        author BLOB,
                        type TEXT NOT NULL,
                        target BLOB,
                        message BLOB NOT NULL,
                        PRIMARY KEY (conversation, id)
                    );
                    CREATE INDEX swarmCommitPosition ON swarmCommit (conversation, position);
                    CREATE INDEX swarmCommitTarget ON swarmCommit (conversation, target) WHERE target IS NOT NULL;
                    CREATE TABLE swarmPeer (
                        conversation INTEGER NOT NULL REFERENCES swarmConversation(row) ON DELETE CASCADE,
                        device BLOB NOT NULL,
                        fetched BLOB,
                        shown BLOB,
                        PRIMARY KEY (conversation, device)
                    ) WITHOUT ROWID;
                    """
            )
        }
    }
}
