import Wire

/// What static analysis found in a function's code, as it is shown. All of it came out of a stranger's code.
enum AnalysisView {
    /// Packages and calls listed for people; JSON has all.
    private static let listed = 12

    static func lines(_ info: HearthFunctionInfo) -> [(String, String)] {
        guard info.hasAnalysis else { return [] }
        let analysis = info.analysis
        guard analysis.state == .done else {
            return [("analysis", state(analysis.state) + (analysis.reason.isEmpty ? "" : ": \(analysis.reason)"))]
        }
        var lines = [("analysis", "\(analysis.files) files in \(Format.duration(analysis.tookNs))")]
        for package in analysis.packages.prefix(listed) {
            var text = package.origin
            if package.importNs > 0 { text += ", \(Format.duration(package.importNs)) to import" }
            if package.bytes > 0 { text += ", \(Format.bytes(package.bytes))" }
            lines.append(("imports", "\(package.name) (\(text))"))
        }
        for call in analysis.calls.prefix(listed) {
            lines.append((call.topic ? "sends to" : "calls", "\(call.target) (\(call.file):\(call.line))"))
        }
        for skipped in analysis.skipped {
            lines.append(("not analysed", "\(skipped.file): \(skipped.reason)"))
        }
        let more = Int(analysis.skippedCount) - analysis.skipped.count
        if more > 0 { lines.append(("not analysed", "\(more) more files")) }
        return lines
    }

    static func json(_ info: HearthFunctionInfo) -> JSON.Value {
        guard info.hasAnalysis else { return .null }
        let analysis = info.analysis
        return .object([
            "state": .string(state(analysis.state)), "reason": .string(analysis.reason),
            "files": .integer(Int64(analysis.files)), "took_ns": JSON.Value(analysis.tookNs),
            "packages": .array(
                analysis.packages.map {
                    .object([
                        "name": .string($0.name), "origin": .string($0.origin), "bytes": JSON.Value($0.bytes),
                        "import_ns": JSON.Value($0.importNs), "files": .array($0.files.map { .string($0) }),
                    ])
                }),
            "calls": .array(
                analysis.calls.map {
                    .object([
                        "target": .string($0.target), "kind": .string($0.topic ? "topic" : "function"),
                        "file": .string($0.file), "line": .integer(Int64($0.line)),
                    ])
                }),
            "skipped": .array(
                analysis.skipped.map { .object(["file": .string($0.file), "reason": .string($0.reason)]) }),
            "skipped_count": .integer(Int64(analysis.skippedCount)),
        ])
    }

    private static func state(_ state: HearthAnalysisState) -> String {
        switch state {
        case .pending: "pending"
        case .done: "done"
        case .failed: "failed"
        case .none: "none"
        case .unspecified, .UNRECOGNIZED: "unknown"
        }
    }
}
