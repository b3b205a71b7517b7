import Wire

/// Prediction as the agent's other parts see it.
extension Agent {
    /// Begins to predict, if the configuration says so.
    func startPrediction() throws(AgentError) {
        guard configuration.prediction.isOn else { return }
        let engine = try PredictionEngine(
            settings: configuration.prediction, store: PredictionStore(directory: configuration.state), pool: pool,
            logger: logger)
        for record in functions.values { engine.bind(record) }
        prediction = engine
    }

    func predicting() throws(AgentError) -> PredictionEngine {
        guard let prediction else {
            throw AgentError(
                .failedPrecondition, "prediction is off on this node",
                remedy: "set 'prediction: on' in its configuration")
        }
        return prediction
    }

    func emitEvent(_ request: HearthEmitEventRequest) throws(AgentError) -> HearthEmitEventResponse {
        guard (1...256).contains(request.topic.utf8.count), request.key.utf8.count <= 1024 else {
            throw .invalid(
                "an event's topic has 1 to 256 bytes and its key at most 1024", remedy: "shorten the topic or the key")
        }
        try checkAccepting()
        var response = HearthEmitEventResponse()
        response.functions = try predicting().emit(request.topic, key: request.key.isEmpty ? nil : request.key)
        journal.append(
            "event", "\(FunctionRecord.printable(request.topic)), \(response.functions.count) functions bound")
        return response
    }

    func predict(_ request: HearthPredictRequest) throws(AgentError) -> HearthPredictResponse {
        let engine = try predicting()
        if !request.function.isEmpty { _ = try function(named: request.function) }
        guard request.horizonNs <= 7 * 86_400 * 1_000_000_000 else {
            throw .invalid("a horizon of \(request.horizonNs / 1_000_000_000) s", remedy: "ask for at most seven days")
        }
        return engine.predict(request)
    }
}
