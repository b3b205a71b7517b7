import Forecast

/// Small sources of events with a known truth.
enum Truth {
    /// A unit that is active every `period` minutes, and one that is so at random with the same rate.
    static func periodic(_ period: Int, phase: Int, minute: Int) -> Bool { minute % period == phase }

    /// A Markov chain over `count` symbols: symbol s is followed by s + 1 with 0.8, else by any.
    struct Chain {
        var random: SeededGenerator
        var symbol: UInt32 = 0
        let count: UInt32

        init(count: UInt32, seed: UInt64) {
            self.count = count
            random = SeededGenerator(seed: seed)
        }

        mutating func next() -> UInt32 {
            symbol = random.unit() < 0.8 ? (symbol + 1) % count : UInt32(random.below(Int(count)))
            return symbol
        }
    }

    static func seconds(_ seconds: Double) -> Int64 { Int64(seconds * 1e9) }
    static func request(_ function: String, user: String? = nil, at seconds: Double) -> Observation {
        Observation(
            time: Self.seconds(seconds), .request(function: function, user: user, session: nil, arguments: 0))
    }
}
