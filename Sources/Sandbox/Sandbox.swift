package import Linux
import NurseryABI

/// A sandbox with its life: made by `SandboxFactory`, told what to do through PID 1's socket, ended once.
///
/// PID 1's answers are treated as a stranger's: a malformed one ends the sandbox, and none can block the loop.
@LoopActor
package final class Sandbox {
    package enum State: Sendable, Equatable {
        case creating
        case ready
        case ending
        case ended
    }

    /// This agent's number for it, never used twice.
    package nonisolated let id: UInt64
    package nonisolated let slot: UInt32
    package nonisolated let name: String
    package private(set) var spec: SandboxSpec
    package private(set) var state = State.creating
    /// PID 1's number on the host, once the nursery has said it.
    package internal(set) var pid: Int32 = 0
    package private(set) var isFrozen = false
    /// It has only the CPU time that others leave; see `setBackground`.
    package internal(set) var isBackground = false

    /// Called on the loop for every event; `ended` is the last.
    package var onEvent: (@LoopActor (SandboxEvent) -> Void)?

    private let control: OwnedFD
    let cgroup: Cgroup
    unowned let factory: SandboxFactory
    private var source: Reactor.Source?
    var nextCookie: UInt32 = 1
    private var failure: SandboxError?

    init(
        id: UInt64, slot: UInt32, name: String, spec: SandboxSpec, control: consuming OwnedFD,
        cgroup: consuming Cgroup, factory: SandboxFactory
    ) throws(Errno) {
        self.id = id
        self.slot = slot
        self.name = name
        self.spec = spec
        try control.setNonblocking(true)
        let fd = control.rawValue
        self.control = control
        self.cgroup = cgroup
        self.factory = factory
        source = try Reactor.shared.watch(fd) { [weak self] _ in self?.receive() }
    }

    /// It was ready long before: an earlier hearthd saw that.
    func markAdopted(pid: Int32, isFrozen: Bool) {
        self.pid = pid
        self.isFrozen = isFrozen
        // Perhaps: the first claim makes sure of its usual share of the CPU.
        isBackground = true
        state = .ready
    }

    // MARK: Requests

    /// Attaches a detached mount at an absolute path inside. May be asked before the sandbox is ready.
    @discardableResult
    package func bind(_ mount: SharedFD, at target: String) throws(SandboxError) -> UInt32 {
        var message = Self.message(HP_BIND)
        try FixedText.store(target, in: &message.target, what: "mount target")
        return try send(&message, [mount.rawValue])
    }

    /// Starts a program with `descriptors` as its 0, 1, 2, ...; may be asked before the sandbox is ready.
    package func spawn(_ request: SpawnRequest, descriptors: [Int32]) throws(SandboxError) -> UInt32 {
        guard descriptors.count <= Int(HP_SPAWN_FDS.rawValue) else { throw .invalid("more than 8 descriptors") }
        var bytes = try request.encoded(descriptors: descriptors.count)
        let cookie = nextCookie
        nextCookie &+= 1
        let offset = 8  // offset of `cookie` in struct hp_spawn
        withUnsafeBytes(of: cookie) { for (index, byte) in $0.enumerated() { bytes[offset + index] = byte } }
        try transmit(bytes, descriptors)
        return cookie
    }

    /// Sends a signal to a program it started, or with process 0 to everything inside but PID 1.
    package func signal(_ number: Int32, process: Int32 = 0) throws(SandboxError) {
        var message = Self.message(HP_SIGNAL)
        message.process = process
        message.signal = number
        _ = try send(&message, [])
    }

    /// From here on PID 1 holds no capability but, with `spawning`, those that changing ids takes, and is under a filter.
    @discardableResult
    package func seal(spawning: Bool, filter: SeccompProgram?) throws(SandboxError) -> UInt32 {
        var message = Self.message(HP_SEAL)
        message.keep_spawn = spawning ? 1 : 0
        return try send(&message, [], filter: filter)
    }

    /// From here on PID 1 and all that it starts are under a filter; PID 1 alone can still `bind`, until it is sealed.
    @discardableResult
    package func filter(_ filter: WaitingFilter) throws(SandboxError) -> UInt32 {
        var message = Self.message(HP_FILTER)
        message.mount_key = UInt64.random(in: 1...UInt64.max)
        return try send(&message, [], filter: filter.program(key: message.mount_key))
    }

    /// Stops every process inside until `thaw` (cgroup.freeze): an idle sandbox uses no CPU at all.
    package func freeze() throws(SandboxError) { try setFrozen(true) }
    package func thaw() throws(SandboxError) { try setFrozen(false) }

    private func setFrozen(_ frozen: Bool) throws(SandboxError) {
        guard frozen != isFrozen else { return }
        do throws(Errno) { try cgroup.setFrozen(frozen) } catch { throw .cgroup("freezing \(cgroup.path)", error) }
        isFrozen = frozen
    }

    /// Sets the limits of the group anew, for what is bound to the sandbox now. The size of /tmp stays.
    package func limit(to limits: SandboxSpec.Limits) throws(SandboxError) {
        try factory.cgroups.limit(cgroup, to: limits, isIdle: isBackground)
        spec.limits = limits
    }

    var hasCPUController: Bool { factory.cgroups.hasCPU }

    /// Bytes charged to the sandbox at the moment; nil where there is no memory controller.
    package func memoryCurrent() -> Int64? {
        guard factory.cgroups.hasMemory, let text = try? cgroup.read("memory.current") else { return nil }
        return Int64(text.prefix { $0 != "\n" })
    }

    /// Bytes that the sandbox holds: what its group is charged, or without a memory controller the resident memory of its
    /// processes, pages shared between them counted more than once.
    package func memoryInUse() -> Int64 {
        if let charged = memoryCurrent() { return charged }
        guard let processes = try? cgroup.read("cgroup.procs") else { return 0 }
        var pages: Int64 = 0
        for pid in processes.split(separator: "\n").prefix(256) {
            guard let statm = try? Files.readText("/proc/\(pid)/statm") else { continue }
            let fields = statm.split(separator: " ")
            if fields.count > 1 { pages += Int64(fields[1]) ?? 0 }
        }
        return pages * 4096
    }

    /// Asks the kernel to take `bytes` back from an idle sandbox (memory.reclaim, kernel 5.19); it takes what it can.
    package func reclaim(_ bytes: Int64) {
        guard factory.cgroups.hasMemory, bytes > 0 else { return }
        try? cgroup.write(String(bytes), to: "memory.reclaim")
    }

    /// Processes that the OOM killer has taken so far.
    package func oomKills() -> Int64 {
        guard factory.cgroups.hasMemory, let values = try? cgroup.keyedValues("memory.events") else { return 0 }
        return values["oom_kill"] ?? 0
    }

    /// Kills everything inside at once: a fork under way cannot escape cgroup.kill, nor can a frozen process.
    package func kill() {
        guard state == .creating || state == .ready else { return }
        state = .ending
        try? cgroup.kill()
        factory.kill(self)
    }

    // MARK: Answers

    private func receive() {
        var message = hp_message()
        for _ in 0..<32 {
            do throws(Errno) {
                let (count, descriptors) = try withUnsafeMutableBytes(of: &message) { (bytes) throws(Errno) in
                    try Message.receive(control.rawValue, into: bytes)
                }
                guard count > 0 else { return stopListening() }
                guard count == MemoryLayout<hp_message>.size, descriptors.isEmpty, message.magic == UInt32(HN_MAGIC)
                else { return distrust() }
                handle(message)
            } catch .wouldBlock {
                return
            } catch .connectionReset {
                return stopListening()
            } catch {
                return distrust()
            }
        }
    }

    private func handle(_ message: hp_message) {
        switch hp_op(rawValue: UInt32(message.op)) {
        case HP_READY:
            guard state == .creating else { return }
            state = .ready
            if isBackground { applyWeight() }
            onEvent?(.ready(at: message.time_ns))
        case HP_BOUND:
            onEvent?(.bound(cookie: message.cookie, at: message.time_ns))
        case HP_STARTED:
            if isBackground { applyWeight() }
            onEvent?(.started(cookie: message.cookie, pid: message.process, at: message.time_ns))
        case HP_EXITED:
            let status = message.exit_status
            onEvent?(
                .exited(
                    cookie: message.cookie,
                    ProcessEnd(
                        exit: status >= 0 ? .status(status) : .signal(0 &- status), userMicroseconds: message.user_us,
                        systemMicroseconds: message.system_us, maxResidentKiB: message.max_rss_kib,
                        at: message.time_ns)))
        case HP_SEALED:
            onEvent?(.sealed(cookie: message.cookie))
        case HP_FILTERED:
            onEvent?(.filtered(cookie: message.cookie))
        case HP_FAILED:
            let error = SandboxError.failed(
                Errno(rawValue: message.error), at: SandboxStage(rawValue: message.stage))
            if message.failed_op == HP_READY.rawValue {
                // PID 1 ends itself now; its end carries the reason.
                failure = error
            } else {
                onEvent?(.failed(cookie: message.cookie, error))
            }
        default:
            distrust()
        }
    }

    /// An answer that our PID 1 would not give: whoever speaks there now is not listened to.
    private func distrust() {
        failure = failure ?? .invalid("the sandbox's PID 1 sent something malformed")
        stopListening()
        kill()
    }

    private func stopListening() {
        source?.cancel()
        source = nil
    }

    // MARK: The end

    /// The nursery has refused or lost the birth.
    func birthFailed(_ error: SandboxError) {
        failure = error
        finish(user: 0, system: 0)
    }

    /// PID 1 is reaped: the kernel has ended everything in its namespace before.
    func finish(user: Int64, system: Int64) {
        guard state != .ended else { return }
        // What PID 1 said last is still in the socket, its exits and its reason for failing.
        if source != nil { receive() }
        stopListening()
        state = .ended
        var end = SandboxEnd(failure: failure)
        end.userMicroseconds = user
        end.systemMicroseconds = system
        end.oomKills = oomKills()
        if factory.cgroups.hasPids, let values = try? cgroup.keyedValues("pids.events") {
            end.refusedForks = values["max"] ?? 0
        }
        if factory.cgroups.hasMemory, let text = try? cgroup.read("memory.peak") {
            end.peakMemory = Int64(text.prefix { $0 != "\n" }) ?? 0
        }
        let handler = onEvent
        onEvent = nil
        handler?(.ended(end))
        factory.bury(self)
    }

    // MARK: Sending

    private static func message(_ op: hp_op) -> hp_message {
        var message = hp_message()
        message.magic = UInt32(HN_MAGIC)
        message.version = UInt16(HN_VERSION)
        message.op = UInt16(op.rawValue)
        return message
    }

    private func send(
        _ message: inout hp_message, _ descriptors: [Int32], filter: SeccompProgram? = nil
    ) throws(SandboxError) -> UInt32 {
        message.cookie = nextCookie
        nextCookie &+= 1
        let cookie = message.cookie
        message.filter_count = UInt32(filter?.instructionCount ?? 0)
        var bytes: [UInt8] = []
        withUnsafeBytes(of: &message) { bytes.append(contentsOf: $0) }
        if let filter { bytes.append(contentsOf: filter.bytes) }
        try transmit(bytes, descriptors)
        return cookie
    }

    private func transmit(_ bytes: [UInt8], _ descriptors: [Int32]) throws(SandboxError) {
        guard state == .creating || state == .ready else { throw .ended }
        do throws(Errno) {
            _ = try Message.send(control.rawValue, bytes, descriptors: descriptors)
        } catch .wouldBlock {
            // PID 1 has not read for a whole socket buffer: it is stuck or not ours any more.
            kill()
            throw .ended
        } catch {
            throw .failed(error, at: .request)
        }
    }
}
