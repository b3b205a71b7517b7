import Linux
import Logging
import Wire

/// Plans of a coordinator: stored, then followed; and followed again after a restart.
extension Agent {
    /// Puts a stored plan in force. Its answer names what was left out.
    func follow(_ plan: StoredPlan, refused: [HearthPlanRefusal]) -> HearthPushPlanResponse {
        self.plan = plan
        let unfit = pool.take(plan, age: 0)
        // Behind the answer: what the ensemble makes of it is nothing that the coordinator should wait for.
        Reactor.shared.afterTurn { [weak self] in
            guard let self, self.plan?.generation == plan.generation else { return }
            self.prediction?.take(plan, age: max(0, plan.age(at: realtimeNow() / 1_000_000)))
        }
        var response = HearthPushPlanResponse()
        response.generation = plan.generation
        response.accepted = UInt32(clamping: plan.entries.count)
        response.refused = refused
        for name in unfit where response.refused.count < PushPlanStream.mostRefusals {
            var refusal = HearthPlanRefusal()
            refusal.function = name
            refusal.reason = "its reservation does not fit beside the others; the entry holds without it"
            response.refused.append(refusal)
        }
        return response
    }

    func currentPlan() -> HearthGetPlanResponse {
        var response = HearthGetPlanResponse()
        guard let plan else { return response }
        let age = plan.age(at: realtimeNow() / 1_000_000)
        response.generation = plan.generation
        response.coordinator = plan.coordinator
        response.ageNs = UInt64(age)
        response.ttlNs = UInt64(plan.ttl)
        if age < plan.ttl { response.entries = plan.entries }
        return response
    }

    /// Goes on from the plan that was in force when the agent ended, for as long as it would have been. To be called when
    /// the functions are registered, and what is left of their sandboxes is adopted.
    func restorePlan() {
        let registry = self.registry
        BlockingWork.run {
            do throws(AgentError) {
                return .success(try registry.plan())
            } catch {
                return .failure(error)
            }
        } completion: { [self] (result: Result<StoredPlan?, AgentError>) in
            switch result {
            case .failure(let error):
                logger.error("the last plan cannot be read", metadata: ["error": "\(error)"])
            case .success(let stored):
                guard let stored, plan == nil else { return }
                plan = stored
                let age = stored.age(at: realtimeNow() / 1_000_000)
                guard age < stored.ttl else { return }
                _ = pool.take(stored, age: age)
                prediction?.take(stored, age: age)
                logger.notice(
                    "going on from the last plan",
                    metadata: [
                        "generation": "\(stored.generation)", "entries": "\(stored.entries.count)",
                        "seconds_left": "\((stored.ttl - age) / 1_000_000_000)",
                    ])
            }
        }
    }
}
