import AgentTestSupport
import Foundation
import HearthClient
import Testing
import Wire

extension AgentTests {
    @Suite @TestThread
    struct RegistryTests {
        let agent: TestAgent
        init() throws { agent = try TestAgent.shared() }

        @Test func putListShowDelete() throws {
            let client = try agent.client()
            let names = ["reg.a", "reg-b", "reg_c"]
            try withFunctions(names, of: agent) {
                for name in names { try client.put(name, .python, files: ["app.py": "def handler(e, c): return 1\n"]) }
                let listed = try client.listFunctions(prefix: "reg").map(\.spec.name)
                #expect(listed == names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
                let shown = try client.getFunction("reg.a")
                #expect(shown.spec.handler == "app.handler")
                #expect(shown.spec.runtime == .python)
                #expect(shown.spec.image == "host")
                #expect(shown.codeDigest.hasPrefix("sha256:"))
                #expect(shown.codeDigest.count == 7 + 64)
                #expect(shown.codeBytes == 28)
                #expect(shown.createdUnixMs > 1_700_000_000_000)
                _ = try client.deleteFunction("reg-b")
                let left = try client.listFunctions(prefix: "reg").map(\.spec.name)
                #expect(!left.contains("reg-b"))
                let gone = try refusal { try client.getFunction("reg-b") }
                #expect(gone.code == .notFound)
                #expect(gone.message.contains("reg-b"))
                #expect(!gone.remedy.isEmpty)
            }
        }

        @Test func aPutReplaces() throws {
            let client = try agent.client()
            try withFunctions(["replaced"], of: agent) {
                let first = try client.put("replaced", .python, files: ["app.py": "def handler(e, c): return 1\n"])
                #expect(try client.invoke("replaced").text == "1")
                let second = try client.put("replaced", .python, files: ["app.py": "def handler(e, c): return 2\n"])
                #expect(second.generation > first.generation)
                #expect(second.createdUnixMs == first.createdUnixMs)
                let answer = try client.invoke("replaced")
                #expect(answer.text == "2")
                #expect(answer.generation == second.generation)

                var request = HearthPutFunctionRequest()
                request.spec = second.spec
                request.createOnly = true
                #expect(try refusal { try client.putFunction(request) }.code == .alreadyExists)
                request.createOnly = false
                request.expectedGeneration = first.generation
                #expect(try refusal { try client.putFunction(request) }.code == .failedPrecondition)
                // The code of the first generation again, without an upload.
                request.expectedGeneration = second.generation
                request.reuseCodeDigest = first.codeDigest
                let third = try client.putFunction(request)
                #expect(third.codeDigest == first.codeDigest)
                #expect(try client.invoke("replaced").text == "1")
                let old = try refusal { try client.invoke("replaced") { $0.qualifier = first.generation } }
                #expect(old.code == .failedPrecondition)
            }
        }

        /// What is wrong with a specification is named, and nothing is registered.
        @Test func specificationsAreChecked() throws {
            let client = try agent.client()
            let wrong: [(HearthErrorCode, String, (inout HearthFunctionSpec) -> Void)] = [
                (.invalidArgument, "name", { $0.name = "" }),
                (.invalidArgument, "name", { $0.name = "a/b" }),
                (.invalidArgument, "name", { $0.name = "-a" }),
                (.invalidArgument, "\\u{1b}[2J", { $0.name = "bad\u{1b}[2J" }),
                (.invalidArgument, "\\u{a}", { $0.name = "bad\nname" }),
                (.invalidArgument, "name", { $0.name = String(repeating: "n", count: 129) }),
                (.invalidArgument, "runtime", { $0.runtime = .unspecified }),
                (.invalidArgument, "runtime", { $0.runtime = .UNRECOGNIZED(99) }),
                (.unimplemented, "lambda", { $0.runtime = .lambda }),
                (.invalidArgument, "handler", { $0.handler = "" }),
                (.invalidArgument, "../app.handler", { $0.handler = "../app.handler" }),
                (.invalidArgument, "argv", { $0.runtime = .command }),
                (.notFound, "no-such-image", { $0.image = "no-such-image" }),
                (.invalidArgument, "memory", { $0.memoryBytes = 1 << 60 }),
                (.invalidArgument, "memory", { $0.memoryBytes = 4096 }),
                (.invalidArgument, "timeout", { $0.timeoutNs = 1 << 62 }),
                (.invalidArgument, "CPU", { $0.cpus = -1 }),
                (.invalidArgument, "pids", { $0.pids = 1 }),
                (.invalidArgument, "A=B", { $0.env = ["A=B": "1"] }),
            ]
            let before = try client.listFunctions().count
            for (code, thing, change) in wrong {
                let error = try refusal {
                    try client.put("checked", .python, files: ["app.py": "def handler(e, c): return 1\n"], change)
                }
                #expect(error.code == code, "\(thing): \(error.message)")
                #expect(error.message.contains(thing), "\(thing): \(error.message)")
                #expect(!error.remedy.isEmpty, "\(thing): \(error.message)")
                #expect(error.message.unicodeScalars.allSatisfy { $0.value >= 0x20 }, "\(thing)")
            }
            #expect(try client.listFunctions().count == before)
        }
    }
}
