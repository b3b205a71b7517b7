import HeapModule
import WarmPool

/// An event replay of the caching policies others describe: every start is warm or cold, an idle sandbox stays until
/// memory runs short (or a fixed time passes), and requests that find no memory wait in the order they came.
package struct KeepAliveSimulator {
    /// Which idle sandbox goes first.
    package enum Rule: Sendable, Equatable {
        case evict(EvictionRule)
        /// Killed a fixed time after the last use; under pressure the least recently used first.
        case fixed(keepUs: Int64)
    }

    private let trace: EventTrace
    private let rule: Rule
    private let costs: NodeCosts
    private let budget: Double
    private var outcome: EventOutcome
    private var sandboxes: [Sandbox] = []
    private var free: [Int32] = []
    private var idleOf: [[Int32]]
    private var completions: Heap<Completion> = []
    private var victims: Heap<Victim> = []
    private var waiting: [Waiting] = []
    private var waitingHead = 0
    private var usedMB = 0.0
    private var lastChange: Int64 = 0
    private var busyMB = 0.0
    private var frequency: [Double]
    private var clock = 0.0
    private var nextUse: NextUse

    private struct Sandbox {
        var unit: Int32
        var lastUse: Int64
        var isIdle: Bool
        /// Distinguishes the stays of a slot, so that stale heap entries are recognised.
        var stay: UInt32
    }

    private struct Completion: Comparable {
        let time: Int64
        let sandbox: Int32
        static func < (a: Self, b: Self) -> Bool { (a.time, a.sandbox) < (b.time, b.sandbox) }
    }

    private struct Victim: Comparable {
        let value: Double
        let time: Int64
        let sandbox: Int32
        let stay: UInt32
        static func < (a: Self, b: Self) -> Bool { (a.value, a.time, a.sandbox) < (b.value, b.time, b.sandbox) }
    }

    private struct Waiting {
        let request: Int
        var isServed: Bool
    }

    package static func run(
        _ trace: EventTrace, _ rule: Rule, costs: NodeCosts, budgetMB: Double, policy: String
    ) -> EventOutcome {
        var simulator = KeepAliveSimulator(trace, rule, costs: costs, budgetMB: budgetMB, policy: policy)
        return simulator.run()
    }

    private init(_ trace: EventTrace, _ rule: Rule, costs: NodeCosts, budgetMB: Double, policy: String) {
        self.trace = trace
        self.rule = rule
        self.costs = costs
        budget = budgetMB
        outcome = EventOutcome(policy: policy, budgetMB: budgetMB, units: trace.units.count)
        idleOf = [[Int32]](repeating: [], count: trace.units.count)
        frequency = [Double](repeating: 0, count: trace.units.count)
        nextUse = NextUse(trace, needed: rule == .evict(.belady))
    }

    private mutating func run() -> EventOutcome {
        for index in trace.requests.indices {
            let now = trace.requests[index].arrival
            advance(to: now)
            nextUse.pass(index)
            if waitingHead < waiting.count || !start(index, at: now) {
                waiting.append(Waiting(request: index, isServed: false))
            }
        }
        advance(to: Int64.max)
        outcome.rejected += waiting[waitingHead...].count { !$0.isServed }
        return outcome
    }

    /// Lets completions and expiries up to `time` happen.
    private mutating func advance(to time: Int64) {
        while let next = completions.min, next.time <= time {
            expire(until: next.time)
            completions.removeMin()
            account(until: next.time)
            finish(next.sandbox, at: next.time)
        }
        expire(until: min(time, trace.end))
        account(until: min(time, trace.end))
    }

    private mutating func finish(_ slot: Int32, at now: Int64) {
        let unit = Int(sandboxes[Int(slot)].unit)
        busyMB -= trace.units[unit].memoryMB
        sandboxes[Int(slot)].isIdle = true
        sandboxes[Int(slot)].lastUse = now
        sandboxes[Int(slot)].stay &+= 1
        idleOf[unit].append(slot)
        noteVictim(slot, unit)
        drain(at: now)
    }

    /// Serves waiting requests: those whose own function has a free sandbox at once, others in order while memory lasts.
    private mutating func drain(at now: Int64) {
        var position = waitingHead
        var blocked = false
        while position < waiting.count {
            let waiter = waiting[position]
            if !waiter.isServed {
                let unit = Int(trace.requests[waiter.request].unit)
                if !blocked || !idleOf[unit].isEmpty {
                    if start(waiter.request, at: now) { waiting[position].isServed = true } else { blocked = true }
                }
            }
            // Looking far down the queue for a late binding costs more than it finds.
            if blocked && position - waitingHead > 1000 { break }
            position += 1
        }
        while waitingHead < waiting.count && waiting[waitingHead].isServed { waitingHead += 1 }
        if waitingHead == waiting.count {
            waiting.removeAll(keepingCapacity: true)
            waitingHead = 0
        }
    }

    /// Starts a request on an idle sandbox or a new one. Returns false when there is no memory.
    private mutating func start(_ index: Int, at now: Int64) -> Bool {
        let request = trace.requests[index]
        let unit = Int(request.unit)
        let size = trace.units[unit].memoryMB
        let waited = now - request.arrival
        let slot: Int32
        let cost: Int64
        if let idle = idleOf[unit].popLast() {
            slot = idle
            cost = costs.dispatchUs
            sandboxes[Int(slot)].isIdle = false
            sandboxes[Int(slot)].stay &+= 1
            outcome.serve(unit, .warm, waited: waited, us: waited + cost)
        } else {
            guard makeRoom(size, at: now) else { return false }
            slot = create(unit, at: now)
            cost = costs.coldUs
            outcome.serve(unit, .cold, waited: waited, us: waited + cost)
        }
        frequency[unit] += 1
        busyMB += size
        completions.insert(Completion(time: now + cost + request.run, sandbox: slot))
        return true
    }

    private mutating func create(_ unit: Int, at now: Int64) -> Int32 {
        usedMB += trace.units[unit].memoryMB
        outcome.peakMB = max(outcome.peakMB, usedMB)
        outcome.created += 1
        if let slot = free.popLast() {
            sandboxes[Int(slot)].unit = Int32(unit)
            sandboxes[Int(slot)].isIdle = false
            sandboxes[Int(slot)].stay &+= 1
            return slot
        }
        sandboxes.append(Sandbox(unit: Int32(unit), lastUse: now, isIdle: false, stay: 0))
        return Int32(sandboxes.count - 1)
    }

    private mutating func makeRoom(_ size: Double, at now: Int64) -> Bool {
        // A function larger than the whole budget still runs alone: refusing it would be another experiment.
        while usedMB + size > budget && usedMB > 0 {
            guard let victim = nextVictim(at: now) else { return false }
            evict(victim)
        }
        return true
    }

    private mutating func evict(_ slot: Int32) {
        let unit = Int(sandboxes[Int(slot)].unit)
        usedMB -= trace.units[unit].memoryMB
        sandboxes[Int(slot)].isIdle = false
        sandboxes[Int(slot)].stay &+= 1
        idleOf[unit].removeAll { $0 == slot }
        free.append(slot)
        outcome.evicted += 1
        if idleOf[unit].isEmpty { frequency[unit] = 0 }
    }

    private mutating func noteVictim(_ slot: Int32, _ unit: Int) {
        let sandbox = sandboxes[Int(slot)]
        let value: Double
        switch rule {
        case .fixed, .evict(.lru): value = Double(sandbox.lastUse)
        case .evict(.lfu): value = frequency[unit]
        case .evict(.greedyDual): value = clock + frequency[unit] / trace.units[unit].memoryMB
        // Depends on the time of asking: found by a scan.
        case .evict(.belady): return
        }
        victims.insert(Victim(value: value, time: sandbox.lastUse, sandbox: slot, stay: sandbox.stay))
    }

    private mutating func nextVictim(at now: Int64) -> Int32? {
        if rule == .evict(.belady) { return farthest(at: now) }
        while let top = victims.popMin() {
            let sandbox = sandboxes[Int(top.sandbox)]
            guard sandbox.isIdle && sandbox.stay == top.stay else { continue }
            clock = max(clock, top.value)
            return top.sandbox
        }
        return nil
    }

    /// Of each function the sandbox that is used last of its idle ones; of those the farthest next use by size.
    private func farthest(at now: Int64) -> Int32? {
        var best: (value: Double, slot: Int32)?
        for (unit, idle) in idleOf.enumerated() {
            guard let slot = idle.first else { continue }
            let next = nextUse.time(unit, skipping: idle.count - 1)
            let value = Double(next - now) * trace.units[unit].memoryMB
            if value > (best?.value ?? -1) { best = (value, slot) }
        }
        return best?.slot
    }

    /// Kills what a fixed keep-alive has outlived.
    private mutating func expire(until time: Int64) {
        guard case .fixed(let keep) = rule else { return }
        while let top = victims.min, top.time + keep <= time {
            victims.removeMin()
            let sandbox = sandboxes[Int(top.sandbox)]
            guard sandbox.isIdle && sandbox.stay == top.stay else { continue }
            account(until: top.time + keep)
            evict(top.sandbox)
        }
    }

    private mutating func account(until time: Int64) {
        let now = min(time, trace.end)
        guard now > lastChange else { return }
        outcome.heldMBus += usedMB * Double(now - lastChange)
        outcome.idleMBus += (usedMB - busyMB) * Double(now - lastChange)
        lastChange = now
    }
}
