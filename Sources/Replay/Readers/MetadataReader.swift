/// Reads the files that lie beside a minute matrix: service times by function, memory by application or function.
enum MetadataReader {
    static func durations(
        _ lines: inout LineReader, header: Header, into builder: inout TraceBuilder
    ) throws(ReplayError) {
        let prefix = "percentile_Average_"
        var percentiles: [(column: Int, percentile: Double)] = []
        for (column, name) in header.names.enumerated() where name.hasPrefix(prefix) {
            guard let percentile = Double(name.dropFirst(prefix.count)) else {
                throw .malformed(path: lines.path, line: 1, reason: "\(name) does not name a percentile")
            }
            percentiles.append((column, percentile))
        }
        percentiles.sort { $0.percentile < $1.percentile }
        let function = header.column("HashFunction")
        let app = header.column("HashApp")
        try rows(&lines, fields: header.names.count) { (line, fields, _) throws(ReplayError) in
            let unit = builder.knownUnit(
                function: function.map { Fields.text(line, fields[$0]) } ?? "",
                app: app.map { Fields.text(line, fields[$0]) } ?? "")
            guard let unit else { return }
            var points: [DurationPercentiles.Point] = []
            for (column, percentile) in percentiles {
                // A negative or missing time is a known flaw of the published files; the point is left out.
                guard let value = Fields.number(line, fields[column]), (0..<1e9).contains(value) else { continue }
                points.append(.init(percentile: percentile, milliseconds: value))
            }
            if !points.isEmpty { builder.setDurations(DurationPercentiles(points: points), unit: unit) }
        }
    }

    /// Adds to `byApp` what is measured by application; memory by function goes straight to its unit.
    static func memory(
        _ lines: inout LineReader, header: Header, into builder: inout TraceBuilder, byApp: inout [String: Double]
    ) throws(ReplayError) {
        guard let average = header.column("AverageAllocatedMb") else { return }
        let app = header.column("HashApp")
        let function = header.column("HashFunction")
        let path = lines.path
        try rows(&lines, fields: header.names.count) { (line, fields, number) throws(ReplayError) in
            guard let megabytes = Fields.number(line, fields[average]), (0..<1e9).contains(megabytes) else {
                let shown = Fields.text(line, fields[average])
                throw .malformed(path: path, line: number, reason: "AverageAllocatedMb is \"\(shown)\", not a size")
            }
            if let function {
                let name = Fields.text(line, fields[function])
                let owner = app.map { Fields.text(line, fields[$0]) } ?? ""
                if let unit = builder.knownUnit(function: name, app: owner) { builder.setMemory(megabytes, unit: unit) }
            } else if let app {
                byApp[Fields.text(line, fields[app])] = megabytes
            }
        }
    }

    /// The daily totals of HashApp,NumInvocations.
    static func dailyTotals(_ lines: inout LineReader) throws(ReplayError) -> [Double] {
        var totals: [Double] = []
        let path = lines.path
        try rows(&lines, fields: 2) { (line, fields, number) throws(ReplayError) in
            guard let total = Fields.number(line, fields[1]), total >= 0 else {
                throw .malformed(path: path, line: number, reason: "NumInvocations is not a count")
            }
            totals.append(total)
        }
        return totals
    }

    /// Calls `body` with every non-empty line that has as many fields as the header.
    static func rows(
        _ lines: inout LineReader, fields count: Int,
        _ body: (Span<UInt8>, [Range<Int>], Int) throws(ReplayError) -> Void
    ) throws(ReplayError) {
        let path = lines.path
        var more = true
        while more {
            let number = lines.number + 1
            more =
                try lines.next { (line) throws(ReplayError) -> Bool in
                    guard line.count > 0 else { return true }
                    let fields = Fields.all(in: line)
                    guard fields.count == count else {
                        throw .malformed(
                            path: path, line: number,
                            reason: "the row has \(fields.count) fields, the header \(count)")
                    }
                    try body(line, fields, number)
                    return true
                } ?? false
        }
    }
}
