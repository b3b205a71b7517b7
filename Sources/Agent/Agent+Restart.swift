import Linux
import Logging
import Sandbox
import Wire

/// Going on where an earlier hearthd ended, and ending so that a later one can.
extension Agent {
    /// Registers the functions and takes their sandboxes over. Before the first connection.
    func resume(_ records: [FunctionRecord], _ kept: [KeptSandbox]) {
        // Without its floor, and with the shelves left alone: else sandboxes would be begun that are there already.
        if !kept.isEmpty { pool.holdShelves(true) }
        for record in records {
            functions[record.name] = record
            var resting = record
            resting.minReady = 0
            pool.register(kept.isEmpty ? record : resting)
        }
        guard !kept.isEmpty else { return reportLost() }
        let report = pool.adopt(kept)
        pool.holdShelves(false)
        for record in records where record.minReady > 0 { pool.register(record) }
        reportLost()
        var metadata: Logger.Metadata = ["adopted": "\(report.adopted)"]
        for (reason, count) in report.ended.sorted(by: { $0.key < $1.key }) {
            metadata["ended because \(reason)"] = "\(count)"
        }
        logger.notice("took over the sandboxes of the hearthd before", metadata: metadata)
        journal.append(
            "restart", "took over \(report.adopted) sandboxes, ended \(report.ended.values.reduce(0, +))")
    }

    /// Invocations that were accepted and had no end: their clients saw the connection end; here each gets its outcome.
    private func reportLost() {
        let lost = environment.restart.lost
        for invocation in lost {
            statistics.recordLost(invocation.function, isKnown: functions[invocation.function] != nil)
            journal.append(
                "invocation", function: invocation.function,
                sandbox: invocation.sandbox == 0 ? "" : "s\(invocation.sandbox)",
                "\(Outcome.agentRestarted.rawValue): invocation \(invocation.id), accepted at \(invocation.beganUnixMilliseconds) ms, "
                    + (invocation.sandbox == 0 ? "was waiting or had just been answered" : "was running"))
        }
        if !lost.isEmpty {
            logger.warning("invocations were in flight when hearthd ended", metadata: ["invocations": "\(lost.count)"])
        }
        environment.restart.forgetFormer()
    }

    /// Ends so that the next hearthd goes on with every sandbox: takes nothing new, finishes what runs, and leaves the
    /// nursery alone. What still runs after `grace` nanoseconds ends as `agent_restarted`.
    package func handOver(grace: Int64 = 10_000_000_000) {
        guard beginDraining("the agent is being replaced; connect again") else { return }
        pool.onDrained = { [weak self] in self?.leave() }
        Reactor.shared.schedule(after: grace) { [weak self] in self?.leave() }
        pool.drain(keepSandboxes: true)
    }

    private func leave() {
        guard beginEnding() else { return }
        pool.endInFlight()
        analyzer?.stop()
        for sandbox in runs.values { sandbox.kill() }
        for session in sessions.values { session.disconnect() }
        environment.factory.letGo()
        prediction?.stop()
        journal.flush(always: true)
        let end = onEnd
        onEnd = nil
        // Behind the journal's rows in the same queue.
        BlockingWork.run {
            .success(())
        } completion: { (_: Result<Void, AgentError>) in
            end?(nil)
        }
    }
}
