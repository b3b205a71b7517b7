import Forecast
import Linux
import Wire

/// The coordinator's plan as a prior: what `hearth predict` shows of it, and what the ensemble learns of its worth. The pool
/// follows the plan by itself.
extension PredictionEngine {
    /// Takes a plan in place of the one before, `age` nanoseconds after it was taken; it ends with its TTL.
    func take(_ plan: StoredPlan, age: Int64) {
        let taken = realtimeNow() - age
        forecaster.clearPlan()
        for entry in plan.entries {
            let start = min(Int64(clamping: entry.windowStartNs), plan.ttl)
            let end = Int64(clamping: entry.windowEndNs)
            let window = PlannedWindow(
                probability: Float(entry.confidence), start: taken + start,
                end: taken + (end > start ? min(end, plan.ttl) : plan.ttl))
            forecaster.plan(entry.function, window)
        }
    }
}
