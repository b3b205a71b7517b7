import SwiftProtobuf
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

    /// Pushes a whole plan. One that does not fit a message is sent behind it.
    public func pushPlan(
        _ request: HearthPushPlanRequest, options: CallOptions = .default
    ) throws(HearthClientError) -> HearthPushPlanResponse {
        // The deadline before the message takes 8 bytes.
        guard try Self.encode(request).count + 8 > Int(connection.limits.maximumMessage) else {
            return try call(.pushPlan, request, options: options)
        }
        var head = request
        head.entries = []
        head.entriesFollow = true
        var bytes: [UInt8] = []
        for entry in request.entries { bytes.appendDelimited(entry) }
        return try call(.pushPlan, head, options: options, upload: .bytes(bytes))
    }

    public func getPlan(options: CallOptions = .default) throws(HearthClientError) -> HearthGetPlanResponse {
        try call(.getPlan, HearthGetPlanRequest(), options: options)
    }

    /// What was measured since `request.cursor`, however much that is: the series come as a stream and are gathered here.
    public func pullLatency(
        _ request: HearthPullLatencyRequest, options: CallOptions = .default
    ) throws(HearthClientError) -> HearthPullLatencyResponse {
        var request = request
        request.streamSeries = true
        var series: [HearthLatencySeries] = []
        var response: HearthPullLatencyResponse = try gather(.pullLatency, request, options: options) {
            series.append($0)
            return .more
        }
        response.series += series
        return response
    }

    /// One page of the journal.
    public func pullJournal(
        _ request: HearthPullJournalRequest, options: CallOptions = .default
    ) throws(HearthClientError) -> HearthPullJournalResponse {
        try call(.pullJournal, request, options: options)
    }

    /// The journal's entries after `cursor`, those that are there and those to come, until `onEntry` has enough or the call
    /// is interrupted. An entry of the kind "lost" stands where some are no longer kept.
    public func followJournal(
        after cursor: UInt64 = 0, options: CallOptions = .default,
        onEntry: @escaping (HearthJournalEntry) -> StreamControl
    ) throws(HearthClientError) {
        var request = HearthPullJournalRequest()
        request.cursor = cursor
        request.follow = true
        do throws(HearthClientError) {
            let _: HearthPullJournalResponse = try gather(
                .pullJournal, request, options: options, onEntry)
        } catch .agent(let error) where error.code == .cancelled {
            return
        }
    }

    /// A call whose DATA is a sequence of (varint length, message).
    private func gather<Response: SwiftProtobuf.Message, Item: SwiftProtobuf.Message>(
        _ method: HearthMethod, _ request: some SwiftProtobuf.Message, options: CallOptions,
        _ onItem: @escaping (Item) -> StreamControl
    ) throws(HearthClientError) -> Response {
        var reader = DelimitedReader<Item>(limit: Int(connection.limits.maximumMessage))
        var problem: DelimitedReader<Item>.Problem?
        var isDone = false
        let response: Response = try call(method, request, options: options) { bytes in
            guard !isDone else { return .stop }
            reader.append(bytes)
            do throws(DelimitedReader<Item>.Problem) {
                while let item = try reader.next() {
                    guard case .stop = onItem(item) else { continue }
                    isDone = true
                    return .stop
                }
            } catch {
                problem = error
                isDone = true
                return .stop
            }
            return .more
        }
        if let problem { throw .broken("DATA that is no sequence of \(Item.protoMessageName): \(problem)") }
        return response
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
