import Forecast
import Linux
import WarmPool

/// Topics, and the functions that are bound to them by their label `hearth.topics`.
extension PredictionEngine {
    static let topicsLabel = "hearth.topics"
    /// How sure an event makes, before outcomes are known, and how long a function is kept ready for it in nanoseconds.
    private static let confidence: Float = 0.95
    private static let lasts: Int64 = 30_000_000_000

    /// The topics in a label's value: names between commas.
    static func topics(_ labels: [String: String]) -> [String] {
        (labels[topicsLabel] ?? "").split(separator: ",").map { $0.trimming(while: { $0 == " " }) }
            .filter { !$0.isEmpty }
    }

    /// A function was registered or changed.
    func bind(_ function: FunctionRecord) {
        unbind(function.name)
        for topic in Self.topics(function.labels) {
            bindings[topic, default: []].insert(function.name)
            observe(
                Observation(time: realtimeNow(), .dependency(from: .topic(topic), to: function.name, lag: 0)))
        }
    }

    func unbind(_ name: String) {
        for topic in bindings.keys where bindings[topic]?.remove(name) != nil {
            if bindings[topic]?.isEmpty == true { bindings[topic] = nil }
        }
    }

    /// An event happened: its functions are made ready, whatever was learned. Returns them.
    func emit(_ topic: String, key: String?) -> [String] {
        observe(Observation(time: realtimeNow(), .event(topic: topic, key: key)))
        let bound = (bindings[topic] ?? []).sorted()
        for name in bound {
            guard let id = pool.identifiers[name] else { continue }
            fire(id, confidence: Self.confidence, lasts: Self.lasts)
        }
        return bound
    }
}

extension Substring {
    fileprivate func trimming(while isDropped: (Character) -> Bool) -> String {
        var rest = self.drop(while: isDropped)
        while let last = rest.last, isDropped(last) { rest.removeLast() }
        return String(rest)
    }
}
