import Glibc
import Linux
import SandboxTestSupport

@testable import Sandbox

/// A program of the attacks that is left running inside, and what it has said so far.
@LoopActor
struct Background {
    let cookie: UInt32
    private let output: SharedFD

    /// Starts it and waits for a line that begins with "ready".
    static func start(
        _ name: String, _ arguments: [String], in sandbox: TestSandbox, environment: [String] = [], uid: UInt32 = 1000,
        weakened: @escaping (inout SpawnRequest) -> Void = { _ in }, extra: [Int32] = []
    ) async throws -> Background {
        let running = try begin(
            name, arguments, in: sandbox, environment: environment, uid: uid, weakened: weakened, extra: extra)
        try await eventually("\(name) \(arguments) is ready", within: patience) {
            if let end = sandbox.ended { throw TestFailure("the sandbox ended: \(end)") }
            return try running.text().contains("ready ")
        }
        return running
    }

    static func begin(
        _ name: String, _ arguments: [String], in sandbox: TestSandbox, environment: [String] = [], uid: UInt32 = 1000,
        weakened: @escaping (inout SpawnRequest) -> Void = { _ in }, extra: [Int32] = []
    ) throws -> Background {
        let output = SharedFD(try MemoryFile.empty(name: "background"))
        let filter = try SeccompProgram(compiling: try TestFiles.defaultProfile()).compacted()
        let change: (inout SpawnRequest) -> Void = { request in
            request.filter = filter
            request.environment = environment
            request.uid = uid
            request.gid = uid
            request.rlimits = Hardened.limits
            weakened(&request)
        }
        let null = try Files.open("/dev/null", flags: O_RDWR)
        let cookie = try sandbox.spawn(
            ["/var/task/" + name] + arguments, change,
            descriptors: [null.rawValue, output.rawValue, output.rawValue] + extra)
        return Background(cookie: cookie, output: output)
    }

    func text() throws -> String {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = pread(output.rawValue, &buffer, buffer.count, 0)
        guard count >= 0 else { throw Errno.current }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }
}
