package import Wire

extension FunctionRecord {
    /// Checks a specification and fills in the agent's defaults; the error names the field and what it may be.
    package init(validating spec: HearthFunctionSpec, limits: AgentLimits) throws(AgentError) {
        try Self.checkName(spec.name)
        guard let runtime = RuntimeKind(spec.runtime) else {
            throw .invalid(
                "function '\(spec.name)': no runtime, or one that this agent does not know",
                remedy: "use one of command, native, python, node")
        }
        guard runtime != .lambda else {
            throw AgentError(
                .unimplemented, "function '\(spec.name)': this agent does not serve the runtime lambda",
                remedy: "use python, node or native")
        }
        func fail(_ what: String, _ remedy: String) -> AgentError {
            .invalid("function '\(spec.name)': \(what)", remedy: remedy)
        }
        switch runtime {
        case .command, .native:
            guard let program = spec.argv.first, !program.isEmpty else {
                throw fail("no program: argv is empty", "give the program and its arguments after '--'")
            }
        case .python, .node, .lambda:
            guard Self.isHandler(spec.handler) else {
                throw fail("'\(spec.handler)' is no handler", "name it as module.function, for example app.handler")
            }
        }
        try Self.checkTexts(spec)
        name = spec.name
        self.runtime = runtime
        handler = spec.handler
        argv = spec.argv
        image = spec.image.isEmpty ? "host" : spec.image
        memoryBytes = spec.memoryBytes == 0 ? limits.defaultMemory : Int64(clamping: spec.memoryBytes)
        guard memoryBytes >= 4 << 20, memoryBytes <= limits.memoryBudget else {
            throw fail(
                "memory of \(memoryBytes) bytes",
                "use 4 MiB up to the node's budget of \(limits.memoryBudget >> 20) MiB")
        }
        guard spec.cpus >= 0, spec.cpus <= 1024 else { throw fail("\(spec.cpus) CPUs", "use 0 (no limit) to 1024") }
        cpus = spec.cpus
        processes = spec.pids == 0 ? limits.defaultProcesses : Int64(spec.pids)
        guard processes >= 2, processes <= 32768 else { throw fail("pids \(processes)", "use 2 to 32768") }
        tmpBytes = spec.tmpBytes == 0 ? limits.defaultTmp : Int64(clamping: spec.tmpBytes)
        guard tmpBytes <= 1 << 40 else { throw fail("tmp of \(tmpBytes) bytes", "use at most 1 TiB") }
        timeout = spec.timeoutNs == 0 ? limits.defaultTimeout : Int64(clamping: spec.timeoutNs)
        guard timeout >= 1_000_000, timeout <= limits.maximumTimeout else {
            throw fail(
                "timeout of \(timeout) ns", "use 1 ms to \(limits.maximumTimeout / 1_000_000_000) s")
        }
        environment = spec.env
        warmupEvent = Array(spec.warmupEvent)
        minReady = Int(spec.minReady)
        maxConcurrency = spec.maxConcurrency == 0 ? limits.defaultConcurrency : Int(spec.maxConcurrency)
        guard maxConcurrency <= 4096, minReady <= maxConcurrency else {
            throw fail(
                "min_ready \(minReady) with max_concurrency \(maxConcurrency)",
                "use at most 4096, and no more kept ready than may run")
        }
        labels = spec.labels
        codeDigest = ""
        codeBytes = 0
        generation = 0
        createdUnixMilliseconds = 0
        updatedUnixMilliseconds = 0
    }

    /// 1 to 128 of A-Z a-z 0-9 . _ -, the first a letter or digit.
    static func checkName(_ name: String) throws(AgentError) {
        let utf8 = Array(name.utf8)
        let plain = utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        let punctuation: [UInt8] = [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-")]
        guard (1...128).contains(utf8.count), plain, !punctuation.contains(utf8[0]) else {
            throw .invalid(
                "'\(Self.printable(name))' is no name for a function",
                remedy: "use 1 to 128 letters, digits, '.', '_' and '-', beginning with a letter or digit")
        }
    }

    /// A stranger's text in a message of ours: control characters shown, length bounded.
    static func printable(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars.prefix(160) {
            if scalar.value < 0x20 || scalar.value == 0x7f || (0x80..<0xa0).contains(scalar.value) {
                out += "\\u{" + String(scalar.value, radix: 16) + "}"
            } else {
                out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    private static func isHandler(_ handler: String) -> Bool {
        let bytes = Array(handler.utf8)
        guard (3...256).contains(bytes.count), let dot = handler.lastIndex(of: "."), dot != handler.startIndex,
            handler.index(after: dot) != handler.endIndex, !handler.hasPrefix("/"), !handler.contains("..")
        else { return false }
        return bytes.allSatisfy { $0 > 0x20 && $0 != 0x7f }
    }

    private static func checkTexts(_ spec: HearthFunctionSpec) throws(AgentError) {
        for argument in spec.argv where argument.utf8.contains(0) {
            throw .invalid("function '\(spec.name)': an argument holds a NUL character", remedy: "take it out")
        }
        var bytes = 0
        for (key, value) in spec.env {
            guard !key.isEmpty, !key.contains("="), !key.utf8.contains(0), !value.utf8.contains(0) else {
                throw .invalid(
                    "function '\(spec.name)': '\(printable(key))' is no name of a variable, or its value holds a NUL",
                    remedy: "names have no '=' and no NUL")
            }
            bytes += key.utf8.count + value.utf8.count
        }
        bytes += spec.argv.reduce(0) { $0 + $1.utf8.count }
        guard bytes <= 64 << 10 else {
            throw .invalid(
                "function '\(spec.name)': arguments and environment take \(bytes) bytes", remedy: "use at most 65536")
        }
    }
}

/// The agent's bounds and defaults.
package struct AgentLimits: Sendable, Equatable {
    package var defaultMemory: Int64 = 128 << 20
    package var defaultProcesses: Int64 = 64
    package var defaultTmp: Int64 = 64 << 20
    package var defaultTimeout: Int64 = 30_000_000_000
    package var maximumTimeout: Int64 = 3600_000_000_000
    package var defaultConcurrency = 16
    package var memoryBudget: Int64 = 4 << 30
    /// CPUs that may run invocations at once, by what their functions ask for; 0 for no bound.
    package var cpuBudget = 0.0
    package var maximumSandboxes = 1024
    package var maximumPayload = 6 << 20
    package var maximumResult = 6 << 20
    package var maximumCode: Int64 = 256 << 20
    package var maximumLog = 256 << 10
    package var maximumQueue = 1000
    /// How long an idle sandbox is kept.
    package var keepAlive: Int64 = 600_000_000_000
    /// How long a runtime may take to load a function's code.
    package var initTimeout: Int64 = 10_000_000_000

    package init() {}
}
