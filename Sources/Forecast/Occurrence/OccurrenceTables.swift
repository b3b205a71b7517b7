/// The cells one forecast was read from: indices into the tables of the same names.
struct OccurrenceCells: Sendable {
    var idle: Int32 = 0
    var rate: Int32 = 0
    var rank: Int32 = 0
    var evidence: Int32 = 0
    var relation: Int32 = 0
    var activity: Int32 = 0
    var period: Int32 = 0
    var match: Int32 = 0
    var vote: Int32 = 0
    var hour: Int32 = 0
    var level: Int32 = 0
    var caller: Int32 = 0
    var callerRate: Int32 = 0
    /// The unit's hour of the week.
    var week: Int32 = 0
    /// Cells of the unit's own block.
    var own = SIMD8<Int32>.zero
}

/// The count tables behind the forecast: those of all units, and one block of cells a unit.
struct OccurrenceTables: Sendable {
    private static let cap: Float = 2000

    /// Idle time alone.
    var idle = CountTable(count: IdleBins.kl, cap: cap)
    /// Mean gap, number of gaps, idle time.
    var rate = CountTable(count: IdleBins.rates * 6 * IdleBins.kl, cap: cap)
    /// Among the last 16 gaps: how many, how many equal the idle time, how many are as long or longer.
    var rank = CountTable(count: 17 * 17 * 17, cap: cap)
    /// The same of all gaps that are kept, finer.
    var evidence = CountTable(count: OccurrenceContext.ranks * 5 * IdleBins.kc * 6, cap: cap)
    /// Where the idle time stands to each of the last three gaps.
    var relation = CountTable(
        count: IdleBins.relations * IdleBins.relations * IdleBins.relations * 4 * IdleBins.kc, cap: cap)
    /// Activity 5, 10, 15, 20, 30, 60 and 120 minutes before.
    var activity = CountTable(count: 512 * IdleBins.kc, cap: cap)
    /// Activity one and two of the commonest periods before.
    var period = CountTable(count: 7 * 16 * 8 * IdleBins.kc, cap: cap)
    /// The gap that followed the longest match of the latest gaps.
    var match = CountTable(count: 9 * IdleBins.relations * 16 * 2, cap: cap)
    /// How common the distances to all earlier onsets are.
    var vote = CountTable(count: OccurrenceContext.votes * OccurrenceContext.votes * 16 * IdleBins.kc, cap: cap)
    /// Hour of the day.
    var hour = CountTable(count: 24 * IdleBins.rates * IdleBins.kc, cap: cap)
    /// How busy all units together are, against their usual.
    var level = CountTable(count: 8 * IdleBins.rates * IdleBins.kc, cap: cap)
    /// Whether users are about who may call the unit, and its idle time; or how often it is called.
    var caller = CountTable(count: PresenceModel.bins * IdleBins.kc, cap: cap)
    var callerRate = CountTable(count: PresenceModel.bins * IdleBins.rates, cap: cap)
    /// The units' own cells, `Own.width` a unit.
    var own = UnitCountTable(cap: 60)
    var week = WeekTable()

    /// Where each table begins in a unit's block.
    enum Own {
        static let idle = 0
        static let idleByEvidence = idle + IdleBins.kl
        static let minute = idleByEvidence + IdleBins.kl
        static let hour = minute + 60
        static let activity = hour + 24
        static let period = activity + 128
        static let vote = period + 16
        static let gapPair = vote + 16
        static let width = gapPair + 128
    }

    mutating func addUnit() {
        own.grow(by: Own.width)
        week.addUnit()
    }
    mutating func moveUnit(_ unit: Int, to other: Int) {
        for cell in 0..<Own.width { own.cells[other * Own.width + cell] = own.cells[unit * Own.width + cell] }
        week.move(unit, to: other)
    }
    mutating func truncate(to units: Int) {
        own.cells.truncate(to: units * Own.width)
        week.truncate(to: units)
    }
    mutating func clearUnit(_ unit: Int) {
        own.clear(unit * Own.width..<(unit + 1) * Own.width)
        week.clear(unit)
    }

