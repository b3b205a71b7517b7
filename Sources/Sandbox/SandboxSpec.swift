/// What a sandbox is made of, before anything of a function is in it.
package struct SandboxSpec: Sendable, Hashable {
    /// Upper bounds of everything inside together.
    package struct Limits: Sendable, Hashable {
        /// Bytes of memory (memory.max); swap is always 0.
        package var memory: Int64 = 128 << 20
        /// Processes and threads (pids.max).
        package var processes: Int64 = 64
        /// CPUs, 0 for no limit (cpu.max over a period of 100 ms).
        package var cpus: Double = 0
        /// Share of the CPU when there is not enough (cpu.weight, 1...10000).
        package var cpuWeight: Int = 100
        /// Bytes and files of /tmp. They count against `memory` too.
        package var tmpBytes: Int64 = 64 << 20
        package var tmpFiles: Int = 16384
        /// Bytes of /dev/shm.
        package var shmBytes: Int64 = 16 << 20

        package init() {}
    }

    package var image: UInt32
    package var hostname: String
    package var limits: Limits
    /// A private /dev/pts, for programs that open terminals.
    package var terminals: Bool
    /// Capabilities that processes inside may be given (over their own namespaces); empty as a rule.
    package var capabilities: CapabilitySet

    package init(
        image: UInt32, hostname: String = "hearth", limits: Limits = Limits(), terminals: Bool = false,
        capabilities: CapabilitySet = .none
    ) {
        self.image = image
        self.hostname = hostname
        self.limits = limits
        self.terminals = terminals
        self.capabilities = capabilities
    }
}
