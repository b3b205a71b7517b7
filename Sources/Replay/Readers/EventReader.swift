/// Reads the layouts with one invocation a line.
enum EventReader {
    /// app,func,end_timestamp,duration, both in seconds: the start is the difference.
    static func azure2021(
        _ lines: inout LineReader, header: Header, into builder: inout TraceBuilder
    ) throws(ReplayError) {
        let path = lines.path
        try builder.declare(.invocations, path: path)
        try MetadataReader.rows(&lines, fields: header.names.count) { (line, fields, number) throws(ReplayError) in
            guard let end = Fields.number(line, fields[2]), let duration = Fields.number(line, fields[3]), duration >= 0
            else {
                throw .malformed(path: path, line: number, reason: "end_timestamp and duration must be seconds")
            }
            let unit = builder.unit(function: Fields.text(line, fields[1]), app: Fields.text(line, fields[0]))
            builder.add(
                Invocation(
                    startMs: try milliseconds(end - duration, path: path, line: number), unit: Int32(unit), user: -1,
                    durationMs: durationMs(seconds: duration)))
        }
    }

    /// Alibaba GenTD26: the model is the function, groupId the user, exec_time_seconds the service time.
    static func alibaba(
        _ lines: inout LineReader, header: Header, into builder: inout TraceBuilder
    ) throws(ReplayError) {
        let path = lines.path
        try builder.declare(.invocations, path: path)
        guard let created = header.column("gmt_create"), let model = header.column("checkpoint_model_version_id") else {
            return
        }
        let group = header.column("groupId")
        let seconds = header.column("exec_time_seconds")
        try MetadataReader.rows(&lines, fields: header.names.count) { (line, fields, number) throws(ReplayError) in
            guard let start = Timestamp.milliseconds(line, fields[created]) else {
                let shown = Fields.text(line, fields[created])
                throw .malformed(
                    path: path, line: number, reason: "gmt_create is \"\(shown)\", not YYYY-MM-DD HH:MM:SS")
            }
            let duration = seconds.flatMap { Fields.number(line, fields[$0]) } ?? -1
            builder.add(
                Invocation(
                    startMs: start,
                    unit: Int32(builder.unit(function: Fields.text(line, fields[model]), app: "")),
                    user: builder.user(group.map { Fields.text(line, fields[$0]) } ?? ""),
                    durationMs: durationMs(seconds: duration)))
        }
    }

    /// day,minute,R1,R2,...: one unit a column, its value the minute's count.
    static func load(
        _ lines: inout LineReader, header: Header, into builder: inout TraceBuilder
    ) throws(ReplayError) {
        let path = lines.path
        try builder.declare(.counts, path: path)
        var units: [Int] = []
        for name in header.names.dropFirst(2) { units.append(builder.unit(function: name, app: "")) }
        var firstDay: Double?
        try MetadataReader.rows(&lines, fields: header.names.count) { (line, fields, number) throws(ReplayError) in
            guard let day = Fields.number(line, fields[0]), let minute = Fields.number(line, fields[1]),
                minute >= 0 && minute < 1440, day.magnitude < 1e6
            else {
                throw .malformed(path: path, line: number, reason: "day and minute (0...1439) must be numbers")
            }
            let origin = firstDay ?? day
            firstDay = origin
            let position = Int(day - origin) * 1440 + Int(minute)
            guard position < TraceBuilder.longest else {
                throw .malformed(path: path, line: number, reason: "day \(Int(day)) is more than ten years on")
            }
            guard position >= 0 else {
                throw .malformed(path: path, line: number, reason: "day \(Int(day)) is before the first line's day")
            }
            builder.extendHorizon(to: position + 1)
            for (column, unit) in units.enumerated() where !fields[column + 2].isEmpty {
                guard let value = Fields.number(line, fields[column + 2]), Fields.isCount(value) else {
                    let shown = Fields.text(line, fields[column + 2])
                    throw .malformed(
                        path: path, line: number, reason: "\(header.names[column + 2]) is \"\(shown)\", not a count")
                }
                if value > 0 { builder.add(unit: unit, minute: position, value: Float(value)) }
            }
        }
    }

    /// Service time in whole milliseconds, at most 24 days; -1 for a negative one.
    static func durationMs(seconds: Double) -> Int32 {
        seconds < 0 ? -1 : Int32(min((seconds * 1000).rounded(), Double(Int32.max)))
    }

    static func milliseconds(_ seconds: Double, path: String, line: Int) throws(ReplayError) -> Int64 {
        let value = (seconds * 1000).rounded()
        // 2^53 ms is 285,000 years: beyond it a time is damage, not data.
        guard value.magnitude < 9e15 else {
            throw .malformed(path: path, line: line, reason: "the time is out of range")
        }
        return Int64(value)
    }
}
