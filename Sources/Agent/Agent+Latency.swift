import Dispatch
import Linux
import SwiftProtobuf
import Wire

/// Latencies: counted on the loop, kept and answered elsewhere.
extension Agent {
    /// Where segments are merged and answers encoded: with ten thousand functions that takes longer than a start.
    nonisolated static let latencyQueue = DispatchQueue(label: "hearth.latency")
    /// Deleted functions that a segment remembers before it is handed over.
    private static let mostDeleted = 1000

    /// Counts an invocation that has ended.
    func measured(_ invocation: Invocation, _ timing: HearthTiming) {
        let name = invocation.function.name
        switch invocation.startKind {
        case .warm, .prefetched:
            // Nothing is made or loaded for these.
            latency.record(
                function: name, start: invocation.startKind, (.queued, timing.queuedNs), (.run, timing.runNs),
                (.total, timing.totalNs))
        case .unspecified:
            // It never ran: how long it waited for that.
            latency.record(
                function: name, start: .unspecified, (.queued, timing.queuedNs), (.total, timing.totalNs))
        default:
            latency.record(
                function: name, start: invocation.startKind, (.queued, timing.queuedNs),
                (.sandbox, timing.sandboxNs), (.initialization, timing.initNs), (.run, timing.runNs),
                (.total, timing.totalNs))
        }
    }

    /// A function was deleted: pulls to come bring what it did until now, and no more of it after that.
    func forgetLatency(of function: String) {
        latency.forget(function)
        guard latency.deleted.count >= Self.mostDeleted else { return }
        let segment = takeLatency()
        let store = latencies
        Self.latencyQueue.async { store.add(segment, now: monotonicNow()) }
    }

    func takeLatency() -> LatencySegment {
        let segment = latency
        latency = LatencySegment()
        return segment
    }
}

/// The method PullLatency.
@LoopActor
enum PullLatencyStream {
    static func start(
        _ request: ServerRequest<SharedFD>, _ session: Session
    ) throws(AgentError) -> (any Session.StreamHandler)? {
        let message = try RequestRouter.decode(request, HearthPullLatencyRequest.self)
        let agent = session.agent
        if !message.function.isEmpty { _ = try agent.function(named: message.function) }
        guard message.cursor == 0 || !message.bootID.isEmpty else {
            throw .invalid(
                "a latency cursor without its boot_id", remedy: "send both as they came in the answer before")
        }
        // Of another run of the agent: counting began anew, and so does the answer.
        let cursor = message.bootID == agent.bootID ? message.cursor : 0
        let stream = PayloadStream(session, request.stream)
        let fresh = agent.takeLatency()
        let store = agent.latencies
        let boot = agent.bootID
        let limit = session.messageLimit
        Agent.latencyQueue.async {
            let result = store.pull(fresh, cursor: cursor, function: message.function, now: monotonicNow())
                .flatMap { encode($0, boot: boot, streamed: message.streamSeries, limit: limit) }
            Task { @LoopActor in
                switch result {
                case .success(let (payload, response)): stream.begin(payload, then: response)
                case .failure(let error): stream.fail(error)
                }
            }
        }
        return stream
    }

    nonisolated private static func encode(
        _ answer: LatencyAnswer, boot: String, streamed: Bool, limit: Int
    ) -> Result<([UInt8], [UInt8]), AgentError> {
        var response = HearthPullLatencyResponse()
        response.cursor = answer.cursor
        response.bootID = boot
        response.intervalNs = UInt64(max(0, answer.interval))
        var payload: [UInt8] = []
        if streamed {
            for series in answer.series { payload.appendDelimited(series) }
        } else {
            response.series = answer.series
        }
        guard let body: [UInt8] = try? response.serializedBytes(), body.count <= limit else {
            return .failure(
                AgentError(
                    .tooLarge, "the latencies of \(answer.series.count) series do not fit one message",
                    remedy: "pull with stream_series, or for one function; the same cursor brings them again"))
        }
        return .success((payload, body))
    }
}
