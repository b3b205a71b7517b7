extension Pool {
    package var debugState: String {
        var t = "charged \(charges) yield \(String(describing: yieldTo)) awaiting \(awaiting.count) \(String(describing: awaiting.first)) live \(liveStarts) bg \(backgroundStarts) run \(runningCount) evicting \(evictingCount) boxes \(sandboxes.count)/\(configuration.maxSandboxes) needy \(needy.count) disp \(dispatchable.count) victims \(victims.count) shielded \(shielded.count) cpu \(configuration.cpuBudget) max \(configuration.maxLiveStarts)"
        for s in 0..<functions.end { t += "\n f\(s) lim \(functions[s].spec.memoryLimit >> 20) q \(functions[s].queue.count) idle \(functions[s].idle.count) st \(functions[s].starting.count) run \(functions[s].running.count) max \(functions[s].spec.maxConcurrency) min \(functions[s].spec.minReady) need \(startsNeeded(s)) pass \(functions[s].pass) cpu \(functions[s].spec.milliCPU) aw \(functions[s].awaitingStarts) \(functions[s].awaitingClaims)" }
        return t
    }
}
