/// Pools of the lower tiers: sandboxes that belong to an image, not yet to a function.
extension Pool {
    func shelfKey(_ tier: Tier, _ image: ImageID, _ runtime: RuntimeClass) -> Shelf.Key {
        Shelf.Key(tier: tier, image: image, runtime: tier == .bare ? RuntimeClass(0) : runtime)
    }

    /// Configured size of the pools of a tier; 0 = the tier is not used.
    func poolTarget(_ tier: Tier) -> Int {
        switch tier {
        case .bare: configuration.barePool
        case .runtime: configuration.runtimePool
        case .none, .ready: 0
        }
    }

    /// Whether sandboxes of a lower tier are kept that a function with this specification could start from.
    func usesPool(_ tier: Tier, _ spec: FunctionSpec) -> Bool {
        poolTarget(tier) > 0 && (tier != .runtime || spec.hasRuntimeTier)
    }

    /// Counts a function in or out of the shelves that it could use.
    mutating func useShelves(of spec: FunctionSpec, by change: Int) {
        for tier in [Tier.bare, .runtime] where usesPool(tier, spec) {
            let shelf = shelf(tier, spec.image, spec.runtime)
            shelves[shelf].users += change
            refreshShelf(shelf)
        }
    }

    mutating func shelf(_ tier: Tier, _ image: ImageID, _ runtime: RuntimeClass) -> Int {
        let key = shelfKey(tier, image, runtime)
        if let shelf = shelfSlots[key] { return shelf }
        let shelf = shelves.insert(Shelf(key: key))
        shelfSlots[key] = shelf
        return shelf
    }

    func shelfTarget(_ shelf: Int) -> Int {
        shelves[shelf].users > 0 ? poolTarget(shelves[shelf].key.tier) + shelves[shelf].extra : 0
    }

    /// The best sandbox of a lower tier that the function could start from.
    func shelvedSandbox(_ slot: Int) -> Int? {
        let spec = functions[slot].spec
        for tier in [Tier.runtime, .bare] where usesPool(tier, spec) {
            if let shelf = shelfSlots[shelfKey(tier, spec.image, spec.runtime)], shelves[shelf].idle.first >= 0 {
                return shelves[shelf].idle.first
            }
        }
        return nil
    }

    /// Parks a sandbox of a lower tier.
    mutating func shelve(_ sandbox: Int) {
        let owner = sandboxes[sandbox].function
        if owner >= 0 {
            // Demoted: its bytes are no longer the function's.
            setCharge(sandbox, 0)
            functions[owner].leaving -= 1
            demotingCount -= 1
            sandboxes[sandbox].function = -1
            sandboxes[sandbox].generation = 0
            sandboxes[sandbox].limit = configuration.memoryBudget
            sandboxes[sandbox].uses = 0
            sandboxes[sandbox].origin = Origin(kind: .pool)
            sandboxes[sandbox].readyAt = .distantFuture
            if sandboxes[sandbox].tier < .runtime { sandboxes[sandbox].runtimeAt = .distantFuture }
        }
        let shelf = shelf(sandboxes[sandbox].tier, sandboxes[sandbox].image, sandboxes[sandbox].runtime)
        sandboxes[sandbox].shelf = shelf
        sandboxes[sandbox].phase = .idle
        sandboxes[sandbox].park = .awake
        sandboxes[sandbox].idleSince = now
        setCharge(sandbox, idleCharge(sandbox))
        sandboxLinks.prepend(sandbox, to: &shelves[shelf].idle)
        beginWatch(sandbox)
        _ = shelves[shelf].breaker.succeeded()
        enterEvictionOrder(sandbox)
        armSandboxTimer(sandbox)
        refreshShelf(shelf)
        if owner >= 0 {
            refresh(owner)
            releaseFunction(owner)
        }
    }

    /// Takes an idle sandbox off its shelf; its shelf is short of one then.
    mutating func takeFromShelf(_ sandbox: Int, isUse: Bool = false) {
        let shelf = sandboxes[sandbox].shelf
        leaveEvictionOrder(sandbox)
        sandboxTimers.remove(sandbox)
        ages.remove(sandbox)
        watch(sandbox, isUse: isUse)
        sandboxLinks.remove(sandbox, from: &shelves[shelf].idle)
        sandboxes[sandbox].shelf = -1
        refreshShelf(shelf)
    }

    func isKeptOnShelf(_ sandbox: Int) -> Bool {
        let shelf = sandboxes[sandbox].shelf
        return shelf >= 0 && shelves[shelf].idle.count <= shelfTarget(shelf)
    }

    mutating func refreshShelf(_ shelf: Int) {
        let lacks = shelves[shelf].idle.count + shelves[shelf].starting.count < shelfTarget(shelf)
        shelfTimers.remove(shelf)
        guard lacks, !isDraining else { return hungryShelves.remove(shelf) }
        switch shelves[shelf].breaker.state(at: now) {
        case .open(let until):
            hungryShelves.remove(shelf)
            shelfTimers.set(shelf, until)
        case .halfOpen where shelves[shelf].starting.count > 0: hungryShelves.remove(shelf)
        case .closed, .halfOpen:
            hungryShelves.set(shelf, FairKey(pass: Double(shelves[shelf].idle.count), slot: shelf))
        }
    }

    /// Keeps the shelves as they are, or fills them again from the next event on. For a daemon that registers its functions before it
    /// adopts the sandboxes that are there for them.
    package mutating func holdShelves(_ hold: Bool) {
        refillAfter = hold ? .distantFuture : .zero
    }

    /// Lets a request that took a sandbox off a shelf get through its start before the next one is made. A birth is work of the
    /// nursery and the kernel that no weight holds back: with it beside, a start from the bare tier took longer than a cold one.
    /// Only the request that leaves the first gap puts the filling off, so shelves fill however many requests come.
    mutating func holdRefill(_ slot: Int, from tier: Tier) {
        guard hungryShelves.first == nil, now >= refillAfter else { return }
        let start = Nanoseconds(rounding: 2 * startEstimate(slot, from: tier))
        refillAfter = now + min(max(start, .milliseconds(5)), .milliseconds(100))
    }

    /// Begins one sandbox for the shelf; false if its memory is not there.
    mutating func fill(_ shelf: Int) -> Bool {
        let key = shelves[shelf].key
        let bytes = key.tier == .runtime ? configuration.runtimeMemory : configuration.bareMemory
        guard fitsBeside(bytes, places: 1, slot: -1) else { return false }
        let sandbox = newSandbox(
            function: -1, shelf: shelf, image: key.image, runtime: key.runtime, generation: 0, target: key.tier,
            weight: .background, origin: Origin(kind: .pool))
        counters.created += 1
        setCharge(sandbox, bytes)
        sandboxLinks.append(sandbox, to: &shelves[shelf].starting)
        countStart(sandbox)
        refreshShelf(shelf)
        return true
    }
}
