import CreateBench
import FoundationEssentials
import Glibc
import HearthClient
import Linux
import Wire

/// One function at one start kind: brings about what the kind needs, invokes, and checks that the agent agrees on the kind.
struct StartKindSubject {
    /// The kinds of a report, from nothing paid ahead to everything.
    static let kinds: [HearthStartKind] = [.cold, .bare, .runtime, .prefetched, .warm]

    let function: BenchFunction
    let kind: HearthStartKind

    var name: String { "hearth.\(Self.name(kind)).\(function.rawValue)" }

    static func name(_ kind: HearthStartKind) -> String {
        switch kind {
        case .cold: "cold"
        case .bare: "bare"
        case .runtime: "runtime"
        case .prefetched: "prefetched"
        case .warm: "warm"
        case .unspecified, .UNRECOGNIZED: "unknown"
        }
    }

    /// One invocation, in nanoseconds from before it is sent to its response.
    /// - Throws: also when the agent started it in another way: a figure under a wrong name is worse than none.
    func measure(_ client: HearthClient) throws(BenchError) -> Int64 {
        try prepare(client)
        let (nanoseconds, found) = try Self.invoke(client, function)
        guard found == kind else {
            throw .agent(about: name, said: "the agent's start kind was \(Self.name(found))")
        }
        return nanoseconds
    }

    private func prepare(_ client: HearthClient) throws(BenchError) {
        if kind == .warm {
            // The second of two is warm, whatever the first was.
            _ = try Self.invoke(client, function)
            return
        }
        try PoolControl.empty(client)
        switch kind {
        case .bare: try PoolControl.prefetch(client, function.rawValue, tier: .bare)
        case .runtime: try PoolControl.prefetch(client, function.rawValue, tier: .runtime)
        case .prefetched: try PoolControl.prefetch(client, function.rawValue, tier: .ready)
        default: break
        }
    }

    static func invoke(
        _ client: HearthClient, _ function: BenchFunction
    ) throws(BenchError) -> (nanoseconds: Int64, kind: HearthStartKind) {
        var request = HearthInvokeRequest()
        request.function = function.rawValue
        request.payload = .init(BenchFunction.payload)
        do {
            let begin = monotonicNow()
            let response = try client.invoke(request)
            let nanoseconds = monotonicNow() - begin
            guard response.outcome == .ok else {
                throw BenchError.agent(
                    about: function.rawValue,
                    said: "the invocation ended with \(response.outcome): \(response.error.message)")
            }
            return (nanoseconds, response.startKind)
        } catch let error as BenchError {
            throw error
        } catch {
            throw .agent(about: function.rawValue, said: "\(error)")
        }
    }
}
