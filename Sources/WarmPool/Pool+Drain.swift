extension Pool {
    mutating func drain(keepSandboxes: Bool) {
        isDraining = true
        keepsOnDrain = keepSandboxes
        for slot in 0..<functions.end where !functions[slot].isDeleted { refresh(slot) }
        for shelf in 0..<shelves.end { refreshShelf(shelf) }
    }

    /// Ends what is idle once nothing waits, and says so when all is done.
    mutating func sayDrained() {
        guard isDraining, queuedCount == 0 else { return }
        if !keepsOnDrain { evictAllIdle(.draining) }
        guard !saidDrained, runningCount + starts + evictingCount + demotingCount == 0 else { return }
        saidDrained = true
        out.append(.drained)
    }
}
