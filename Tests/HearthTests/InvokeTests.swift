import AgentTestSupport
import Foundation
import Linux
import Testing

extension HearthTests {
    /// `hearth function` and `hearth invoke`.
    @Suite @TestThread
    struct InvokeTests {
        let hearth: HearthCommand
        init() throws { hearth = try HearthCommand() }

        private static let source = """
            import json, os, sys, time
            def handler(event, context):
                if not isinstance(event, dict): return event
                if "log" in event: print(event["log"])
                if "throw" in event: raise ValueError(event["throw"])
                if "exit" in event: os._exit(event["exit"])
                if "sleep" in event: time.sleep(event["sleep"])
                if "hold" in event: return len(bytearray(event["hold"] << 20))
                if "bytes" in event: return bytes(range(256)) * event["bytes"]
                return {"got": event, "user": context.user}
            """

        /// A function of a name, put from a directory by the command line, for the test.
        private func withFunction(
            _ name: String, _ options: [String] = [], source: String = InvokeTests.source, _ body: () throws -> Void
        ) throws {
            let scratch = try ScratchDirectory()
            try scratch.write(source, to: "app.py")
            let put = try hearth.run(
                ["function", "put", name, "--runtime", "python", "--handler", "app.handler", "--code", scratch.path]
                    + options)
            try #require(put.status == 0, "\(put.errors)")
            var failure: (any Error)?
            do { try body() } catch { failure = error }
            try hearth.must("function", "delete", name)
            if let failure { throw failure }
        }

        private func object(_ output: Command.Output) throws -> [String: Any] {
            let value = try JSONSerialization.jsonObject(with: Data(output.bytes))
            return try #require(value as? [String: Any], "\(output.text)")
        }

        @Test func payloadAlone() throws {
            try withFunction("plain") {
                let text = try hearth("invoke", "plain", "--data", "{\"a\": 1}", "--user", "ann")
                #expect(text.status == 0, "\(text.errors)")
                #expect(text.text == "{\"got\":{\"a\":1},\"user\":\"ann\"}")
                #expect(text.errors.isEmpty, "\(text.errors)")
                let scratch = try ScratchDirectory()
                let file = try scratch.write("[1, 2]", to: "payload.json")
                #expect(try hearth("invoke", "plain", "--data", "@" + file).text == "[1,2]")
                #expect(
                    try hearth("invoke", "plain", "--data", "-", input: Array("\"piped\"".utf8)).text == "\"piped\"")
                let binary = try hearth("invoke", "plain", "--data", "{\"bytes\": 20000}")
                #expect(binary.bytes.count == 5_120_000)
                let whole = binary.bytes.prefix(256).elementsEqual(UInt8.min...UInt8.max)
                #expect(whole)
                let missing = try hearth("invoke", "plain", "--data", "@/no/such/file")
                #expect(missing.status == 1)
                #expect(missing.errors.contains("/no/such/file"))
                let timing = try hearth("invoke", "plain", "--data", "1", "--show-timing")
                #expect(timing.text == "1")
                for word in ["warm start", "queued", "sandbox", "init", "run", "total"] {
                    #expect(timing.errors.contains(word), "\(timing.errors)")
                }
            }
        }

        /// DESIGN section 8: other programs rely on this shape.
        @Test func jsonShape() throws {
            try withFunction("shaped") {
                for start in ["cold", "warm"] {
                    let output = try hearth("invoke", "shaped", "--json", "--data", "{\"log\":\"said\"}")
                    #expect(output.status == 0, "\(output.errors)")
                    let answer = try object(output)
                    #expect(answer["outcome"] as? String == "ok")
                    #expect(answer["start"] as? String == start)
                    #expect(answer["logs"] as? String == "said\n")
                    let payload = answer["payload"] as? [String: Any]
                    #expect((payload?["got"] as? [String: Any])?["log"] as? String == "said")
                    let timing = try #require(answer["timing_us"] as? [String: Int])
                    #expect(Set(timing.keys) == ["queued", "sandbox", "init", "run", "total"])
                    let parts = timing.filter { $0.key != "total" }.values.reduce(0, +)
                    #expect(parts <= timing["total"] ?? 0, "\(timing)")
                    #expect(answer["error"] == nil)
                }
                let failed = try hearth("invoke", "shaped", "--json", "--data", "{\"throw\":\"why\"}")
                #expect(failed.status == 10)
                let answer = try object(failed)
                #expect(answer["outcome"] as? String == "function_error")
                #expect(answer["payload"] is NSNull)
                let error = try #require(answer["error"] as? [String: Any])
                #expect(error["type"] as? String == "ValueError")
                #expect(error["message"] as? String == "why")
                #expect((error["trace"] as? [String])?.contains { $0.contains("app.py") } == true)
                // Text that is no JSON is a string.
                let text = try hearth("invoke", "shaped", "--json", "--data", "plain text")
                #expect(try object(text)["payload"] as? String == "plain text")
            }
        }

