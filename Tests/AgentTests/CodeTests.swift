import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Synchronization
import Testing
import Wire

extension AgentTests {
    /// A function's code inside the sandbox, and how a new generation takes over.
    @Suite @TestThread
    struct CodeTests {
        let agent: TestAgent
        init() throws { agent = try TestAgent.shared() }

        @Test func codeIsReadOnly() throws {
            try PythonKit.with(in: agent) { client in
                for path in ["/var/task/app.py", "/var/task/new", "/usr/bin/new", "/etc/passwd", "/opt/hearth/new"] {
                    let answer = try client.invoke("kit", "{\"do\":\"write\",\"path\":\"\(path)\"}")
                    let refused = ["\(EROFS)", "\(EACCES)", "\(EPERM)", "\(ENOENT)"].contains(answer.text)
                    #expect(refused, "\(path): \(answer.summary)")
                }
                #expect(try client.invoke("kit", "{\"do\":\"write\",\"path\":\"/var/task/app.py\"}").text == "\(EROFS)")
                #expect(try client.invoke("kit", "{\"do\":\"write\",\"path\":\"/tmp/new\"}").text == "0")
                #expect(try client.invoke("kit", "{\"do\":\"list\",\"path\":\"/var/task\"}").text == "[\"app.py\"]")
            }
        }

        /// Modes, directories and links of the upload are what the function sees.
        @Test func treesArriveWhole() throws {
            let scratch = try ScratchDirectory()
            try scratch.write("#!/bin/sh\necho from the tool\n", to: "bin/tool", mode: 0o755)
            try scratch.write("deep", to: "a/b/c/d.txt")
            symlink("a/b/c/d.txt", scratch.path + "/link")
            let client = try agent.client()
            try withFunctions(["tree"], of: agent) {
                try client.put("tree", .command, directory: scratch.path) {
                    $0.argv = ["sh", "-c", "bin/tool; cat link; readlink link; pwd; test -w bin/tool || echo locked"]
                }
                let answer = try client.invoke("tree")
                #expect(answer.text == "from the tool\ndeepa/b/c/d.txt\n/var/task\nlocked\n", "\(answer.summary)")
            }
        }

        /// Once a put has been answered, no invocation that is sent then is answered by older code.
        @Test func noOldCodeAfterAPut() throws {
            let client = try agent.client()
            try withFunctions(["versions"], of: agent) {
                func put(_ version: Int) throws {
                    try client.put("versions", .python, files: ["app.py": "def handler(e, c): return \(version)\n"]) {
                        $0.maxConcurrency = 4
                    }
                }
                try put(0)
                let published = Shared(0)
                let stop = Shared(false)
                let agent = agent
                let callers = (0..<2).map { _ in
                    Background {
                        let client = try agent.client()
                        var answers = 0
                        while !stop.value.load(ordering: .relaxed) {
                            let floor = published.value.load(ordering: .acquiring)
                            let answer = try client.invoke("versions", "{}")
                            guard answer.outcome == .ok, let version = Int(answer.text) else {
                                throw TestFailure("after the put of \(floor): \(answer.summary)")
                            }
                            guard version >= floor else {
                                throw TestFailure("version \(version) answered after the put of \(floor)")
                            }
                            answers += 1
                        }
                        return answers
                    }
                }
                let result = Result {
                    for version in 1...50 {
                        try put(version)
                        published.value.store(version, ordering: .releasing)
                        let answer = try client.invoke("versions", "{}")
                        #expect(answer.text == "\(version)", "\(answer.summary)")
                    }
                }
                stop.value.store(true, ordering: .relaxed)
                let answers = try callers.map { try $0.join() }
                try result.get()
                #expect(answers.allSatisfy { $0 > 10 }, "\(answers) invocations went on meanwhile")
                try eventually("old generations are evicted") {
                    try client.listSandboxes(function: "versions").count <= 4
                }
            }
        }

        /// A put that is refused leaves the former generation as it was.
        @Test func aFailedPutChangesNothing() throws {
            let client = try agent.client()
            try withFunctions(["stays"], of: agent) {
                let first = try client.put("stays", .python, files: ["app.py": "def handler(e, c): return 'old'\n"])
                #expect(throws: HearthClientError.self) { try client.put("stays", archive: Array("no zip".utf8)) }
                #expect(try client.getFunction("stays").generation == first.generation)
                #expect(try client.invoke("stays").text == "\"old\"")
            }
        }

        /// Deleting ends the warm sandboxes, lets what runs finish, and makes the name free.
        @Test func deletion() throws {
            let client = try agent.client()
            try client.put("doomed", .python, files: PythonKit.files)
            let warm = try client.invoke("doomed", "{\"do\":\"count\"}")
            let group = try agent.group(of: warm.sandboxID)
            let agent = agent
            let running = Background { try agent.client().invoke("doomed", "{\"do\":\"sleep\",\"seconds\":0.4}") }
            try eventually("it runs") {
                try client.listSandboxes(function: "doomed").contains { $0.state == "running" }
            }
            _ = try client.deleteFunction("doomed")
            #expect(try refusal { try client.invoke("doomed") }.code == .notFound)
            #expect(try refusal { try client.deleteFunction("doomed") }.code == .notFound)
            let answer = try running.join()
            #expect(answer.outcome == .ok, "what runs is finished: \(answer.summary)")
            try eventually("its sandbox is gone") { TestAgent.processes(below: group).isEmpty }
        }
    }
}

/// A value that several threads of a test look at.
private final class Shared<Value: AtomicRepresentable & Sendable>: Sendable {
    let value: Atomic<Value>
    init(_ initial: Value) { value = Atomic(initial) }
}
