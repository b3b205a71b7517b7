import Foundation
import GRDB
import SwiftProtobuf
import Wire

/// What was found in functions' code, beside the functions.
extension Registry {
    struct StoredAnalysis: Sendable {
        /// Of the code that was analysed.
        var codeDigest: String
        var analysis: HearthCodeAnalysis
    }

    static func registerAnalysis(_ migrator: inout DatabaseMigrator) {
        migrator.registerMigration("analysis") { db in
            try db.create(table: "analysis") { table in
                table.primaryKey("name", .text).references("function", onDelete: .cascade)
                table.column("code", .text).notNull()
                table.column("found", .blob).notNull()
            }
        }
    }

    /// By function; rows that cannot be read are left out, and their code is analysed again.
    func analyses() throws(AgentError) -> [String: StoredAnalysis] {
        do {
            let rows = try database.read { db in try Row.fetchAll(db, sql: "SELECT * FROM analysis") }
            var found: [String: StoredAnalysis] = [:]
            for row in rows {
                let bytes: [UInt8] = Array(row["found"] as Data)
                guard let analysis = try? HearthCodeAnalysis(serializedBytes: bytes) else { continue }
                found[row["name"]] = StoredAnalysis(codeDigest: row["code"], analysis: analysis)
            }
            return found
        } catch {
            throw Self.failure("reading the analyses", error)
        }
    }

    func put(analysis: HearthCodeAnalysis, of name: String, codeDigest: String) throws(AgentError) {
        do {
            let found: Data = try analysis.serializedBytes()
            try database.write { db in
                // The function may have been deleted since.
                try db.execute(
                    sql: """
                        INSERT OR REPLACE INTO analysis (name, code, found)
                        SELECT name, ?, ? FROM function WHERE name = ?
                        """, arguments: [codeDigest, found, name])
            }
        } catch {
            throw Self.failure("storing the analysis of '\(name)'", error)
        }
    }
}
