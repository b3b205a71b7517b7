import Glibc
import Testing

@testable import Forecast

/// A source that is left out must be left out of everything: inputs, weights and refinements.
struct OccurrenceSourceTests {
    /// Forecasts of two units over two days in which what the source tells differs, and nothing else.
    /// - Parameter shift: minutes by which the clock is put forward.
    private func forecasts(
        without: OccurrenceSource.Set, shift: Int = 0, users: Bool = false, seed: UInt64 = 21
    ) -> [Float] {
        var model = OccurrenceModel()
        model.without = without
        let units = [model.addUnit(), model.addUnit()]
        var random = SeededGenerator(seed: seed)
        var said: [Float] = []
        // Not from midnight of the first day: what is known of the time before it would differ with the shift.
        for minute in 20_000..<22_880 {
            // Busier by day, and mostly at the full quarter of an hour.
            let rate: Float = (minute / 60 % 24 >= 9 ? 0.3 : 0.05) * (minute % 15 == 0 ? 3 : 0.3)
            for unit in units {
                said.append(model.predict(unit, minute: minute + shift))
                let active = random.unit() < rate
                if active, users { model.called(unit, by: UInt32(minute % 9), minute: minute + shift) }
                model.observe(unit, active: active, minute: minute + shift)
            }
        }
        return said
    }

    @Test func withoutTheClockNoTimeIsBetterThanAnother() {
        // Seven hours and seven minutes: other hours, other minutes of the hour, another fold of the bit history.
        let shift = 427
        let same = forecasts(without: .init(.clock)) == forecasts(without: .init(.clock), shift: shift)
        let sameWithIt = forecasts(without: []) == forecasts(without: [], shift: shift)
        #expect(same && !sameWithIt)
    }

    @Test func withoutUsersNobodyIsAbout() {
        let same = forecasts(without: .init(.users)) == forecasts(without: .init(.users), users: true)
        let sameWithThem = forecasts(without: []) == forecasts(without: [], users: true)
        #expect(same && !sameWithThem)
    }

    /// What each of these units does is told by one source alone: without it the forecast is worse.
    @Test(arguments: [OccurrenceSource.gaps, .periods, .clock, .load, .users, .unit])
    func whatASourceTellsIsLostWithoutIt(_ source: OccurrenceSource) {
        func logLoss(_ without: OccurrenceSource.Set) -> Float {
            var model = OccurrenceModel()
            model.without = without
            let units = (0..<6).map { _ in model.addUnit() }
            var random = SeededGenerator(seed: 77)
            var next = units.map { Int($0) }
            var gap = units.map { _ in 3 }
            var busy = false
            var caller = 0
            var loss: Float = 0
            for minute in 0..<4000 {
                if minute % 40 == 0 { busy = random.unit() < 0.3 }
                for (index, unit) in units.enumerated() {
                    let p = min(max(model.predict(unit, minute: minute), 1e-6), 1 - 1e-6)
                    let active =
                        switch source {
                        // Which gap comes next is told by the one before.
                        case .gaps: minute == next[index]
                        case .periods: (minute + 7 * index) % (20 + 3 * index) == 0 && random.unit() < 0.6
                        case .clock, .unit: minute % 60 == 5 * index && random.unit() < 0.5
                        case .load: busy && random.unit() < 0.3
                        case .users: index == 0 ? random.unit() < 0.02 : index < 6 && minute == caller + 4
                        }
                    if active {
                        if source == .gaps {
                            let rare = random.unit() < 0.2
                            gap[index] = gap[index] == 3 ? (rare ? 7 : 11) : gap[index] == 11 ? (rare ? 3 : 7) : 3
                            next[index] = minute + gap[index]
                        }
                        if source == .users {
                            if index == 0 { caller = minute }
                            model.called(unit, by: UInt32(caller % 50), minute: minute)
                        }
                    }
                    model.observe(unit, active: active, minute: minute)
                    if minute >= 1000, p > 0.000_001 { loss -= active ? logf(p) : log1pf(-p) }
                }
            }
            return loss
        }
        let (whole, partial) = (logLoss([]), logLoss(.init(source)))
        #expect(whole < 0.998 * partial, "\(source): \(whole) with it, \(partial) without")
    }
}
