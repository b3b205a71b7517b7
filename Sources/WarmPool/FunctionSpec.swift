/// What the pool must know of a function.
package struct FunctionSpec: Equatable, Sendable {
    package var id: FunctionID
    /// Grows with every update. Code of another generation is never reused.
    package var generation: UInt64
    package var image: ImageID
    package var runtime: RuntimeClass
    /// Its runtime can be started before the function is known. Else it starts from the bare tier at best.
    package var hasRuntimeTier: Bool
    /// Bytes that an invocation may take; what a sandbox is charged while it starts or runs.
    package var memoryLimit: Int
    /// Thousandths of a CPU that a running invocation is charged against `Configuration.cpuBudget`.
    package var milliCPU: Int
    /// Sandboxes kept at all times, running ones included; they are not evicted for other functions.
    package var minReady: Int
    /// Sandboxes at most, and so invocations at once; 0 = the configuration's.
    package var maxConcurrency: Int
    /// How long a used sandbox stays idle before it is let go; nil = the configuration's.
    package var keepAlive: Nanoseconds?
    /// Importance against other functions, 1 = usual: scales fair shares and the worth of a saved start.
    package var weight: Double
    /// What a start to the ready tier is thought to cost until it was measured.
    package var startCosts: StartCosts

    package init(
        id: FunctionID, generation: UInt64, image: ImageID, runtime: RuntimeClass = RuntimeClass(0),
        hasRuntimeTier: Bool = true, memoryLimit: Int,
        milliCPU: Int = 1000, minReady: Int = 0, maxConcurrency: Int = 0, keepAlive: Nanoseconds? = nil,
        weight: Double = 1, startCosts: StartCosts = StartCosts()
    ) {
        self.id = id
        self.generation = generation
        self.image = image
        self.runtime = runtime
        self.hasRuntimeTier = hasRuntimeTier
        self.memoryLimit = memoryLimit
        self.milliCPU = milliCPU
        self.minReady = minReady
        self.maxConcurrency = maxConcurrency
        self.keepAlive = keepAlive
        self.weight = weight
        self.startCosts = startCosts
    }

    /// The same with every figure inside the range that the pool's arithmetic is sound for.
    var sanitized: FunctionSpec {
        var spec = self
        // 4 TiB: a million sandboxes still sum without overflow.
        spec.memoryLimit = min(max(memoryLimit, 1), 1 << 42)
        spec.milliCPU = min(max(milliCPU, 0), 1 << 30)
        spec.minReady = min(max(minReady, 0), 1 << 20)
        spec.maxConcurrency = min(max(maxConcurrency, 0), 1 << 20)
        spec.keepAlive = keepAlive.map { max($0, .zero) }
        spec.weight = weight > 0 && weight < 1e6 ? max(weight, 1e-6) : 1
        return spec
    }
}

/// The time that a start to the ready tier takes from each tier.
package struct StartCosts: Equatable, Sendable {
    package var fromNone: Nanoseconds
    package var fromBare: Nanoseconds
    package var fromRuntime: Nanoseconds

    package init(
        fromNone: Nanoseconds = .milliseconds(150), fromBare: Nanoseconds = .milliseconds(140),
        fromRuntime: Nanoseconds = .milliseconds(100)
    ) {
        self.fromNone = fromNone
        self.fromBare = fromBare
        self.fromRuntime = fromRuntime
    }

    subscript(_ tier: Tier) -> Nanoseconds {
        switch tier {
        case .none: fromNone
        case .bare: fromBare
        case .runtime: fromRuntime
        case .ready: .zero
        }
    }
}