    /// Looks every estimate up, and fills in the inputs, their cells and the contexts of the weights.
    func fill(
        _ pending: inout Pending, _ c: OccurrenceContext, unit: Int, busyness: Int, caller: Float?, knowsUnit: Bool
    ) {
        let counts = c.counts
        var at = OccurrenceCells()
        at.idle = Int32(c.fine)
        at.rate = Int32((c.rate * 6 + c.experience) * IdleBins.kl + c.fine)
        at.rank = Int32((counts.recent * 17 + counts.recentEqual) * 17 + counts.recentLonger)
        at.evidence = Int32(((c.rank * 5 + c.longerShare) * IdleBins.kc + c.coarse) * 6 + c.experience)
        at.relation = Int32(c.relation * IdleBins.kc + c.coarse)
        at.activity = Int32(c.wideBits * IdleBins.kc + c.coarse)
        at.period = Int32(((c.periodStrength * 16 + c.onsets) * 8 + c.periodBits) * IdleBins.kc + c.coarse)
        at.match = Int32(
            ((c.matchLength * IdleBins.relations + IdleBins.relation(c.k, c.matchGap)) * 16
                + IdleBins.octave(c.matchGap)) * 2 + (counts.longer > 0 ? 1 : 0))
        at.vote = Int32((c.vote * 16 + c.onsets) * IdleBins.kc + c.coarse)
        at.hour = Int32((c.hour * IdleBins.rates + c.rate) * IdleBins.kc + c.coarse)
        at.level = Int32((busyness * IdleBins.rates + c.rate) * IdleBins.kc + c.coarse)
        let about = caller.map(PresenceModel.bin) ?? 0
        at.caller = Int32(about * IdleBins.kc + c.coarse)
        at.callerRate = Int32(about * IdleBins.rates + c.rate)
        let block = unit * Own.width
        at.own = SIMD8(
            Int32(block + Own.idle + c.fine), Int32(block + Own.idleByEvidence + c.fine),
            Int32(block + Own.minute + c.minuteOfHour), Int32(block + Own.hour + c.hour),
            Int32(block + Own.activity + c.bits),
            Int32(block + Own.period + c.periodBits * 2 + (c.k > 2 ? 1 : 0)),
            Int32(block + Own.vote + c.vote / OccurrenceContext.votes), Int32(block + Own.gapPair + c.gapPair))
        at.week = Int32(unit * WeekTable.hours + c.hourOfWeek)
        pending.cells = at
        let ownTrials = own.cells[Int(at.own[4])].x
        pending.inputs = inputs(at, caller, knowsWeek: c.knowsWeek)
        if !knowsUnit {
            // What like units do takes the place of what the unit's own tables tell.
            let general = Inputs(repeating: pending.inputs[6])
            pending.inputs.replace(with: general, where: caller == nil ? Self.ofUnit : Self.ofUnitBesideCallers)
        }
        pending.selected = SIMD8(
            0, Int32(knowsUnit ? unit % OccurrenceMixer.unitSets : 0), Int32(c.coarse * 6 + c.experience),
            Int32(c.rate * 3 + min(2, counts.equal)), Int32(c.rank),
            Int32(c.coarse * 8 + min(7, IdleBins.octave(Int(ownTrials)))),
            caller == nil ? Int32(c.vote) : Int32(about * 3 + min(2, counts.equal)),
            Int32(c.periodStrength * 8 + c.periodBits))
        pending.last = Int32(c.coarse)
    }

    /// The inputs that come from the unit's own tables.
    private static let ofUnit = mask([0, 3, 7, 9, 11, 12, 13, 14])
    private static let ofUnitBesideCallers = mask([0, 3, 7, 11, 13])

    private static func mask(_ inputs: [Int]) -> SIMDMask<Inputs.MaskStorage> {
        var mask = SIMDMask<Inputs.MaskStorage>(repeating: false)
        for input in inputs { mask[input] = true }
        return mask
    }

