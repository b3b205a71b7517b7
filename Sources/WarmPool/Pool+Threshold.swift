extension Pool {
    mutating func moveThreshold() { note(threshold.evaluate(at: now, pressure: pressure)) }

    mutating func note(_ move: (from: Double, reason: ThresholdMove)?) {
        guard let move else { return }
        out.append(
            .record(
                .thresholdMoved(
                    from: move.from, to: threshold.threshold, move.reason, startLatencyP95: threshold.lastP95)))
        if threshold.threshold < move.from { refreshDeclined() }
    }

    /// Looks again at functions whose demand is no longer below the threshold.
    mutating func refreshDeclined() {
        while let slot = declined.first, let key = declined.firstKey, key.worth >= threshold.threshold {
            refresh(slot)
        }
    }
}
