import Glibc

/// A forecaster's answers for a whole trace, so that many prices can be tried on one run of it.
///
/// A forecast does not depend on what is loaded: the trace tells what happened either way. Log-odds are kept as
/// 16-bit integers in steps of 1/2000, far finer than any forecast is right.
package struct ForecastTape: Sendable {
    package static let stepsPerUnit: Float = 2000
    static let unknown = Int16.min
    /// A tape of more than 1 GiB is refused.
    static let largest = 1 << 29

    let units: Int
    let minutes: Int
    /// Minute-major: the forecast for minute m, made at its start, of unit u is `[m * units + u]`.
    let steps: [Int16]

    package init(
        _ trace: MinuteTrace, _ forecaster: consuming some MinuteForecaster, progress: ((Double) -> Void)? = nil
    ) throws(ReplayError) {
        units = trace.units.count
        minutes = trace.minutes
        guard units * minutes <= Self.largest else {
            throw .unsuitable(
                reason: """
                    \(trace.name): \(units) units over \(minutes) minutes need a forecast tape of \
                    \(units * minutes / (1 << 29)) GiB; replay fewer days, or a part of the units (--resample)
                    """)
        }
        var tape = [Int16](repeating: Self.unknown, count: units * minutes)
        var logOdds = [Float](repeating: LogOdds.unknown, count: units)
        for minute in 0..<max(0, minutes - 1) {
            let active = trace.activeUnits[trace.minuteStart[minute]..<trace.minuteStart[minute + 1]]
            forecaster.step(minute: minute, active: active, calls: trace.calls(in: minute), logOdds: &logOdds)
            let base = (minute + 1) * units
            for unit in 0..<units { tape[base + unit] = Self.quantized(logOdds[unit]) }
            if minute % 64 == 0 { progress?(Double(minute) / Double(minutes)) }
        }
        steps = tape
    }

    static func quantized(_ logOdds: Float) -> Int16 {
        guard logOdds > -16 else { return logOdds == LogOdds.unknown ? unknown : Int16.min + 1 }
        return Int16(min(Float(Int16.max - 1), (logOdds * stepsPerUnit).rounded()))
    }

    static func lambda(_ step: Int) -> Double { exp(Double(step) / Double(stepsPerUnit)) }
    static func step(lambda: Double) -> Int {
        let step = (log(lambda) * Double(stepsPerUnit)).rounded()
        return Int(min(Double(Int16.max), max(Double(Int16.min), step.isNaN ? 0 : step)))
    }
}
