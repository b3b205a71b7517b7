import FoundationEssentials
import WarmPool

/// What a start costs by tier, in time and memory. The defaults are those of a small two-core node; `hearth-bench`
/// measures a node's own, and `--costs FILE` reads them from JSON with these keys.
package struct NodeCosts: Sendable, Codable, Equatable {
    /// Creating a bare sandbox: namespaces, cgroup, mounts, PID 1.
    package var createMs = 1.0
    /// Binding code and environment to a bare or runtime sandbox.
    package var bindMs = 0.3
    /// Starting the language runtime and its preloads.
    package var runtimeMs = 30.0
    /// Loading the user's code and running its warm-up.
    package var loadMs = 120.0
    /// Handing a request to a ready sandbox.
    package var dispatchMs = 0.05
    /// Resident memory of a bare sandbox.
    package var bareMB = 0.5
    /// Resident memory of a sandbox with its runtime started.
    package var runtimeMB = 32.0
    /// Ending a sandbox and getting its memory back.
    package var destroyMs = 0.5
    /// Thawing a frozen sandbox, and the first faults on what was reclaimed.
    package var thawMs = 0.2
    /// What reclaiming leaves resident of a frozen sandbox, 0...1.
    package var reclaimedShare = 0.3
    /// Service time of functions whose trace tells none.
    package var defaultRunMs = 100.0

    enum CodingKeys: String, CodingKey, CaseIterable {
        case createMs = "create_ms"
        case bindMs = "bind_ms"
        case runtimeMs = "runtime_ms"
        case loadMs = "load_ms"
        case dispatchMs = "dispatch_ms"
        case bareMB = "bare_mb"
        case runtimeMB = "runtime_mb"
        case destroyMs = "destroy_ms"
        case thawMs = "thaw_ms"
        case reclaimedShare = "reclaimed_share"
        case defaultRunMs = "default_run_ms"
    }

    package init() {}

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let defaults = NodeCosts()
        createMs = try values.decodeIfPresent(Double.self, forKey: .createMs) ?? defaults.createMs
        bindMs = try values.decodeIfPresent(Double.self, forKey: .bindMs) ?? defaults.bindMs
        runtimeMs = try values.decodeIfPresent(Double.self, forKey: .runtimeMs) ?? defaults.runtimeMs
        loadMs = try values.decodeIfPresent(Double.self, forKey: .loadMs) ?? defaults.loadMs
        dispatchMs = try values.decodeIfPresent(Double.self, forKey: .dispatchMs) ?? defaults.dispatchMs
        bareMB = try values.decodeIfPresent(Double.self, forKey: .bareMB) ?? defaults.bareMB
        runtimeMB = try values.decodeIfPresent(Double.self, forKey: .runtimeMB) ?? defaults.runtimeMB
        destroyMs = try values.decodeIfPresent(Double.self, forKey: .destroyMs) ?? defaults.destroyMs
        thawMs = try values.decodeIfPresent(Double.self, forKey: .thawMs) ?? defaults.thawMs
        reclaimedShare = try values.decodeIfPresent(Double.self, forKey: .reclaimedShare) ?? defaults.reclaimedShare
        defaultRunMs = try values.decodeIfPresent(Double.self, forKey: .defaultRunMs) ?? defaults.defaultRunMs
    }

    /// Reads a costs file; unknown keys are refused, absent ones keep their defaults.
    package init(path: String) throws(ReplayError) {
        let data: Data
        do { data = try Data(contentsOf: URL(filePath: path)) } catch {
            throw .unreadable(path: path, reason: "\(error)")
        }
        let known = Set(CodingKeys.allCases.map(\.rawValue))
        do {
            let keys = try JSONDecoder().decode([String: Double].self, from: data).keys
            if let odd = keys.first(where: { !known.contains($0) }) {
                throw ReplayError.malformed(
                    path: path, line: 1,
                    reason: "\"\(odd)\" is no cost; known are \(known.sorted().joined(separator: ", "))")
            }
            self = try JSONDecoder().decode(NodeCosts.self, from: data)
        } catch let error as ReplayError {
            throw error
        } catch {
            throw .malformed(path: path, line: 1, reason: "it must be one JSON object of numbers")
        }
        let all = [createMs, bindMs, runtimeMs, loadMs, dispatchMs, bareMB, runtimeMB, destroyMs, thawMs, defaultRunMs]
        guard all.allSatisfy({ $0 >= 0 && $0 < 1e7 }), (0...1).contains(reclaimedShare) else {
            throw .malformed(path: path, line: 1, reason: "costs must be from 0 to 1e7, shares from 0 to 1")
        }
    }

    /// Microseconds from a request to user code, when its sandbox begins at nothing.
    package var coldUs: Int64 { us(createMs + bindMs + runtimeMs + loadMs + dispatchMs) }
    /// Microseconds of the step that ends at `tier`.
    func step(to tier: Tier) -> Int64 {
        switch tier {
        case .none: 0
        case .bare: us(createMs)
        case .runtime: us(runtimeMs)
        case .ready: us(bindMs + loadMs)
        }
    }

    /// Microseconds of all steps from `tier` to a ready sandbox.
    func timeToReady(from tier: Tier) -> Int64 {
        Tier.allCases.filter { $0 > tier }.reduce(0) { $0 + step(to: $1) }
    }

    package var dispatchUs: Int64 { us(dispatchMs) }
    func us(_ milliseconds: Double) -> Int64 { Int64((milliseconds * 1000).rounded()) }
}
