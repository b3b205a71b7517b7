import Glibc
import Linux
import NurseryABI

/// A program to start in a sandbox.
package struct SpawnRequest: Sendable {
    package var argv: [String]
    package var environment: [String]
    package var directory: String
    package var uid: UInt32
    package var gid: UInt32
    package var capabilities: CapabilitySet
    package var filter: SeccompProgram?
    package var rlimits: [ResourceLimit]
    /// Descriptor 0 becomes the controlling terminal.
    package var terminal: Bool

    package init(
        argv: [String], environment: [String] = [], directory: String = "/", uid: UInt32 = 1000, gid: UInt32 = 1000,
        capabilities: CapabilitySet = .none, filter: SeccompProgram? = nil, rlimits: [ResourceLimit] = [],
        terminal: Bool = false
    ) {
        self.argv = argv
        self.environment = environment
        self.directory = directory
        self.uid = uid
        self.gid = gid
        self.capabilities = capabilities
        self.filter = filter
        self.rlimits = rlimits
        self.terminal = terminal
    }

    /// The PATH of the environment, or what POSIX systems take without one.
    private var searchPath: String {
        environment.first { $0.hasPrefix("PATH=") }.map { String($0.dropFirst(5)) }
            ?? "/usr/local/bin:/usr/bin:/bin"
    }

    /// The message for PID 1, ready to send; `cookie` is set later, at its fixed place.
    /// - Throws: `.invalid` when it is too large or a string holds a NUL.
    func encoded(descriptors: Int) throws(SandboxError) -> [UInt8] {
        guard let program = argv.first, !program.isEmpty else { throw .invalid("no program to run: argv is empty") }
        guard argv.count <= 1024, environment.count <= 1024 else {
            throw .invalid("more than 1,024 arguments or variables")
        }
        var strings: [UInt8] = []
        for text in [directory, searchPath, program] + argv + environment {
            guard !text.utf8.contains(0) else { throw .invalid("an argument or variable holds a NUL character") }
            strings.append(contentsOf: text.utf8)
            strings.append(0)
        }
        guard strings.count <= Int(HP_STRINGS_MAX.rawValue) else {
            throw .invalid(
                "arguments and environment take \(strings.count) bytes, more than \(HP_STRINGS_MAX.rawValue)")
        }
        guard rlimits.count <= Int(HP_SPAWN_RLIMITS.rawValue) else { throw .invalid("too many resource limits") }
        var header = hp_spawn()
        header.magic = UInt32(HN_MAGIC)
        header.version = UInt16(HN_VERSION)
        header.op = UInt16(HP_SPAWN.rawValue)
        header.flags =
            (terminal ? HP_SPAWN_TTY.rawValue : 0)
            | (program.utf8.contains(UInt8(ascii: "/")) ? 0 : HP_SPAWN_SEARCH_PATH.rawValue)
        header.uid = uid
        header.gid = gid
        header.capabilities = capabilities.mask
        header.argc = UInt32(argv.count)
        header.envc = UInt32(environment.count)
        header.strings_bytes = UInt32(strings.count)
        header.filter_count = UInt32(filter?.instructionCount ?? 0)
        header.rlimit_count = UInt32(rlimits.count)
        header.descriptors = UInt32(descriptors)
        withUnsafeMutableBytes(of: &header.rlimits) { raw in
            for (index, limit) in rlimits.enumerated() {
                let entry = hp_rlimit(
                    resource: limit.resource, reserved: 0, soft: limit.soft, hard: limit.hard)
                raw.storeBytes(of: entry, toByteOffset: index * MemoryLayout<hp_rlimit>.stride, as: hp_rlimit.self)
            }
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(
            MemoryLayout<hp_spawn>.size + strings.count + 8 + (filter?.bytes.count ?? 0))
        withUnsafeBytes(of: &header) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: strings)
        while bytes.count % 8 != 0 { bytes.append(0) }
        if let filter { bytes.append(contentsOf: filter.bytes) }
        return bytes
    }
}

/// One limit of setrlimit(2).
package struct ResourceLimit: Sendable, Hashable {
    package let resource: UInt32
    package let soft: UInt64
    package let hard: UInt64

    package init(_ resource: Resource, _ value: UInt64) {
        self.resource = resource.rawValue
        soft = value
        hard = value
    }

    /// The kernel's numbers (asm-generic/resource.h).
    package enum Resource: UInt32, Sendable {
        case fileSize = 1
        case data = 2
        case core = 4
        case processes = 6
        case openFiles = 7
        case lockedMemory = 8
        case pendingSignals = 11
        case messageQueues = 12
        case nice = 13
        case realTimePriority = 14
    }
}
