import FoundationEssentials

/// Reads one JSON object a line: plain events, or the journal that the agent exports.
///
/// An event is `{"t_ms":0,"function":"f","app":"a","user":"u","duration_ms":12,"memory_mb":128}`, of which only the
/// time (`t_ms`, or `t` in seconds) and `function` are required. A journal line is
/// `{"t_ms":0,"function":"f","user":"u","start":"warm","outcome":"ok","timing_us":{"run":900,...}}`: its service time
/// is `timing_us.run`. Rejected and cancelled requests of a journal were demand too, and are replayed.
enum JSONLinesReader {
    private struct Event: Decodable {
        var t_ms: Double?
        var t: Double?
        var function: String?
        var app: String?
        var user: String?
        var trigger: String?
        var duration_ms: Double?
        var memory_mb: Double?
        var timing_us: Timing?
    }

    private struct Timing: Decodable { var run: Double? }

    static func read(_ lines: inout LineReader, into builder: inout TraceBuilder) throws(ReplayError) {
        try builder.declare(.invocations, path: lines.path)
        let decoder = JSONDecoder()
        let path = lines.path
        var more = true
        while more {
            let number = lines.number + 1
            more =
                try lines.next { (line) throws(ReplayError) -> Bool in
                    guard line.count > 0 else { return true }
                    // Data copies the bytes before the closure returns.
                    let data = line.withUnsafeBufferPointer { Data($0) }
                    try add(data, decoder: decoder, path: path, number: number, to: &builder)
                    return true
                } ?? false
        }
    }

    private static func add(
        _ data: Data, decoder: JSONDecoder, path: String, number: Int, to builder: inout TraceBuilder
    ) throws(ReplayError) {
        let event: Event
        do {
            event = try decoder.decode(Event.self, from: data)
        } catch let DecodingError.typeMismatch(_, context) {
            let key = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw .malformed(path: path, line: number, reason: "\"\(key)\" has the wrong type")
        } catch {
            throw .malformed(path: path, line: number, reason: "the line is not a JSON object")
        }
        guard let function = event.function, !function.isEmpty else {
            throw .malformed(path: path, line: number, reason: "\"function\" is missing")
        }
        guard let seconds = event.t_ms.map({ $0 / 1000 }) ?? event.t else {
            throw .malformed(path: path, line: number, reason: "neither \"t_ms\" nor \"t\" tells the time")
        }
        let duration = event.duration_ms ?? event.timing_us?.run.map { $0 / 1000 } ?? -1
        let unit = builder.unit(function: function, app: event.app ?? "", trigger: event.trigger ?? "")
        if let megabytes = event.memory_mb, megabytes > 0, megabytes < 1e9 { builder.setMemory(megabytes, unit: unit) }
        builder.add(
            Invocation(
                startMs: try EventReader.milliseconds(seconds, path: path, line: number), unit: Int32(unit),
                user: builder.user(event.user ?? ""),
                durationMs: EventReader.durationMs(seconds: duration / 1000)))
    }
}
