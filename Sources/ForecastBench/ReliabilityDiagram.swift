import Foundation

/// A reliability diagram as SVG: what was said against what came, one panel a horizon and data set.
package enum ReliabilityDiagram {
    package static func svg(_ rows: [OccurrenceRow]) -> String {
        let size = 220.0
        let margin = 46.0
        let panels = rows.filter { $0.model.hasSuffix("calibrated") }
        let columns = max(1, min(3, panels.count))
        let lines = (panels.count + columns - 1) / columns
        let cell = size + 2 * margin
        var svg = """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(Int(cell) * columns)" height="\(Int(cell) * max(1, lines))" \
            font-family="sans-serif" font-size="11">
            <rect width="100%" height="100%" fill="#fff"/>

            """
        for (index, row) in panels.enumerated() {
            let left = margin + Double(index % columns) * cell
            let top = margin + Double(index / columns) * cell
            func x(_ value: Double) -> String { String(format: "%.1f", left + value * size) }
            func y(_ value: Double) -> String { String(format: "%.1f", top + (1 - value) * size) }
            svg += """
                <g><text x="\(x(0))" y="\(y(1.06))" font-weight="bold">\(escaped(row.data)), \(row.horizonMinutes) min</text>
                <rect x="\(x(0))" y="\(y(1))" width="\(size)" height="\(size)" fill="none" stroke="#999"/>
                <line x1="\(x(0))" y1="\(y(0))" x2="\(x(1))" y2="\(y(1))" stroke="#999" stroke-dasharray="4 4"/>
                <text x="\(x(0.5))" y="\(y(-0.14))" text-anchor="middle">said (ECE \(String(format: "%.4f", row.ece)))</text>
                <text x="\(x(-0.14))" y="\(y(0.5))" text-anchor="middle" transform="rotate(-90 \(x(-0.14)) \(y(0.5)))">came</text>

                """
            for tick in [0.0, 0.5, 1.0] {
                svg += """
                    <text x="\(x(tick))" y="\(y(-0.06))" text-anchor="middle">\(tick)</text>
                    <text x="\(x(-0.02))" y="\(y(tick - 0.015))" text-anchor="end">\(tick)</text>

                    """
            }
            for raw in rows where raw.data == row.data && raw.horizonMinutes == row.horizonMinutes {
                let colour = raw.model == row.model ? "#0b62a4" : "#d98324"
                let points = raw.reliability.filter { $0.count >= 20 }
                let path = points.map { "\(x($0.said)),\(y($0.came))" }.joined(separator: " ")
                svg += "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"1.5\"/>\n"
                for point in points {
                    let radius = String(format: "%.1f", 2 + log10(Double(point.count)))
                    svg += """
                        <circle cx="\(x(point.said))" cy="\(y(point.came))" r="\(radius)" fill="\(colour)" \
                        fill-opacity="0.7"><title>\(escaped(raw.model)): \(point.count) forecasts</title></circle>

                        """
                }
            }
            svg += "</g>\n"
        }
        return svg + "</svg>\n"
    }

    private static func escaped(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
    }
}
