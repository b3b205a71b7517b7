/// What is charged against the budgets, in bytes and thousandths of a CPU.
struct Charges: Sendable {
    var total = 0
    /// Of `total`: sandboxes whose end is under way.
    var evicting = 0
    /// Of `total`: sandboxes in the eviction order.
    var evictable = 0
    var cpu = 0
    /// Reserved in all, and what of it its owners do not use: nobody else may have that.
    var reserved = 0
    var reservedGap = 0
    var reservedCPU = 0
    var reservedCPUGap = 0
    /// Bytes and places promised to starts and claims that wait for sandboxes to end.
    var promised = 0
    var promisedPlaces = 0
}

extension Pool {
    enum Room { case now, coming, none }

    /// Nothing is under way that could free memory: floors and reservations must not block the last request then.
    var isStuck: Bool { runningCount + starts + evictingCount + demotingCount == 0 }

    /// Bytes that the function (-1: none) may be charged beyond what it is.
    func available(for slot: Int) -> Int {
        var free = configuration.memoryBudget - charges.total - charges.promised
        if !isStuck { free -= charges.reservedGap - (slot >= 0 ? memoryGap(slot) : 0) }
        if let yieldTo, !precedes(slot, yieldTo.function) { free -= yieldTo.bytes }
        return free
    }

    /// Is the same function, or has received less service than the other; a total order, so that of all functions that
    /// wait one always precedes every other and gets on.
    func precedes(_ slot: Int, _ other: Int) -> Bool {
        guard slot != other, slot >= 0 else { return slot == other }
        return FairKey(pass: functions[slot].pass, slot: slot) < FairKey(pass: functions[other].pass, slot: other)
    }

    /// An idle sandbox that a waiting request is about to take.
    private func isSpokenFor(_ sandbox: Int) -> Bool {
        let slot = sandboxes[sandbox].function
        return slot >= 0 && functions[slot].queue.count >= functions[slot].idle.count
    }

    private func memoryGap(_ slot: Int) -> Int {
        max(0, functions[slot].reservedMemory - functions[slot].chargedMemory)
    }

    func cpuGap(_ slot: Int) -> Int { max(0, functions[slot].reservedCPU - functions[slot].chargedCPU) }

    mutating func setCharge(_ sandbox: Int, _ bytes: Int) {
        let change = bytes - sandboxes[sandbox].charge
        guard change != 0 else { return }
        sandboxes[sandbox].charge = bytes
        charges.total += change
        if sandboxes[sandbox].phase == .evicting { charges.evicting += change }
        if victims.contains(sandbox) { charges.evictable += change }
        let slot = sandboxes[sandbox].function
        guard slot >= 0 else { return }
        charges.reservedGap -= memoryGap(slot)
        functions[slot].chargedMemory += change
        charges.reservedGap += memoryGap(slot)
    }

    mutating func setCPU(_ sandbox: Int, _ milliCPU: Int) {
        let change = milliCPU - sandboxes[sandbox].chargedCPU
        guard change != 0 else { return }
        sandboxes[sandbox].chargedCPU = milliCPU
        charges.cpu += change
        let slot = sandboxes[sandbox].function
        charges.reservedCPUGap -= cpuGap(slot)
        functions[slot].chargedCPU += change
        charges.reservedCPUGap += cpuGap(slot)
    }

    /// Reserves for the function, in place of what was reserved; false where it does not fit beside the others.
    @discardableResult
    mutating func setReservation(_ slot: Int, memory: Int, cpu: Int) -> Bool {
        let others = charges.reserved - functions[slot].reservedMemory
        let othersCPU = charges.reservedCPU - functions[slot].reservedCPU
        let share = configuration.reservableShare
        let fits =
            memory <= Int(Double(configuration.memoryBudget) * share) - others
            && (configuration.cpuBudget == 0 || cpu <= Int(Double(configuration.cpuBudget) * share) - othersCPU)
        let granted = fits ? (memory: memory, cpu: configuration.cpuBudget == 0 ? 0 : cpu) : (memory: 0, cpu: 0)
        charges.reservedGap -= memoryGap(slot)
        charges.reservedCPUGap -= cpuGap(slot)
        functions[slot].reservedMemory = granted.memory
        functions[slot].reservedCPU = granted.cpu
        charges.reserved = others + granted.memory
        charges.reservedCPU = othersCPU + granted.cpu
        charges.reservedGap += memoryGap(slot)
        charges.reservedCPUGap += cpuGap(slot)
        return fits
    }

