/// Who says that a function will be invoked.
package enum DemandSource: UInt8, Comparable, Sendable, CaseIterable {
    /// The function's own floor (`minReady`).
    case floor
    /// An explicit prefetch request.
    case request
    /// A coordinator's plan.
    case plan
    /// An event, timer or upstream invocation that is bound to the function.
    case trigger
    /// The fused forecast of all models.
    case forecast
    /// Single models, where a caller hands them over unfused.
    case idleTime, seasonal, sequence, dependency, collaborative, neural

    /// Those from `forecast` on are models of the node's own.
    package static func < (a: DemandSource, b: DemandSource) -> Bool { a.rawValue < b.rawValue }
}

/// A forecast for one function: it will be invoked between `due` and `due + horizon` with `probability`. A later
/// prediction of the same source replaces it.
package struct Prediction: Equatable, Sendable {
    package var function: FunctionID
    /// 0...1, calibrated.
    package var probability: Double
    /// When the window opens; a past instant means now.
    package var due: Instant
    /// How long the window stays open.
    package var horizon: Nanoseconds
    /// Sandboxes that would be needed at once if it comes true.
    package var expectedCount: Int
    package var source: DemandSource

    package init(
        function: FunctionID, probability: Double, due: Instant, horizon: Nanoseconds, expectedCount: Int = 1,
        source: DemandSource = .forecast
    ) {
        self.function = function
        self.probability = probability
        self.due = due
        self.horizon = horizon
        self.expectedCount = expectedCount
        self.source = source
    }
}

/// A coordinator's plan: the whole of it, so what is not listed is no longer planned.
package struct Plan: Equatable, Sendable {
    /// Must be larger than that of the plan in force.
    package var generation: UInt64
    /// Counted from arrival; afterwards the plan has no effect.
    package var ttl: Nanoseconds
    package var entries: [PlanEntry]

    package init(generation: UInt64, ttl: Nanoseconds, entries: [PlanEntry]) {
        self.generation = generation
        self.ttl = ttl
        self.entries = entries
    }
}

package struct PlanEntry: Equatable, Sendable {
    package var function: FunctionID
    /// Probability of an invocation in the window, 0...1.
    package var confidence: Double
    /// The window, counted from the plan's arrival. An empty one lasts as long as the plan.
    package var windowStart: Nanoseconds
    package var windowEnd: Nanoseconds
    package var count: Int
    /// nil: by confidence.
    package var tier: Tier?
    /// Higher goes first; doubles the worth of a saved start with every step.
    package var priority: Int
    /// Held for the function while the plan is in force: others cannot take them.
    package var reservedMilliCPU: Int
    package var reservedMemory: Int

    package init(
        function: FunctionID, confidence: Double, windowStart: Nanoseconds = .zero, windowEnd: Nanoseconds = .zero,
        count: Int = 1, tier: Tier? = nil, priority: Int = 0, reservedMilliCPU: Int = 0, reservedMemory: Int = 0
    ) {
        self.function = function
        self.confidence = confidence
        self.windowStart = windowStart
        self.windowEnd = windowEnd
        self.count = count
        self.tier = tier
        self.priority = priority
        self.reservedMilliCPU = reservedMilliCPU
        self.reservedMemory = reservedMemory
    }
}

/// One reason to have sandboxes of a function ready: what predictions, plans, triggers and requests become.
struct Demand: Sendable {
    var source: DemandSource
    /// Of the plan, else 0.
    var generation: UInt64
    var probability: Double
    var start: Instant
    var end: Instant
    var count: Int
    /// nil: by confidence.
    var tier: Tier?
    /// Scales the worth of a saved start.
    var weight: Double
    /// Counts sandboxes still to be started for an explicit request, which is not refilled when one of them was used;
    /// nil: the count is held over the window.
    var owed: Int?
}
