import WarmPool

/// How many sandboxes are held ready that have no function yet, and how fast those are made that nobody waits for.
package struct TierSettings: Sendable {
    /// Bare sandboxes kept for each image in use; 0: none.
    package var barePool = 0
    /// Sandboxes with a running language runtime, kept for each image and way to start the runtime; 0: none.
    package var runtimePool = 0
    /// Starts under way at once that nobody waits for.
    package var backgroundStarts = 2
    /// A function whose starts fail again and again has its requests refused until the next try, instead of each trying.
    package var rejectsWhileFailing = true

    func apply(to settings: inout Configuration) {
        settings.barePool = barePool
        settings.runtimePool = runtimePool
        settings.maxBackgroundStarts = backgroundStarts
        settings.liveWhileOpen = rejectsWhileFailing ? .failFast : .mayTry
    }
}
