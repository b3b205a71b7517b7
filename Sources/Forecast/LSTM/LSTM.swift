import Glibc

/// One step of a sequence: a function and how long after the one before it came.
package struct LSTMStep: Sendable, Equatable {
    package var function: Int
    package var gapClass: Int

    package init(function: Int, gapClass: Int) {
        self.function = function
        self.gapClass = gapClass
    }
}

/// Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000): one layer of 32
/// cells, and a softmax over functions. Forward, loss, and backpropagation through all steps it is given.
enum LSTM {
    /// What a step leaves for the way back.
    struct Trace {
        var input = Vector32.zero
        var gates = [Vector32](repeating: .zero, count: 4)
        var cell = Vector32.zero
        var cellBefore = Vector32.zero
        var squashed = Vector32.zero
        var hidden = Vector32.zero
        var hiddenBefore = Vector32.zero
    }

    static func sigmoid(_ x: Vector32) -> Vector32 {
        var y = x.lanes
        for lane in 0..<32 { y[lane] = 1 / (1 + expf(-y[lane])) }
        return Vector32(y)
    }

    static func tanh(_ x: Vector32) -> Vector32 { 2 * sigmoid(2 * x) - 1 }

    /// The derivatives, from the values of the functions.
    private static func slope(_ y: Vector32) -> Vector32 { y * (1 - y) }
    private static func tanhSlope(_ y: Vector32) -> Vector32 { 1 - y * y }

    static func forward(_ p: LSTMParameters, _ steps: [LSTMStep]) -> [Trace] {
        let width = LSTMParameters.width
        var traces: [Trace] = []
        traces.reserveCapacity(steps.count)
        var cell = Vector32.zero
        var hidden = Vector32.zero
        for step in steps {
            var trace = Trace()
            trace.input = p.embedding[step.function] + p.gap[step.gapClass]
            trace.cellBefore = cell
            trace.hiddenBefore = hidden
            let inputs = trace.input.lanes
            let before = hidden.lanes
            for gate in 0..<4 {
                var sum = p.bias[gate]
                for lane in 0..<width {
                    sum += p.fromInput[gate * width + lane] * inputs[lane]
                    sum += p.fromHidden[gate * width + lane] * before[lane]
                }
                trace.gates[gate] = gate == 2 ? tanh(sum) : sigmoid(sum)
            }
            cell = trace.gates[1] * cell + trace.gates[0] * trace.gates[2]
            trace.cell = cell
            trace.squashed = tanh(cell)
            hidden = trace.gates[3] * trace.squashed
            trace.hidden = hidden
            traces.append(trace)
        }
        return traces
    }

    /// The probability of each function after `hidden`.
    static func softmax(_ p: LSTMParameters, _ hidden: Vector32, into scores: inout [Float]) {
        if scores.count != p.functions { scores = [Float](repeating: 0, count: p.functions) }
        var largest = -Float.infinity
        for function in 0..<p.functions {
            let score = (p.output[function] * hidden).sum() + p.outputBias[function]
            scores[function] = score
            largest = max(largest, score)
        }
        var total: Float = 0
        for function in 0..<p.functions {
            scores[function] = expf(scores[function] - largest)
            total += scores[function]
        }
        for function in 0..<p.functions { scores[function] /= total }
    }

    /// Log-loss of `target` after the last step; adds its gradient to `gradient`.
    static func learn(
        _ p: LSTMParameters, _ steps: [LSTMStep], target: Int, gradient g: inout LSTMParameters,
        scores: inout [Float]
    ) -> Float {
        let width = LSTMParameters.width
        let traces = forward(p, steps)
        guard let last = traces.last else { return 0 }
        softmax(p, last.hidden, into: &scores)
        let loss = -logf(max(scores[target], 1e-12))
        scores[target] -= 1
        var hiddenGradient = Vector32.zero
        // A function held to be this unlikely moves nothing that a float would show, and most are.
        for function in 0..<p.functions where abs(scores[function]) > 1e-5 {
            hiddenGradient += p.output[function] * scores[function]
            g.output[function] += last.hidden * scores[function]
            g.outputBias[function] += scores[function]
        }
        var cellGradient = Vector32.zero
        for (step, t) in zip(steps, traces).reversed() {
            let output = hiddenGradient * t.squashed
            cellGradient += hiddenGradient * t.gates[3] * tanhSlope(t.squashed)
            var deltas = [Vector32](repeating: .zero, count: 4)
            deltas[0] = cellGradient * t.gates[2] * slope(t.gates[0])
            deltas[1] = cellGradient * t.cellBefore * slope(t.gates[1])
            deltas[2] = cellGradient * t.gates[0] * tanhSlope(t.gates[2])
            deltas[3] = output * slope(t.gates[3])
            let inputs = t.input.lanes
            let before = t.hiddenBefore.lanes
            var toInput = InlineArray<32, Float>(repeating: 0)
            var toHidden = InlineArray<32, Float>(repeating: 0)
            for gate in 0..<4 {
                let delta = deltas[gate]
                g.bias[gate] += delta
                for lane in 0..<width {
                    let at = gate * width + lane
                    g.fromInput[at] += delta * inputs[lane]
                    g.fromHidden[at] += delta * before[lane]
                    toInput[lane] += (p.fromInput[at] * delta).sum()
                    toHidden[lane] += (p.fromHidden[at] * delta).sum()
                }
            }
            hiddenGradient = Vector32(toHidden)
            g.embedding[step.function] += Vector32(toInput)
            g.gap[step.gapClass] += Vector32(toInput)
            cellGradient *= t.gates[1]
        }
        return loss
    }
}
