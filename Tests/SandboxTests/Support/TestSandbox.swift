import Glibc
package import Linux
@testable package import Sandbox

/// What a program left behind.
package struct Output: Sendable {
    package let exit: Linux.Process.Exit
    package let text: String
    package let errors: String
    package let end: ProcessEnd

    package var lines: [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }
}

/// A sandbox whose events are kept, so that a test can wait for one that has come already.
@LoopActor
package final class TestSandbox {
    package let sandbox: Sandbox
    package private(set) var events: [SandboxEvent] = []
    private var waiting: [(id: Int, match: (SandboxEvent) -> Bool, resume: (SandboxEvent?) -> Void)] = []
    private var nextID = 0

    package init(_ sandbox: Sandbox) {
        self.sandbox = sandbox
        sandbox.onEvent = { event in self.take(event) }
    }

    private func take(_ event: SandboxEvent) {
        events.append(event)
        waiting.removeAll { waiter in
            guard waiter.match(event) else { return false }
            waiter.resume(event)
            return true
        }
    }

    /// The first event, past or to come, that fits.
    @discardableResult
    package func event(
        _ what: String, within seconds: Double = patience, where match: @escaping (SandboxEvent) -> Bool
    ) async throws -> SandboxEvent {
        if let event = events.first(where: match) { return event }
        let id = nextID
        nextID += 1
        let found: SandboxEvent? = await withCheckedContinuation { continuation in
            let timer = Reactor.shared.schedule(after: Int64(seconds * 1e9)) {
                self.waiting.removeAll { $0.id == id }
                continuation.resume(returning: nil)
            }
            waiting.append(
                (
                    id, match,
                    { event in
                        timer.cancel()
                        continuation.resume(returning: event)
                    }
                ))
        }
        guard let found else { throw TestFailure("no \(what) within \(seconds) s; so far: \(events)") }
        return found
    }

    package func ready() async throws {
        try await event("ready") {
            switch $0 {
            case .ready, .ended: true
            default: false
            }
        }
        if let end = ended { throw end.failure ?? SandboxError.ended }
    }

    package var ended: SandboxEnd? {
        for case .ended(let end) in events { return end }
        return nil
    }

    /// Kills the sandbox and waits until its group has gone, so that what is counted afterwards is counted in peace.
    @discardableResult
    package func end() async throws -> SandboxEnd {
        sandbox.kill()
        return try await waitForEnd()
    }

    @discardableResult
    package func waitForEnd() async throws -> SandboxEnd {
        try await event("end") { if case .ended = $0 { true } else { false } }
        let path = sandbox.cgroup.path
        try await eventually("\(path) goes") { !Files.exists(path) }
        guard let ended else { throw TestFailure("no end") }
        return ended
    }

    /// Starts a program with three descriptors; returns its cookie.
    package func spawn(
        _ argv: [String], _ change: (inout SpawnRequest) -> Void = { _ in }, descriptors: [Int32]? = nil
    ) throws -> UInt32 {
        var request = SpawnRequest(argv: argv, environment: ["PATH=/usr/bin:/bin", "HOME=/tmp"])
        change(&request)
        if let descriptors { return try sandbox.spawn(request, descriptors: descriptors) }
        let null = try Files.open("/dev/null", flags: O_RDWR)
        let raw = null.rawValue
        return try sandbox.spawn(request, descriptors: [raw, raw, raw])
    }

    /// The pid inside of what was started with this cookie; what PID 1 said when it could not.
    package func started(_ cookie: UInt32) async throws -> Int32 {
        let event = try await event("start of \(cookie)") {
            switch $0 {
            case .started(cookie, _, _), .failed(cookie, _), .ended: true
            default: false
            }
        }
        switch event {
        case .started(_, let pid, _): return pid
        case .failed(_, let error): throw error
        default: throw ended?.failure ?? SandboxError.ended
        }
    }

    package func exited(_ cookie: UInt32, within seconds: Double = patience) async throws -> ProcessEnd {
        let event = try await event("exit of \(cookie)", within: seconds) {
            switch $0 {
            case .exited(cookie, _), .failed(cookie, _), .ended: true
            default: false
            }
        }
        switch event {
        case .exited(_, let end): return end
        case .failed(_, let error): throw error
        default: throw ended?.failure ?? SandboxError.ended
        }
    }

    /// Runs a program to its end. Never write `change` inside `#expect`: Swift 6.3 may then call another closure of the
    /// same test. Its output goes to memory files, so that a child left behind keeps no pipe open.
    package func run(
        _ argv: [String], _ change: (inout SpawnRequest) -> Void = { _ in }, input: String = "",
        within seconds: Double = patience
    ) async throws -> Output {
        var copy = input
        let stdin = try copy.withUTF8 { SharedFD(try MemoryFile.sealed(name: "in", UnsafeRawBufferPointer($0))) }
        let stdout = try MemoryFile.empty(name: "out")
        let stderr = try MemoryFile.empty(name: "err")
        let cookie = try spawn(
            argv, change, descriptors: [stdin.rawValue, stdout.rawValue, stderr.rawValue])
        let end = try await exited(cookie, within: seconds)
        return Output(exit: end.exit, text: try Self.text(stdout), errors: try Self.text(stderr), end: end)
    }

    private static func text(_ file: borrowing OwnedFD) throws -> String {
        _ = lseek(file.rawValue, 0, SEEK_SET)
        return String(decoding: try Files.readAll(file, limit: 16 << 20), as: UTF8.self)
    }

    /// PID 1's number on the host. The nursery's answer may come after PID 1's first words.
    package func pid() async throws -> Int32 {
        try await eventually("the nursery's answer") { self.sandbox.pid != 0 }
        return sandbox.pid
    }

    /// The files of PID 1 as the host sees them.
    package func proc(_ name: String) async throws -> String {
        try Files.readText("/proc/\(try await pid())/\(name)")
    }
}
