import Glibc

/// One axis of a chart: data to pixels, and its ticks.
struct ChartAxis {
    enum Scale { case linear, log }

    let title: String
    let scale: Scale
    let low: Double
    let high: Double
    /// Pixels of `low` and `high`.
    var from = 0.0
    var to = 1.0

    /// An axis over `values`, widened to round numbers. A log axis ignores what is not above zero.
    init(_ title: String, _ scale: Scale, covering values: [Double], atLeast: ClosedRange<Double>? = nil) {
        self.title = title
        self.scale = scale
        let usable = values.filter { $0.isFinite && (scale == .linear || $0 > 0) }
        var low = usable.min() ?? 0
        var high = usable.max() ?? 1
        if let atLeast {
            low = min(low, atLeast.lowerBound)
            high = max(high, atLeast.upperBound)
        }
        switch scale {
        case .log:
            low = max(low, 1e-9)
            if high <= low { high = low * 10 }
            self.low = low / 1.15
            self.high = high * 1.15
        case .linear:
            if high <= low { high = low + 1 }
            self.low = low
            self.high = high
        }
    }

    func pixel(_ value: Double) -> Double {
        let part: Double
        switch scale {
        case .linear: part = (value - low) / (high - low)
        case .log: part = log(max(value, low) / low) / log(high / low)
        }
        return from + (to - from) * min(max(part, 0), 1)
    }

    var ticks: [(value: Double, label: String)] {
        switch scale {
        case .log:
            let decades = log10(high / low)
            let steps: [Double] = decades > 4 ? [1] : decades > 1.6 ? [1, 3] : [1, 2, 3, 5, 7]
            var ticks: [(Double, String)] = []
            for decade in Int(log10(low).rounded(.down))...Int(log10(high).rounded(.up)) {
                for step in steps {
                    let value = step * pow(10, Double(decade))
                    if value >= low * 0.999 && value <= high * 1.001 { ticks.append((value, Self.label(value))) }
                }
            }
            return ticks
        case .linear:
            let rough = (high - low) / 5
            let decade = pow(10, log10(rough).rounded(.down))
            let step = [1, 2, 5, 10].map { $0 * decade }.first { $0 >= rough } ?? rough
            var ticks: [(Double, String)] = []
            var value = (low / step).rounded(.up) * step
            while value <= high * 1.0001 {
                ticks.append((value, Self.label(value)))
                value += step
            }
            return ticks
        }
    }

    private static func label(_ value: Double) -> String {
        let size = value.magnitude
        if size >= 1e6 { return trim(Format.fixed(value / 1e6, 1)) + "M" }
        if size >= 1e4 { return trim(Format.fixed(value / 1e3, 1)) + "k" }
        if size >= 1 || size == 0 { return trim(Format.fixed(value, 1)) }
        return trim(Format.fixed(value, 1 + max(0, Int(-log10(max(size, 1e-12)).rounded(.down)))))
    }

    private static func trim(_ text: String) -> String {
        guard text.contains(".") else { return text }
        var rest = text[...]
        while rest.last == "0" { rest.removeLast() }
        if rest.last == "." { rest.removeLast() }
        return String(rest)
    }
}
