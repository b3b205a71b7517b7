import Dispatch
import Images
package import Linux
import Logging
import Sandbox
import WarmPool
import Wire

/// The node agent: the socket, the registry, the stores and the pool, all on the event loop.
@LoopActor
package final class Agent {
    nonisolated static let version = "0.1.0"

    package let configuration: AgentConfiguration
    let logger: Logger
    let registry: Registry
    let code: CodeStore
    let images: ImageStore
    let environment: SandboxEnvironment
    let pool: PoolDriver
    let journal: Journal
    /// nil: code is not analysed.
    var analyzer: CodeAnalyzer?
    var analyses: [String: HearthCodeAnalysis] = [:]
    /// nil: prediction is off.
    var prediction: PredictionEngine?
    let started = monotonicNow()
    let bootID: String
    private let listener: SharedFD
    private var listenerSource: Reactor.Source?
    private(set) var sessions: [ObjectIdentifier: Session] = [:]
    var functions: [String: FunctionRecord] = [:]
    var statistics = Statistics()
    /// Sandboxes of Run requests; the pool knows nothing of them.
    private(set) var runs: [UInt64: Sandbox] = [:]
    private var lastInvocation: UInt64
    private var lastInvocationReserved: UInt64
    var isDraining = false
    private(set) var isStopping = false
    var drain: DrainState?
    /// The last plan taken, expired or not.
    var plan: StoredPlan?
    /// What was measured since a pull last took it along.
    var latency = LatencySegment()
    let latencies: LatencyStore
    private var nursery: StartedNurseryBox?
    private var pressure: MemoryPressureMonitor?
    /// The agent has ended, for this reason; nil for an orderly end.
    package var onEnd: (@LoopActor (String?) -> Void)?

    init(_ parts: AgentParts) throws(AgentError) {
        configuration = parts.configuration
        logger = parts.logger
        registry = parts.registry
        code = parts.code
        images = parts.images
        environment = parts.environment
        nursery = parts.nursery
        listener = parts.listener
        lastInvocation = parts.firstInvocation
        lastInvocationReserved = parts.firstInvocation + AgentParts.invocationBlock
        journal = Journal(registry: parts.registry, spool: parts.spool, logger: parts.logger)
        bootID = String(realtimeNow(), radix: 36)
        latencies = LatencyStore(now: started)
        var settings = Configuration(memoryBudget: Int(parts.configuration.limits.memoryBudget))
        settings.keepAlive = Nanoseconds(parts.configuration.limits.keepAlive)
        settings.freezeAfter = parts.configuration.freezeAfter.map { Nanoseconds($0) }
        settings.reclaimAfter = parts.configuration.reclaimAfter.map { Nanoseconds($0) }
        settings.cpuBudget = Int(parts.configuration.limits.cpuBudget * 1000)
        settings.maxSandboxes = parts.configuration.limits.maximumSandboxes
        settings.maxQueuePerFunction = parts.configuration.limits.maximumQueue
        settings.evictionPolicy = parts.configuration.evictionPolicy
        parts.configuration.tiers.apply(to: &settings)
        settings.firstSandboxID = 1
        parts.configuration.prediction.apply(to: &settings)
        pool = try PoolDriver(environment: parts.environment, configuration: settings, logger: parts.logger)
    }

    /// Takes connections from now on.
    func open(_ records: [FunctionRecord], _ kept: [KeptSandbox]) throws(AgentError) {
        Reactor.shared.busyPoll = configuration.busyPoll
        pool.onRecord = { [weak self] record in self?.noted(record) }
        pool.onStartFailed = { [weak self] function, text in
            self?.journal.append("start", function: function, text, fields: ["action": "failed"])
        }
        pool.onDrained = { [weak self] in self?.poolDrained() }
        resume(records, kept)
        restorePlan()
        try startPrediction()
        startAnalysis(try registry.analyses())
        environment.factory.onNurseryLost = { [weak self] in self?.nurseryLost() }
        watchMemory()
        do throws(Errno) {
            listenerSource = try Reactor.shared.watch(listener.rawValue) { [weak self] _ in self?.accept() }
        } catch {
            throw AgentError(.internal, "watching the socket: \(error)", remedy: "see the agent's log", errno: error)
        }
        logger.notice(
            "ready",
            metadata: [
                "socket": "\(configuration.socket)", "functions": "\(records.count)",
                "controllers": "\(environment.factory.cgroups.controllers.sorted().joined(separator: ","))",
            ])
    }

    private func watchMemory() {
        do throws(Errno) {
            pressure = try MemoryPressureMonitor(path: configuration.pressureFile) { [weak self] level in
                self?.logger.notice("memory pressure", metadata: ["level": "\(level)"])
                self?.journal.append("pressure", "\(level)", fields: ["level": "\(level)"])
                self?.pool.handle(.memoryPressure(level))
            }
        } catch {
            logger.warning(
                "memory pressure of the node is not noticed",
                metadata: ["error": "\(error)", "details": "hearth doctor"])
        }
    }

    // MARK: Connections

    private func accept() {
        // A bounded number, so that a storm of connections does not hold up those that are there.
        for _ in 0..<32 {
            do throws(Errno) {
                guard let fd = try UnixSocket.accept(listener.rawValue) else { return }
                try admit(fd)
            } catch .tooManyFiles {
                // The backlog keeps them; the next turn tries again when descriptors are free.
                logger.warning("no descriptors for new connections", metadata: ["remedy": "raise LimitNOFILE"])
                listenerSource?.setInterest([])
                Reactor.shared.schedule(after: 100_000_000) { [weak self] in
                    self?.listenerSource?.setInterest(.readable)
                }
                return
            } catch {
                logger.info("a connection failed", metadata: ["error": "\(error)"])
            }
        }
    }

    private func admit(_ fd: consuming OwnedFD) throws(Errno) {
        let peer = try UnixSocket.peerCredentials(fd.rawValue)
        guard let role = configuration.roles.role(of: peer), sessions.count < configuration.maximumConnections else {
            logger.info("a connection was refused", metadata: ["uid": "\(peer.uid)", "pid": "\(peer.pid)"])
            var refusal = ServerSession<SharedFD>()
            refusal.close(
                WireError(.notPermitted, "user \(peer.uid) has no role with this agent, or it has too many connections")
            )
            _ = try refusal.output.writeNext { (bytes, _) throws(Errno) in try Message.send(fd.rawValue, bytes) }
            return
        }
        let session = try Session(fd, peer: peer, role: role, agent: self)
        sessions[ObjectIdentifier(session)] = session
    }

    func sessionEnded(_ session: Session) {
        sessions[ObjectIdentifier(session)] = nil
    }

    // MARK: Invocations

    /// Numbers that no earlier run of the agent has given.
    func nextInvocation() -> UInt64 {
        lastInvocation += 1
        if lastInvocation + AgentParts.invocationBlock / 2 > lastInvocationReserved {
            lastInvocationReserved += AgentParts.invocationBlock
            let registry = self.registry
            Registry.queue.async { _ = try? registry.reserve("invocation", count: AgentParts.invocationBlock) }
        }
        return lastInvocation
    }

    func function(named name: String) throws(AgentError) -> FunctionRecord {
        guard let record = functions[name] else { throw .functionNotFound(FunctionRecord.printable(name)) }
        return record
    }

    func checkPayload(_ bytes: Int) throws(AgentError) {
        let limit = environment.limits.maximumPayload
        guard bytes <= limit else {
            throw AgentError(
                .tooLarge, "the payload has more than \(limit) bytes", remedy: "send less, or raise max_payload")
        }
    }

    func checkAccepting() throws(AgentError) {
        guard !isDraining else {
            throw AgentError(
                .unavailable, "the agent is draining",
                remedy: "send the request to another node, or again when this one has been restarted", retryable: true)
        }
    }

    func recorded(_ invocation: Invocation, _ result: InvocationResult) {
        let timing = invocation.times.wire
        statistics.record(invocation, result)
        measured(invocation, timing)
        journal.append(.invocation(InvocationNote(invocation, result, timing)))
        environment.restart.ended(invocation.entry)
        FaultPoint.reach(.invocationEnded)
    }

    private func noted(_ record: Record) {
        prediction?.noted(record)
        journal.append(.pool(pool.note(of: record)))
    }

    // MARK: Runs

    func runStarted(_ sandbox: Sandbox) { runs[sandbox.id] = sandbox }

    func runEnded(_ sandbox: Sandbox, _ outcome: Outcome) {
        runs[sandbox.id] = nil
        statistics.outcomes[outcome, default: 0] += 1
        journal.append(.run(sandbox: sandbox.name, outcome: outcome))
        checkDrained()
    }

    // MARK: The end

    private func nurseryLost() {
        logger.critical("the nursery has ended, and every sandbox with it; hearthd ends too")
        finish("the nursery has ended")
    }

    /// Takes nothing new, finishes what runs (at most `grace` nanoseconds), ends every sandbox and the nursery.
    package func stop(grace: Int64 = 10_000_000_000) {
        // A nursery that is a service of its own goes on, and the sandboxes with it.
        if configuration.nurserySocket != nil { return handOver(grace: grace) }
        guard beginDraining("the agent is stopping") else { return }
        pool.onDrained = { [weak self] in self?.endSandboxes() }
        if drain?.poolIsEmpty == true { return endSandboxes() }
        Reactor.shared.schedule(after: grace) { [weak self] in self?.endSandboxes() }
        pool.drain(keepSandboxes: false)
    }

    /// Closes the door; false when that was done before.
    func beginDraining(_ reason: String) -> Bool {
        guard !isStopping else { return false }
        isStopping = true
        isDraining = true
        listenerSource?.cancel()
        try? Files.unlink(configuration.socket)
        for session in sessions.values { session.goAway(reason) }
        return true
    }

    /// The last part of an end; false when it has begun before.
    func beginEnding() -> Bool {
        guard !isEnding else { return false }
        isEnding = true
        return true
    }

    private var isEnding = false

    private func endSandboxes() {
        guard beginEnding() else { return }
        pool.endAll()
        analyzer?.stop()
        for sandbox in runs.values { sandbox.kill() }
        waitForSandboxes(until: monotonicNow() + 5_000_000_000)
    }

    private func waitForSandboxes(until deadline: Int64) {
        guard environment.factory.count > 0, monotonicNow() < deadline else {
            environment.factory.onNurseryLost = nil
            return environment.factory.shutdown { [self] in finish(nil) }
        }
        Reactor.shared.schedule(after: 2_000_000) { [self] in waitForSandboxes(until: deadline) }
    }

    private func finish(_ reason: String?) {
        pressure?.close()
        for session in sessions.values { session.disconnect() }
        nursery?.reap()
        // Both sockets are names in the file system and would outlive us.
        try? Files.unlink(configuration.socket)
        if configuration.nurserySocket == nil { try? Files.unlink(configuration.state + "/nursery.sock") }
        prediction?.stop()
        journal.flush(always: true)
        let cgroups = environment.factory.cgroups
        let end = onEnd
        onEnd = nil
        // The last group may still be leaving; and the journal's rows are written before the process goes.
        BlockingWork.run {
            cgroups.remove()
            return .success(())
        } completion: { (_: Result<Void, AgentError>) in
            end?(reason)
        }
    }
}
