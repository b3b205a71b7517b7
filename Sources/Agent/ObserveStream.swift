import Forecast
import Linux
import Wire

/// The method Observe: lines of a log as DATA, read away from the loop and learned a few at a time. A client gets credit
/// for what was learned, so that a log of any length takes no more than its window.
@LoopActor
final class ObserveStream: Session.StreamHandler {
    nonisolated private static let longestLine = 65536
    nonisolated private static let longestName = 256
    nonisolated private static let problemsTold = 20
    /// Nanoseconds by which a log's clock may be ahead of ours.
    nonisolated private static let clockTolerance: Int64 = 60_000_000_000

    private let session: Session
    private let stream: UInt32
    private let engine: PredictionEngine
    private let parser: ObservationParser
    private var pending: [[UInt8]] = []
    private var rest: [UInt8] = []
    private var isSkipping = false
    private var line = 0
    private var isBusy = false
    private var hasEnded = false
    private var isDone = false
    private var response = HearthObserveResponse()

    private init(_ session: Session, _ stream: UInt32, _ engine: PredictionEngine, _ parser: ObservationParser) {
        self.session = session
        self.stream = stream
        self.engine = engine
        self.parser = parser
    }

    static func start(
        _ request: ServerRequest<SharedFD>, _ session: Session
    ) throws(AgentError) -> (any Session.StreamHandler)? {
        let message = try RequestRouter.decode(request, HearthObserveRequest.self)
        let engine = try session.agent.predicting()
        let format: ObservationParser.Format
        switch message.format {
        case .json, .unspecified: format = .json
        case .clf: format = .clf
        case .UNRECOGNIZED(let number):
            throw .invalid("log format \(number) is not known", remedy: "send JSON lines or the common log format")
        }
        guard message.routes.count <= 10_000 else {
            throw .invalid("\(message.routes.count) routes", remedy: "send at most 10000")
        }
        for route in message.routes where route.prefix.isEmpty || route.function.isEmpty {
            throw .invalid("a route without a prefix or a function", remedy: "give both")
        }
        let routes = message.routes.map { ObservationParser.Route(prefix: $0.prefix, function: $0.function) }
        return ObserveStream(session, request.stream, engine, ObservationParser(format: format, routes: routes))
    }

    func received(_ bytes: [UInt8], end: Bool) {
        guard !isDone else { return session.consumed(stream, bytes.count) }
        if !bytes.isEmpty { pending.append(bytes) }
        if end { hasEnded = true }
        work()
    }

    func cancelled(_ reason: Session.CancelReason) {
        guard !isDone else { return }
        isDone = true
        session.respond(
            stream,
            error: reason == .deadline
                ? AgentError(
                    .deadlineExceeded, "\(line) lines were read by the deadline", remedy: "allow more time",
                    retryable: true)
                : .cancelled())
    }

    func drained() {}

    // MARK: Lines

    /// What a piece of the log came to.
    private struct Piece: Sendable {
        var observations: [Observation] = []
        var problems: [String] = []
        var refused: UInt64 = 0
        var ignored: UInt64 = 0
    }

    private func work() {
        guard !isBusy, !isDone else { return }
        guard !pending.isEmpty else {
            guard hasEnded else { return }
            if rest.isEmpty { return finish() }
            let last = rest
            rest = []
            return parse([last], bytes: 0)
        }
        let bytes = pending.removeFirst()
        parse(split(bytes), bytes: bytes.count)
    }

    /// Whole lines; the last one waits for its end. A line too long is cut there, and its rest is passed over.
    private func split(_ bytes: [UInt8]) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var start = bytes.startIndex
        while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            if isSkipping { isSkipping = false } else { lines.append(rest + bytes[start..<end]) }
            rest = []
            start = end + 1
        }
        guard !isSkipping else { return lines }
        rest += bytes[start...]
        if rest.count > Self.longestLine {
            lines.append(rest)
            rest = []
            isSkipping = true
        }
        return lines
    }

    private func parse(_ lines: [[UInt8]], bytes: Int) {
        isBusy = true
        let first = line + 1
        line += lines.count
        let (parser, now) = (self.parser, realtimeNow())
        BlockingWork.run {
            .success(Self.read(lines, first: first, parser, now: now))
        } completion: { [self] (result: Result<Piece, AgentError>) in
            guard case .success(let piece) = result else { return }
            response.refused += piece.refused
            response.ignored += piece.ignored
            for problem in piece.problems where response.problems.count < Self.problemsTold {
                response.problems.append(problem)
            }
            learn(piece.observations[...], bytes: bytes)
        }
    }

    nonisolated private static func read(
        _ lines: [[UInt8]], first: Int, _ parser: ObservationParser, now: Int64
    ) -> Piece {
        var piece = Piece()
        func refuse(_ number: Int, _ reason: String) {
            piece.refused += 1
            if piece.problems.count < problemsTold {
                piece.problems.append("line \(number): \(FunctionRecord.printable(reason))")
            }
        }
        for (index, bytes) in lines.enumerated() {
            let number = first + index
            guard bytes.count <= longestLine else {
                refuse(number, "it has more than \(longestLine) bytes")
                continue
            }
            guard let text = String(validating: bytes, as: UTF8.self) else {
                refuse(number, "it is not UTF-8")
                continue
            }
            do throws(ForecastError) {
                guard let observation = try parser.parse(text, number: number) else {
                    piece.ignored += 1
                    continue
                }
                if observation.time > now + clockTolerance {
                    refuse(number, "its time lies in the future")
                } else if names(observation).contains(where: { $0.utf8.count > longestName || $0.isEmpty }) {
                    refuse(number, "a name is empty or has more than \(longestName) bytes")
                } else {
                    piece.observations.append(observation)
                }
            } catch {
                if case .badObservation(_, let reason) = error {
                    refuse(number, reason)
                } else {
                    refuse(number, "\(error)")
                }
            }
        }
        return piece
    }

    nonisolated private static func names(_ observation: Observation) -> [String] {
        switch observation.kind {
        case .request(let function, let user, let session, _): [function] + [user, session].compactMap(\.self)
        case .event(let topic, _): [topic]
        case .session(let user, let session, _): [user, session]
        case .dependency(.function(let from), let to, _), .dependency(.topic(let from), let to, _): [from, to]
        }
    }

    /// Hands them to the engine as fast as it learns.
    private func learn(_ observations: ArraySlice<Observation>, bytes: Int) {
        guard !isDone else { return }
        guard engine.waitingCount < 1024 else {
            Reactor.shared.schedule(after: 2_000_000) { [self] in learn(observations, bytes: bytes) }
            return
        }
        for observation in observations.prefix(512) { engine.observe(observation) }
        response.accepted += UInt64(min(512, observations.count))
        guard observations.count <= 512 else {
            return learn(observations.dropFirst(512), bytes: bytes)
        }
        isBusy = false
        if bytes > 0 { session.consumed(stream, bytes) }
        work()
    }

    private func finish() {
        isDone = true
        engine.settleWaiting()
        session.respond(stream, response)
    }
}
