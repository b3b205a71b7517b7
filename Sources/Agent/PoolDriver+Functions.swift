import WarmPool

/// The functions that the pool serves, by the numbers it knows them by.
extension PoolDriver {
    func register(_ function: FunctionRecord) {
        let known = identifiers[function.name]
        let id = known ?? FunctionID(nextFunction)
        if known == nil {
            nextFunction += 1
            identifiers[function.name] = id
        }
        functions[id] = function
        startFailures[id] = nil
        // A runtime that runs already has everybody's filter: too much for a function that asked for less.
        let isShared = function.seccompProfile == nil && environment.canShareRuntime(function)
        let runtime = isShared ? environment.launch(of: function).flatMap(runtimeClass) : nil
        let spec = FunctionSpec(
            id: id, generation: function.generation, image: image(environment.base(of: function)),
            runtime: runtime ?? RuntimeClass(0), hasRuntimeTier: runtime != nil,
            memoryLimit: Int(function.memoryBytes),
            milliCPU: function.cpus == 0 ? 1000 : Int(function.cpus * 1000), minReady: function.minReady,
            maxConcurrency: function.maxConcurrency)
        handle(known == nil ? .functionRegistered(spec) : .functionUpdated(spec))
    }

    func unregister(_ name: String) {
        guard let id = identifiers.removeValue(forKey: name) else { return }
        handle(.functionDeleted(id))
        functions[id] = nil
        startFailures[id] = nil
    }

    /// What the policy calls an image: sandboxes of one can be shared below the ready tier.
    func image(_ base: SandboxBase) -> ImageID {
        if let known = imageIDs[base] { return known }
        let id = ImageID(UInt32(imageIDs.count))
        imageIDs[base] = id
        bases[id] = base
        return id
    }

    /// What the policy calls a runtime class, from 1 on; nil when there are more than it has numbers for, so that the tier is not used.
    func runtimeClass(_ launch: RuntimeLaunch) -> RuntimeClass? {
        if let known = runtimeClasses[launch] { return known }
        guard let number = UInt16(exactly: runtimeClasses.count + 1) else { return nil }
        let id = RuntimeClass(number)
        runtimeClasses[launch] = id
        launches[id] = launch
        return id
    }
}
