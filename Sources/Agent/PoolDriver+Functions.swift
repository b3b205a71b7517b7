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
        let spec = FunctionSpec(
            id: id, generation: function.generation, image: image(function.image),
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

    func image(_ name: String) -> ImageID {
        if let known = images[name] { return known }
        let id = ImageID(UInt32(images.count))
        images[name] = id
        return id
    }
}
