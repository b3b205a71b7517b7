/// How a series is drawn: colour, dashes and marker all differ, so that no one of them is needed to tell series apart.
struct ChartStyle {
    let color: String
    let dash: String
    let marker: Int

    /// Okabe and Ito's palette, which people with any colour vision can tell apart; yellow is left out (unreadable on
    /// white), black comes first. Grey print keeps the dashes and markers.
    private static let colors = ["#000000", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"]
    private static let dashes = ["", "7 3", "2 3", "9 3 2 3", "4 2"]

    init(_ index: Int) {
        color = Self.colors[index % Self.colors.count]
        dash = Self.dashes[(index + index / Self.colors.count) % Self.dashes.count]
        marker = (index + index / Self.colors.count) % 6
    }

    /// The marker as SVG, centred at (x, y).
    func markerSVG(_ x: Double, _ y: Double, size: Double = 4) -> String {
        let (a, b) = (SVG.number(x), SVG.number(y))
        func points(_ corners: [(Double, Double)]) -> String {
            corners.map { "\(SVG.number(x + $0.0 * size)),\(SVG.number(y + $0.1 * size))" }.joined(separator: " ")
        }
        switch marker {
        case 0: return "<circle cx=\"\(a)\" cy=\"\(b)\" r=\"\(SVG.number(size * 0.9))\" fill=\"\(color)\"/>"
        case 1: return "<polygon points=\"\(points([(-1, -1), (1, -1), (1, 1), (-1, 1)]))\" fill=\"\(color)\"/>"
        case 2: return "<polygon points=\"\(points([(0, -1.2), (1.1, 0.9), (-1.1, 0.9)]))\" fill=\"\(color)\"/>"
        case 3: return "<polygon points=\"\(points([(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)]))\" fill=\"\(color)\"/>"
        case 4:
            return "<circle cx=\"\(a)\" cy=\"\(b)\" r=\"\(SVG.number(size * 0.9))\" fill=\"#fff\" stroke=\"\(color)\""
                + " stroke-width=\"1.6\"/>"
        default:
            return "<polygon points=\"\(points([(0, 1.2), (1.1, -0.9), (-1.1, -0.9)]))\" fill=\"#fff\""
                + " stroke=\"\(color)\" stroke-width=\"1.6\"/>"
        }
    }
}

/// Small helpers of SVG text.
enum SVG {
    static func number(_ value: Double) -> String { Format.fixed(value, 1) }

    static func escape(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }
}
