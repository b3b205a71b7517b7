import Linux
import Sandbox
import Wire

/// The filters, compiled once from the profiles that were installed.
struct SeccompPrograms: Sendable {
    /// For functions and runs.
    let function: SeccompProgram
    /// For a sealed PID 1 that starts nothing more; nil where the installation has none.
    let initial: SeccompProgram?
    /// Of the profiles' texts.
    let digest: UInt64

    init(share: String) throws(AgentError) {
        var digest = Checksum()
        function = try Self.compile(share + "/seccomp/default.profile", &digest)
        let path = share + "/seccomp/init.profile"
        initial = Files.exists(path) ? try Self.compile(path, &digest) : nil
        self.digest = digest.value
    }

    private static func compile(_ path: String, _ digest: inout Checksum) throws(AgentError) -> SeccompProgram {
        let text: String
        do throws(Errno) {
            text = try Files.readText(path)
        } catch {
            throw AgentError(
                .failedPrecondition, "the seccomp profile \(path): \(error)",
                remedy: "install Hearth's share directory, or name it with --share", errno: error)
        }
        digest.add(text)
        do throws(SandboxError) {
            return try SeccompProgram(compiling: try SeccompProfile(parsing: text, name: path)).compacted()
        } catch {
            throw AgentError(error)
        }
    }
}
