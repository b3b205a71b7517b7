package import CreateBench
import Glibc
package import HearthClient
import Linux
package import Wire

/// Puts the agent's pool into the state that a measurement needs.
package enum PoolControl {
    /// Ends every sandbox and waits until none belongs to a function; an agent with a pool of a lower tier makes those anew.
    package static func empty(_ client: HearthClient) throws(BenchError) {
        do {
            for _ in 0..<2_000 {
                var request = HearthEvictRequest()
                request.all = true
                _ = try client.evict(request)
                if try client.listSandboxes().allSatisfy({ $0.function.isEmpty }) { return }
                usleep(5_000)
            }
        } catch {
            throw .agent(about: "Evict", said: "\(error)")
        }
        throw .agent(about: "Evict", said: "sandboxes were left after 10 s")
    }

    /// Waits until `count` sandboxes are there at a tier. Below ready the agent must keep a pool of the tier.
    package static func prefetch(
        _ client: HearthClient, _ function: String, tier: HearthTier, count: Int = 1
    ) throws(BenchError) {
        var request = HearthPrefetchRequest()
        request.function = function
        request.count = UInt32(count)
        request.tier = tier
        request.ttlNs = 3_600_000_000_000
        request.wait = true
        do {
            _ = try client.prefetch(request)
            let limit = monotonicNow() + 300_000_000_000
            while monotonicNow() < limit {
                let idle = try client.listSandboxes().filter {
                    $0.tier == tier && ["idle", "frozen"].contains($0.state)
                }
                if idle.count >= count {
                    // What was put off for it (the nursery's next network namespace) is done by then, as it is for one that waits on a shelf.
                    if tier != .ready { usleep(20_000) }
                    return
                }
                usleep(count > 1 ? 50_000 : 2_000)
            }
        } catch {
            throw .agent(about: "Prefetch of \(function)", said: "\(error)")
        }
        throw .agent(about: "Prefetch of \(function)", said: "\(count) sandboxes were not there after 300 s")
    }
}
