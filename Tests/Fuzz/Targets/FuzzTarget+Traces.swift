import Forecast
import Linux
import Replay

extension FuzzTarget {
    /// Lines of observations, JSON and access logs, and a forecast that learns from what they say.
    static let observations = FuzzTarget(name: "observations", maximumLength: 4096) { input in
        let text = String(decoding: input.dropFirst(), as: UTF8.self)
        let format: ObservationParser.Format = (input.first ?? 0) & 1 == 0 ? .json : .clf
        let routes = (input.first ?? 0) & 2 == 0 ? [] : [ObservationParser.Route(prefix: "/api", function: "api")]
        let parser = ObservationParser(format: format, routes: routes)
        var settings = ForecastSettings()
        (settings.functions, settings.users, settings.successors, settings.dependencies) = (16, 16, 64, 64)
        guard var forecast = try? Forecaster(settings: settings) else { preconditionFailure("a fresh forecast") }
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).prefix(64).enumerated() {
            do throws(ForecastError) {
                guard let observation = try parser.parse(String(line), number: number + 1) else { continue }
                expect(observation.time >= 0, "a time before 1970")
                forecast.observe(observation)
            } catch {
                expect("\(error)".contains("\(number + 1)"), "an error that does not name its line")
            }
        }
    }

    /// A trace file of any layout, plain or compressed.
    static let traces = FuzzTarget(name: "traces", maximumLength: 8192) { input in
        guard let file = try? MemoryFile.sealed(name: "fuzzed", input) else { return }
        let path = "/proc/self/fd/\(file.rawValue)"
        guard let loaded = try? TraceLoader().load([path]) else { return }
        let minutes = MinuteTrace(loaded.trace)
        expect(minutes.units.count <= input.count * 2000, "more functions than the file can name")
    }

    /// Saved forecast state. Input: which kind (one byte), then the content, which is given its length and checksum here: those
    /// find accidents, and everything behind them must stand by itself.
    static let forecastArchive = FuzzTarget(name: "forecast-archive", maximumLength: 16384) { input in
        var script = InputBytes(input)
        let kinds: [ArchiveKind] = [.engine, .prior, .network, .outcomes]
        let kind = kinds[Int(script.byte() % 4)]
        var writer = ArchiveWriter(kind: kind)
        for byte in script.rest() { writer.put(byte) }
        let bytes = writer.finish()
        switch kind {
        case .engine:
            guard var forecast = try? Forecaster(bytes) else { return }
            let again = forecast.save()
            expect((try? Forecaster(again)) != nil, "a state that was read cannot be read again")
            forecast.observe(
                Observation(
                    time: 1_700_000_000_000_000_000,
                    .request(function: "f", user: "u", session: nil, arguments: 0)))
        case .prior: _ = try? OccurrenceModel(prior: bytes)
        case .network:
            guard var network = try? SequenceNetwork(weights: bytes) else { return }
            network.update(0, stream: 1, gap: 1)
            network.predict(stream: 1)
        case .outcomes: _ = try? OutcomeCalibration(bytes, sources: 7)
        }
    }
}
