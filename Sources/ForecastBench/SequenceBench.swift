package import Forecast
import Foundation

/// Prequential figures of one forecaster of sequences: it is asked, then told.
package struct SequenceRow: Sendable, Encodable {
    package var data: String
    package var model: String
    package var count: Int
    /// Percent of calls whose function was the first, or among the first three.
    package var hit1: Double
    package var hit3: Double
    /// The same only where the function is another than before; `changeHit3Without` leaves the one before, which is
    /// warm already, out of the three.
    package var changes: Int
    package var changeHit1: Double
    package var changeHit3: Double
    package var changeHit3Without: Double
    /// Mean negative natural logarithm of the probability of what came, not below 1e-5.
    package var logLoss: Double
    /// Expected calibration error of the first candidate's probability, ten classes.
    package var ece: Double
    package var microseconds: Double
}

package enum SequenceBench {
    /// Who is asked.
    package enum Forecast: Sendable {
        case repeatLast
        /// PPM of order 2 with Witten-Bell, user and global: the baseline to beat.
        case markov
        /// The defaults, less and more.
        case stacked(without: Set<NextFunctionModel.Source>, network: Bool = false, neighbors: Bool = false)
    }

    package static func run(
        _ data: String, _ calls: [SequenceCall], _ name: String, _ forecast: Forecast
    ) -> SequenceRow {
        var tally = Tally()
        var markov = MarkovModel()
        var board = ScoreBoard()
        var model = NextFunctionModel(capacity: 2_000_000)
        if case .stacked(let without, let network, let neighbors) = forecast {
            model.enabled.subtract(without)
            if neighbors { model.enabled.insert(.neighbors) }
            if network { model.network = SequenceNetwork() }
        }
        var recent: [UInt32: [UInt32]] = [:]
        let begin = ContinuousClock.now
        for call in calls {
            let trail = call.session == .max ? call.user : call.session
            let before = recent[trail] ?? []
            let place = NextFunctionModel.Place(
                user: call.user, session: call.session, time: call.time, arguments: call.arguments)
            if call.isScored {
                let said: [Candidate]
                let probability: Float
                switch forecast {
                case .repeatLast:
                    said = before.prefix(1).map { Candidate($0, 1) }
                    probability = before.first == call.function ? 1 : 0
                case .markov:
                    board.clear()
                    markov.predict(user: call.user, recent: before, scope: .both, into: &board)
                    said = board.best(4).map { Candidate($0, board[$0]) }
                    probability = board[call.function]
                case .stacked:
                    said = model.predict(place, limit: 4)
                    probability = model.probability(of: call.function, place)
                }
                tally.add(said, call.function, before: before.first, probability)
            }
            switch forecast {
            case .repeatLast: break
            case .markov: if !call.isGiven { markov.update(call.function, user: call.user, recent: before) }
            case .stacked: model.update(call.function, place)
            }
            recent[trail] = Array(([call.function] + before).prefix(4))
        }
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        return tally.row(data, name, microseconds: seconds * 1e6 / Double(max(1, calls.count)))
    }

    private struct Tally {
        var count = 0
        var first = 0
        var three = 0
        var changes = 0
        var changeFirst = 0
        var changeThree = 0
        var changeWithout = 0
        var loss = 0.0
        var said = [Double](repeating: 0, count: 10)
        var came = [Double](repeating: 0, count: 10)

        mutating func add(_ candidates: [Candidate], _ truth: UInt32, before: UInt32?, _ probability: Float) {
            count += 1
            let isFirst = candidates.first?.function == truth
            let isInThree = candidates.prefix(3).contains { $0.function == truth }
            if isFirst { first += 1 }
            if isInThree { three += 1 }
            loss -= log(max(1e-5, Double(probability)))
            let top = Double(candidates.first?.probability ?? 0)
            let bin = min(9, max(0, Int(top * 10)))
            said[bin] += top
            came[bin] += isFirst ? 1 : 0
            guard let before, before != truth else { return }
            changes += 1
            if isFirst { changeFirst += 1 }
            if isInThree { changeThree += 1 }
            if candidates.filter({ $0.function != before }).prefix(3).contains(where: { $0.function == truth }) {
                changeWithout += 1
            }
        }

        func row(_ data: String, _ model: String, microseconds: Double) -> SequenceRow {
            func percent(_ part: Int, _ whole: Int) -> Double { 100 * Double(part) / Double(max(1, whole)) }
            return SequenceRow(
                data: data, model: model, count: count, hit1: percent(first, count), hit3: percent(three, count),
                changes: changes, changeHit1: percent(changeFirst, changes),
                changeHit3: percent(changeThree, changes), changeHit3Without: percent(changeWithout, changes),
                logLoss: loss / Double(max(1, count)),
                ece: zip(said, came).reduce(0) { $0 + abs($1.0 - $1.1) } / Double(max(1, count)),
                microseconds: microseconds)
        }
    }
}
