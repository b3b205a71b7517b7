import Forecast
import Linux
import Logging
import Wire

/// The files of the prediction's state. A damaged or newer one is put aside, and the agent goes on without it.
struct PredictionStore: Sendable {
    private static let largest = 1 << 30

    /// In the agent's state directory.
    let directory: String
    private var models: String { directory + "/forecast.state" }
    private var outcomes: String { directory + "/forecast.outcomes" }

    struct State {
        var forecaster: Forecaster
        var outcomes: OutcomeCalibration
    }

    /// Blocks: what was saved, or the built-in prior.
    @LoopActor
    func load(_ settings: PredictionSettings, logger: Logger) throws(AgentError) -> State {
        let fresh = try Self.fresh(settings, logger)
        let models = read(self.models, logger) { (bytes) throws(ForecastError) in try Forecaster(bytes) }
        let outcomes = read(self.outcomes, logger) { (bytes) throws(ForecastError) in
            try OutcomeCalibration(bytes, sources: PredictionEngine.sources)
        }
        var forecaster = fresh
        // Other bounds are other tables: what was learned with the old ones does not fit.
        if let models {
            if models.settings == fresh.settings {
                forecaster = models
            } else {
                logger.warning(
                    "the saved forecast has other bounds and is not used", metadata: ["file": "\(self.models)"])
            }
        }
        return State(
            forecaster: forecaster,
            outcomes: outcomes ?? OutcomeCalibration(sources: PredictionEngine.sources))
    }

    /// Without anything learned on this node: from the prior that is configured, else from the built-in one.
    private static func fresh(_ settings: PredictionSettings, _ logger: Logger) throws(AgentError) -> Forecaster {
        var bounds = ForecastSettings()
        bounds.functions = settings.functions
        bounds.users = settings.users
        if let path = settings.prior {
            do {
                return try Forecaster(settings: bounds, prior: try Files.read(path, limit: Self.largest))
            } catch {
                logger.error(
                    "the prior is not used; prediction begins from nothing",
                    metadata: ["file": "\(path)", "error": "\(error)"])
            }
        }
        do throws(ForecastError) {
            return try Forecaster(settings: bounds)
        } catch {
            throw .invalid("\(error)", remedy: "correct prediction_functions and prediction_users")
        }
    }

    private func read<Value>(
        _ path: String, _ logger: Logger, _ decode: ([UInt8]) throws(ForecastError) -> Value
    ) -> Value? {
        guard Files.exists(path) else { return nil }
        do throws(Errno) {
            let bytes = try Files.read(path, limit: Self.largest)
            do throws(ForecastError) {
                return try decode(bytes)
            } catch {
                let aside = path + ".damaged"
                try Files.rename(path, to: aside)
                logger.error(
                    "the saved forecast is not used; prediction begins anew",
                    metadata: ["error": "\(error)", "file": "\(path)", "kept": "\(aside)"])
            }
        } catch {
            logger.error(
                "the saved forecast cannot be read; prediction begins anew",
                metadata: ["error": "\(error)", "file": "\(path)"])
        }
        return nil
    }

    /// Blocks. Each file is written beside the old one and takes its place whole.
    func save(_ forecaster: Forecaster, _ outcomes: OutcomeCalibration) -> Result<Void, AgentError> {
        do throws(Errno) {
            for (path, bytes) in [(models, forecaster.save()), (self.outcomes, outcomes.save())] {
                try Files.write(bytes, to: path + ".new", mode: 0o600)
                try Files.rename(path + ".new", to: path)
            }
            return .success(())
        } catch {
            return .failure(
                AgentError(
                    .internal, "saving the forecast in \(directory): \(error)",
                    remedy: error == .noSpace ? "free space on the node" : "see the agent's log", errno: error))
        }
    }
}
