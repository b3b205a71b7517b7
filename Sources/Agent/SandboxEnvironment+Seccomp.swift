import Sandbox
import Wire

/// A function's own profile behind everybody's: it can only take away (`SeccompProgram.stacked`).
struct StricterFilter: Sendable {
    /// Both, for a process that has no filter yet.
    let whole: SeccompProgram
    /// The function's alone, for what inherits the other from a sealed PID 1.
    let added: SeccompProgram
}

extension FunctionRecord {
    /// The label that names a stricter seccomp profile of the node.
    package static let seccompLabel = "hearth.seccomp"

    /// The profile's name; nil for everybody's. A runtime that was started before its function is known has everybody's filter, so a
    /// function with a profile of its own never takes one.
    package var seccompProfile: String? { labels[Self.seccompLabel] }
}

extension SandboxEnvironment {
    /// What a program of the function gets; with `inherits`, beside everybody's, which PID 1 has already.
    func filter(for function: FunctionRecord, inherits: Bool) throws(AgentError) -> SeccompProgram? {
        let stricter = try stricterFilter(for: function)
        return inherits ? stricter?.added : stricter?.whole ?? filter
    }

    private func stricterFilter(for function: FunctionRecord) throws(AgentError) -> StricterFilter? {
        guard let name = function.seccompProfile else { return nil }
        try checkProfile(of: function)
        return namedFilters[name]
    }

    /// Refuses a function whose profile the node does not have: it must not run with less protection than it asks for.
    func checkProfile(of function: FunctionRecord) throws(AgentError) {
        guard let name = function.seccompProfile, namedFilters[name] == nil else { return }
        let known = namedFilters.keys.sorted().joined(separator: ", ")
        throw AgentError(
            .failedPrecondition,
            "function '\(function.name)': this node has no seccomp profile '\(FunctionRecord.printable(name))'",
            remedy:
                "put \(FunctionRecord.seccompLabel)=NAME for one of: \(known.isEmpty ? "none is configured" : known); "
                + "profiles are NAME.profile in the directory seccomp_profiles, read when hearthd starts")
    }
}
