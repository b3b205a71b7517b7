/// The prediction engine: observations in, calibrated probabilities by function and horizon out.
///
/// It has no clock, no randomness and does no I/O: times come with the observations (nanoseconds), and `advance` tells
/// that time passes. A value: a copy can be saved on another thread while the original goes on.
///
/// Costs an event a few updates of the function's and the user's own tables, and one look at the function's minutes that
/// passed since its last; `advance` is given how many functions it may look at, so that it never stalls a loop.
package struct Forecaster: Sendable {
    /// Seconds.
    package static let horizons: [Double] = [60, 300, 900]

    /// What keeps an event within its time: successors looked at and kept of a context, and calls for each that the weights learn from.
    static let breadth = 24
    static let widest = 48
    static let learningInterval = 8

    package internal(set) var settings: ForecastSettings
    package internal(set) var functionNames = Interner()
    package internal(set) var userNames = Interner()
    package internal(set) var topicNames = Interner()

    package internal(set) var occurrence: OccurrenceModel
    package internal(set) var intervals = IntervalModel()
    package internal(set) var next: NextFunctionModel
    package internal(set) var dependencies: DependencyModel
    var stackers: [HorizonStacker]
    var functions: [FunctionState?] = []
    /// The plan in force, by function. Whoever pushes plans keeps them: they are no part of what is saved.
    var plans: [UInt32: [PlannedWindow]] = [:]
    /// Where `advance` goes on.
    var cursor = 0
    /// How long after a user's request the next comes, and out of how many.
    var userLags = LagHistogram()
    var userTrials: Float = 0
    /// Requests with a user or session since the start.
    var requests = 0
    /// Seconds of the latest time heard of.
    package internal(set) var latest = 0.0
    /// Observations that were not taken in because there is no room for another name.
    package internal(set) var ignored = 0
    /// The last observation was one of the past.
    var isInPast = false
    /// Functions whose expectation changed since `takeChanged`.
    var changed: Set<UInt32> = []

    package init(settings: ForecastSettings = ForecastSettings(), prior: [UInt8]? = nil) throws(ForecastError) {
        try settings.validate()
        self.settings = settings
        if let prior {
            occurrence = try OccurrenceModel(prior: prior)
        } else {
            occurrence = OccurrenceModel()
        }
        next = NextFunctionModel(
            capacity: settings.successors, widest: Self.widest, users: settings.users, seed: settings.seed)
        next.breadth = Self.breadth
        if settings.usesNeighbors { next.enabled.insert(.neighbors) }
        if settings.usesNetwork { next.network = SequenceNetwork(seed: settings.seed) }
        dependencies = DependencyModel(capacity: settings.dependencies)
        stackers = Self.horizons.map { _ in HorizonStacker() }
    }

    static func seconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds) * 1e-9 }
    static func nanoseconds(_ seconds: Double) -> Int64 {
        Int64(max(-9e18, min(9e18, seconds * 1e9)))
    }

    /// The functions whose forecast an observation has moved since this was asked last: what is worth asking again.
    package mutating func takeChanged() -> Set<UInt32> {
        defer { changed.removeAll(keepingCapacity: true) }
        return changed
    }

    /// The state of a function, made at its first mention; the one silent longest makes room.
    @discardableResult
    mutating func register(_ function: UInt32, at time: Double) -> Int {
        let index = Int(function)
        while functions.count <= index { functions.append(nil) }
        if functions[index] == nil {
            if occurrence.unitCount >= settings.functions { forgetOldestFunctions(settings.functions / 16 + 1) }
            functions[index] = FunctionState(
                unit: occurrence.addUnit(), lastCall: -.infinity, nextMinute: Int(max(0, time) / 60))
        }
        return index
    }
}
