import Glibc
import Linux
import Logging

/// The agent's log on stderr: lines for people, JSON for collectors, priorities for journald.
struct AgentLog: LogHandler {
    enum Format: Sendable {
        case text
        case json
        case journal
    }

    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    private let format: Format

    static func make(level: String, format: String) -> Logger {
        let level = Logger.Level(rawValue: level) ?? .info
        let chosen: Format = format == "json" ? .json : Environment.value("JOURNAL_STREAM") != nil ? .journal : .text
        return Logger(label: "hearthd") { _ in AgentLog(logLevel: level, format: chosen) }
    }

    private init(logLevel: Logger.Level, format: Format) {
        self.logLevel = logLevel
        self.format = format
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { _, new in new }.sorted { $0.key < $1.key }
        var line = ""
        switch format {
        case .json:
            line = "{\"time\":\"\(stamp())\",\"level\":\"\(event.level)\",\"message\":\(quoted("\(event.message)"))"
            for (key, value) in fields { line += ",\(quoted(key)):\(quoted("\(value)"))" }
            line += "}\n"
        case .text, .journal:
            line = format == .journal ? "<\(priority(event.level))>" : "\(stamp()) \(event.level) "
            line += oneLine("\(event.message)")
            for (key, value) in fields { line += " \(key)=\(quoted("\(value)"))" }
            line += "\n"
        }
        // One write, so that lines of several threads do not mix.
        try? Message.writeAll(2, Array(line.utf8))
    }

    private func stamp() -> String {
        var seconds = time_t(realtimeNow() / 1_000_000_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        var text = [CChar](repeating: 0, count: 32)
        let count = strftime(&text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .critical: 2
        case .error: 3
        case .warning: 4
        case .notice: 5
        case .info: 6
        case .debug, .trace: 7
        }
    }

    /// A stranger's text must not be able to forge a line of the log.
    private func oneLine(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : Character($0) })
    }

    private func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": out += "\\\(scalar)"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let hex = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
