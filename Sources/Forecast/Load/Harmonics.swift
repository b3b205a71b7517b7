import Glibc

/// Continues a series by its strongest harmonics, as IceBreaker (ASPLOS 2022) does: a linear trend, and the `kept`
/// largest terms of its discrete Fourier transform. O(n^2) for n values, asked once a slot.
package enum Harmonics {
    package static func next(_ series: ArraySlice<Double>, kept: Int = 10) -> Double? {
        let count = series.count
        guard count >= 24 else { return nil }
        let middle = Double(count - 1) / 2
        let mean = series.reduce(0, +) / Double(count)
        var slope = 0.0
        var spread = 0.0
        for (index, value) in series.enumerated() {
            slope += (Double(index) - middle) * (value - mean)
            spread += (Double(index) - middle) * (Double(index) - middle)
        }
        slope /= spread
        let turn = 2 * Double.pi / Double(count)
        // One table of cosines serves every frequency.
        let cosines = (0..<count).map { cos(turn * Double($0)) }
        let sines = (0..<count).map { sin(turn * Double($0)) }
        var terms: [(power: Double, value: Double)] = []
        for frequency in 1...count / 2 {
            var real = 0.0
            var imaginary = 0.0
            var phase = 0
            for (index, value) in series.enumerated() {
                let rest = value - mean - slope * (Double(index) - middle)
                real += rest * cosines[phase]
                imaginary += rest * sines[phase]
                phase += frequency
                if phase >= count { phase -= count }
            }
            let weight = frequency * 2 == count ? 1.0 : 2.0
            // At index `count` the phase is a whole number of turns: only the cosine part is left.
            terms.append((real * real + imaginary * imaginary, weight * real / Double(count)))
        }
        terms.sort { $0.power > $1.power }
        return mean + slope * (Double(count) - middle) + terms.prefix(kept).reduce(0) { $0 + $1.value }
    }
}
