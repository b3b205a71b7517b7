import Foundation
package import Replay

/// One call of a sequence data set.
package struct SequenceCall: Sendable {
    package var user: UInt32
    /// `UInt32.max` where the user is the session.
    package var session: UInt32
    package var function: UInt32
    /// Seconds.
    package var time: Double
    /// A digest of what the session was begun with; 0: none.
    package var arguments: UInt64
    /// The first call of a path that is given, not chosen: it is neither asked for nor learned as a call.
    package var isGiven: Bool
    /// Whether it counts in the figures.
    package var isScored: Bool
}

/// Data sets of sequences.
package enum SequenceData {
    /// Alibaba: model = function, group = user; scored from 2 December on, the figures of the baseline.
    package static func alibaba(_ trace: Trace) -> [SequenceCall] {
        // 2024-11-15 is day 0.
        let scoredFrom: Int64 = 17 * 86_400_000
        return trace.invocations.map {
            SequenceCall(
                user: UInt32(bitPattern: $0.user), session: .max, function: UInt32(bitPattern: $0.unit),
                time: Double($0.startMs) / 1000, arguments: 0, isGiven: false, isScored: $0.startMs >= scoredFrom)
        }
    }

    /// Wikispeedia: article = function, path = session, "<" (back) a function of its own. The first article of a path
    /// is given by the game. With `goals` the article a player looks for is the digest of the session's arguments.
    package static func wikispeedia(path: String, goals: Bool) throws -> [SequenceCall] {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        var paths: [(time: Double, user: String, clicks: [String], goal: String)] = []
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
            guard fields.count >= 5, let time = Double(fields[1]) else { continue }
            paths.append(
                (time, String(fields[0]), fields[3].split(separator: ";").map(String.init), String(fields[4])))
        }
        paths.sort { $0.time < $1.time }
        var users: [String: UInt32] = [:]
        var articles: [String: UInt32] = [:]
        func number(_ name: String, _ table: inout [String: UInt32]) -> UInt32 {
            if let known = table[name] { return known }
            let fresh = UInt32(table.count)
            table[name] = fresh
            return fresh
        }
        var calls: [SequenceCall] = []
        for (session, path) in paths.enumerated() {
            let user = number(path.user, &users)
            let goal = UInt64(number(path.goal, &articles)) + 1
            for (index, click) in path.clicks.enumerated() {
                calls.append(
                    SequenceCall(
                        user: user, session: UInt32(session) | 1 << 31, function: number(click, &articles),
                        time: path.time, arguments: goals ? goal : 0, isGiven: index == 0, isScored: index > 0))
            }
        }
        return calls
    }
}
