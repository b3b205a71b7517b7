import Agent
import Glibc
import Linux
import Wire

/// Finds what belongs to this executable: beside it in a build, in `../share/hearth` when installed.
enum Installation {
    static func complete(_ configuration: inout AgentConfiguration) throws(AgentError) {
        let directory = executableDirectory()
        if configuration.nurseryExecutable.isEmpty { configuration.nurseryExecutable = directory + "/hearth-nursery" }
        guard Files.exists(configuration.nurseryExecutable) else {
            throw AgentError(
                .failedPrecondition, "there is no \(configuration.nurseryExecutable)",
                remedy: "install hearth-nursery beside hearthd, or name it with --nursery")
        }
        if configuration.share.isEmpty {
            // Installed, in the build's `bin`, or in SwiftPM's build directory three levels down.
            let candidates = ["/../share/hearth", "/../rootfs-tools", "/../../../rootfs-tools"]
            guard let found = candidates.map({ directory + $0 }).first(where: { Files.exists($0 + "/runtimes") }) else {
                throw AgentError(
                    .failedPrecondition, "no directory with runtimes and seccomp profiles is near \(directory)",
                    remedy: "run 'make install', or name it with --share")
            }
            configuration.share = found
        }
    }

    private static func executableDirectory() -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, 4095)
        guard count > 0 else { return "." }
        let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }
}
