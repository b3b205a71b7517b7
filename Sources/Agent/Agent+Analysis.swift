import Forecast
import Linux
import Logging
import Wire

/// What is known of functions' code by reading it: kept with the registry, shown, and told to the prediction.
extension Agent {
    /// Begins to analyse, if the configuration says so; what was found before is not looked for again.
    func startAnalysis(_ known: [String: Registry.StoredAnalysis]) {
        guard configuration.analyzesCode else { return }
        let analyzer = CodeAnalyzer(
            directory: configuration.share + "/analyze", environment: environment, logger: logger)
        analyzer.onResult = { [weak self] function, analysis in self?.analyzed(function, analysis) }
        self.analyzer = analyzer
        for record in functions.values {
            if let stored = known[record.name], stored.codeDigest == record.codeDigest {
                analyses[record.name] = stored.analysis
                environment.learnPreloads(record, stored.analysis)
            } else {
                analyze(record)
            }
        }
        for record in functions.values { foreseeCalls(to: record) }
    }

    /// A function was put.
    func analyze(_ record: FunctionRecord) {
        guard let analyzer else { return }
        environment.preloads.forget(record.name)
        var analysis = HearthCodeAnalysis()
        if let reason = CodeAnalyzer.reasonAgainst(record) {
            analyzer.remove(record.name)
            analysis.state = .none
            analysis.reason = reason
        } else {
            analysis.state = .pending
            analyzer.submit(record)
        }
        analyses[record.name] = analysis
        foreseeCalls(to: record)
    }

    private func analyzed(_ record: FunctionRecord, _ analysis: HearthCodeAnalysis) {
        // It may have been deleted or put again while its code was read.
        guard let current = functions[record.name], current.codeDigest == record.codeDigest else { return }
        analyses[record.name] = analysis
        environment.learnPreloads(current, analysis)
        journal.append("analysis", function: record.name, analysis.summary)
        foreseeCalls(by: record.name)
        let registry = self.registry
        let logger = self.logger
        BlockingWork.run {
            do throws(AgentError) {
                try registry.put(analysis: analysis, of: record.name, codeDigest: record.codeDigest)
                return .success(())
            } catch {
                return .failure(error)
            }
        } completion: { (result: Result<Void, AgentError>) in
            if case .failure(let error) = result {
                logger.error(
                    "an analysis was not stored", metadata: ["function": "\(record.name)", "error": "\(error)"])
            }
        }
    }

    func forgetAnalysis(_ name: String) {
        analyses[name] = nil
        environment.preloads.forget(name)
        analyzer?.remove(name)
    }

    /// As it is shown: with the analysis of its code.
    func info(of record: FunctionRecord) -> HearthFunctionInfo {
        var info = record.wire
        if let analysis = analyses[record.name] { info.analysis = analysis }
        return info
    }

    // MARK: Edges

    /// Seconds after which a called function is thought to be due, where nothing was seen yet.
    private static let callLag = 0.25

    private func foreseeCalls(by name: String) {
        guard let prediction, let analysis = analyses[name] else { return }
        for call in analysis.calls {
            let targets = call.topic ? (prediction.bindings[call.target] ?? []).sorted() : [call.target]
            for target in targets where functions[target] != nil && target != name {
                prediction.observe(
                    Observation(
                        time: realtimeNow(), .dependency(from: .function(name), to: target, lag: Self.callLag)))
            }
        }
    }

    /// Those that were analysed before this one was there.
    private func foreseeCalls(to record: FunctionRecord) {
        guard prediction != nil else { return }
        let topics = Set(PredictionEngine.topics(record.labels))
        for (name, analysis) in analyses
        where analysis.calls.contains(where: { $0.topic ? topics.contains($0.target) : $0.target == record.name }) {
            foreseeCalls(by: name)
        }
    }
}

extension HearthCodeAnalysis {
    fileprivate var summary: String {
        guard state == .done else { return "not analysed: \(reason)" }
        return "\(files) files, \(packages.count) packages, \(calls.count) calls, \(skippedCount) skipped"
    }
}
