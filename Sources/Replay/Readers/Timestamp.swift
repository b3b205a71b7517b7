/// Calendar time as traces write it, without time zones: taken as UTC.
enum Timestamp {
    /// "YYYY-MM-DD HH:MM:SS" or with a T between, and perhaps a fraction and a Z, in milliseconds since 1970.
    static func milliseconds(_ line: Span<UInt8>, _ range: Range<Int>) -> Int64? {
        guard range.count >= 19 else { return nil }
        let base = range.lowerBound
        func digits(_ offset: Int, _ count: Int) -> Int? {
            var value = 0
            for position in base + offset..<base + offset + count {
                guard line[position] >= 0x30 && line[position] <= 0x39 else { return nil }
                value = value * 10 + Int(line[position] - 0x30)
            }
            return value
        }
        guard let year = digits(0, 4), let month = digits(5, 2), let day = digits(8, 2), let hour = digits(11, 2),
            let minute = digits(14, 2), let second = digits(17, 2),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61,
            line[base + 4] == UInt8(ascii: "-"), line[base + 7] == UInt8(ascii: "-"),
            line[base + 13] == UInt8(ascii: ":"), line[base + 16] == UInt8(ascii: ":")
        else { return nil }
        var fraction = 0
        if range.count >= 23 && line[base + 19] == UInt8(ascii: ".") { fraction = digits(20, 3) ?? 0 }
        let days = daysSince1970(year: year, month: month, day: day)
        return Int64(((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + Int64(fraction)
    }

    /// Days since 1970-01-01 in the proleptic Gregorian calendar; years begin in March, so leap days end them.
    static func daysSince1970(year: Int, month: Int, day: Int) -> Int {
        let marchYear = month <= 2 ? year - 1 : year
        let era = (marchYear >= 0 ? marchYear : marchYear - 399) / 400
        let yearOfEra = marchYear - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}
