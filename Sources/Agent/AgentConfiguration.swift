import Glibc
import Linux
import Sandbox
package import WarmPool
import Yams

/// Everything that can be set: by the YAML file, and the paths by flags over it.
package struct AgentConfiguration: Sendable {
    package var socket = "/run/hearth/agent.sock"
    package var socketMode: UInt32 = 0o660
    package var state = "/var/lib/hearth"
    /// The directory with `runtimes` and `seccomp`.
    package var share = ""
    /// The node's own directory of stricter seccomp profiles, `NAME.profile`; a function names one by its label.
    package var seccompProfiles = "/etc/hearth/seccomp"
    package var nurseryExecutable = ""
    /// The socket of a nursery that somebody else runs, a service of its own; nil: hearthd starts one, or goes on with the one
    /// that its predecessor left.
    package var nurserySocket: String?
    package var nodeName = ""
    /// Who hearthd becomes once it needs no privilege any more: a name, a uid, or uid:gid. Nil stays who it is.
    package var user: String?
    /// A group to live in, relative to the cgroup v2 mount point; nil finds one.
    package var cgroupParent: String?
    package var requireControllers: [String] = []
    /// Seconds that sandboxes go on without a hearthd.
    package var nurseryLinger = 60
    package var networks = 16
    package var maximumConnections = 1024
    /// How long the agent looks for work before it sleeps, in nanoseconds.
    package var busyPoll: Int64 = 0
    /// Idle time until a sandbox is frozen; nil never.
    package var freezeAfter: Int64? = 5_000_000_000
    package var evictionPolicy = EvictionPolicyName.hitDensity
    package var tiers = TierSettings()
    /// Idle time until the memory of a frozen sandbox is reclaimed; nil only under pressure.
    package var reclaimAfter: Int64?
    /// Where the kernel tells of stalls for memory.
    package var pressureFile = "/proc/pressure/memory"
    package var roles = RoleTable()
    package var limits = AgentLimits()
    package var prediction = PredictionSettings()
    /// Whether the code of functions is read for what it imports and calls.
    package var analyzesCode = true
    package var logLevel = "info"
    package var logFormat = "text"

    package init() {
        var name = [CChar](repeating: 0, count: 256)
        if gethostname(&name, 255) == 0 {
            nodeName = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        // The whole machine less a tenth, as long as nobody says otherwise.
        let pages = Int64(sysconf(Int32(_SC_PHYS_PAGES)))
        if pages > 0 { limits.memoryBudget = pages * Int64(sysconf(Int32(_SC_PAGESIZE))) / 10 * 9 }
    }

    /// Settings of a YAML file over these. A key that is not known is refused: a misspelt limit must not pass silently.
    package mutating func read(file: String) throws(AgentError) {
        let text: String
        do throws(Errno) {
            text = try Files.readText(file)
        } catch {
            throw .invalid("configuration \(file): \(error)", remedy: "give a file that can be read")
        }
        try read(yaml: text, name: file)
    }

    package mutating func read(yaml: String, name: String) throws(AgentError) {
        let root: Node?
        do {
            root = try Yams.compose(yaml: yaml)
        } catch {
            throw .invalid("configuration \(name): \(error)", remedy: "correct the YAML")
        }
        guard let root else { return }
        guard let mapping = root.mapping else {
            throw .invalid("configuration \(name) is no mapping", remedy: "write 'key: value' lines")
        }
        for (key, value) in mapping {
            var setting = Setting(key: key.string ?? "", value: value, file: name)
            try apply(&setting)
        }
    }

    private mutating func apply(_ setting: inout Setting) throws(AgentError) {
        switch setting.key {
        case "socket": socket = try setting.text()
        case "socket_mode":
            guard let mode = UInt32(try setting.text(), radix: 8), mode <= 0o777 else {
                throw setting.problem("is no mode such as \"0660\"")
            }
            socketMode = mode
        case "state": state = try setting.text()
        case "share": share = try setting.text()
        case "seccomp_profiles": seccompProfiles = try setting.text()
        case "node_name": nodeName = try setting.text()
        case "cgroup_parent": cgroupParent = try setting.text()
        case "require_controllers": requireControllers = try setting.texts()
        case "nursery": nurseryExecutable = try setting.text()
        case "nursery_socket": nurserySocket = try setting.text()
        case "nursery_linger": nurseryLinger = Int(try setting.duration() / 1_000_000_000)
        case "networks": networks = try setting.integer(0...64)
        case "max_connections": maximumConnections = try setting.integer(1...65536)
        case "busy_poll":
            if try setting.text() == "off" {
                busyPoll = 0
            } else {
                busyPoll = try setting.duration()
                guard busyPoll <= 1_000_000 else {
                    throw setting.problem("is more than 1ms: a processor would do little else")
                }
            }
        case "freeze_after":
            if try setting.text() == "never" { freezeAfter = nil } else { freezeAfter = try setting.duration() }
        case "eviction":
            let name = try setting.choice(EvictionPolicyName.allCases.map(\.rawValue))
            evictionPolicy = EvictionPolicyName(rawValue: name) ?? evictionPolicy
        case "reclaim_after":
            if try setting.text() == "never" { reclaimAfter = nil } else { reclaimAfter = try setting.duration() }
        case "pressure_file": pressureFile = try setting.text()
        case "bare_pool": tiers.barePool = try setting.integer(0...1024)
        case "runtime_pool": tiers.runtimePool = try setting.integer(0...1024)
        case "background_starts": tiers.backgroundStarts = try setting.integer(1...256)
        case "while_failing":
            tiers.rejectsWhileFailing = try setting.choice(["reject", "try"]) == "reject"
        case "log_level":
            logLevel = try setting.choice(["trace", "debug", "info", "notice", "warning", "error", "critical"])
        case "log_format": logFormat = try setting.choice(["text", "json"])
        case "admins": try setting.give(.admin, in: &roles)
        case "invokers": try setting.give(.invoker, in: &roles)
        case "observers": try setting.give(.observer, in: &roles)
        case "admin_groups": try setting.give(.admin, groups: true, in: &roles)
        case "invoker_groups": try setting.give(.invoker, groups: true, in: &roles)
        case "observer_groups": try setting.give(.observer, groups: true, in: &roles)
        case "user": user = try setting.text()
        case "others":
            let name = try setting.choice(["none", "observer", "invoker", "admin"])
            let role = ["observer": Role.observer, "invoker": .invoker, "admin": .admin][name]
            if let role { roles.giveEverybody(role) }
        default: try applyLimit(&setting)
        }
    }

    private mutating func applyLimit(_ setting: inout Setting) throws(AgentError) {
        switch setting.key {
        case "memory_budget": limits.memoryBudget = try setting.bytes()
        case "cpu_budget": limits.cpuBudget = try setting.number(0...4096)
        case "default_memory": limits.defaultMemory = try setting.bytes()
        case "default_tmp": limits.defaultTmp = try setting.bytes()
        case "default_pids": limits.defaultProcesses = Int64(try setting.integer(2...32768))
        case "default_timeout": limits.defaultTimeout = try setting.duration()
        case "default_concurrency": limits.defaultConcurrency = try setting.integer(1...4096)
        case "max_timeout": limits.maximumTimeout = try setting.duration()
        case "max_sandboxes": limits.maximumSandboxes = try setting.integer(1...4096)
        case "max_payload": limits.maximumPayload = Int(try setting.bytes())
        case "max_result": limits.maximumResult = Int(try setting.bytes())
        case "max_code": limits.maximumCode = try setting.bytes()
        case "max_log": limits.maximumLog = Int(try setting.bytes())
        case "max_queue": limits.maximumQueue = try setting.integer(1...1_000_000)
        case "keep_alive": limits.keepAlive = try setting.duration()
        case "init_timeout": limits.initTimeout = try setting.duration()
        default: try applyPrediction(&setting)
        }
    }
}

extension AgentConfiguration {
    private mutating func applyPrediction(_ setting: inout Setting) throws(AgentError) {
        switch setting.key {
        case "prediction": prediction.isOn = try setting.choice(["on", "off"]) == "on"
        case "analyze": analyzesCode = try setting.choice(["on", "off"]) == "on"
        case "prediction_functions": prediction.functions = try setting.integer(16...1_000_000)
        case "prediction_users": prediction.users = try setting.integer(16...10_000_000)
        case "prediction_memory": prediction.memory = try setting.bytes()
        case "prediction_prior": prediction.prior = try setting.text()
        case "prediction_save": prediction.saveInterval = try setting.duration()
        case "memory_price": prediction.memoryPrice = try setting.number(0...1_000_000)
        case "forecast_ends_keep_alive":
            prediction.endsKeepAlive = try setting.choice(["on", "off"]) == "on"
        case "minimum_idle": prediction.minimumIdle = try setting.duration()
        case "prefetch_threshold": prediction.threshold = try setting.number(0.05...0.95)
        default: throw setting.problem("is not known")
        }
    }
}

/// One `key: value` of the file.
private struct Setting {
    let key: String
    let value: Node
    let file: String

    func problem(_ why: String) -> AgentError {
        let line = value.mark.map { ", line \($0.line)" } ?? ""
        return .invalid("configuration \(file)\(line): '\(key)' \(why)", remedy: "see docs/configuration.md")
    }

    func text() throws(AgentError) -> String {
        guard let text = value.scalar?.string, !text.isEmpty else { throw problem("needs a text") }
        return text
    }

    func texts() throws(AgentError) -> [String] {
        guard let list = value.sequence?.compactMap({ $0.scalar?.string }) else { throw problem("needs a list") }
        return list
    }

    func choice(_ allowed: [String]) throws(AgentError) -> String {
        let text = try self.text()
        guard allowed.contains(text) else { throw problem("must be one of \(allowed.joined(separator: ", "))") }
        return text
    }

    func integer(_ range: ClosedRange<Int>) throws(AgentError) -> Int {
        guard let number = Int(try text()), range.contains(number) else {
            throw problem("must be \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func number(_ range: ClosedRange<Double>) throws(AgentError) -> Double {
        guard let number = Double(try text()), range.contains(number) else {
            throw problem("must be \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// Numeric ids, or `*` for everybody.
    func give(_ role: Role, groups: Bool = false, in roles: inout RoleTable) throws(AgentError) {
        for text in try texts() {
            if text == "*" {
                roles.giveEverybody(role)
            } else if let id = UInt32(text) {
                if groups { roles.give(role, group: id) } else { roles.give(role, user: id) }
            } else {
                throw problem("needs numeric ids or \"*\", not '\(text)'")
            }
        }
    }

    func bytes() throws(AgentError) -> Int64 {
        guard let bytes = Quantity.bytes(try text()), bytes > 0 else {
            throw problem("needs a size such as 128M or 4G")
        }
        return bytes
    }

    func duration() throws(AgentError) -> Int64 {
        guard let nanoseconds = Quantity.nanoseconds(try text()), nanoseconds > 0 else {
            throw problem("needs a duration such as 500ms, 5s, 10m or 1h")
        }
        return nanoseconds
    }
}
