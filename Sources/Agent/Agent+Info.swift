import Linux
import Sandbox
import Wire

/// What the agent says of itself.
extension Agent {
    func info(role: Role) -> HearthInfoResponse {
        var info = HearthInfoResponse()
        info.agentVersion = Self.version
        info.protocolVersions = [UInt32(Handshake.major)]
        info.features =
            environment.factory.cgroups.controllers.map { "cgroup.\($0)" }.sorted()
            + environment.runtimes.names.map { "runtime.\($0)" }
        info.nodeName = configuration.nodeName
        info.role = role.name
        info.bootID = bootID
        let limits = environment.limits
        info.limits.maxPayloadBytes = UInt64(limits.maximumPayload)
        info.limits.maxResultBytes = UInt64(limits.maximumResult)
        info.limits.maxCodeBytes = UInt64(limits.maximumCode)
        info.limits.maxLogBytes = UInt64(limits.maximumLog)
        info.limits.maxTimeoutNs = UInt64(limits.maximumTimeout)
        info.limits.maxQueue = UInt64(limits.maximumQueue)
        info.limits.memoryBudgetBytes = UInt64(limits.memoryBudget)
        info.limits.maxSandboxes = UInt32(limits.maximumSandboxes)
        return info
    }

    func doctor() -> HearthDoctorResponse {
        var response = HearthDoctorResponse()
        response.findings = MachineReport.findings(
            cgroups: environment.factory.cgroups, runtimes: environment.runtimes,
            pressureFile: configuration.pressureFile)
        return response
    }

    func stats(function: String) throws(AgentError) -> HearthStatsResponse {
        if !function.isEmpty { _ = try self.function(named: function) }
        var response = statistics.response(function: function)
        response.uptimeNs = UInt64(monotonicNow() - started)
        response.bootID = bootID
        fillPool(&response)
        response.gauges += prediction?.gauges ?? []
        let meminfo = (try? Files.readText("/proc/meminfo")) ?? ""
        let available = meminfo.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
        response.memory.availableBytes =
            (available?.split(separator: " ").dropFirst().first).flatMap { UInt64($0) }
            .map { $0 * 1024 } ?? 0
        let statm = ((try? Files.readText("/proc/self/statm")) ?? "").split(separator: " ")
        response.memory.agentResidentBytes = statm.count > 1 ? (UInt64(statm[1]) ?? 0) * 4096 : 0
        return response
    }
}
