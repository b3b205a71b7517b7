/// A chart of lines and markers as one SVG element with its legend.
struct LineChart {
    struct Series {
        var name: String
        var points: [Point]
        var style: ChartStyle
        var line = true
        var markers = true
    }

    struct Point {
        var x: Double
        var y: Double
        var tip = ""
        /// Marker size.
        var size = 4.0
    }

    var title: String
    var x: ChartAxis
    var y: ChartAxis
    var series: [Series]
    /// Draws y = x.
    var diagonal = false

    private static let width = 760.0
    private static let height = 380.0
    private static let legendColumns = 3

    func svg() -> String {
        var x = x
        var y = y
        x.from = 62
        x.to = Self.width - 14
        y.from = Self.height - 46
        y.to = 12
        let legendRows = (series.count + Self.legendColumns - 1) / Self.legendColumns
        let total = Self.height + Double(legendRows) * 18 + 6
        var parts = [
            """
            <svg viewBox="0 0 \(SVG.number(Self.width)) \(SVG.number(total))" role="img" \
            aria-label="\(SVG.escape(title))"><title>\(SVG.escape(title))</title>
            """
        ]
        parts += grid(x, y)
        if diagonal { parts.append(diagonalLine(x, y)) }
        for item in series { parts += draw(item, x, y) }
        parts += legend()
        parts.append("</svg>")
        return parts.joined(separator: "\n")
    }

    private func grid(_ x: ChartAxis, _ y: ChartAxis) -> [String] {
        var parts: [String] = []
        for tick in x.ticks {
            let at = SVG.number(x.pixel(tick.value))
            parts.append("<line class=\"grid\" x1=\"\(at)\" x2=\"\(at)\" y1=\"\(y.to)\" y2=\"\(y.from)\"/>")
            parts.append(
                "<text x=\"\(at)\" y=\"\(y.from + 16)\" text-anchor=\"middle\">\(tick.label)</text>")
        }
        for tick in y.ticks {
            let at = SVG.number(y.pixel(tick.value))
            parts.append("<line class=\"grid\" x1=\"\(x.from)\" x2=\"\(x.to)\" y1=\"\(at)\" y2=\"\(at)\"/>")
            parts.append(
                "<text x=\"\(x.from - 6)\" y=\"\(at)\" dy=\"4\" text-anchor=\"end\">\(tick.label)</text>")
        }
        parts.append(
            "<path class=\"axis\" d=\"M\(x.from) \(y.to)V\(y.from)H\(x.to)\"/>")
        let middle = SVG.number((x.from + x.to) / 2)
        parts.append(
            "<text class=\"name\" x=\"\(middle)\" y=\"\(y.from + 36)\" text-anchor=\"middle\">\(SVG.escape(x.title))</text>"
        )
        let center = SVG.number((y.from + y.to) / 2)
        parts.append(
            """
            <text class="name" transform="translate(14 \(center)) rotate(-90)" \
            text-anchor="middle">\(SVG.escape(y.title))</text>
            """)
        return parts
    }

    private func diagonalLine(_ x: ChartAxis, _ y: ChartAxis) -> String {
        let low = max(x.low, y.low)
        let high = min(x.high, y.high)
        return """
            <line class="diagonal" x1="\(SVG.number(x.pixel(low)))" y1="\(SVG.number(y.pixel(low)))" \
            x2="\(SVG.number(x.pixel(high)))" y2="\(SVG.number(y.pixel(high)))"/>
            """
    }

    private func draw(_ item: Series, _ x: ChartAxis, _ y: ChartAxis) -> [String] {
        var parts = ["<g>"]
        if item.line && item.points.count > 1 {
            let path = item.points.enumerated().map { index, point in
                "\(index == 0 ? "M" : "L")\(SVG.number(x.pixel(point.x))) \(SVG.number(y.pixel(point.y)))"
            }.joined()
            let dash = item.style.dash.isEmpty ? "" : " stroke-dasharray=\"\(item.style.dash)\""
            parts.append("<path class=\"line\" d=\"\(path)\" stroke=\"\(item.style.color)\"\(dash)/>")
        }
        if item.markers || item.points.count == 1 {
            for point in item.points {
                let marker = item.style.markerSVG(x.pixel(point.x), y.pixel(point.y), size: point.size)
                let tip = SVG.escape("\(item.name) \(point.tip)")
                parts.append("<g>\(marker)<title>\(tip)</title></g>")
            }
        }
        parts.append("</g>")
        return parts
    }

    private func legend() -> [String] {
        let column = (Self.width - 70) / Double(Self.legendColumns)
        return series.enumerated().map { index, item in
            let left = 62 + Double(index % Self.legendColumns) * column
            let top = Self.height + 6 + Double(index / Self.legendColumns) * 18
            let dash = item.style.dash.isEmpty ? "" : " stroke-dasharray=\"\(item.style.dash)\""
            let line =
                item.line
                ? """
                <line class="line" x1="\(SVG.number(left))" x2="\(SVG.number(left + 34))" y1="\(SVG.number(top))" \
                y2="\(SVG.number(top))" stroke="\(item.style.color)"\(dash)/>
                """ : ""
            return "\(line)\(item.markers ? item.style.markerSVG(left + 17, top) : "")"
                + "<text x=\"\(SVG.number(left + 40))\" y=\"\(SVG.number(top))\" dy=\"4\">\(SVG.escape(item.name))</text>"
        }
    }
}
