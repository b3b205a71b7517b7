import Foundation
import GRDB
import SwiftProtobuf
import Wire

/// The last plan, so that a node goes on from it without its coordinator.
extension Registry {
    /// Stores a plan in place of the one before; refuses one that is not newer, whatever the loop thought when it came.
    func store(_ plan: StoredPlan) throws(AgentError) {
        do {
            var list = HearthGetPlanResponse()
            list.entries = plan.entries
            let blob: Data = try list.serializedBytes()
            let stored = try database.write { db -> UInt64? in
                let before = try Int64.fetchOne(db, sql: "SELECT generation FROM plan").map {
                    UInt64(bitPattern: $0)
                }
                if let before, before >= plan.generation { return before }
                try db.execute(
                    sql: """
                        INSERT OR REPLACE INTO plan (id, generation, coordinator, unixMilliseconds, ttl, entries)
                        VALUES (1, ?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        Int64(bitPattern: plan.generation), plan.coordinator, plan.unixMilliseconds, plan.ttl, blob,
                    ])
                return nil
            }
            if let stored { throw AgentError.olderPlan(plan.generation, inForce: stored) }
        } catch let error as AgentError {
            throw error
        } catch {
            throw Self.failure("storing plan \(plan.generation)", error)
        }
    }

    /// The last plan stored, expired or not.
    func plan() throws(AgentError) -> StoredPlan? {
        do {
            guard let row = try database.read({ db in try Row.fetchOne(db, sql: "SELECT * FROM plan") }) else {
                return nil
            }
            let blob: [UInt8] = Array(row["entries"] as Data)
            return StoredPlan(
                generation: UInt64(bitPattern: row["generation"]), coordinator: row["coordinator"],
                unixMilliseconds: row["unixMilliseconds"], ttl: row["ttl"],
                entries: try HearthGetPlanResponse(serializedBytes: blob).entries)
        } catch {
            throw Self.failure("reading the plan", error)
        }
    }
}

extension AgentError {
    static func olderPlan(_ generation: UInt64, inForce: UInt64) -> AgentError {
        AgentError(
            .failedPrecondition,
            "plan generation \(generation) is not newer than generation \(inForce), which was taken",
            remedy: "number plans upwards; GetPlan tells the generation that is in force")
    }
}
