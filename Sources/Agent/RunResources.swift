package import Wire

/// What the program of a Run request may use: checked, with the agent's defaults filled in.
package struct RunResources: Sendable, Equatable {
    package let memory: Int64
    package let processes: Int64
    package let cpus: Double
    package let tmp: Int64

    package init(validating request: HearthRunRequest, limits: AgentLimits) throws(AgentError) {
        memory = request.memoryBytes == 0 ? limits.defaultMemory : Int64(clamping: request.memoryBytes)
        guard memory >= 1 << 20, memory <= limits.memoryBudget else {
            throw .invalid(
                "memory of \(memory) bytes",
                remedy: "use 1 MiB up to the node's budget of \(limits.memoryBudget >> 20) MiB")
        }
        processes = request.pids == 0 ? limits.defaultProcesses : Int64(request.pids)
        guard processes >= 2, processes <= 32768 else {
            throw .invalid("pids \(processes)", remedy: "use 2 to 32768")
        }
        // NaN is in no range.
        guard request.cpus >= 0, request.cpus <= 1024 else {
            throw .invalid("\(request.cpus) CPUs", remedy: "use 0 (no limit) to 1024")
        }
        cpus = request.cpus
        tmp = request.tmpBytes == 0 ? limits.defaultTmp : Int64(clamping: request.tmpBytes)
        guard tmp <= 1 << 40 else {
            throw .invalid("tmp of \(tmp) bytes", remedy: "use at most 1 TiB")
        }
    }
}
