/// Everything that can go wrong in a replay: what was wrong, with which file and line, and what to do.
package enum ReplayError: Error, Equatable, Sendable {
    /// A file that cannot be opened or read; `reason` is the system's word for it.
    case unreadable(path: String, reason: String)
    /// A compressed file whose bytes do not decode (damaged or cut short).
    case corrupt(path: String, reason: String)
    /// A line that does not follow the file's own header. Lines count from 1, decompressed.
    case malformed(path: String, line: Int, reason: String)
    /// No known layout starts like this.
    case unknownFormat(path: String, firstLine: String)
    /// The files are readable, but hold nothing that can be replayed as asked.
    case unsuitable(reason: String)
    /// A policy of `--policy` that does not exist or whose knob is not a number.
    case badPolicy(text: String, reason: String)
    /// An option out of its range.
    case badOption(name: String, reason: String)
    /// The report or the prior could not be written.
    case unwritable(path: String, reason: String)
}

extension ReplayError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreadable(let path, let reason):
            "cannot read \(path): \(reason)"
        case .corrupt(let path, let reason):
            "\(path) is damaged: \(reason); fetch or compress it again"
        case .malformed(let path, let line, let reason):
            "\(path):\(line): \(reason)"
        case .unknownFormat(let path, let firstLine):
            """
            \(path) starts like no trace format this tool knows: "\(firstLine)". Known are Azure 2019 and 2021, \
            minute matrices (HashApp/HashFunction/row columns, then minutes), Alibaba GenTD26, day,minute,... loads, \
            JSON lines and the agent's journal
            """
        case .unsuitable(let reason):
            reason
        case .badPolicy(let text, let reason):
            "policy \"\(text)\": \(reason)"
        case .badOption(let name, let reason):
            "--\(name): \(reason)"
        case .unwritable(let path, let reason):
            "cannot write \(path): \(reason)"
        }
    }
}
