/// One policy of `--policy`: `NAME[:ARGUMENT][@W]`.
///
/// `@W` finds the knob at which the policy wastes at most W times what fixed-10 wastes.
package struct PolicySpec: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        case fixed(minutes: Int)
        case forever
        case hybrid(rangeMinutes: Int, arima: Bool)
        case spes
        case layered(quantile: Double)
        /// The size is nil in event mode, where the replay's budget holds.
        case eviction(EvictionRule, Size?)
        case clairvoyantKeep
        case clairvoyantPrewarm(knowsFirstUse: Bool)
        case forecast(Model, charged: Bool, lambda: Double?)
        case closedLoop(Model, Goal)
        /// The agent's pool without any forecast: event replay only.
        case pool
    }

    /// Whose forecasts.
    package enum Model: String, Sendable, CaseIterable {
        case hearth, hazard
    }

    /// What a closed loop holds.
    package enum Goal: Sendable, Equatable {
        case wasteRatio(Double)
        case memoryMB(Double)
        case coldShare(Double)
    }

    package enum Size: Sendable, Equatable {
        case megabytes(Double)
        /// Of the memory of all units together.
        case shareOfNeed(Double)
    }

    /// As written: what the rows are called.
    package let text: String
    package let kind: Kind
    /// The waste to search the knob for, relative to fixed-10.
    package let wasteRatio: Double?

    /// What a user can write, for help texts and errors.
    package static let grammar = """
        hearth[:LAMBDA], hearth-charged[:LAMBDA], hearth-budget:W, hearth-memory:MB, hearth-cold:PERCENT, \
        hazard[:LAMBDA], pool, fixed:MINUTES, forever, hybrid[:4h], hybrid-arima[:4h], spes, layered[:QUANTILE], lru:SIZE, lfu:SIZE, \
        greedy-dual:SIZE, belady:SIZE, clairvoyant-keep, clairvoyant-prewarm, clairvoyant-prewarm-known; \
        SIZE is 4096 (MB) or 30%, and is left out in event mode; @W behind hearth, hearth-charged, hazard, fixed, lru, lfu, greedy-dual, belady and \
        clairvoyant-keep finds the knob at which waste is W x fixed-10's
        """

    /// Parses a comma-separated list.
    package static func parse(list: String) throws(ReplayError) -> [PolicySpec] {
        var specs: [PolicySpec] = []
        for part in list.split(separator: ",") { specs.append(try PolicySpec(String(part.trimmed))) }
        guard !specs.isEmpty else { throw .badPolicy(text: list, reason: "no policy is named; known are \(grammar)") }
        return specs
    }

    package init(_ text: String) throws(ReplayError) {
        self.text = text
        let atParts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        let colonParts = atParts[0].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(colonParts[0])
        let argument = colonParts.count > 1 ? String(colonParts[1]) : nil
        if atParts.count > 1 {
            guard let ratio = Double(atParts[1]), ratio > 0, ratio.isFinite else {
                throw .badPolicy(text: text, reason: "\"\(atParts[1])\" behind @ is not a positive number")
            }
            wasteRatio = ratio
        } else {
            wasteRatio = nil
        }
        kind = try Self.kind(name, argument, text: text, searched: atParts.count > 1)
        if wasteRatio != nil && !kind.hasKnob {
            throw .badPolicy(text: text, reason: "\(name) has no knob to search; drop the @")
        }
        if wasteRatio != nil && argument != nil {
            throw .badPolicy(text: text, reason: "give either a knob (:) or a waste to search it for (@), not both")
        }
    }

    private static func kind(
        _ name: String, _ argument: String?, text: String, searched: Bool
    ) throws(ReplayError) -> Kind {
        func number(_ what: String, _ fallback: Double?, _ range: ClosedRange<Double>) throws(ReplayError) -> Double {
            guard let argument else {
                guard let fallback else { throw .badPolicy(text: text, reason: "it needs \(what): \(name):...") }
                return fallback
            }
            let bare = argument.hasSuffix("%") ? String(argument.dropLast()) : argument
            guard let value = Double(bare), range.contains(value) else {
                throw .badPolicy(
                    text: text,
                    reason: "\(what) must be a number from \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
        func none(_ kind: Kind) throws(ReplayError) -> Kind {
            guard argument == nil else { throw .badPolicy(text: text, reason: "\(name) takes no argument") }
            return kind
        }
        func price(_ model: Model, charged: Bool) throws(ReplayError) -> Kind {
            guard argument != nil else { return .forecast(model, charged: charged, lambda: nil) }
            return .forecast(model, charged: charged, lambda: try number("a price", nil, 1e-6...1e6))
        }
        switch name {
        case "fixed":
            return .fixed(minutes: Int(try number("minutes", searched ? 10 : nil, 0...1_000_000)))
        case "forever", "no-unload": return try none(.forever)
        case "hybrid", "hybrid-mean", "hybrid-arima":
            return .hybrid(rangeMinutes: try minutes(argument ?? "4h", text: text), arima: name == "hybrid-arima")
        case "spes": return try none(.spes)
        case "pool": return try none(.pool)
        case "layered": return .layered(quantile: try number("a quantile", 0.8, 0.01...0.999))
        case "lru", "lfu", "greedy-dual", "belady":
            guard let rule = EvictionRule(rawValue: name) else { break }
            guard argument != nil else { return .eviction(rule, nil) }
            guard argument?.hasSuffix("%") == true else {
                return .eviction(rule, .megabytes(try number("a memory size", nil, 1...1e12)))
            }
            return .eviction(rule, .shareOfNeed(try number("a share of the need", 100, 0.01...100) / 100))
        case "clairvoyant-keep": return try none(.clairvoyantKeep)
        case "clairvoyant-prewarm": return try none(.clairvoyantPrewarm(knowsFirstUse: true))
        case "clairvoyant-prewarm-known": return try none(.clairvoyantPrewarm(knowsFirstUse: false))
        case "hearth": return try price(.hearth, charged: false)
        case "hearth-charged": return try price(.hearth, charged: true)
        case "hazard": return try price(.hazard, charged: false)
        case "hearth-budget": return .closedLoop(.hearth, .wasteRatio(try number("a waste ratio", nil, 0.001...1000)))
        case "hearth-memory": return .closedLoop(.hearth, .memoryMB(try number("idle memory in MB", nil, 1...1e12)))
        case "hearth-cold":
            return .closedLoop(.hearth, .coldShare(try number("a percentage", nil, 0.001...100) / 100))
        default: break
        }
        throw .badPolicy(text: text, reason: "there is no policy \"\(name)\"; known are \(grammar)")
    }

    /// "4h", "240m" or "240" as minutes.
    private static func minutes(_ argument: String, text: String) throws(ReplayError) -> Int {
        let factor = argument.hasSuffix("h") ? 60.0 : 1
        let bare = argument.hasSuffix("h") || argument.hasSuffix("m") ? String(argument.dropLast()) : argument
        guard let value = Double(bare), value * factor >= 2, value * factor <= 100_000 else {
            throw .badPolicy(text: text, reason: "the histogram's range must be like 4h or 90m, at least 2m")
        }
        return Int(value * factor)
    }
}

extension PolicySpec.Kind {
    /// Whether `@W` makes sense.
    var hasKnob: Bool {
        switch self {
        case .fixed, .eviction, .clairvoyantKeep, .forecast: true
        default: false
        }
    }

    /// The forecaster a policy needs, if any.
    var model: PolicySpec.Model? {
        switch self {
        case .forecast(let model, _, _), .closedLoop(let model, _): model
        default: nil
        }
    }
}

extension Substring {
    var trimmed: Substring {
        var rest = self
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return rest
    }
}
