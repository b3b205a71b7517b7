package import Linux
import NurseryABI

/// What a sandbox is asked: of PID 1 by messages, of the kernel by its group's files.
extension Sandbox {
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
