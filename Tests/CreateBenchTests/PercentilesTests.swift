import Testing

@testable import CreateBench

@Suite("Percentiles")
struct PercentilesTests {
    @Test("the nearest rank of a known set")
    func knownSet() throws {
        let percentile = try #require(Percentiles((1...200).map(Int64.init).shuffled()))
        #expect(percentile(50) == 100)
        #expect(percentile(90) == 180)
        #expect(percentile(99) == 198)
        #expect(percentile(100) == 200)
        #expect(percentile(0) == 1)
    }

    @Test("one value is every percentile, none is nothing")
    func small() throws {
        let percentile = try #require(Percentiles([7]))
        #expect([0, 1, 50, 99, 100].allSatisfy { percentile($0) == 7 })
        #expect(Percentiles([]) == nil)
    }

    @Test("at least that share of the values is not above it, and it was measured")
    func definition() throws {
        let seed = UInt64.random(in: 1...UInt64.max)
        var random = SplitMix64(seed: seed)
        for _ in 0..<300 {
            let values = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                Int64.random(in: -50...50, using: &random)
            }
            let percent = Int.random(in: 1...100, using: &random)
            let percentile = try #require(Percentiles(values))
            let value = percentile(percent)
            let below = values.count { $0 < value }
            let upTo = values.count { $0 <= value }
            #expect(values.contains(value), "seed \(seed)")
            #expect(upTo * 100 >= percent * values.count, "seed \(seed)")
            #expect(below * 100 < percent * values.count, "seed \(seed)")
        }
    }
}
