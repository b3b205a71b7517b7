import ArgumentParser
import CreateBench
import InvokeBench
import Glibc
import Linux

/// `hearth-bench create`: from the request to the first instruction of user code.
struct CreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Time from the request to the first instruction of the user's program in a new sandbox.",
        discussion: """
            The program itself reads CLOCK_MONOTONIC as its first act. Rows: hearth (a Run request on the agent's socket),
            hearth.bare (a function of the runtime command that claims a sandbox at the tier bare),
            floor (the same kernel work in a small C program, network namespace included), floor.netns (the same with a
            network namespace made ahead, as Hearth has it), exec (no sandbox at all), bwrap, crun, runc.
            """)

    @Option(name: .shortAndLong, help: "Creations of each.")
    var count = 300

    @Option(name: .long, help: "Whom to measure besides, separated by commas.")
    var against = "floor,floor.netns,exec,bwrap,crun,runc"

    @Option(name: .long, help: "Creations of each before the first that counts.")
    var warmUp = 20

    @Option(name: .long, help: "Seed of the order in which they take turns.")
    var seed: UInt64 = 1

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func validate() throws {
        guard (1...100_000).contains(count), (0...10_000).contains(warmUp) else {
            throw ValidationError("use 1 to 100000 creations, and at most 10000 to warm up")
        }
    }

    func run() async throws {
        let note: CreateBenchmark.Note = { subject, reason in
            try? Message.writeAll(2, Array("hearth-bench: \(subject) is left out: \(reason)\n".utf8))
        }
        do {
            let directory = BenchAgent.ownDirectory()
            let standard = try StandardSubjects(directory: directory)
            let peers = standard.subjects(named: against.split(separator: ",").map(String.init), note: note)
            let hearth = HearthSubject(directory: directory)
            let bare = HearthBareSubject(directory: directory)
            let subjects: [any CreateSubject] = [hearth, bare] + peers
            let benchmark = CreateBenchmark(options: .init(count: count, warmUp: warmUp, seed: seed), note: note)
            let report = try await benchmark.run(subjects: subjects)
            let text = try json ? report.json() + "\n" : report.table(baseline: "floor")
            try Message.writeAll(1, Array(text.utf8))
        } catch let error as BenchError {
            try? Message.writeAll(2, Array("hearth-bench: \(error)\n".utf8))
            throw ExitCode(1)
        }
    }
}
