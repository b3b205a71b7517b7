import Forecast
import Glibc
import Linux
import Wire

/// The method Predict: what is expected, and who says so.
extension PredictionEngine {
    private static let defaultHorizon = 60.0
    private static let defaultLimit = 20
    private static let largestLimit = 500

    func predict(_ request: HearthPredictRequest) -> HearthPredictResponse {
        // What happened up to now counts, also what still waits for its turn.
        settleWaiting()
        let horizon = request.horizonNs == 0 ? Self.defaultHorizon : Double(request.horizonNs) / 1e9
        let limit = request.limit == 0 ? Self.defaultLimit : min(Int(request.limit), Self.largestLimit)
        let now = realtimeNow()
        var response = HearthPredictResponse()
        if !request.user.isEmpty {
            response.predictions = next(of: request.user, function: request.function, limit: limit, at: now)
        } else if !request.function.isEmpty {
            if let outlook = forecaster.outlook(request.function, at: now) {
                response.predictions = [prediction(outlook, named: request.function, horizon: horizon, at: now)]
            }
        } else {
            let place = Forecaster.horizons.firstIndex { $0 >= horizon } ?? Forecaster.horizons.count - 1
            for outlook in forecaster.ranking(at: now, horizon: place, limit: min(2 * limit, Self.largestLimit)) {
                guard response.predictions.count < limit, let name = forecaster.functionNames.name(outlook.function),
                    pool.identifiers[name] != nil
                else { continue }
                response.predictions.append(prediction(outlook, named: name, horizon: horizon, at: now))
            }
            response.predictions.sort { ($0.probability, $1.function) > ($1.probability, $0.function) }
        }
        return response
    }

    /// What a user calls next: a share of one call, whenever it comes.
    private func next(of user: String, function: String, limit: Int, at now: Int64) -> [HearthPrediction] {
        var predictions: [HearthPrediction] = []
        for candidate in forecaster.outlook(user: user, at: now, limit: Self.largestLimit) {
            guard predictions.count < limit, let name = forecaster.functionNames.name(candidate.function),
                pool.identifiers[name] != nil, function.isEmpty || name == function
            else { continue }
            var prediction = HearthPrediction()
            prediction.function = name
            prediction.probability = Double(candidate.probability)
            prediction.confidence = confidence(candidate.function, at: now)
            if let outlook = forecaster.outlook(candidate.function, at: now) {
                prediction.expectedInNs = UInt64(max(0, outlook.due - now))
            }
            var share = HearthSourceShare()
            share.source = ForecastSource.sequence.word
            share.text = ForecastSource.sequence.label
            share.probability = prediction.probability
            share.weight = 1
            prediction.sources = [share]
            predictions.append(prediction)
        }
        return predictions
    }

    private func prediction(
        _ outlook: Outlook, named name: String, horizon: Double, at now: Int64
    ) -> HearthPrediction {
        var prediction = HearthPrediction()
        prediction.function = name
        prediction.probability = Double(Self.within(horizon, outlook.probabilities))
        prediction.confidence = confidence(outlook.function, at: now)
        prediction.expectedInNs = UInt64(max(0, outlook.due - now))
        let place = Forecaster.horizons.firstIndex { $0 >= horizon } ?? Forecaster.horizons.count - 1
        for opinion in outlook.opinions {
            var share = HearthSourceShare()
            share.source = opinion.source.word
            share.text = opinion.source.label
            share.probability = Double(Self.within(horizon, opinion.probabilities))
            share.weight = Double(opinion.shares[place])
            prediction.sources.append(share)
        }
        prediction.sources.sort { ($0.weight, $1.source) > ($1.weight, $0.source) }
        return prediction
    }

    /// The confidence that the pool acts on, the largest of its demands: the surest window's, corrected by what became of
    /// such windows before, or the plan's own.
    private func confidence(_ function: UInt32, at now: Int64) -> Double {
        forecaster.windows(function, at: now, costPerSecond: costPerSecond)
            .map { Double(outcomes.corrected($0.probability, source: $0.origin.rawValue)) }
            .reduce(Double(forecaster.planned(function, at: now) ?? 0), max)
    }

    /// From the horizons that the engine knows to any other, at a constant rate between two of them.
    static func within(_ seconds: Double, _ probabilities: [Float]) -> Float {
        let horizons = [0] + Forecaster.horizons
        // Minus the logarithm of the probability that nothing comes: adds up over time.
        let none = [0] + probabilities.map { -log(max(1e-6, 1 - Double($0))) }
        var place = 1
        while place < horizons.count - 1 && seconds > horizons[place] { place += 1 }
        let rate = max(0, none[place] - none[place - 1]) / (horizons[place] - horizons[place - 1])
        return Float(1 - exp(-max(0, none[place - 1] + rate * (seconds - horizons[place - 1]))))
    }

    var gauges: [HearthGauge] {
        var gauges: [HearthGauge] = []
        func add(_ name: String, _ value: Double) {
            var gauge = HearthGauge()
            gauge.name = name
            gauge.value = value
            gauges.append(gauge)
        }
        add("prediction.observed", Double(observed))
        add("prediction.dropped", Double(dropped) + Double(forecaster.ignored))
        add("prediction.thinned", Double(thinned))
        add("prediction.memory_bytes", Double(forecaster.memoryBytes))
        for (index, name) in Self.sourceNames.enumerated() {
            add("prediction.\(name).hits", Double(outcomes.hits[index]))
            add("prediction.\(name).late", Double(outcomes.late[index]))
            add("prediction.\(name).wasted", Double(outcomes.wasted[index]))
        }
        return gauges
    }
}

extension ForecastSource {
    /// The name in the protocol.
    var word: String {
        switch self {
        case .occurrence: "occurrence"
        case .interval: "interval"
        case .sequence: "sequence"
        case .dependency: "dependency"
        case .plan: "plan"
        }
    }
}
