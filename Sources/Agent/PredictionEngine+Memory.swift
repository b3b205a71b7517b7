import Forecast
import Logging

/// The bound on what the models hold.
extension PredictionEngine {
    /// Forgets what there is no room for; an eighth more, so that not every save finds the bound reached again. It takes some
    /// tenths of a second, so it is done away from the loop, to a copy: what happens meanwhile waits to be learned.
    func fitMemory() {
        let bound = Int(settings.memory)
        guard forecaster.memoryBytes > bound, !isFitting, !isStopped else { return }
        isFitting = true
        let copy = forecaster
        BlockingWork.run {
            var fitted = copy
            fitted.forget(toFit: bound / 8 * 7)
            return .success(fitted)
        } completion: { [weak self] (result: Result<Forecaster, AgentError>) in
            guard case .success(let fitted) = result else { return }
            self?.fitted(fitted, bound)
        }
    }

    private func fitted(_ fitted: Forecaster, _ bound: Int) {
        isFitting = false
        guard !isStopped else { return }
        let old = forecaster
        forecaster = fitted
        forecaster.takePlan(of: old)
        for name in deletedMeanwhile { forecaster.remove(name) }
        deletedMeanwhile = []
        schedule()
        guard forecaster.memoryBytes > bound, !isShortTold else { return }
        isShortTold = true
        logger.warning(
            "the forecast takes more than prediction_memory with nothing left to forget",
            metadata: ["bytes": "\(forecaster.memoryBytes)", "prediction_memory": "\(bound)"])
    }
}
