/// Horizontal bars in two parts, the second hatched, with the figures written out.
struct BarChart {
    struct Bar {
        var name: String
        var solid: Double
        var hatched: Double
    }

    var title: String
    var solidName: String
    var hatchedName: String
    var unit: String
    var bars: [Bar]

    func svg() -> String {
        let width = 760.0
        let left = 190.0
        let right = 160.0
        let row = 22.0
        let height = 34 + row * Double(bars.count)
        let most = max(bars.map { $0.solid + $0.hatched }.max() ?? 1, 1e-9)
        let scale = (width - left - right) / most
        var parts = [
            """
            <svg viewBox="0 0 \(SVG.number(width)) \(SVG.number(height))" role="img" aria-label="\(SVG.escape(title))">
            <title>\(SVG.escape(title))</title>
            <rect x="\(left)" y="4" width="14" height="12" fill="#0072B2"/>
            <text x="\(left + 20)" y="14">\(SVG.escape(solidName))</text>
            <rect x="\(left + 200)" y="4" width="14" height="12" fill="url(#hatch)" stroke="#D55E00"/>
            <text x="\(left + 220)" y="14">\(SVG.escape(hatchedName))</text>
            """
        ]
        for (index, bar) in bars.enumerated() {
            let top = 26 + row * Double(index)
            let middle = SVG.number(left + bar.solid * scale)
            parts.append(
                """
                <text x="\(left - 8)" y="\(SVG.number(top + 12))" text-anchor="end">\(SVG.escape(bar.name))</text>
                <rect x="\(left)" y="\(SVG.number(top))" width="\(SVG.number(bar.solid * scale))" height="15" fill="#0072B2"/>
                <rect x="\(middle)" y="\(SVG.number(top))" width="\(SVG.number(bar.hatched * scale))" height="15" \
                fill="url(#hatch)" stroke="#D55E00"/>
                <text x="\(SVG.number(left + (bar.solid + bar.hatched) * scale + 6))" y="\(SVG.number(top + 12))">\
                \(Format.short(bar.solid)) + \(Format.short(bar.hatched)) \(SVG.escape(unit))</text>
                """)
        }
        parts.append("</svg>")
        return parts.joined(separator: "\n")
    }

    /// The hatching that the bars refer to; once a page.
    static let definitions = """
        <svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs><pattern id="hatch" \
        width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" \
        fill="#fff"/><line x1="0" y1="0" x2="0" y2="6" stroke="#D55E00" stroke-width="3"/></pattern></defs></svg>
        """
}
