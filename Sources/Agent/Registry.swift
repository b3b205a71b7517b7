import Foundation
import Dispatch
import GRDB
import Linux
import SwiftProtobuf
import Wire

/// What must survive a restart, in one SQLite file: functions, images, counters, and a bounded journal.
///
/// Calls block on the disk: they are made on `Registry.queue`, never on the event loop.
package final class Registry: Sendable {
    /// Where blocking work of the registry and of the stores is done, in order.
    static let queue = DispatchQueue(label: "hearth.registry")

    let database: DatabaseQueue

    /// Opens or makes the file. A file of a newer version is refused rather than damaged.
    package init(path: String) throws(AgentError) {
        do {
            var configuration = Configuration()
            configuration.prepareDatabase { db in
                // A function whose put was answered is there after a power cut; write-ahead logging keeps readers going.
                try db.execute(sql: "PRAGMA synchronous = FULL")
            }
            database = try DatabaseQueue(path: path, configuration: configuration)
            var migrator = DatabaseMigrator()
            Self.register(&migrator)
            Self.registerJournalFields(&migrator)
            Self.registerAnalysis(&migrator)
            let newer = try database.read { db in try migrator.hasBeenSuperseded(db) }
            guard !newer else {
                throw AgentError(
                    .failedPrecondition, "\(path) was written by a newer hearthd",
                    remedy: "upgrade hearthd, or give it another state directory")
            }
            try database.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA journal_mode = WAL") }
            try migrator.migrate(database)
        } catch let error as AgentError {
            throw error
        } catch {
            throw Self.failure("opening \(path)", error)
        }
    }

    private static func register(_ migrator: inout DatabaseMigrator) {
        migrator.registerMigration("1") { db in
            try db.create(table: "function") { table in
                table.primaryKey("name", .text)
                table.column("spec", .blob).notNull()
                table.column("code", .text).notNull()
                table.column("codeBytes", .integer).notNull()
                table.column("generation", .integer).notNull()
                table.column("created", .integer).notNull()
                table.column("updated", .integer).notNull()
            }
            try db.create(table: "counter") { table in
                table.primaryKey("name", .text)
                table.column("value", .integer).notNull()
            }
            try db.create(table: "journal") { table in
                table.autoIncrementedPrimaryKey("sequence")
                table.column("unixMilliseconds", .integer).notNull()
                table.column("kind", .text).notNull()
                table.column("function", .text).notNull()
                table.column("sandbox", .text).notNull()
                table.column("text", .text).notNull()
            }
        }
    }

    static func failure(_ what: String, _ error: any Error) -> AgentError {
        if let sqlite = error as? DatabaseError {
            let full = sqlite.resultCode == .SQLITE_FULL
            return AgentError(
                full ? .resourceExhausted : .internal, "registry: \(what): \(sqlite)",
                remedy: full
                    ? "free space in the state directory" : "see the agent's log; the state directory may be damaged",
                retryable: full, stage: "registry")
        }
        return AgentError(.internal, "registry: \(what): \(error)", remedy: "see the agent's log", stage: "registry")
    }

    // MARK: Functions

    /// Every function, by name. Rows that this version cannot read are reported, not dropped.
    package func functions(limits: AgentLimits) throws(AgentError) -> (records: [FunctionRecord], damaged: [String]) {
        do {
            let rows = try database.read { db in try Row.fetchAll(db, sql: "SELECT * FROM function ORDER BY name") }
            var records: [FunctionRecord] = []
            var damaged: [String] = []
            for row in rows {
                let bytes: [UInt8] = Array(row["spec"] as Data)
                guard let spec = try? HearthFunctionSpec(serializedBytes: bytes),
                    var record = try? FunctionRecord(validating: spec, limits: limits)
                else {
                    damaged.append(row["name"])
                    continue
                }
                record.codeDigest = row["code"]
                record.codeBytes = row["codeBytes"]
                record.generation = UInt64(bitPattern: row["generation"])
                record.createdUnixMilliseconds = row["created"]
                record.updatedUnixMilliseconds = row["updated"]
                records.append(record)
            }
            return (records, damaged)
        } catch {
            throw Self.failure("reading the functions", error)
        }
    }

    func put(_ record: FunctionRecord) throws(AgentError) {
        do {
            let spec: Data = try record.wireSpec.serializedBytes()
            try database.write { db in
                try db.execute(
                    sql: """
                        INSERT INTO function (name, spec, code, codeBytes, generation, created, updated)
                        VALUES (?, ?, ?, ?, ?, ?, ?)
                        ON CONFLICT (name) DO UPDATE SET spec = excluded.spec, code = excluded.code,
                        codeBytes = excluded.codeBytes, generation = excluded.generation, updated = excluded.updated
                        """,
                    arguments: [
                        record.name, spec, record.codeDigest, record.codeBytes, Int64(bitPattern: record.generation),
                        record.createdUnixMilliseconds, record.updatedUnixMilliseconds,
                    ])
            }
        } catch {
            throw Self.failure("storing function '\(record.name)'", error)
        }
    }

    func deleteFunction(_ name: String) throws(AgentError) {
        do {
            try database.write { db in try db.execute(sql: "DELETE FROM function WHERE name = ?", arguments: [name]) }
        } catch {
            throw Self.failure("deleting function '\(name)'", error)
        }
    }

    // MARK: Counters

    /// Reserves `count` numbers above every one given before, also by earlier runs of the agent.
    package func reserve(_ name: String, count: UInt64) throws(AgentError) -> UInt64 {
        do {
            return try database.write { db in
                let last =
                    try Int64.fetchOne(db, sql: "SELECT value FROM counter WHERE name = ?", arguments: [name]) ?? 0
                try db.execute(
                    sql: """
                        INSERT INTO counter (name, value) VALUES (?, ?)
                        ON CONFLICT (name) DO UPDATE SET value = excluded.value
                        """, arguments: [name, last + Int64(count)])
                return UInt64(last)
            }
        } catch {
            throw Self.failure("reserving numbers", error)
        }
    }
}
