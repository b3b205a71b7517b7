/// A made-up day of many functions, to time a replay with: few are busy and most are nearly idle, as in public traces.
package enum SyntheticTrace {
    /// Writes Azure 2019 lines: `functions` rows with about `invocations` in all, at least one each. The same arguments
    /// give the same bytes.
    package static func write(functions: Int, invocations: Int, seed: UInt64, _ line: (String) throws -> Void) rethrows
    {
        let minutes = 1440
        var header = "HashOwner,HashApp,HashFunction,Trigger"
        for minute in 1...minutes { header += ",\(minute)" }
        try line(header)
        var random = SplitMix64(state: seed)
        // Rates by Zipf's law.
        let sum = (1...max(functions, 1)).reduce(0) { $0 + 1 / Double($1 + 10) }
        for function in 0..<functions {
            let count = max(1, Int(Double(invocations) / (Double(function + 11) * sum) + 0.5))
            var counts = [Int](repeating: 0, count: minutes)
            let trigger: String
            switch function % 3 {
            case 0:
                trigger = "timer"
                let first = random.unit()
                for call in 0..<count { counts[Int((Double(call) + first) / Double(count) * Double(minutes))] += 1 }
            case 1:
                trigger = "http"
                for _ in 0..<count { counts[Int(random.unit() * Double(minutes))] += 1 }
            default:
                // Bursts of up to ten calls within some minutes.
                trigger = "queue"
                var left = count
                while left > 0 {
                    let start = Int(random.unit() * Double(minutes))
                    for _ in 0..<min(left, 1 + Int(random.unit() * 10)) {
                        counts[min(minutes - 1, start + Int(random.unit() * 5))] += 1
                        left -= 1
                    }
                }
            }
            var text = "owner\(function / 20),app\(function / 4),function\(function),\(trigger)"
            for count in counts {
                text += ","
                text += String(count)
            }
            try line(text)
        }
    }
}
