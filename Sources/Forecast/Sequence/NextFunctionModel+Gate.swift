extension NextFunctionModel {
    /// Lets the gate say whether the last function, the first of the candidates, is called again.
    func pass(_ question: inout Asked, _ session: UserTrail, _ trail: UserTrail, _ mass: Float) {
        guard session.recentCount > 0, question.candidates.count > 1 else { return }
        let last = question.candidates[0]
        let stacked = min(0.9999, max(1e-4, question.stacked[0]))
        let strongest = question.stacked.dropFirst().max() ?? 0
        var inputs = ChangeGate.Inputs.zero
        inputs[ChangeGate.Input.stacked.rawValue] = LogOdds.of(stacked)
        inputs[ChangeGate.Input.blend.rawValue] = ChangeGate.opinion(boards[0][last] + mass * boards[1][last])
        inputs[ChangeGate.Input.userMarkov.rawValue] = ChangeGate.opinion(boards[0][last])
        inputs[ChangeGate.Input.firstOrder.rawValue] = ChangeGate.opinion(boards[3][last])
        inputs[ChangeGate.Input.strongest.rawValue] = ChangeGate.opinion(strongest / (1 - stacked))
        inputs[ChangeGate.Input.frequency.rawValue] = ChangeGate.opinion(trail.share(last))
        inputs[ChangeGate.Input.bias.rawValue] = 1
        inputs[ChangeGate.Input.unknown.rawValue] = mass
        let answer = gate.ask(
            inputs, context: question.context, habit: session.habit, user: question.place.user)
        let scale = (1 - answer.probability) / max(1e-6, 1 - question.stacked[0])
        for index in question.probabilities.indices { question.probabilities[index] *= scale }
        question.probabilities[0] = answer.probability
        question.gate = answer
    }
}
