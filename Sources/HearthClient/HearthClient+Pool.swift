public import Wire

// The methods for coordinators. An agent that does not implement one answers UNIMPLEMENTED.
extension HearthClient {
    public func prefetch(
        _ request: HearthPrefetchRequest, options: CallOptions = .default
    ) throws(HearthClientError) -> HearthPrefetchResponse {
        try call(.prefetch, request, options: options)
    }

    public func evict(
        _ request: HearthEvictRequest, options: CallOptions = .default
    ) throws(HearthClientError) -> HearthEvictResponse {
        try call(.evict, request, options: options)
    }

    public func drain(
        _ request: HearthDrainRequest, options: CallOptions = .default
    ) throws(HearthClientError) -> HearthDrainResponse {
        try call(.drain, request, options: options)
    }

    public func pushPlan(
        _ request: HearthPushPlanRequest, options: CallOptions = .default
    ) throws(HearthClientError) -> HearthPushPlanResponse {
        try call(.pushPlan, request, options: options)
    }

    public func getPlan(options: CallOptions = .default) throws(HearthClientError) -> HearthGetPlanResponse {
        try call(.getPlan, HearthGetPlanRequest(), options: options)
    }

    public func pullLatency(
        _ request: HearthPullLatencyRequest, options: CallOptions = .default
    ) throws(HearthClientError) -> HearthPullLatencyResponse {
        try call(.pullLatency, request, options: options)
    }

    public func pullJournal(
        _ request: HearthPullJournalRequest, options: CallOptions = .default
    ) throws(HearthClientError) -> HearthPullJournalResponse {
        try call(.pullJournal, request, options: options)
    }

    /// Feeds the lines of an access log to the predictor.
    public func observe(
        _ request: HearthObserveRequest, log: Upload, options: CallOptions = .default
    ) throws(HearthClientError) -> HearthObserveResponse {
        try call(.observe, request, options: options, upload: log)
    }

    public func emitEvent(
        topic: String, key: String = "", options: CallOptions = .default
    ) throws(HearthClientError) -> HearthEmitEventResponse {
        var request = HearthEmitEventRequest()
        request.topic = topic
        request.key = key
        return try call(.emitEvent, request, options: options)
    }

    public func predict(
        _ request: HearthPredictRequest, options: CallOptions = .default
    ) throws(HearthClientError) -> HearthPredictResponse {
        try call(.predict, request, options: options)
    }
}
