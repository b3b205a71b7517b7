import Linux
import Sandbox
import Wire

/// The filters, compiled once from the profiles that were installed.
struct SeccompPrograms: Sendable {
    /// For functions and runs.
    let function: SeccompProgram
    /// The same for a sandbox that waits for its function.
    let waiting: WaitingFilter
    /// For a sealed PID 1 that starts nothing more; nil where the installation has none.
    let initial: SeccompProgram?
    /// Profiles that a function may name to have less, by name.
    let named: [String: StricterFilter]
    /// Of the profiles' texts.
    let digest: UInt64

    /// - Parameters:
    ///   - share: the installation's directory, with `seccomp/default.profile`.
    ///   - profiles: the node's own directory of `NAME.profile` files; it need not be there.
    init(share: String, profiles: String) throws(AgentError) {
        var digest = Checksum()
        function = try Self.compile(share + "/seccomp/default.profile", standsAlone: true, &digest)
        do throws(SandboxError) { waiting = try WaitingFilter(function) } catch { throw AgentError(error) }
        let path = share + "/seccomp/init.profile"
        initial = Files.exists(path) ? try Self.compile(path, standsAlone: true, &digest) : nil
        var named: [String: StricterFilter] = [:]
        for file in ((try? Files.list(profiles)) ?? []).sorted() where file.hasSuffix(".profile") {
            digest.add(file)
            let added = try Self.compile(profiles + "/" + file, standsAlone: false, &digest)
            do throws(SandboxError) {
                named[String(file.dropLast(8))] = StricterFilter(
                    whole: try function.stacked(with: added), added: added)
            } catch {
                throw AgentError(error)
            }
        }
        self.named = named
        self.digest = digest.value
    }

    private static func compile(
        _ path: String, standsAlone: Bool, _ digest: inout Checksum
    ) throws(AgentError) -> SeccompProgram {
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
            let profile = try SeccompProfile(parsing: text, name: path)
            guard profile.isAllowlist || !standsAlone else {
                throw .invalid("seccomp profile \(path): 'default allow' is only for profiles that tighten another")
            }
            return try SeccompProgram(compiling: profile).compacted()
        } catch {
            throw AgentError(error)
        }
    }
}
