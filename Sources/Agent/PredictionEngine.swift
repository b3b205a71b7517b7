import Forecast
import Linux
import Logging
import WarmPool

/// The prediction in the daemon: what happens becomes observations, and what is expected becomes demand in the pool.
///
/// Nothing of it lies on the path of a request. Observations are queued, and a timer feeds them to the models a
/// few at a time; so do the forecasts of the functions that they moved, and those of all functions in turn.
@LoopActor
final class PredictionEngine {
    /// Nanoseconds between an observation and its learning, and between two turns of what waits; a start takes longer.
    static let pause: Int64 = 4_000_000
    /// Turns may have this part of the loop's time: a request that comes during one waits for it.
    private static let share: Int64 = 8
    /// Calls of one function that wait to be learned. What more a turn brings says nothing new of a function that is busy.
    private static let callsPerFunction = 4
    /// Observations and forecasts of one turn: about a millisecond together.
    private static let observationsPerTurn = 24
    private static let forecastsPerTurn = 12
    /// Beyond it the newest observations are dropped and counted.
    private static let mostWaiting = 65536
    /// Nanoseconds between two steps of time, and steps until every function has had its turn.
    private static let step: Int64 = 200_000_000
    private static let stepsPerRound = 150
    /// Megabytes and milliseconds of a usual function, for comparing windows before the pool knows its own.
    private static let usualMegabytes = 32.0
    private static let usualStart = 100.0
    /// How long nothing is expected when nothing is: until the function's next turn, and some more.
    private static let silence = Nanoseconds.minutes(1)

    let settings: PredictionSettings
    let logger: Logger
    unowned let pool: PoolDriver
    var forecaster: Forecaster
    var outcomes: OutcomeCalibration
    let store: PredictionStore
    /// Functions that an event on a topic starts, by topic.
    var bindings: [String: Set<String>] = [:]
    /// What the pool was told last of each function and origin, before correction, to judge the outcome by.
    private var told: [FunctionID: [Float]] = [:]
    /// Prefetches under way or unused, with what was said and by whom.
    private var prefetches: [SandboxID: (said: Float, source: Int)] = [:]
    private var waiting: [Observation] = []
    /// Calls in `waiting`, by function.
    private var waitingCalls: [String: Int] = [:]
    private var changed: [UInt32] = []
    private var isChanged: Set<UInt32> = []
    private var cursor: UInt32 = 0
    private var isScheduled = false
    private var timer: Reactor.Timer?
    private(set) var dropped: UInt64 = 0
    /// Calls that were not learned because enough of their function waited.
    private(set) var thinned: UInt64 = 0
    private(set) var observed: UInt64 = 0
    private var savedAt: Int64 = 0
    private var observedAtSave: UInt64 = 0
    private var isSaving = false
    /// That what all functions share and the names take more than there is room for was said.
    var isShortTold = false
    /// A copy of the models is being made to fit: nothing is learned until it takes their place.
    var isFitting = false
    var deletedMeanwhile: [String] = []
    private(set) var isStopped = false

    init(settings: PredictionSettings, store: PredictionStore, pool: PoolDriver, logger: Logger) throws(AgentError) {
        self.settings = settings
        self.store = store
        self.pool = pool
        self.logger = logger
        let loaded = try store.load(settings, logger: logger)
        forecaster = loaded.forecaster
        outcomes = loaded.outcomes
        savedAt = monotonicNow()
        schedule()
        timer = Reactor.shared.schedule(after: Self.step) { [weak self] in self?.tick() }
    }

    // MARK: In

    /// An invocation came in.
    func invoked(_ invocation: Invocation) {
        guard !invocation.isWarmup, !isStopped else { return }
        let calls = waitingCalls[invocation.function.name, default: 0]
        guard calls < Self.callsPerFunction else {
            thinned += 1
            return
        }
        waitingCalls[invocation.function.name] = calls + 1
        observe(
            Observation(
                time: realtimeNow(),
                .request(
                    function: invocation.function.name, user: invocation.user.isEmpty ? nil : invocation.user,
                    session: invocation.session.isEmpty ? nil : invocation.session,
                    arguments: Self.digest(invocation.payload))))
    }

    var waitingCount: Int { waiting.count }

