import Wire

/// How a function is served (DESIGN: command, native, python, node, lambda).
package enum RuntimeKind: String, Sendable, CaseIterable {
    case command
    case native
    case python
    case node
    case lambda

    init?(_ wire: HearthRuntime) {
        switch wire {
        case .command: self = .command
        case .native: self = .native
        case .python: self = .python
        case .node: self = .node
        case .lambda: self = .lambda
        default: return nil
        }
    }

    var wire: HearthRuntime {
        switch self {
        case .command: .command
        case .native: .native
        case .python: .python
        case .node: .node
        case .lambda: .lambda
        }
    }
}

/// A registered function: its specification, checked and with defaults filled in, and its code.
package struct FunctionRecord: Sendable, Equatable {
    package var name: String
    package var runtime: RuntimeKind
    package var handler: String
    package var argv: [String]
    package var image: String
    package var memoryBytes: Int64
    package var cpus: Double
    package var processes: Int64
    package var tmpBytes: Int64
    package var timeout: Int64
    package var environment: [String: String]
    package var warmupEvent: [UInt8]
    package var minReady: Int
    package var maxConcurrency: Int
    package var labels: [String: String]
    /// The directory in the code store; empty for a function without code.
    package var codeDigest: String
    package var codeBytes: Int64
    /// Grows with every put, over deletes too: code of an older generation is never answered with.
    package var generation: UInt64
    package var createdUnixMilliseconds: Int64
    package var updatedUnixMilliseconds: Int64

    /// The specification as it is stored and listed.
    var wireSpec: HearthFunctionSpec {
        var spec = HearthFunctionSpec()
        spec.name = name
        spec.runtime = runtime.wire
        spec.handler = handler
        spec.argv = argv
        spec.image = image
        spec.memoryBytes = UInt64(memoryBytes)
        spec.cpus = cpus
        spec.pids = UInt32(clamping: processes)
        spec.tmpBytes = UInt64(tmpBytes)
        spec.timeoutNs = UInt64(timeout)
        spec.env = environment
        spec.warmupEvent = .init(warmupEvent)
        spec.minReady = UInt32(clamping: minReady)
        spec.maxConcurrency = UInt32(clamping: maxConcurrency)
        spec.labels = labels
        return spec
    }

    var wire: HearthFunctionInfo {
        var info = HearthFunctionInfo()
        info.spec = wireSpec
        info.codeDigest = codeDigest.isEmpty ? "" : "sha256:" + codeDigest
        info.generation = generation
        info.createdUnixMs = createdUnixMilliseconds
        info.updatedUnixMs = updatedUnixMilliseconds
        info.codeBytes = UInt64(codeBytes)
        return info
    }
}
