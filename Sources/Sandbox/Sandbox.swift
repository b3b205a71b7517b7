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
    package internal(set) var spec: SandboxSpec
    package private(set) var state = State.creating
    /// PID 1's number on the host, once the nursery has said it.
    package internal(set) var pid: Int32 = 0
    package internal(set) var isFrozen = false
    /// It has only the CPU time that others leave; see `setBackground`.
    package internal(set) var isBackground = false

    /// Called on the loop for every event; `ended` is the last.
    package var onEvent: (@LoopActor (SandboxEvent) -> Void)?

    let control: OwnedFD
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

    // MARK: Ending it

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
}
