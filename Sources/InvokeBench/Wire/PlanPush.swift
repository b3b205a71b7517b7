import CreateBench
import HearthClient
import Linux
import SwiftProtobuf
import Wire

/// A coordinator's plan, pushed whole: from the request to the agent's answer.
struct PlanPush {
    let client: HearthClient
    let raw: RawClient
    let entries: Int

    /// - Throws: with the agent's reason when it does not take plans.
    func measure(_ count: Int) throws(BenchError) -> [Int64] {
        try register()
        var nanoseconds: [Int64] = []
        for generation in 1...max(count, 1) {
            let (time, isError, body) = try raw.call(.pushPlan, plan(generation: UInt64(generation)))
            if isError {
                let reason = (try? HearthError(serializedBytes: body))?.message ?? "an error that cannot be read"
                throw .agent(about: "PushPlan", said: reason)
            }
            let response = try? HearthPushPlanResponse(serializedBytes: body)
            guard let response, Int(response.accepted) == entries else {
                throw .agent(
                    about: "PushPlan",
                    said: "\(response?.accepted ?? 0) of \(entries) entries were accepted; "
                        + (response?.refused.first.map { "\($0.function): \($0.reason)" } ?? ""))
            }
            nanoseconds.append(time)
        }
        return nanoseconds
    }

    /// Entries whose window is far away: taking the plan is measured, not carrying it out.
    private func plan(generation: UInt64) -> [UInt8] {
        var request = HearthPushPlanRequest()
        request.generation = generation
        request.ttlNs = 7_200_000_000_000
        request.coordinator = "hearth-bench"
        request.entries = (0..<entries).map { number in
            var entry = HearthPlanEntry()
            entry.function = Self.name(number)
            entry.confidence = 0.3 + 0.5 * Double(number % 100) / 100
            entry.windowStartNs = 3_600_000_000_000
            entry.windowEndNs = 3_660_000_000_000
            return entry
        }
        return (try? request.serializedBytes()) ?? []
    }

    private func register() throws(BenchError) {
        var request = HearthPutFunctionRequest()
        request.spec.runtime = .command
        request.spec.argv = ["/usr/bin/true"]
        request.codeFormat = .none
        do {
            // Asked once before the long registration: an agent without plans says so at once.
            let probe = try raw.call(.getPlan, [])
            if probe.isError {
                let reason = (try? HearthError(serializedBytes: probe.body))?.message ?? ""
                throw BenchError.agent(about: "GetPlan", said: reason)
            }
            for number in 0..<entries {
                request.spec.name = Self.name(number)
                _ = try client.putFunction(request)
            }
        } catch let error as BenchError {
            throw error
        } catch {
            throw .agent(about: "registering \(entries) functions", said: "\(error)")
        }
    }

    private static func name(_ number: Int) -> String { "f\(number)" }
}
