import Testing

@testable import CreateBench

/// Writes down what happens to it, in a diary shared with the others.
private final class FakeSubject: CreateSubject {
    final class Diary {
        var entries: [String] = []
    }

    let name: String
    private let diary: Diary
    private let failsAt: Int?
    private var created = 0

    /// - Parameter failsAt: the creation that fails; 0 is `prepare`.
    init(_ name: String, _ diary: Diary, failsAt: Int? = nil) {
        self.name = name
        self.diary = diary
        self.failsAt = failsAt
    }

    nonisolated(nonsending) func prepare() async throws(BenchError) {
        diary.entries.append("prepare \(name)")
        if failsAt == 0 { throw .missing(program: name, remedy: "none") }
    }

    nonisolated(nonsending) func create() async throws(BenchError) -> Int64 {
        created += 1
        if created == failsAt { throw .helper(subject: name, said: "nothing") }
        diary.entries.append(name)
        return Int64(created) * 1000
    }

    nonisolated(nonsending) func teardown() async {
        diary.entries.append("teardown \(name)")
    }
}

@Suite("CreateBenchmark")
struct CreateBenchmarkTests {
    private let diary = FakeSubject.Diary()

    @Test("the subjects take turns: each once a round; warm-up does not count")
    func turns() async throws {
        let subjects = ["a", "b", "c"].map { FakeSubject($0, diary) }
        let report = try await CreateBenchmark(options: .init(count: 4, warmUp: 2)) { _, _ in }.run(subjects: subjects)
        let creations = diary.entries.filter { $0.count == 1 }
        #expect(creations.count == 18)
        for round in 0..<6 {
            #expect(Set(creations[(round * 3)..<(round * 3 + 3)]) == ["a", "b", "c"])
        }
        #expect(report.rows.map(\.name) == ["a", "b", "c"])
        // Creations 3 to 6 count: the middle of 3, 4, 5, 6 by nearest rank is 4.
        #expect(report.rows.allSatisfy { $0.n == 4 && $0.p50 == 4 && $0.p99 == 6 })
    }

    @Test("a subject is not always preceded by the same one")
    func order() async throws {
        let subjects = ["a", "b", "c"].map { FakeSubject($0, diary) }
        _ = try await CreateBenchmark(options: .init(count: 40, warmUp: 0)) { _, _ in }.run(subjects: subjects)
        let creations = diary.entries.filter { $0.count == 1 }
        let before = Set(zip(creations, creations.dropFirst()).filter { $0.1 == "a" }.map(\.0))
        #expect(before.isSuperset(of: ["b", "c"]))
    }

    @Test("one that fails is left out, told about and torn down; the others finish", arguments: [0, 1, 3])
    func failure(at creation: Int) async throws {
        let subjects = [FakeSubject("a", diary), FakeSubject("b", diary, failsAt: creation)]
        var notes: [String] = []
        let report = try await CreateBenchmark(options: .init(count: 5, warmUp: 1)) { name, reason in
            notes.append("\(name): \(reason)")
        }.run(subjects: subjects)
        #expect(report.rows.map(\.name) == ["a"])
        #expect(report["a"]?.n == 5)
        #expect(notes.count == 1 && notes[0].hasPrefix("b: "))
        #expect(diary.entries.filter { $0 == "teardown b" }.count == 1)
        #expect(diary.entries.filter { $0 == "teardown a" }.count == 1)
        #expect(diary.entries.filter { $0 == "b" }.count == max(creation - 1, 0))
    }

    @Test("nothing but failures is an error, not an empty report")
    func nothing() async {
        await #expect(throws: BenchError.self) {
            _ = try await CreateBenchmark(options: .init(count: 1, warmUp: 0)) { _, _ in }
                .run(subjects: [FakeSubject("a", diary, failsAt: 0)])
        }
    }
}
