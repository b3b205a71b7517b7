import Testing

@testable import Wire

@Suite struct HistogramTests {
    /// The places that HdrHistogram's own implementations give: 3 digits from 1 are 2048 exact values, then halves.
    @Test func layoutOfHdrHistogram() throws {
        let layout = try #require(HistogramLayout(significantDigits: 3, lowest: 1))
        let places: [(UInt64, Int)] = [
            (0, 0), (1, 1), (1023, 1023), (2047, 2047), (2048, 2048), (2049, 2048), (2050, 2049), (4095, 3071),
            (4096, 3072), (4099, 3072), (4100, 3073), (8191, 4095), (8192, 4096),
        ]
        for (value, index) in places { #expect(layout.index(of: value) == index, "\(value)") }
        let two = try #require(HistogramLayout(significantDigits: 2, lowest: 1024))
        let scaled: [(UInt64, Int)] = [
            (0, 0), (1023, 0), (1024, 1), (255 << 10, 255), (256 << 10, 256), (1 << 45, 3712),
        ]
        for (value, index) in scaled { #expect(two.index(of: value) == index, "\(value)") }
        for (digits, lowest) in [(0, 1), (6, 1), (2, 0), (5, 1 << 50)] as [(Int, UInt64)] {
            #expect(HistogramLayout(significantDigits: digits, lowest: lowest) == nil)
        }
    }

    @Test(arguments: [(1, 1), (2, 1024), (3, 1), (3, 1000), (5, 64)] as [(Int, UInt64)])
    func everyValueIsInItsCell(digits: Int, lowest: UInt64) throws {
        let layout = try #require(HistogramLayout(significantDigits: digits, lowest: lowest))
        var precision = 1.0
        for _ in 0..<digits { precision /= 10 }
        var last = -1
        for power in 0..<46 {
            for offset in [0, 1, 7, 1 << max(0, power - 1)] as [UInt64] {
                let value = 1 << UInt64(power) + min(offset, 1 << UInt64(power) - 1)
                let index = layout.index(of: value)
                #expect(layout.lowestValue(at: index) <= value && value <= layout.highestValue(at: index), "\(value)")
                let width = Double(layout.highestValue(at: index) - layout.lowestValue(at: index))
                #expect(width < Double(layout.lowest) || width <= precision * Double(value), "\(value)")
            }
            let index = layout.index(of: 1 << UInt64(power))
            #expect(index >= last)
            last = index
        }
    }

    private func histogram(_ values: [UInt64]) throws -> HearthHistogram {
        let layout = try #require(HistogramLayout(significantDigits: 2, lowest: 1024))
        var histogram = HearthHistogram()
        histogram.significantDigits = 2
        histogram.lowestNs = 1024
        var last = 0
        var counts: [Int: UInt64] = [:]
        for value in values { counts[layout.index(of: value), default: 0] += 1 }
        for (index, count) in counts.sorted(by: { $0.key < $1.key }) {
            histogram.indexDeltas.append(UInt32(index - last))
            histogram.counts.append(count)
            last = index
        }
        histogram.total = UInt64(values.count)
        histogram.sumNs = values.reduce(0, +)
        histogram.minNs = values.min() ?? 0
        histogram.maxNs = values.max() ?? 0
        return histogram
    }

    @Test func mergingIsCountingTogether() throws {
        for _ in 0..<50 {
            let seed = UInt64.random(in: 0 ... .max)
            var values = (0..<200).map { UInt64($0) &* seed % (1 << 40) }
            values.shuffle()
            let cut = Int.random(in: 0...200)
            var merged = try histogram(Array(values[..<cut]))
            let isMerged = merged.merge(try histogram(Array(values[cut...])))
            #expect(isMerged)
            let whole = try histogram(values)
            #expect(merged.indexDeltas == whole.indexDeltas && merged.counts == whole.counts, "seed \(seed)")
            #expect(merged.total == whole.total && merged.sumNs == whole.sumNs)
            #expect(merged.minNs == whole.minNs && merged.maxNs == whole.maxNs)
            let sorted = values.sorted()
            for share in [0.01, 0.5, 0.9, 0.99, 1] {
                let exact = sorted[max(0, Int((share * 200).rounded(.up)) - 1)]
                let told = try #require(merged.quantile(share))
                #expect(told >= exact && Double(told - exact) <= 0.01 * Double(exact) + 1024, "seed \(seed) \(share)")
            }
        }
        var other = try histogram([5])
        other.lowestNs = 1
        var mine = try histogram([7000])
        let isMerged = mine.merge(other)
        #expect(!isMerged, "of another layout")
        #expect(mine.total == 1)
        #expect(HearthHistogram().quantile(0.5) == nil)
    }

    @Test func delimitedMessagesCutAnywhere() throws {
        var bytes: [UInt8] = []
        for index in 0..<5 {
            var entry = HearthPlanEntry()
            entry.function = String(repeating: "f", count: index * 60)
            bytes.appendDelimited(entry)
        }
        for size in [1, 2, 3, 7, 64, 1000] {
            var reader = DelimitedReader<HearthPlanEntry>(limit: 1000)
            var lengths: [Int] = []
            var at = 0
            while at < bytes.count {
                reader.append(bytes[at..<min(at + size, bytes.count)])
                at += size
                while let entry = try reader.next() { lengths.append(entry.function.utf8.count) }
            }
            try reader.finish()
            #expect(lengths == [0, 60, 120, 180, 240], "\(size)")
        }
        typealias Problem = DelimitedReader<HearthPlanEntry>.Problem
        var reader = DelimitedReader<HearthPlanEntry>(limit: 100)
        reader.append([101])
        #expect(throws: Problem.tooLong(101)) { try reader.next() }
        reader = DelimitedReader(limit: 100)
        reader.append([2, 0xff, 0xff])
        #expect(throws: Problem.malformed) { try reader.next() }
        reader = DelimitedReader(limit: 100)
        reader.append([0xff, 0xff, 0xff, 0xff, 0xff, 0x01])
        #expect(throws: Problem.malformed) { try reader.next() }
        reader = DelimitedReader(limit: 100)
        reader.append([5, 1])
        let none = try reader.next()
        #expect(none == nil)
        #expect(throws: Problem.truncated) { try reader.finish() }
    }
}
