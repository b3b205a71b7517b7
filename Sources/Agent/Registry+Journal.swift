import Foundation
import GRDB
import SwiftProtobuf
import Wire

/// The journal's table: a ring of the latest entries, numbered for ever.
extension Registry {
    /// Entries that are kept.
    static let journalLimit: UInt64 = 100_000
    /// Entries of one answer, and its bytes, well below the largest message.
    static let mostEntries = 10_000
    private static let mostBytes = 768 << 10

    static func registerJournalFields(_ migrator: inout DatabaseMigrator) {
        migrator.registerMigration("2") { db in
            // A JournalEntry message with nothing but its fields: empty for entries of before.
            try db.alter(table: "journal") { $0.add(column: "fields", .blob).notNull().defaults(to: Data()) }
            // At most one row.
            try db.create(table: "plan") { table in
                table.primaryKey("id", .integer)
                table.column("generation", .integer).notNull()
                table.column("coordinator", .text).notNull()
                table.column("unixMilliseconds", .integer).notNull()
                table.column("ttl", .integer).notNull()
                table.column("entries", .blob).notNull()
            }
        }
    }

    private static let spoolCounter = "journal_spool"

    /// How far the spool's entries are in the table.
    func spoolPosition() throws(AgentError) -> UInt64 {
        do {
            return try database.read { db in
                let value = try Int64.fetchOne(
                    db, sql: "SELECT value FROM counter WHERE name = ?", arguments: [Self.spoolCounter])
                return UInt64(bitPattern: value ?? 0)
            }
        } catch {
            throw Self.failure("reading the journal", error)
        }
    }

    /// Appends entries and forgets the oldest beyond the limit.
    /// - Parameter position: of the spool's entries the table has those before it, from then on.
    func append(
        _ notes: [(unixMilliseconds: Int64, event: JournalEvent)], through position: UInt64
    ) throws(AgentError) {
        do {
            try database.write { db in
                let insert = try db.makeStatement(
                    sql: """
                        INSERT INTO journal (unixMilliseconds, kind, function, sandbox, text, fields)
                        VALUES (?, ?, ?, ?, ?, ?)
                        """)
                for note in notes {
                    let entry = note.event.entry
                    var fields = HearthJournalEntry()
                    fields.fields = entry.fields
                    let blob: Data = try fields.serializedBytes()
                    try insert.execute(arguments: [
                        note.unixMilliseconds, entry.kind, entry.function, entry.sandboxID, entry.text, blob,
                    ])
                }
                try db.execute(
                    sql: "DELETE FROM journal WHERE sequence <= (SELECT max(sequence) FROM journal) - ?",
                    arguments: [Int64(Self.journalLimit)])
                try db.execute(
                    sql: """
                        INSERT INTO counter (name, value) VALUES (?, ?)
                        ON CONFLICT (name) DO UPDATE SET value = excluded.value
                        """, arguments: [Self.spoolCounter, Int64(bitPattern: position)])
            }
        } catch {
            throw Self.failure("writing the journal", error)
        }
    }

    /// The entries after a number, oldest first.
    func journal(after cursor: UInt64, limit: Int) throws(AgentError) -> HearthPullJournalResponse {
        let oldest: Int64
        let last: Int64
        let rows: [Row]
        do {
            (oldest, last, rows) = try database.read { db in
                // Numbers are never given again, also when the table has become empty.
                let last =
                    try Int64.fetchOne(db, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'journal'") ?? 0
                let oldest = try Int64.fetchOne(db, sql: "SELECT min(sequence) FROM journal") ?? last + 1
                let rows = try Row.fetchAll(
                    db,
                    sql: "SELECT * FROM journal WHERE sequence > ? ORDER BY sequence LIMIT ?",
                    arguments: [Int64(clamping: cursor), limit + 1])
                return (oldest, last, rows)
            }
        } catch {
            throw Self.failure("reading the journal", error)
        }
        guard cursor <= UInt64(last) else {
            throw AgentError(
                .failedPrecondition, "journal cursor \(cursor) is past the last entry, \(last)",
                remedy: "it belongs to another journal: begin with cursor 0")
        }
        var response = HearthPullJournalResponse()
        if cursor > 0, cursor + 1 < UInt64(oldest) { response.lost = UInt64(oldest) - 1 - cursor }
        var bytes = 0
        for row in rows.prefix(limit) {
            let entry = Self.entry(row)
            bytes += (try? entry.serializedBytes() as [UInt8])?.count ?? 0
            if bytes > Self.mostBytes, !response.entries.isEmpty { break }
            response.entries.append(entry)
        }
        response.more = response.entries.count < rows.count
        response.cursor = response.entries.last?.sequence ?? max(cursor, UInt64(oldest - 1))
        return response
    }

    private static func entry(_ row: Row) -> HearthJournalEntry {
        let blob: [UInt8] = Array(row["fields"] as Data)
        // Entries of before version 2 have none; a damaged one is shown without.
        var entry = (try? HearthJournalEntry(serializedBytes: blob)) ?? HearthJournalEntry()
        entry.sequence = UInt64(bitPattern: row["sequence"])
        entry.unixMs = row["unixMilliseconds"]
        entry.kind = row["kind"]
        entry.function = row["function"]
        entry.sandboxID = row["sandbox"]
        entry.text = row["text"]
        return entry
    }
}
