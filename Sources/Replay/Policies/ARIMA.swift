import Glibc

/// One-step forecasts of short series by ARIMA(p, d, q), p <= 2, d <= 1, q <= 1, the order chosen by AICc.
///
/// Fitted with the two-stage least squares of Hannan and Rissanen (Biometrika 69, 1982): a long autoregression gives
/// estimates of the shocks, which then stand as regressors. That needs no iteration and cannot diverge.
enum ARIMA {
    /// The next value of `series`, or nil when it is too short to fit anything.
    static func forecast(_ series: [Double]) -> Double? {
        guard let last = series.last else { return nil }
        guard series.count >= 4 else { return series.reduce(0, +) / Double(series.count) }
        var best: (score: Double, value: Double)?
        for differences in 0...1 {
            let worked = differences == 0 ? series : zip(series.dropFirst(), series).map { $0 - $1 }
            let shocks = longAutoregressionShocks(worked)
            for p in 0...2 {
                for q in 0...1 {
                    guard let fit = fit(worked, shocks: shocks, p: p, q: q) else { continue }
                    let value = differences == 0 ? fit.next : last + fit.next
                    if fit.score < (best?.score ?? .infinity) { best = (fit.score, value) }
                }
            }
        }
        return best.map(\.value) ?? series.reduce(0, +) / Double(series.count)
    }

    private static func longAutoregressionShocks(_ series: [Double]) -> [Double] {
        let order = min(4, series.count / 4)
        var shocks = [Double](repeating: 0, count: series.count)
        guard order > 0 else { return shocks }
        let rows = (order..<series.count).map { time in [1] + (1...order).map { series[time - $0] } }
        let targets = Array(series[order...])
        guard let weights = LeastSquares.solve(rows, targets) else { return shocks }
        for (offset, row) in rows.enumerated() {
            shocks[order + offset] = targets[offset] - zip(row, weights).reduce(0) { $0 + $1.0 * $1.1 }
        }
        return shocks
    }

    private static func fit(
        _ series: [Double], shocks: [Double], p: Int, q: Int
    ) -> (score: Double, next: Double)? {
        let start = max(p, q)
        let count = series.count - start
        let parameters = p + q + 2
        guard count > parameters + 1 else { return nil }
        func row(_ time: Int) -> [Double] {
            [1] + (0..<p).map { series[time - 1 - $0] } + (0..<q).map { shocks[time - 1 - $0] }
        }
        let rows = (start..<series.count).map(row)
        let targets = Array(series[start...])
        guard let weights = LeastSquares.solve(rows, targets) else { return nil }
        var squares = 0.0
        for (row, target) in zip(rows, targets) {
            let error = target - zip(row, weights).reduce(0) { $0 + $1.0 * $1.1 }
            squares += error * error
        }
        let size = Double(count)
        let k = Double(parameters)
        // A perfect fit of a constant series would have a variance of zero: floor it at a hundredth of a minute.
        let variance = max(squares / size, 1e-4)
        let score = (size * log(variance) + 2 * k + 2 * k * (k + 1) / (size - k - 1)) / size
        return (score, zip(row(series.count), weights).reduce(0) { $0 + $1.0 * $1.1 })
    }
}

/// Linear least squares of a few unknowns by the normal equations with a small ridge.
enum LeastSquares {
    /// The weights that best give `targets` from `rows`, or nil when the rows do not determine them.
    static func solve(_ rows: [[Double]], _ targets: [Double]) -> [Double]? {
        guard let width = rows.first?.count, rows.count >= width else { return nil }
        var matrix = [[Double]](repeating: [Double](repeating: 0, count: width + 1), count: width)
        for (row, target) in zip(rows, targets) {
            for i in 0..<width {
                for j in 0..<width { matrix[i][j] += row[i] * row[j] }
                matrix[i][width] += row[i] * target
            }
        }
        for i in 0..<width { matrix[i][i] += 1e-6 * (1 + matrix[i][i]) }
        for pivot in 0..<width {
            guard matrix[pivot][pivot].magnitude > 1e-12 else { return nil }
            for other in pivot + 1..<max(width, pivot + 1) {
                let factor = matrix[other][pivot] / matrix[pivot][pivot]
                for column in pivot...width { matrix[other][column] -= factor * matrix[pivot][column] }
            }
        }
        var weights = [Double](repeating: 0, count: width)
        for pivot in stride(from: width - 1, through: 0, by: -1) {
            var sum = matrix[pivot][width]
            for column in pivot + 1..<max(width, pivot + 1) { sum -= matrix[pivot][column] * weights[column] }
            weights[pivot] = sum / matrix[pivot][pivot]
        }
        return weights.allSatisfy(\.isFinite) ? weights : nil
    }
}
