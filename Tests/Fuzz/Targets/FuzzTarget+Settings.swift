import Agent
import Sandbox

extension FuzzTarget {
    /// The configuration file.
    static let configuration = FuzzTarget(name: "configuration", maximumLength: 2048) { input in
        var configuration = AgentConfiguration()
        try? configuration.read(yaml: String(decoding: input, as: UTF8.self), name: "fuzzed.yaml")
        expect(configuration.limits.memoryBudget > 0, "no memory")
    }

    /// A seccomp profile, as far as the program that the kernel would be given.
    static let seccompProfile = FuzzTarget(name: "seccomp-profile", maximumLength: 2048) { input in
        guard let profile = try? SeccompProfile(parsing: String(decoding: input, as: UTF8.self), name: "fuzzed") else {
            return
        }
        guard let program = try? SeccompProgram(compiling: profile) else { return }
        expect(program.bytes.count == program.instructionCount * 8, "a program of another length")
    }
}