    /// What a sandbox of the function is charged while it starts.
    func startCharge(_ slot: Int) -> Int {
        let limit = functions[slot].spec.memoryLimit
        guard configuration.runningCharge == .measured, let known = functions[slot].idleMemory.known else {
            return limit
        }
        return min(limit, max(Int(known + 2 * functions[slot].idleMemory.deviation), configuration.minimumCharge))
    }

    /// What it is charged while it runs.
    func runCharge(_ sandbox: Int) -> Int {
        let slot = sandboxes[sandbox].function
        guard configuration.runningCharge == .measured else { return sandboxes[sandbox].limit }
        return max(idleCharge(sandbox), min(startCharge(slot), sandboxes[sandbox].limit))
    }

    /// What an idle one is charged: what it was measured to hold.
    func idleCharge(_ sandbox: Int) -> Int { max(sandboxes[sandbox].measured, configuration.minimumCharge) }

    /// A measurement, kept inside what the sandbox's cgroup can hold.
    func plausible(_ bytes: Int, _ sandbox: Int) -> Int {
        min(max(bytes, 0), sandboxes[sandbox].limit)
    }

    /// Sees that `bytes` and `places` are there for the function (-1: none), by evicting idle sandboxes if need be.
    /// `partly`: evict though it is not enough yet.
    mutating func makeRoom(_ bytes: Int, places: Int, for slot: Int, partly: Bool = false) -> Room {
        var bytesShort = bytes - available(for: slot)
        var placesShort = places - (configuration.maxSandboxes - sandboxes.count - charges.promisedPlaces)
        if places == 0 { placesShort = 0 }
        if bytesShort <= 0 && placesShort <= 0 { return .now }
        bytesShort -= charges.evicting
        placesShort -= evictingCount
        let withShielded = isStuck
        let enough = bytesShort <= charges.evictable && placesShort <= victims.count
        guard enough || partly || withShielded else { return .none }
        ageVictims()
        var spared: [Int] = []
        defer { for sandbox in spared { enterEvictionOrder(sandbox) } }
        while bytesShort > 0 || placesShort > 0 {
            guard spared.count < passedOver, let victim = victims.first ?? (withShielded ? shielded.first : nil) else {
                return .none
            }
            if !withShielded, keepsByFloor(victim) {
                shield(victim)
                continue
            }
            // A request that got as far as a sandbox keeps it, but from one that has waited long and goes before it:
            // else functions short of memory could drive each other's starts out for ever.
            if isSpokenFor(victim), !((partly || withShielded) && precedes(slot, sandboxes[victim].function)) {
                leaveEvictionOrder(victim)
                spared.append(victim)
                continue
            }
            bytesShort -= sandboxes[victim].charge
            placesShort -= 1
            if let key = victims.key(of: victim) { policy.evicted(priority: key.priority) }
            evict(victim, .makeRoom)
        }
        return .coming
    }

    /// Brings idle memory back under the budget after sandboxes grew or were adopted.
    mutating func enforceBudget() {
        guard charges.total - charges.evicting > configuration.memoryBudget else { return }
        ageVictims()
        while charges.total - charges.evicting > configuration.memoryBudget,
            let victim = victims.first ?? shielded.first
        {
            if let key = victims.key(of: victim) { policy.evicted(priority: key.priority) }
            evict(victim, .makeRoom)
        }
    }
}
