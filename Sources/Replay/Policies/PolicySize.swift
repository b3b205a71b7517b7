extension PolicySpec.Size {
    /// "20%,4096": shares of the need and megabytes, as `--budget` takes them.
    package static func parse(list: String) throws(ReplayError) -> [Self] {
        var sizes: [Self] = []
        for part in list.split(separator: ",", omittingEmptySubsequences: false) {
            let text = part.trimmed
            let isShare = text.last == "%"
            guard let value = Double(isShare ? text.dropLast() : text), value > 0, value <= (isShare ? 1000 : 1e12)
            else {
                throw .badOption(
                    name: "budget", reason: "it must be like 20%,50% or 4096 (MB), not \"\(text)\"")
            }
            sizes.append(isShare ? .shareOfNeed(value / 100) : .megabytes(value))
        }
        return sizes
    }
}
