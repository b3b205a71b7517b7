import Testing

@testable import Forecast

@Suite struct SequenceTests {
    @Test func markovFindsTheTransitionMatrix() {
        var chain = Truth.Chain(count: 10, seed: 11)
        var model = MarkovModel(order: 2)
        var recent: [UInt32] = []
        for _ in 0..<4000 {
            let symbol = chain.next()
            model.update(symbol, user: 1, recent: recent)
            recent = Array(([symbol] + recent).prefix(3))
        }
        for symbol: UInt32 in 0..<10 {
            var scores = ScoreBoard()
            model.predict(user: Signal.nobody, recent: [symbol], scope: .everybody, into: &scores)
            // 0.8 and its share of the rest.
            #expect(abs(scores[(symbol + 1) % 10] - 0.82) < 0.08, "seed 11")
            let total = scores.touched.reduce(Float(0)) { $0 + scores[$1] }
            #expect(abs(total - 1) < 0.01)
        }
    }

    /// The user's own habit against everybody's.
    @Test func theUsersHabitGoesBeforeEverybodys() {
        var model = MarkovModel(order: 2)
        for _ in 0..<50 {
            model.update(1, user: 7, recent: [0])
            for user: UInt32 in 10..<14 { model.update(2, user: user, recent: [0]) }
        }
        var scores = ScoreBoard()
        model.predict(user: 7, recent: [0], scope: .both, into: &scores)
        #expect(scores.best(1) == [1])
        scores.clear()
        model.predict(user: 99, recent: [0], scope: .both, into: &scores)
        #expect(scores.best(1) == [2])
    }

    /// Two groups of users with functions of their own; a new user is known by one call.
    @Test func aNewUserIsServedFromSimilarUsers() {
        var model = NextFunctionModel(capacity: 100_000, users: 1000)
        var random = SeededGenerator(seed: 21)
        var time = 0.0
        for _ in 0..<3000 {
            let user = UInt32(random.below(60))
            let block = user % 2 * 20
            time += 10
            model.update(block + UInt32(random.below(20)), .init(user: user, time: time))
        }
        for block: UInt32 in [0, 1] {
            let stranger = 1000 + block
            model.update(block * 20 + 3, .init(user: stranger, time: time + 1))
            let said = model.predict(.init(user: stranger, time: time + 11), limit: 64)
            let inside = said.filter { $0.function / 20 == block }.reduce(0) { $0 + $1.probability }
            let total = said.reduce(0) { $0 + $1.probability }
            #expect(inside > 0.75 * total, "seed 21: \(said)")
        }
    }

    @Test func neighborsFollowTheBlocks() {
        var model = ItemNeighbors()
        for user: UInt32 in 0..<40 {
            let block = user % 2 * 5
            var known: [UInt32] = []
            for function in block..<block + 5 {
                model.update(function, known: known)
                known.append(function)
            }
        }
        var scores = ScoreBoard()
        model.predict(2, weight: 1, into: &scores)
        #expect(Set(scores.best(4)) == [0, 1, 3, 4])
    }

    @Test func factorsRankTheUsersBlockFirst() {
        var model = FactorModel(userSlots: 1024, seed: 4)
        var random = SeededGenerator(seed: 4)
        for _ in 0..<20_000 {
            let user = UInt32(random.below(30))
            model.update(user % 3 * 8 + UInt32(random.below(8)), user: user, last: nil)
        }
        var right = 0
        for user: UInt32 in 0..<30 {
            let best = (0..<24).max {
                model.score(UInt32($0), user: user, last: nil) < model.score(UInt32($1), user: user, last: nil)
            }
            if let best, UInt32(best) / 8 == user % 3 { right += 1 }
        }
        #expect(right >= 28, "seed 4: \(right) of 30")
    }

    @Test func probabilitiesSumToOneAndArgumentsTell() {
        var model = NextFunctionModel(capacity: 10_000, users: 100)
        // What a session was begun with decides what follows 0.
        for round in 0..<60 {
            let kind = UInt64(round % 2) + 1
            let session = UInt32(1000 + round)
            model.update(0, .init(user: 1, session: session, time: Double(round) * 100, arguments: kind))
            model.update(
                UInt32(kind), .init(user: 1, session: session, time: Double(round) * 100 + 5, arguments: kind))
        }
        model.update(0, .init(user: 1, session: 5000, time: 9000, arguments: 2))
        let said = model.predict(.init(user: 1, session: 5000, time: 9005, arguments: 2), limit: 100)
        #expect(said.first?.function == 2)
        // What is missing to one is the chance of something else.
        let total = said.reduce(0) { $0 + $1.probability }
        #expect(total > 0.9 && total <= 1.0001)
        let elsewhere = model.probability(of: 77, .init(user: 1, session: 5000, time: 9005, arguments: 2))
        #expect(elsewhere >= 0 && elsewhere < 0.1)
    }

