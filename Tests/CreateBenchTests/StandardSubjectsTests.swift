import Glibc
import Linux
import Testing

@testable import CreateBench

@Suite("StandardSubjects")
struct StandardSubjectsTests {
    /// A directory with two programs of the right names: nothing is started here.
    private static func withPrograms(_ body: (StandardSubjects) throws -> Void) throws {
        let directory = try TemporaryDirectory(prefix: "hearth-subjects-test")
        for name in ["hearth-floor", "hearth-stamp"] {
            try Files.write(Array("#!/bin/sh\n".utf8), to: directory.path + "/" + name, mode: 0o755)
        }
        try body(try StandardSubjects(directory: directory.path))
    }

    @Test("every listed name is a subject, or a peer that is not installed")
    func names() throws {
        try Self.withPrograms { standard in
            for name in StandardSubjects.names {
                let outcome = Result { () throws(BenchError) in try standard.subject(named: name) }
                switch outcome {
                case .success(let subject):
                    #expect(subject.name == name)
                case .failure(.missing(let program, let remedy)):
                    #expect(program == name)
                    #expect(remedy.contains("install"))
                case .failure(let error):
                    Issue.record(error)
                }
            }
        }
    }

    @Test("unknown names are left out with a note that lists the known ones")
    func unknown() throws {
        try Self.withPrograms { standard in
            var notes: [String] = []
            let subjects = standard.subjects(named: ["floor", "docker", "exec", ""]) { name, reason in
                notes.append("\(name): \(reason)")
            }
            #expect(subjects.map(\.name) == ["floor", "exec"])
            #expect(notes.count == 2)
            #expect(notes.allSatisfy { $0.contains("floor, floor.netns, exec, bwrap, crun, runc") })
        }
    }

    @Test("without the floor's program there are none, and the error says how to get it")
    func withoutFloor() {
        #expect {
            _ = try StandardSubjects(directory: "/nonexistent")
        } throws: { error in
            "\(error)".contains("/nonexistent/hearth-floor") && "\(error)".contains("make build")
        }
    }
}
