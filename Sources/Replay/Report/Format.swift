import FoundationEssentials
import Glibc

/// Numbers as the reports print them: independent of the locale.
enum Format {
    /// Fixed decimals.
    static func fixed(_ value: Double, _ decimals: Int) -> String {
        guard value.isFinite else { return "-" }
        let scale = pow(10, Double(decimals))
        let scaled = (value.magnitude * scale).rounded()
        guard scaled < 9e15 else { return "\(value)" }
        let whole = Int(scaled) / Int(scale)
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard decimals > 0 else { return "\(sign)\(whole)" }
        let part = String(Int(scaled) % Int(scale))
        return "\(sign)\(whole).\(String(repeating: "0", count: decimals - part.count))\(part)"
    }

    /// Three significant digits.
    static func short(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return value == 0 ? "0" : "-" }
        let digits = Int(log10(value.magnitude).rounded(.down))
        return fixed(value, max(0, min(12, 2 - digits)))
    }
}