    /// What the call before carried decides what comes next, among users who never met.
    @Test func whatACallCarriesTellsTheNext() {
        var model = NextFunctionModel(capacity: 10_000, users: 1000)
        for user: UInt32 in 0..<80 {
            let carried = UInt64(user % 2) + 1
            model.update(0, .init(user: user, time: Double(user) * 50, arguments: carried))
            model.update(UInt32(carried), .init(user: user, time: Double(user) * 50 + 5))
        }
        for carried: UInt64 in [1, 2] {
            let user = 900 + UInt32(carried)
            model.update(0, .init(user: user, time: 9000, arguments: carried))
            let said = model.predict(.init(user: user, time: 9005))
            #expect(said.first?.function == UInt32(carried))
        }
    }

    /// Some users call a function once and go on to the next, some stay with it: the same functions, the same order.
    @Test func theGateKnowsWhoStays() {
        var model = NextFunctionModel(capacity: 10_000, users: 100)
        func call(_ user: UInt32, _ step: Int) -> UInt32 { UInt32(user % 2 == 0 ? step % 4 : step / 10 % 4) }
        for step in 0..<400 {
            for user: UInt32 in 0..<8 { model.update(call(user, step), .init(user: user, time: Double(step) * 30)) }
        }
        for user: UInt32 in 0..<8 {
            // Step 400 begins a new run of those who stay; two calls into it.
            for step in 400..<403 { model.update(call(user, step), .init(user: user, time: Double(step) * 30)) }
            let last = call(user, 402)
            let said = model.predict(.init(user: user, time: 403 * 30), limit: 50)
            let again = said.first { $0.function == last }?.probability ?? 0
            #expect(user % 2 == 0 ? again < 0.1 : again > 0.8, "user \(user): \(again)")
            #expect(said.first?.function == call(user, 403))
            #expect(abs(said.reduce(0) { $0 + $1.probability } - 1) < 0.1)
        }
    }

    /// Neighbours are off unless asked for, and what was asked for outlives a save.
    @Test func neighborsAreOffByDefault() throws {
        for usesNeighbors in [false, true] {
            var settings = ForecastSettings()
            settings.usesNeighbors = usesNeighbors
            var engine = try Forecaster(settings: settings)
            for call in 0..<60 {
                engine.observe(Truth.request("f\(call % 7)", user: "u\(call % 5)", at: Double(call) * 10))
            }
            #expect((engine.next.neighbors.memoryBytes > ItemNeighbors().memoryBytes) == usesNeighbors)
            let loaded = try Forecaster(engine.save())
            #expect(loaded.settings == settings && loaded.next.enabled == engine.next.enabled)
        }
    }

    /// Calls by user, halved together when one is full: shares stay, and add up to one.
    @Test func aTrailKnowsTheShares() {
        var trail = UserTrail()
        for call in 0..<400 { trail.add(call % 4 == 0 ? 7 : 8, time: Double(call), arguments: 0) }
        #expect(abs(trail.share(7) - 0.25) < 0.05)
        #expect(abs(trail.share(7) + trail.share(8) - 1) < 1e-5)
        #expect(trail.share(9) == 0)
    }

    @Test func successorsStayWithinTheirBound() {
        var table = SuccessorTable(capacity: 1000)
        var random = SeededGenerator(seed: 2)
        for round in 0..<20_000 {
            table.add(UInt64(random.below(5000)), UInt32(random.below(50)))
            if round % 100 == 0 { table.add(7, 7) }
        }
        #expect(table.entryCount <= 1000)
        // What comes again and again is not forgotten.
        #expect(table.count(7, 7) > 150)
    }

    @Test func usersSilentLongestAreForgotten() {
        var table = UserTable(capacity: 100)
        for user: UInt32 in 0..<101 { table.add(1, to: user, time: Double(user)) }
        #expect(table.count <= 100)
        #expect(table[0] == nil)
        #expect(table[100] != nil)
        // All at one moment: there is nobody silent longest, and still no room for all.
        for user: UInt32 in 0..<100 { table.add(1, to: user, time: 500) }
        table.shrink(to: 40)
        #expect(table.count == 40)
        table.forget(toFit: table.memoryBytes / 2)
        #expect(table.count > 0 && table.count < 40)
    }
}