        @Test func statusesTellTheOutcome() throws {
            try withFunction("outcomes", ["--timeout", "500ms", "--max-concurrency", "1", "--memory", "64M"]) {
                let cases: [(String, Int32, String)] = [
                    ("{}", 0, ""), ("{\"throw\":\"why\"}", 10, "ValueError: why"), ("{\"exit\":3}", 11, "status 3"),
                    ("{\"sleep\":5}", 12, "timeout"),
                ]
                for (data, status, said) in cases {
                    let output = try hearth("invoke", "outcomes", "--data", data)
                    #expect(output.status == status, "\(data): \(output.errors)")
                    #expect(said.isEmpty || output.errors.contains(said), "\(data): \(output.errors)")
                    if status != 0 { #expect(output.text.isEmpty, "\(data)") }
                }
                let memory = try hearth("invoke", "outcomes", "--data", "{\"hold\":300}")
                #expect([10, 13].contains(memory.status), "MemoryError, or the kernel's kill: \(memory.errors)")
            }
            try withFunction("unloadable", source: "import not_there_at_all\n") {
                let output = try hearth("invoke", "unloadable")
                #expect(output.status == 14, "\(output.errors)")
                #expect(output.errors.contains("not_there_at_all"))
            }
            try withFunction("busy", ["--max-concurrency", "1"]) {
                try hearth.must("invoke", "busy", "--data", "{}")
                let agent = hearth.agent
                let program = try BuildProducts.executable("hearth")
                let statuses = try concurrently(6) { _ in
                    try Command.run(
                        [program, "invoke", "busy", "--data", "{\"sleep\":0.5}"],
                        environment: ["HEARTH_SOCKET": agent.socket]
                    ).status
                }
                #expect(statuses.count { $0 == 15 } >= 1, "one runs and max_queue is 2: \(statuses)")
                #expect(statuses.allSatisfy { $0 == 0 || $0 == 15 }, "\(statuses)")
            }
            let unknown = try hearth("invoke", "no-such-function")
            #expect(unknown.status == 1)
            #expect(unknown.errors.contains("no-such-function"))
            #expect(unknown.errors.contains("hearth function"), "the remedy: \(unknown.errors)")
        }

        /// The logs of a failure go to stderr, control characters of the error made harmless.
        @Test func failuresShowTheirLogs() throws {
            try withFunction("loud") {
                let output = try hearth(
                    "invoke", "loud", "--data", "{\"log\":\"last words\",\"throw\":\"a\\u001b[2Jb\"}")
                #expect(output.errors.contains("last words"))
                #expect(output.errors.contains("app.py"))
                #expect(!output.errors.contains("\u{1b}"), "\(output.errors.debugDescription)")
            }
        }

        @Test func putFromArchives() throws {
            let scratch = try ScratchDirectory()
            try scratch.write(Self.source, to: "code/app.py")
            let zip = try Command.run([
                "/usr/bin/python3", "-c",
                "import shutil, sys; shutil.make_archive(sys.argv[1] + '/z', 'zip', sys.argv[1] + '/code'); "
                    + "shutil.make_archive(sys.argv[1] + '/t', 'gztar', sys.argv[1] + '/code')", scratch.path,
            ])
            #expect(zip.status == 0, "\(zip.errors)")
            var digests: Set<String> = []
            for source in ["code", "z.zip", "t.tar.gz"] {
                let put = try hearth(
                    "function", "put", "packed", "--runtime", "python", "--handler", "app.handler", "--code",
                    scratch.path + "/" + source, "--json", "--env", "A=1", "--memory", "96M", "--timeout", "3s")
                #expect(put.status == 0, "\(source): \(put.errors)")
                let info = try object(put)
                #expect(info["name"] as? String == "packed")
                #expect(info["memory_bytes"] as? Int == 96 << 20)
                #expect(info["timeout_ns"] as? Int == 3_000_000_000)
                #expect((info["env"] as? [String: String]) == ["A": "1"])
                digests.insert(info["code_digest"] as? String ?? "")
                #expect(try hearth("invoke", "packed", "--data", "[7]").text == "[7]", "\(source)")
            }
            #expect(digests.count == 1, "the same code, however it is packed: \(digests)")
            try hearth.must("function", "delete", "packed")
        }

        @Test func putRefuses() throws {
            let missing = try hearth(
                "function", "put", "x", "--runtime", "python", "--handler", "a.b", "--code", "/no/such")
            #expect(missing.status == 1)
            #expect(missing.errors.contains("/no/such"))
            let runtime = try hearth("function", "put", "x", "--runtime", "cobol", "--code", "/tmp")
            #expect(runtime.status == 64)
            #expect(runtime.errors.contains("cobol"))
            let scratch = try ScratchDirectory()
            try scratch.write("x", to: "app.py")
            let handler = try hearth("function", "put", "x", "--runtime", "python", "--code", scratch.path)
            #expect(handler.status == 1)
            #expect(handler.errors.contains("handler"), "\(handler.errors)")
            symlink("/etc/shadow", scratch.path + "/out")
            let link = try hearth(
                "function", "put", "x", "--runtime", "python", "--handler", "app.h", "--code", scratch.path)
            #expect(link.status == 1)
            #expect(link.errors.contains("out"), "\(link.errors)")
            let argv = try hearth("function", "put", "x", "--runtime", "command")
            #expect(argv.status == 1)
            #expect(argv.errors.contains("'--'"), "\(argv.errors)")
            #expect(try hearth("function", "show", "x").status == 1)
        }

        @Test func commandsTakeTheirProgram() throws {
            try hearth.must("function", "put", "upper", "--runtime", "command", "--", "tr", "a-z", "A-Z")
            #expect(try hearth("invoke", "upper", "--data", "loud").text == "LOUD")
            try hearth.must("function", "delete", "upper")
        }
    }
}