    /// Queues an observation; costs an append.
    func observe(_ observation: Observation) {
        guard !isStopped else { return }
        guard waiting.count < Self.mostWaiting else {
            dropped += 1
            return
        }
        waiting.append(observation)
        schedule()
    }

    /// Arguments are told apart by their length and their first kilobyte: enough to know a request again.
    private static func digest(_ payload: [UInt8]) -> UInt64 {
        guard !payload.isEmpty else { return 0 }
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ UInt64(payload.count)
        payload.withUnsafeBufferPointer { bytes in
            for byte in bytes.prefix(1024) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
        return max(1, hash)
    }

    // MARK: Turns

    func schedule(after pause: Int64 = PredictionEngine.pause) {
        guard !isScheduled, !isStopped else { return }
        isScheduled = true
        Reactor.shared.schedule(after: pause) { [weak self] in self?.turn() }
    }

    private func turn() {
        isScheduled = false
        guard !isStopped, !isFitting else { return }
        let began = monotonicNow()
        let count = min(waiting.count, Self.observationsPerTurn)
        for observation in waiting.prefix(count) {
            forecaster.recall(observation)
            if case .request(let name, _, _, _) = observation.kind, let calls = waitingCalls[name] {
                waitingCalls[name] = calls > 1 ? calls - 1 : nil
            }
        }
        waiting.removeFirst(count)
        observed += UInt64(count)
        takeChanges()
        // Forecasts wait until what is known is known, but not for ever where observations never cease.
        let now = realtimeNow()
        let due = min(changed.count, Self.forecastsPerTurn)
        for function in changed.prefix(due) {
            isChanged.remove(function)
            tell(function, at: now)
        }
        changed.removeFirst(due)
        guard !waiting.isEmpty || !changed.isEmpty else { return }
        schedule(after: max(Self.pause / 4, (monotonicNow() - began) * (Self.share - 1)))
    }

    /// Learns from everything that waits, at once: at most a few milliseconds' worth in ordinary times.
    func settleWaiting() {
        guard !isFitting || isStopped else { return }
        for observation in waiting { forecaster.recall(observation) }
        observed += UInt64(waiting.count)
        waiting.removeAll(keepingCapacity: true)
        waitingCalls.removeAll(keepingCapacity: true)
        takeChanges()
    }

    private func takeChanges() {
        for function in forecaster.takeChanged() where isChanged.insert(function).inserted { changed.append(function) }
    }

    /// Lets time pass for some functions, all of them in half a minute.
    private func tick() {
        guard !isStopped else { return }
        if isFitting {
            timer = Reactor.shared.schedule(after: Self.step) { [weak self] in self?.tick() }
            return
        }
        let now = realtimeNow()
        let count = forecaster.functionNames.capacity / Self.stepsPerRound + 1
        forecaster.advance(to: now, limit: count)
        takeChanges()
        for _ in 0..<count {
            cursor = Int(cursor) + 1 < forecaster.functionNames.capacity ? cursor + 1 : 0
            if isChanged.insert(cursor).inserted { changed.append(cursor) }
        }
        if !changed.isEmpty { schedule() }
        if monotonicNow() - savedAt >= settings.saveInterval { save() }
        timer = Reactor.shared.schedule(after: Self.step) { [weak self] in self?.tick() }
    }

    // MARK: Out

    /// How much a second of waiting costs, as a share of what a saved start brings.
    var costPerSecond: Float { Float(settings.memoryPrice * Self.usualMegabytes / Self.usualStart) }

    /// Tells the pool what is expected of a function.
    private func tell(_ number: UInt32, at now: Int64) {
        guard let name = forecaster.functionNames.name(number), let id = pool.identifiers[name] else { return }
        let windows = forecaster.windows(number, at: now, costPerSecond: costPerSecond)
        let clock = monotonicNow() - now
        var said = [Float](repeating: 0, count: Self.sources)
        var predictions: [Prediction] = []
        for origin in CallWindow.Origin.allCases {
            let source = Self.demandSource(origin)
            guard let window = windows.first(where: { $0.origin == origin }) else {
                // No rhythm worth waiting for is an opinion too; of the others an empty window takes back what was said.
                let isSilence = origin == .rhythm
                if isSilence || told[id]?[origin.rawValue] ?? 0 > 0 {
                    predictions.append(
                        Prediction(
                            function: id, probability: 0, due: Instant(nanoseconds: monotonicNow()),
                            horizon: isSilence ? Self.silence : .zero, source: source))
                }
                continue
            }
            said[origin.rawValue] = window.probability
            predictions.append(
                Prediction(
                    function: id,
                    probability: Double(outcomes.corrected(window.probability, source: origin.rawValue)),
                    due: Instant(nanoseconds: window.due + clock - outcomes.advance),
                    horizon: Nanoseconds(max(0, window.until - window.due) + outcomes.advance), source: source))
        }
        said[Self.eventSource] = told[id]?[Self.eventSource] ?? 0
        told[id] = said
        if !predictions.isEmpty { pool.handle(.predictions(predictions)) }
    }

    // MARK: Sources in the pool

    /// The three origins of windows, and events on bound topics.
    static let sources = 4
    static let eventSource = 3
    static let sourceNames = ["rhythm", "sequence", "dependency", "event"]

    private static func demandSource(_ origin: CallWindow.Origin) -> DemandSource {
        switch origin {
        case .rhythm: .forecast
        case .sequence: .sequence
        case .dependency: .dependency
        }
    }

    private static func index(_ source: DemandSource) -> Int? {
        switch source {
        case .forecast: CallWindow.Origin.rhythm.rawValue
        case .sequence: CallWindow.Origin.sequence.rawValue
        case .dependency: CallWindow.Origin.dependency.rawValue
        case .trigger: eventSource
        default: nil
        }
    }

    /// An event on a topic that the function is bound to has just happened.
    func fire(_ id: FunctionID, confidence: Float, lasts: Int64) {
        var said = told[id] ?? [Float](repeating: 0, count: Self.sources)
        said[Self.eventSource] = confidence
        told[id] = said
        pool.handle(
            .triggerFired(
                id, probability: Double(outcomes.corrected(confidence, source: Self.eventSource)), count: 1,
                delay: .zero, ttl: Nanoseconds(lasts)))
    }

    // MARK: What became of it

    /// The pool's own account of its prefetches.
    func noted(_ record: Record) {
        switch record {
        case .prefetchStarted(let sandbox, let function, let source, _, _):
            guard let index = Self.index(source), let said = told[function]?[index], said > 0 else { return }
            prefetches[sandbox] = (said, index)
        case .prefetchHit(let sandbox, _, _, _, _): settle(sandbox, .hit)
        case .prefetchLate(let sandbox, _, _): settle(sandbox, .late)
        case .prefetchWasted(let sandbox, _, _, _): settle(sandbox, .wasted)
        case .prefetchVoid(let sandbox, _, _): prefetches[sandbox] = nil
        default: break
        }
    }

    private func settle(_ sandbox: SandboxID, _ outcome: OutcomeCalibration.Outcome) {
        guard !isStopped, let prefetch = prefetches.removeValue(forKey: sandbox) else { return }
        outcomes.learn(prefetch.said, source: prefetch.source, outcome)
    }

    func forget(_ name: String, _ id: FunctionID?) {
        waiting.removeAll {
            if case .request(name, _, _, _) = $0.kind { true } else { false }
        }
        waitingCalls[name] = nil
        forecaster.remove(name)
        if isFitting { deletedMeanwhile.append(name) }
        if let id { told[id] = nil }
    }

    // MARK: State

    /// Writes the state away from the loop. The copy shares its tables with the engine until that changes them.
    func save(completion: (@LoopActor () -> Void)? = nil) {
        savedAt = monotonicNow()
        fitMemory()
        guard !isSaving, observed != observedAtSave || completion != nil else { return }
        isSaving = true
        observedAtSave = observed
        let (forecaster, outcomes, store) = (self.forecaster, self.outcomes, self.store)
        BlockingWork.run {
            store.save(forecaster, outcomes)
        } completion: { [weak self] (result: Result<Void, AgentError>) in
            self?.isSaving = false
            if case .failure(let error) = result {
                self?.logger.error("the forecast state was not saved", metadata: ["error": "\(error)"])
            }
            completion?()
        }
    }

    /// Takes nothing more in, and saves what is known.
    func stop() {
        guard !isStopped else { return }
        isStopped = true
        settleWaiting()
        timer?.cancel()
        isSaving = false
        save {}
    }
}
