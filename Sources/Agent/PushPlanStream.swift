import Linux
import Wire

/// The method PushPlan: a whole plan, in the message or behind it. It is stored before it is answered.
@LoopActor
final class PushPlanStream: Session.StreamHandler {
    /// Refusals that an answer lists.
    nonisolated static let mostRefusals = 1000
    nonisolated private static let longestEntry = 64 << 10

    private let session: Session
    private let stream: UInt32
    private let request: HearthPushPlanRequest
    private var bytes: [UInt8] = []
    private var isFinishing = false

    private init(_ session: Session, _ stream: UInt32, _ request: HearthPushPlanRequest) {
        self.session = session
        self.stream = stream
        self.request = request
    }

    static func start(
        _ request: ServerRequest<SharedFD>, _ session: Session
    ) throws(AgentError) -> (any Session.StreamHandler)? {
        let message = try RequestRouter.decode(request, HearthPushPlanRequest.self)
        try session.agent.checkAccepting()
        guard message.generation > 0 else {
            throw .invalid("a plan without a generation", remedy: "number plans upwards from 1")
        }
        guard message.coordinator.utf8.count <= 256 else {
            throw .invalid("a coordinator's name of more than 256 bytes", remedy: "use a shorter one")
        }
        if let plan = session.agent.plan, message.generation <= plan.generation {
            throw .olderPlan(message.generation, inForce: plan.generation)
        }
        let push = PushPlanStream(session, request.stream, message)
        if !message.entriesFollow { push.finish() }
        return push
    }

    func received(_ bytes: [UInt8], end: Bool) {
        session.consumed(stream, bytes.count)
        guard !isFinishing, request.entriesFollow else { return }
        guard self.bytes.count + bytes.count <= StoredPlan.mostBytes else {
            isFinishing = true
            return session.respond(stream, error: Self.tooLarge("has more than \(StoredPlan.mostBytes >> 20) MiB"))
        }
        self.bytes.append(contentsOf: bytes)
        if end { finish() }
    }

    func cancelled(_ reason: Session.CancelReason) {
        // Once it is being stored the plan goes through: GetPlan tells what became of it.
        guard !isFinishing else { return }
        isFinishing = true
        session.respond(
            stream,
            error: reason == .deadline
                ? AgentError(
                    .deadlineExceeded, "the plan had not arrived at the deadline", remedy: "allow more time",
                    retryable: true)
                : .cancelled())
    }

    func drained() {}

    /// Decoding and storing are the registry's thread's work: ten thousand entries would hold up the loop.
    private func finish() {
        isFinishing = true
        let agent = session.agent
        let registry = agent.registry
        let known = agent.functions
        let request = self.request
        let bytes = self.bytes
        self.bytes = []
        BlockingWork.run {
            do throws(AgentError) {
                let (plan, refused) = try Self.plan(request, bytes) { known[$0] != nil }
                try registry.store(plan)
                return .success((plan, refused))
            } catch {
                return .failure(error)
            }
        } completion: { [self] (result: Result<(StoredPlan, [HearthPlanRefusal]), AgentError>) in
            switch result {
            case .failure(let error): session.respond(stream, error: error)
            case .success((let plan, let refused)): session.respond(stream, agent.follow(plan, refused: refused))
            }
        }
    }

    nonisolated private static func tooLarge(_ why: String) -> AgentError {
        AgentError(.tooLarge, "the plan \(why)", remedy: "leave out what is least probable")
    }

    nonisolated private static func plan(
        _ request: HearthPushPlanRequest, _ bytes: [UInt8], isKnown: (String) -> Bool
    ) throws(AgentError) -> (StoredPlan, [HearthPlanRefusal]) {
        var plan = StoredPlan(
            generation: request.generation, coordinator: request.coordinator,
            unixMilliseconds: realtimeNow() / 1_000_000,
            ttl: request.ttlNs == 0
                ? StoredPlan.defaultTTL : min(Int64(clamping: request.ttlNs), StoredPlan.longestTTL),
            entries: [])
        var refused: [HearthPlanRefusal] = []
        func take(_ entry: HearthPlanEntry) throws(AgentError) {
            if let reason = StoredPlan.problem(with: entry, isKnown: isKnown) {
                guard refused.count < mostRefusals else { return }
                var refusal = HearthPlanRefusal()
                refusal.function = entry.function
                refusal.reason = reason
                refused.append(refusal)
                return
            }
            guard plan.entries.count < StoredPlan.mostEntries else {
                throw tooLarge("has more than \(StoredPlan.mostEntries) entries")
            }
            plan.entries.append(entry)
        }
        for entry in request.entries { try take(entry) }
        var reader = DelimitedReader<HearthPlanEntry>(limit: longestEntry)
        reader.append(bytes)
        while let entry = try malformed({ () throws(Problem) in try reader.next() }) { try take(entry) }
        try malformed { () throws(Problem) in try reader.finish() }
        return (plan, refused)
    }

    private typealias Problem = DelimitedReader<HearthPlanEntry>.Problem

    nonisolated private static func malformed<Value>(_ body: () throws(Problem) -> Value) throws(AgentError) -> Value {
        do throws(Problem) {
            return try body()
        } catch {
            throw .invalid(
                "the entries that followed the plan: \(error)",
                remedy: "send each as its length, a varint, and the PlanEntry")
        }
    }
}
