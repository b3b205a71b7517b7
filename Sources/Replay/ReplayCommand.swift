import Forecast

/// `hearth replay`: reads a trace, runs policies over it, and says what each would have cost and saved.
package enum ReplayCommand {
    /// Requests of an event replay: 24 bytes each, so about 1.2 GB.
    private static let mostRequests = 50_000_000

    /// Runs `options`. `output` gets the lines of stdout, `progress` is called now and then while it works.
    package static func run(
        options: ReplayOptions, output: (String) -> Void, progress: ((ReplayProgress) -> Void)? = nil
    ) throws(ReplayError) {
        let start = ContinuousClock.now
        let loader = TraceLoader(granularity: options.granularity, progress: progress)
        let loaded = try loader.load(options.traces)
        var trace = loaded.trace
        if let count = options.resample {
            trace = try Resampler.resample(trace, count: count, dailyTotals: loaded.dailyTotals, seed: options.seed)
        }
        let model = try Prior.model(path: options.prior)
        if let path = options.trainPrior {
            let bytes = try Prior.train(on: MinuteTrace(trace), startingFrom: model, to: path) {
                progress?(ReplayProgress(activity: "learning", fraction: $0))
            }
            output("\(path): a prior of \(bytes) bytes from \(trace.units.count) units of \(trace.name)")
            return
        }
        switch options.mode {
        case .minute:
            try minute(trace, options, model, start: start, output: output, progress: progress)
        case .event:
            try event(trace, options, model, start: start, output: output, progress: progress)
        }
    }

    private static func minute(
        _ trace: Trace, _ options: ReplayOptions, _ model: OccurrenceModel, start: ContinuousClock.Instant,
        output: (String) -> Void,
        progress: ((ReplayProgress) -> Void)?
    ) throws(ReplayError) {
        let view = MinuteTrace(trace)
        var replay = MinuteReplay(view) { (trace, name) throws(ReplayError) in
            let report: (Double) -> Void = {
                progress?(ReplayProgress(activity: "forecasting (\(name.rawValue))", fraction: $0))
            }
            return try Models.tape(trace, name, start: model, progress: report)
        }
        var outcomes: [PolicyOutcome] = []
        for (done, spec) in options.policies.enumerated() {
            progress?(
                ReplayProgress(
                    activity: "replaying \(spec.text)", fraction: Double(done) / Double(options.policies.count)))
            outcomes.append(try replay.run(spec))
        }
        var calibrations: [Calibration] = []
        for model in PolicySpec.Model.allCases where options.policies.contains(where: { $0.kind.model == model }) {
            calibrations.append(Calibration(view, try replay.tape(model), model: model.rawValue))
        }
        // Longer windows cost as much again as the replay: only where someone looks at them.
        let wantsLonger = (options.json || options.report != nil) && calibrations.contains { $0.model == "hearth" }
        let longer = wantsLonger ? HorizonCalibration.run(view, model: model) : []
        let rows = outcomes.map { replay.row($0) }
        var sources: [SourceRow] = []
        let ratios = zip(options.policies, rows).filter { $0.0.kind.model == .hearth }.map(\.1.wasteRatio)
        if options.sources, ratios.isEmpty {
            throw .badOption(name: "sources", reason: "none of the policies uses the agent's forecasts; name hearth@1")
        }
        if !ratios.isEmpty, options.sources || options.report != nil {
            sources = try SourceWorth.rows(
                view, full: try replay.tape(.hearth), model: model, ratios: ratios, reference: replay.reference
            ) {
                progress?(ReplayProgress(activity: "forecasting without \($0.label)", fraction: $1))
            }
        }
        let report = MinuteReport(
            trace: trace.name, units: view.units.count, minutes: view.minutes, seed: options.seed,
            rows: rows, calibration: calibrations.map(\.row) + longer, sources: sources,
            seconds: seconds(since: start))
        if let path = options.report {
            progress?(ReplayProgress(activity: "drawing \(path)", fraction: 0.9))
            let page = MinutePage(
                trace: view, report: report, outcomes: outcomes, curves: try replay.curves(for: options.policies),
                calibrations: calibrations)
            try page.html().write(to: path)
        }
        try emit(report, report.text(), options, output)
    }

    private static func event(
        _ trace: Trace, _ options: ReplayOptions, _ model: OccurrenceModel, start: ContinuousClock.Instant,
        output: (String) -> Void,
        progress: ((ReplayProgress) -> Void)?
    ) throws(ReplayError) {
        guard !options.sources else {
            throw .badOption(
                name: "sources", reason: "it is of --mode minute; here compare hearth with pool, which has no forecasts"
            )
        }
        guard trace.invocationCount <= mostRequests else {
            throw .unsuitable(
                reason: """
                    \(trace.name) holds \(trace.invocationCount) invocations, more than the \(mostRequests) an event \
                    replay takes; replay a part of its units (--resample) or use --mode minute
                    """)
        }
        var costs = NodeCosts()
        if let path = options.costs { costs = try NodeCosts(path: path) }
        let replay = EventReplay(EventTrace(trace, costs: costs, seed: options.seed), costs: costs, start: model)
        var outcomes: [EventOutcome] = []
        for (done, size) in options.budgets.enumerated() {
            for spec in options.policies {
                // A policy that needs no budget is run once.
                if done > 0 && spec.kind == .forever { continue }
                progress?(
                    ReplayProgress(
                        activity: "replaying \(spec.text)", fraction: Double(done) / Double(options.budgets.count)))
                outcomes.append(try replay.run(spec, budgetMB: replay.megabytes(size)))
            }
        }
        var advice: [String] = []
        if let target = options.sizing {
            for spec in options.policies where spec.kind != .forever {
                progress?(ReplayProgress(activity: "sizing for \(spec.text)", fraction: 0.5))
                let found = try SizingAdvice.smallest(replay, spec, target)
                advice.append(SizingAdvice.text(spec, found, target, neededMB: replay.neededMB))
            }
        }
        let report = EventReport(
            trace: trace.name, units: trace.units.count, neededMB: replay.neededMB, seed: options.seed, costs: costs,
            rows: outcomes.map { replay.row($0) }, advice: advice, seconds: seconds(since: start))
        if let path = options.report {
            try EventPage(trace: replay.trace, report: report, outcomes: outcomes).html().write(to: path)
        }
        try emit(report, report.text(), options, output)
    }

    private static func emit(
        _ report: some Encodable, _ lines: [String], _ options: ReplayOptions, _ output: (String) -> Void
    ) throws(ReplayError) {
        if options.json {
            output(try JSONText.encode(report))
        } else {
            for line in lines { output(line) }
        }
    }

    private static func seconds(since start: ContinuousClock.Instant) -> Double {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
