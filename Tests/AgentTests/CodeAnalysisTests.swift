import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Testing
import Wire

extension AgentTests {
    /// Code that is read without being run, whatever it is.
    @Suite(.sharedAgent("analyze: on\n")) @TestThread
    struct CodeAnalysisTests {
        let agent: TestAgent
        init() throws { agent = try TestAgent.shared() }

        private func analyse(
            _ runtime: HearthRuntime, _ directory: String, _ body: (HearthCodeAnalysis) throws -> Void
        ) throws {
            let client = try agent.client()
            try withFunctions(["read"], of: agent) {
                #expect(try client.put("read", runtime, directory: directory).generation > 0)
                try eventually("its code is read", within: 90) {
                    ![.pending, .unspecified].contains(try client.getFunction("read").analysis.state)
                }
                try body(try client.getFunction("read").analysis)
            }
        }

        @Test func pythonImportsAndCalls() throws {
            let scratch = try ScratchDirectory()
            try scratch.write(
                """
                import json, sqlite3, missing_package
                from lib.helper import help

                def handler(event, context):
                    client.invoke("thumbnails", event)
                    boto3.client("lambda").invoke(FunctionName="arn:aws:lambda:eu:1:function:resize")
                    client.emit_event("orders.new")
                    name = "dynamic"
                    client.invoke(name)

                """, to: "app.py")
            try scratch.write("import re\n", to: "lib/helper.py")
            try analyse(.python, scratch.path) { found in
                #expect(found.state == .done, "\(found)")
                #expect(found.files == 2)
                let calls = found.calls.map { "\($0.topic ? "topic" : "function") \($0.target)" }.sorted()
                #expect(calls == ["function resize", "function thumbnails", "topic orders.new"], "\(found.calls)")
                let origins = Dictionary(uniqueKeysWithValues: found.packages.map { ($0.name, $0.origin) })
                #expect(origins["sqlite3"] == "image" && origins["lib"] == "bundled", "\(origins)")
                #expect(origins["missing_package"] == "missing", "\(origins)")
                #expect(found.packages.first { $0.name == "sqlite3" }?.importNs ?? 0 > 0, "\(found.packages)")
                #expect(found.skipped.isEmpty, "\(found.skipped)")
            }
        }

        @Test func javaScriptImportsAndCalls() throws {
            let scratch = try ScratchDirectory()
            try scratch.write(
                """
                const crypto = require("node:crypto");
                const pad = require("pad");
                exports.handler = async (event) => {
                    await client.invoke("thumbnails", event);
                    await aws.send(new InvokeCommand({ FunctionName: "resize" }));
                    await client.emitEvent(`orders.new`);
                };

                """, to: "app.js")
            try scratch.write("module.exports = 1;\n", to: "node_modules/pad/index.js")
            try scratch.write("export { x } from \"os\";\n", to: "lib/es.mjs")
            try analyse(.node, scratch.path) { found in
                #expect(found.state == .done, "\(found)")
                #expect(found.files == 2)
                let calls = found.calls.map { "\($0.topic ? "topic" : "function") \($0.target)" }.sorted()
                #expect(calls == ["function resize", "function thumbnails", "topic orders.new"], "\(found.calls)")
                let origins = Dictionary(uniqueKeysWithValues: found.packages.map { ($0.name, $0.origin) })
                #expect(origins == ["crypto": "image", "os": "image", "pad": "bundled"], "\(origins)")
            }
        }

        /// The put succeeds, and what was not read is named with its reason.
        @Test(arguments: [HearthRuntime.python, .node])
        func hostileCodeIsNamed(_ runtime: HearthRuntime) throws {
            let suffix = runtime == .python ? "py" : "js"
            let scratch = try ScratchDirectory()
            try scratch.write(runtime == .python ? "import json\n" : "require('os')\n", to: "app.\(suffix)")
            try scratch.write("this is ( no program", to: "broken.\(suffix)")
            try scratch.write(String(repeating: "# padding\n", count: 400_000), to: "huge.\(suffix)")
            try scratch.write(
                String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000), to: "deep.\(suffix)")
            try scratch.write("x = " + String(repeating: "-", count: 200_000) + "1\n", to: "minus.\(suffix)")
            try scratch.write("x" + String(repeating: ".a", count: 100_000) + "\n", to: "chain.\(suffix)")
            let file = fopen(scratch.path + "/latin.\(suffix)", "w")
            let bytes: [UInt8] = Array("x = '".utf8) + [0xff, 0xfe, 0xe9] + Array("'\n".utf8)
            fwrite(bytes, 1, bytes.count, file)
            fclose(file)
            symlink("app.\(suffix)", scratch.path + "/link.\(suffix)")
            mkdir(scratch.path + "/loop", 0o755)
            symlink("..", scratch.path + "/loop/up")
            try analyse(runtime, scratch.path) { found in
                guard found.state == .done else {
                    // A parser that its input has ended says so, and no more.
                    #expect(found.state == .failed && !found.reason.isEmpty, "\(found)")
                    return
                }
                #expect(found.packages.map(\.name) == [runtime == .python ? "json" : "os"], "\(found.packages)")
                let reasons = Dictionary(found.skipped.map { ($0.file, $0.reason) }) { first, _ in first }
                for name in ["broken", "huge", "deep", "latin", "link"] {
                    #expect(reasons["\(name).\(suffix)"]?.isEmpty == false, "\(name) of \(reasons)")
                }
            }
        }

        @Test func whatHasNoCodeIsSaidSo() throws {
            let client = try agent.client()
            try withFunctions(["bare"], of: agent) {
                try client.put("bare", .command) { $0.argv = ["/bin/cat"] }
                let found = try client.getFunction("bare").analysis
                #expect(found.state == .none)
                #expect(found.reason == "it has no code of its own")
            }
        }
    }
}
