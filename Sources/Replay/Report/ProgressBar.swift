/// A progress bar as one line of text, to be written over with a carriage return.
package enum ProgressBar {
    /// At most `width` columns: a bar, the percentage and what is being done.
    package static func line(_ progress: ReplayProgress, width: Int = 80) -> String {
        let fraction = min(max(progress.fraction, 0), 1)
        let cells = 24
        let filled = Int((fraction * Double(cells)).rounded(.down))
        let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: cells - filled)
        let percent = String(Int(fraction * 100))
        let padding = String(repeating: " ", count: 3 - percent.count)
        return String("[\(bar)] \(padding)\(percent) % \(progress.activity)".prefix(max(width, 0)))
    }
}