    /// Reads the estimates along their parents: idle -> rate -> rank -> evidence -> the rest.
    /// Where callers are known, their three estimates take the place of the three that bring least.
    private func inputs(_ at: OccurrenceCells, _ caller: Float?, knowsWeek: Bool) -> Inputs {
        let byIdle = idle.estimate(Int(at.idle), parent: 0.05)
        let byRate = rate.estimate(Int(at.rate), parent: byIdle)
        let byRank = rank.estimate(Int(at.rank), parent: byRate)
        let byEvidence = evidence.estimate(Int(at.evidence), parent: byRank)
        let byPeriod = period.estimate(Int(at.period), parent: byEvidence)
        let byVote = vote.estimate(Int(at.vote), parent: byEvidence)
        let byHour = hour.estimate(Int(at.hour), parent: byEvidence)
        let ownIdle = own.estimate(Int(at.own[0]), parent: byIdle, strength: 3)
        let ownEvidence = own.estimate(Int(at.own[1]), parent: byEvidence, strength: 1.5)
        var x = Inputs.zero
        x[0] = LogOdds.of(own.estimate(Int(at.own[4]), parent: ownEvidence, strength: 1.5))
        x[1] = LogOdds.of(byPeriod)
        x[2] = LogOdds.of(match.estimate(Int(at.match), parent: byEvidence))
        x[3] = LogOdds.of(own.estimate(Int(at.own[2]), parent: ownIdle, strength: 3))
        x[4] = LogOdds.of(relation.estimate(Int(at.relation), parent: byRate))
        x[5] = LogOdds.of(activity.estimate(Int(at.activity), parent: byEvidence))
        x[6] = LogOdds.of(byEvidence)
        x[7] = LogOdds.of(ownEvidence)
        x[8] = LogOdds.of(level.estimate(Int(at.level), parent: byEvidence))
        x[10] = LogOdds.of(byVote)
        x[11] = LogOdds.of(own.estimate(Int(at.own[6]), parent: byVote, strength: 1.5))
        x[13] = LogOdds.of(own.estimate(Int(at.own[5]), parent: byPeriod, strength: 1.5))
        if let caller {
            x[9] = LogOdds.of(callerRate.estimate(Int(at.callerRate), parent: byRate))
            x[12] = LogOdds.of(self.caller.estimate(Int(at.caller), parent: byEvidence))
            x[14] = LogOdds.of(caller)
        } else {
            // Before the unit is known for a week, its hours of the week are those of the day once more.
            x[9] = LogOdds.of(knowsWeek ? week.estimate(Int(at.week), parent: byRate, strength: 3) : byRate)
            x[12] = LogOdds.of(own.estimate(Int(at.own[7]), parent: byEvidence, strength: 1.5))
            let ownHour = own.estimate(Int(at.own[3]), parent: byHour, strength: 3)
            x[14] = LogOdds.of(knowsWeek ? week.estimate(Int(at.week), parent: ownHour, strength: 3) : ownHour)
        }
        x[15] = 0.3
        return x
    }

    mutating func learn(_ at: OccurrenceCells, _ hit: Float) {
        idle.learn(at.idle, hit)
        rate.learn(at.rate, hit)
        rank.learn(at.rank, hit)
        evidence.learn(at.evidence, hit)
        relation.learn(at.relation, hit)
        activity.learn(at.activity, hit)
        period.learn(at.period, hit)
        match.learn(at.match, hit)
        vote.learn(at.vote, hit)
        hour.learn(at.hour, hit)
        level.learn(at.level, hit)
        caller.learn(at.caller, hit)
        callerRate.learn(at.callerRate, hit)
        for table in 0..<8 { own.learn(at.own[table], hit) }
        week.learn(at.week, hit > 0.5)
    }
}

/// How the inputs are stacked.
enum OccurrenceMixer {
    /// Inputs that begin with equal weights: the six of the floor recipe; the rest begin at zero.
    static let founding = 6
    /// Weight sets of single units; a unit with a higher slot shares one.
    static let unitSets = 2048
    static func make() -> StackingMixer {
        var first = Inputs.zero
        for input in 0..<founding { first[input] = 1 / Float(founding) }
        return StackingMixer(
            first: first,
            contexts: [
                1, unitSets, IdleBins.kc * 6, IdleBins.rates * 3, OccurrenceContext.ranks, IdleBins.kc * 8,
                OccurrenceContext.votes * OccurrenceContext.votes, 56,
            ],
            lastContexts: IdleBins.kc, rate: 0.03, lastRate: 0.001)
    }
}
