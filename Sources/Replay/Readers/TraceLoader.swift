/// How far a long reading has come.
package struct ReplayProgress: Sendable {
    package var activity: String
    /// 0...1.
    package var fraction: Double
}

/// Reads one trace from one or several files, whatever their layout and compression.
package struct TraceLoader {
    package var granularity: Granularity = .function
    package var progress: ((ReplayProgress) -> Void)?

    package init(granularity: Granularity = .function, progress: ((ReplayProgress) -> Void)? = nil) {
        self.granularity = granularity
        self.progress = progress
    }

    /// What the files held.
    package struct Loaded {
        package var trace: Trace
        /// Daily totals of a HashApp,NumInvocations file among them: a rate distribution to resample by.
        package var dailyTotals: [Double] = []
    }

    /// Reads all `paths` as one trace. Days of a minute matrix follow each other in the order of the `dNN` in their
    /// names, else in the order given; files of service times and memory may stand anywhere among them.
    package func load(_ paths: [String]) throws(ReplayError) -> Loaded {
        guard !paths.isEmpty else { throw .unsuitable(reason: "no trace file was named") }
        var files: [(path: String, layout: TraceLayout)] = []
        for path in paths { files.append((path, try Self.layout(of: path))) }
        var builder = TraceBuilder(granularity: granularity)
        var firstMinute: Int?
        for (day, file) in Self.inDayOrder(files.filter { !$0.layout.isMetadata }).enumerated() {
            report(file.path, day, files.count)
            try read(file, day: day, firstMinute: &firstMinute, into: &builder)
        }
        var totals: [Double] = []
        var byApp: [String: Double] = [:]
        for file in files where file.layout.isMetadata {
            var lines = try LineReader(path: file.path)
            let header = try Self.header(&lines)
            switch file.layout {
            case .durations: try MetadataReader.durations(&lines, header: header, into: &builder)
            case .memory: try MetadataReader.memory(&lines, header: header, into: &builder, byApp: &byApp)
            default: totals = try MetadataReader.dailyTotals(&lines)
            }
        }
        guard !builder.isEmpty else {
            throw .unsuitable(
                reason: "\(paths.joined(separator: ", ")): only files that describe functions; name the invocations too"
            )
        }
        if !byApp.isEmpty { builder.shareMemory(byApp) }
        let name = Self.name(of: paths[0])
        let wholeDays = files.contains { $0.layout == .alibaba }
        return Loaded(trace: try builder.finish(name: name, wholeDays: wholeDays), dailyTotals: totals)
    }

    private func read(
        _ file: (path: String, layout: TraceLayout), day: Int, firstMinute: inout Int?,
        into builder: inout TraceBuilder
    ) throws(ReplayError) {
        var lines = try LineReader(path: file.path)
        if file.layout == .jsonLines { return try JSONLinesReader.read(&lines, into: &builder) }
        let header = try Self.header(&lines)
        switch file.layout {
        case .azure2021: try EventReader.azure2021(&lines, header: header, into: &builder)
        case .alibaba: try EventReader.alibaba(&lines, header: header, into: &builder)
        case .load: try EventReader.load(&lines, header: header, into: &builder)
        default:
            guard let columns = header.minutes else { return }
            let first = firstMinute ?? columns.firstNumber
            if firstMinute == nil { builder.originMinute = max(0, columns.firstNumber - 1) % 1440 }
            firstMinute = first
            let offset = day * 1440 + columns.firstNumber - first
            guard offset >= 0 else {
                throw .malformed(
                    path: file.path, line: 1,
                    reason: "its minutes begin at \(columns.firstNumber), before those of the first file (\(first))")
            }
            let reader = MatrixReader(layout: file.layout, header: header, columns: columns, offset: offset)
            try reader.read(&lines, into: &builder)
        }
    }

    private func report(_ path: String, _ done: Int, _ total: Int) {
        progress?(ReplayProgress(activity: "reading \(path)", fraction: Double(done) / Double(max(1, total))))
    }

    private static func layout(of path: String) throws(ReplayError) -> TraceLayout {
        var lines = try LineReader(path: path)
        let layout = try lines.next { (line) throws(ReplayError) in try TraceLayout(firstLine: line, path: path) }
        guard let layout else { throw .malformed(path: path, line: 1, reason: "the file is empty") }
        return layout
    }

    private static func header(_ lines: inout LineReader) throws(ReplayError) -> Header {
        let path = lines.path
        guard let header = try lines.next({ (line) throws(ReplayError) in Header(line) }) else {
            throw .malformed(path: path, line: 1, reason: "the file is empty")
        }
        return header
    }

    private static func inDayOrder(
        _ files: [(path: String, layout: TraceLayout)]
    ) -> [(path: String, layout: TraceLayout)] {
        let days = files.map { dayNumber(in: $0.path) }
        guard !days.contains(nil) else { return files }
        let numbered = zip(days.compactMap(\.self), files.indices).sorted { $0 < $1 }
        return numbered.map { files[$0.1] }
    }

    /// The NN of a ".dNN." in a file name, as Azure numbers its days.
    static func dayNumber(in path: String) -> Int? {
        for part in name(of: path).split(separator: ".").reversed() where part.first == "d" {
            if let day = Int(part.dropFirst()) { return day }
        }
        return nil
    }

    private static func name(of path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }
}
