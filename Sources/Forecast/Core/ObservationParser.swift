import Foundation

/// Reads observations from lines of text: JSON objects, or access logs in the common or combined format.
///
/// JSON, one object a line; times are seconds since 1970 or ISO 8601, keys that are not listed are refused:
/// `{"time": 1.5, "function": "f", "user": "u", "session": "s", "arguments": "text or digest"}`,
/// `{"time": 1.5, "topic": "t", "key": "k"}`,
/// `{"time": 1.5, "from": "f", "to": "g", "lag": 2}` or with `"from_topic"`: a dependency,
/// `{"time": 1.5, "user": "u", "session": "s", "ends": true}`.
package struct ObservationParser: Sendable {
    package enum Format: String, Sendable, CaseIterable {
        case json, clf
    }

    /// Which function serves a path: the rule with the longest prefix.
    package struct Route: Sendable, Equatable {
        package var prefix: String
        package var function: String

        package init(prefix: String, function: String) {
            self.prefix = prefix
            self.function = function
        }
    }

    package let format: Format
    private let routes: [Route]

    /// Without `routes` a log's function is the first part of the path.
    package init(format: Format, routes: [Route] = []) {
        self.format = format
        self.routes = routes.sorted { $0.prefix.utf8.count > $1.prefix.utf8.count }
    }

    /// The observation of a line; nil for an empty one, a comment, or a path that no route serves.
    package func parse(_ line: String, number: Int) throws(ForecastError) -> Observation? {
        let text = line.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !text.isEmpty, !text.hasPrefix("#") else { return nil }
        return switch format {
        case .json: try json(text, number)
        case .clf: try log(text, number)
        }
    }

    // MARK: JSON

    private struct Line: Decodable {
        var time: Time
        var function, user, session, arguments, topic, key, from, to: String?
        var fromTopic: String?
        var lag: Double?
        var ends: Bool?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case time, function, user, session, arguments, topic, key, from, to, lag, ends
            case fromTopic = "from_topic"
        }
    }

    private enum Time: Decodable {
        case seconds(Double)
        case text(String)

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let seconds = try? value.decode(Double.self) {
                self = .seconds(seconds)
            } else {
                self = .text(try value.decode(String.self))
            }
        }
    }

    private func json(_ text: String, _ number: Int) throws(ForecastError) -> Observation {
        func refuse(_ reason: String) -> ForecastError { .badObservation(line: number, reason: reason) }
        let data = Data(text.utf8)
        guard let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
            throw refuse("it is not a JSON object")
        }
        let known = Set(Line.CodingKeys.allCases.map(\.rawValue))
        if let unknown = object.keys.sorted().first(where: { !known.contains($0) }) {
            throw refuse("unknown key \"\(unknown)\"; known are \(known.sorted().joined(separator: ", "))")
        }
        guard let line = try? JSONDecoder().decode(Line.self, from: data) else {
            throw refuse("a value has the wrong type, or \"time\" is missing")
        }
        guard let time = Self.nanoseconds(line.time) else {
            throw refuse("\"time\" is neither seconds since 1970 nor an ISO 8601 time")
        }
        if let function = line.function {
            guard line.topic == nil, line.to == nil else { throw refuse("it is a request and something else at once") }
            return Observation(
                time: time,
                .request(
                    function: function, user: line.user, session: line.session,
                    arguments: line.arguments.map(Self.digest) ?? 0))
        }
        if let topic = line.topic { return Observation(time: time, .event(topic: topic, key: line.key)) }
        if let target = line.to {
            let lag = line.lag ?? 0
            guard lag >= 0, lag.isFinite else { throw refuse("\"lag\" is negative") }
            if let from = line.from {
                return Observation(time: time, .dependency(from: .function(from), to: target, lag: lag))
            }
            if let from = line.fromTopic {
                return Observation(time: time, .dependency(from: .topic(from), to: target, lag: lag))
            }
            throw refuse("a dependency needs \"from\" or \"from_topic\"")
        }
        if let user = line.user, let session = line.session, let ends = line.ends {
            return Observation(time: time, .session(user: user, session: session, begins: !ends))
        }
        throw refuse("it names no \"function\", \"topic\", \"to\", or session that begins or ends")
    }

    private static func nanoseconds(_ time: Time) -> Int64? {
        switch time {
        case .seconds(let seconds):
            guard seconds.isFinite, seconds >= 0, seconds < 9e9 else { return nil }
            return Int64(seconds * 1e9)
        case .text(let text):
            guard let date = (try? Date(text, strategy: .iso8601)) ?? fractional(text) else { return nil }
            let seconds = date.timeIntervalSince1970
            return seconds >= 0 && seconds < 9e9 ? Int64(seconds * 1e9) : nil
        }
    }

    private static func fractional(_ text: String) -> Date? {
        try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    /// A digest of arguments: 64-bit FNV-1a, never 0.
    package static func digest(_ text: String) -> UInt64 { max(1, ArchiveWriter.checksum(Array(text.utf8)[...])) }

    // MARK: Access logs

    /// `host ident user [10/Oct/2000:13:55:36 -0700] "GET /path HTTP/1.0" 200 2326 ...`; the user is the logged one,
    /// else the host.
    private func log(_ text: String, _ number: Int) throws(ForecastError) -> Observation? {
        func refuse(_ reason: String) -> ForecastError { .badObservation(line: number, reason: reason) }
        let names = text.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: true)
        guard names.count == 4, let open = names[3].firstIndex(of: "["), let close = names[3].firstIndex(of: "]"),
            open < close
        else { throw refuse("it is not in the common log format: host ident user [time] \"request\" status size") }
        guard let time = Self.logTime(names[3][names[3].index(after: open)..<close]) else {
            throw refuse("its time is not like [10/Oct/2000:13:55:36 -0700]")
        }
        let rest = names[3][close...].split(separator: "\"", maxSplits: 2, omittingEmptySubsequences: false)
        guard rest.count >= 2 else { throw refuse("it has no request in quotes") }
        let request = rest[1].split(separator: " ")
        guard request.count >= 2 else { throw refuse("its request has no path") }
        let path = String(request[1].prefix { $0 != "?" && $0 != "#" })
        guard let function = function(of: path) else { return nil }
        let user = names[2] == "-" ? names[0] : names[2]
        return Observation(
            time: time, .request(function: function, user: String(user), session: nil, arguments: 0))
    }

    private func function(of path: String) -> String? {
        if routes.isEmpty { return path.split(separator: "/").first.map(String.init) }
        return routes.first { path.hasPrefix($0.prefix) }?.function
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private static func logTime(_ text: Substring) -> Int64? {
        let parts = text.split(whereSeparator: { "/: ".contains($0) })
        guard parts.count == 7, let day = Int(parts[0]), let month = months.firstIndex(of: String(parts[1])),
            let year = Int(parts[2]), let hour = Int(parts[3]), let minute = Int(parts[4]), let second = Int(parts[5]),
            let zone = Int(parts[6]), (1...31).contains(day), (1970...2250).contains(year), (0...23).contains(hour),
            (0...59).contains(minute), (0...60).contains(second), abs(zone) <= 1400
        else { return nil }
        // Days since 1970 by the civil calendar, with March as the first month of a year.
        let shifted = month < 2 ? year - 1 : year
        let dayOfYear = (153 * ((month + 10) % 12) + 2) / 5 + day - 1
        let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468
        let offset = (zone / 100 * 60 + zone % 100) * 60
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset
        return seconds >= 0 ? Int64(seconds) * 1_000_000_000 : nil
    }
}
