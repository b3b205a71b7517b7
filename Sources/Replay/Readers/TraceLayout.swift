/// The file layouts that can be told apart by their first line.
enum TraceLayout: Equatable {
    /// HashOwner,HashApp,HashFunction,Trigger,1..1440 (Azure 2019), also HashFunction,Trigger,1..60.
    case functionMinutes
    /// HashApp,...,AverageMemUsageMB,1..1440: concurrency.
    case applicationConcurrency
    /// row,total,1..1440: counts without names.
    case anonymousMinutes
    /// ...HashFunction,Average,Count,Minimum,Maximum,percentile_Average_0...
    case durations
    /// HashApp or HashFunction,SampleCount,AverageAllocatedMb,...
    case memory
    /// HashApp,NumInvocations: totals of a day, to resample by.
    case dailyTotals
    /// app,func,end_timestamp,duration (Azure 2021).
    case azure2021
    /// gmt_create,...,groupId,...,checkpoint_model_version_id,... (Alibaba GenTD26).
    case alibaba
    /// day,minute,REGION...: one load series a column.
    case load
    /// One JSON object a line: our own events or the agent's journal.
    case jsonLines

    init(firstLine: Span<UInt8>, path: String) throws(ReplayError) {
        var start = 0
        while start < firstLine.count && (firstLine[start] == 0x20 || firstLine[start] == 0x09) { start += 1 }
        if start < firstLine.count && firstLine[start] == UInt8(ascii: "{") {
            self = .jsonLines
            return
        }
        let header = Header(firstLine)
        if let layout = Self.csv(header) {
            self = layout
            return
        }
        let shown = Fields.text(firstLine, 0..<min(firstLine.count, 80))
        throw .unknownFormat(path: path, firstLine: shown)
    }

    private static func csv(_ header: Header) -> TraceLayout? {
        if header.column("percentile_Average_0") != nil { return .durations }
        if header.column("AverageAllocatedMb") != nil { return .memory }
        if header.minutes != nil {
            if header.column("HashFunction") != nil { return .functionMinutes }
            if header.column("AverageMemUsageMB") != nil { return .applicationConcurrency }
            if header.starts(with: "row", "total") { return .anonymousMinutes }
        }
        if header.names == ["HashApp", "NumInvocations"] { return .dailyTotals }
        if header.starts(with: "app", "func", "end_timestamp", "duration") { return .azure2021 }
        if header.column("gmt_create") != nil && header.column("checkpoint_model_version_id") != nil { return .alibaba }
        if header.starts(with: "day", "minute") && header.names.count > 2 { return .load }
        return nil
    }

    /// Files that describe functions of other files are read after those.
    var isMetadata: Bool { self == .durations || self == .memory || self == .dailyTotals }
}
