import Testing

@testable import CreateBench

@Suite("HelperSubject")
struct HelperSubjectTests {
    private func shell(_ script: String) -> HelperSubject {
        HelperSubject(name: "shell", argv: ["/bin/sh", "-c", script])
    }

    @Test("one line asks, one line answers")
    func conversation() async throws {
        let subject = shell("n=100; while read -r line; do n=$((n + 1)); echo $n; done")
        try await subject.prepare()
        for expected: Int64 in 101...103 { #expect(try await subject.create() == expected) }
        await subject.teardown()
    }

    @Test(
        "an end, a word, a zero and an endless line are errors",
        arguments: ["exit 3", "read x; echo sorry", "read x; echo 0", "read x; printf %0300d 1"])
    func nonsense(script: String) async throws {
        let subject = shell(script)
        try await subject.prepare()
        await #expect(throws: BenchError.self) { _ = try await subject.create() }
        await subject.teardown()
    }

    @Test("a helper that is asked before it runs, or after, says so")
    func notRunning() async throws {
        let subject = shell("cat")
        await #expect(throws: BenchError.self) { _ = try await subject.create() }
        try await subject.prepare()
        await subject.teardown()
        await #expect(throws: BenchError.self) { _ = try await subject.create() }
    }

    @Test("a program that does not exist cannot be prepared")
    func missing() async {
        await #expect(throws: BenchError.self) {
            try await HelperSubject(name: "none", argv: ["/nonexistent/helper"]).prepare()
        }
    }
}
