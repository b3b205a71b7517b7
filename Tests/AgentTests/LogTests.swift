import AgentTestSupport
import Foundation
import HearthClient
import Testing
import Wire

extension AgentTests {
    /// What a function writes while an invocation runs is that invocation's, all of it and nothing else.
    @Suite @TestThread
    struct LogTests {
        let agent: TestAgent
        init() throws { agent = try TestAgent.shared() }

        @Test func exactlyWhatWasWritten() throws {
            try PythonKit.with(in: agent) { client in
                for round in 0..<5 {
                    let answer = try client.invoke(
                        "kit", "{\"do\":\"print\",\"lines\":\(round),\"text\":\"round \(round)\"}"
                    ) {
                        $0.wantLogs = true
                    }
                    let expected =
                        (0..<round).map { "round \(round) \($0)" } + ["round \(round) on stderr"]
                    let lines = answer.logText.split(separator: "\n").map(String.init)
                    // stdout and stderr are two pipes: the order between them is not kept.
                    #expect(lines.sorted() == expected.sorted(), "round \(round)")
                    #expect(!answer.logsTruncated)
                }
                // A success without want_logs carries none.
                let quiet = try client.invoke("kit", "{\"do\":\"print\",\"lines\":3,\"text\":\"x\"}")
                #expect(quiet.logs.isEmpty)
                // And what was written then is not found by the next.
                let next = try client.invoke("kit", "{\"do\":\"count\"}") { $0.wantLogs = true }
                #expect(next.logs.isEmpty)
            }
        }

        @Test func failuresKeepTheirLogs() throws {
            let source = """
                import os, sys
                def handler(event, context):
                    print("before the end")
                    sys.stdout.flush()
                    os._exit(9)
                """
            let client = try agent.client()
            try withFunctions(["lastwords"], of: agent) {
                try client.put("lastwords", .python, files: ["app.py": source])
                let answer = try client.invoke("lastwords", "{}")
                #expect(answer.outcome == .crashed)
                #expect(answer.logText == "before the end\n", "\(answer.summary)")
                try client.put("lastwords", .python, files: ["app.py": "print('loading')\nraise ValueError('x')\n"])
                let loading = try client.invoke("lastwords", "{}")
                #expect(loading.outcome == .initFailed)
                #expect(loading.logText == "loading\n", "\(loading.summary)")
            }
        }

        @Test func floodsAreCutToTheirEnd() throws {
            try PythonKit.with(in: agent) { client in
                let answer = try client.invoke("kit", "{\"do\":\"flood\",\"mib\":10}") { $0.wantLogs = true }
                #expect(answer.outcome == .ok, "\(answer.summary)")
                #expect(answer.logsTruncated)
                #expect(answer.logs.count == 64 << 10, "max_log is 64K")
                #expect(answer.logText.hasSuffix("xthe end"))
                let next = try client.invoke("kit", "{\"do\":\"print\",\"lines\":1,\"text\":\"calm\"}") {
                    $0.wantLogs = true
                }
                #expect(next.logs.count == "calm 0\ncalm on stderr\n".utf8.count, "\(next.logText.prefix(100))")
            }
        }

        @Test func streamedAsTheyAreWritten() throws {
            try PythonKit.with(in: agent) { client in
                var request = HearthInvokeRequest()
                request.function = "kit"
                request.payload = .init("{\"do\":\"print\",\"lines\":1000,\"text\":\"line\"}".utf8)
                request.streamLogs = true
                var out = ""
                var errors = ""
                let answer = try client.invoke(request, options: .patient) { channel, bytes in
                    let text = String(decoding: bytes, as: UTF8.self)
                    if channel == .standardOutput { out += text }
                    if channel == .standardError { errors += text }
                    return .more
                }
                #expect(answer.text == "\"line\"")
                #expect(out == (0..<1000).map { "line \($0)\n" }.joined())
                #expect(errors == "line on stderr\n")
            }
        }

        @Test func concurrentInvocationsAreNotMixed() throws {
            try PythonKit.with(in: agent) {
                $0.maxConcurrency = 4
            } _: { _ in
                let agent = agent
                let answers = try concurrently(4) { worker in
                    let client = try agent.client()
                    return try (0..<10).map { round in
                        let text = "worker \(worker) round \(round)"
                        let answer = try client.invoke("kit", "{\"do\":\"print\",\"lines\":20,\"text\":\"\(text)\"}") {
                            $0.wantLogs = true
                        }
                        return (text, answer.logText)
                    }
                }
                for (text, logs) in answers.flatMap({ $0 }) {
                    let lines = logs.split(separator: "\n")
                    #expect(lines.count == 21, "\(text): \(lines.count) lines")
                    #expect(lines.allSatisfy { $0.hasPrefix(text) }, "\(text): \(logs.prefix(300))")
                }
            }
        }
    }
}
