import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Linux
import Testing
import Wire

extension AgentTests {
    /// Each runtime: cold and warm, what goes in comes out.
    @Suite @TestThread
    struct RuntimeTests {
        let agent: TestAgent
        init() throws { agent = try TestAgent.shared() }

        /// An echo in every runtime that this machine has.
        private func withEchoes(_ body: (HearthClient, [String]) throws -> Void) throws {
            let client = try agent.client()
            var names = ["echo-python", "echo-native", "echo-command"]
            try withFunctions(names + ["echo-node"], of: agent) {
                try client.put("echo-python", .python, files: PythonKit.files)
                let program = try NativeEcho.build()
                try client.put("echo-native", .native, directory: program.path) { $0.argv = ["/var/task/echo"] }
                try client.put("echo-command", .command) { $0.argv = ["/bin/cat"] }
                if Files.exists("/usr/bin/node") {
                    let source = "exports.handler = async (event, context) => context.payload;\n"
                    try client.put("echo-node", .node, files: ["app.js": source]) { $0.memoryBytes = 512 << 20 }
                    names.append("echo-node")
                } else {
                    print("skipped: no /usr/bin/node, the runtime node is not tested")
                }
                try body(client, names)
            }
        }

        @Test func coldThenWarm() throws {
            try withEchoes { client, names in
                for name in names {
                    let (coldTime, cold) = try milliseconds { try client.invoke(name, "first") }
                    try #require(cold.outcome == .ok, "\(name): \(cold.summary)")
                    #expect(cold.startKind == .cold, "\(name)")
                    #expect(cold.text == "first", "\(name)")
                    let (warmTime, warm) = try milliseconds { try client.invoke(name, "second") }
                    #expect(warm.outcome == .ok, "\(name): \(warm.summary)")
                    #expect(warm.startKind == .warm, "\(name)")
                    #expect(warm.text == "second", "\(name)")
                    #expect(warm.sandboxID == cold.sandboxID, "\(name)")
                    #expect(warm.invocationID != cold.invocationID, "\(name)")
                    checkTiming(cold.timing, within: coldTime, name)
                    checkTiming(warm.timing, within: warmTime, name)
                    #expect(cold.timing.sandboxNs > 0, "\(name)")
                    if name != "echo-command" { #expect(cold.timing.initNs > 0, "\(name)") }
                    #expect(warm.timing.sandboxNs == 0, "\(name)")
                    #expect(warm.timing.initNs == 0, "\(name)")
                }
            }
        }

        /// The parts are disjoint and in the whole, and the whole is in what the client waited.
        private func checkTiming(_ timing: HearthTiming, within waited: Double, _ name: String) {
            let parts = timing.queuedNs + timing.sandboxNs + timing.initNs + timing.runNs
            #expect(parts <= timing.totalNs, "\(name): \(timing)")
            #expect(timing.runNs > 0, "\(name)")
            // Nothing but the agent's own turns lies between the parts.
            #expect(timing.totalNs - parts < 50_000_000, "\(name): \(timing)")
            #expect(Double(timing.totalNs) / 1e6 <= waited, "\(name)")
        }

        @Test func payloadsComeBackUnchanged() throws {
            try withEchoes { client, names in
                let binary = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7 ^ $0 >> 5) }
                for name in names {
                    for bytes in [[], [0], [0xff, 0xfe, 0x00], Array("grün\u{0}".utf8), binary] {
                        var request = HearthInvokeRequest()
                        request.function = name
                        request.payload = .init(bytes)
                        let answer = try client.invoke(request, options: .patient)
                        #expect(answer.outcome == .ok, "\(name): \(answer.summary)")
                        let same = [UInt8](answer.payload) == bytes
                        #expect(same, "\(name), \(bytes.count) bytes: \(answer.payload.count) came back")
                    }
                }
            }
        }

        @Test func fiveMiBAreStreamedBothWays() throws {
            try withEchoes { client, names in
                let large = (0..<5 << 20).map { UInt8(truncatingIfNeeded: $0 ^ $0 >> 8 ^ $0 >> 16) }
                for name in names {
                    var request = HearthInvokeRequest()
                    request.function = name
                    request.streamResult = true
                    var received: [UInt8] = []
                    let answer = try client.invoke(request, payload: .bytes(large), options: .patient) {
                        channel, bytes in
                        if channel == .result { received.append(contentsOf: bytes) }
                        return .more
                    }
                    #expect(answer.outcome == .ok, "\(name): \(answer.summary)")
                    #expect(answer.payloadStreamed, "\(name)")
                    let same = received == large
                    #expect(same, "\(name): \(received.count) bytes came back")
                }
            }
        }

        /// A payload that comes from a pipe, in small pieces.
        @Test func aPayloadMayComeSlowly() throws {
            try PythonKit.with(in: agent) { client in
                let pipe = try DescriptorPair.pipe().take()
                let reader = SharedFD(owning: pipe.first)
                let writer = pipe.second
                let feeding = Background {
                    for index in 0..<20 {
                        try Message.writeAll(writer, Array("piece \(index);".utf8))
                        usleep(5000)
                    }
                    close(writer)
                }
                var request = HearthInvokeRequest()
                request.function = "kit"
                let answer = try client.invoke(request, payload: .descriptor(reader.rawValue), options: .patient)
                withExtendedLifetime(reader) {}
                try feeding.join()
                #expect(answer.text == (0..<20).map { "piece \($0);" }.joined())
            }
        }

        /// The function's generator is the client's stream: pieces arrive before the last is made.
        @Test func resultsAreStreamedAsTheyAreMade() throws {
            try PythonKit.with(in: agent) { client in
                var request = HearthInvokeRequest()
                request.function = "kit"
                request.payload = .init("{\"do\":\"pieces\",\"count\":100}".utf8)
                request.streamResult = true
                var text = ""
                var calls = 0
                let answer = try client.invoke(request, options: .patient) { _, bytes in
                    text += String(decoding: bytes, as: UTF8.self)
                    calls += 1
                    return .more
                }
                #expect(answer.outcome == .ok, "\(answer.summary)")
                let digits = (0..<100).map { index in String(repeating: String(format: "%05d", index), count: 2000) }
                let same = text == digits.joined()
                #expect(same, "\(text.count) characters")
                #expect(calls >= 16)
            }
        }

        @Test func variablesReachTheFunction() throws {
            let client = try agent.client()
            try withFunctions(["env-python", "env-command"], of: agent) {
                try client.put("env-python", .python, files: PythonKit.files) {
                    $0.env = ["COLOUR": "grün", "EMPTY": "", "QUOTES": "\"'\n"]
                }
                let answer = try client.invoke(
                    "env-python",
                    "{\"do\":\"env\",\"names\":[\"COLOUR\",\"EMPTY\",\"QUOTES\",\"HEARTH_SOCKET\",\"HOME\"]}")
                let values = try JSONDecoder().decode([String: String?].self, from: answer.payload)
                #expect(values["COLOUR"] == "grün")
                #expect(values["EMPTY"] == "")
                #expect(values["QUOTES"] == "\"'\n")
                #expect(values["HEARTH_SOCKET"] == .some(nil))
                #expect(values["HOME"] == "/tmp")
                try client.put("env-command", .command) {
                    $0.argv = ["/bin/sh", "-c", "printf '%s|' \"$COLOUR\" \"$HOME\" \"$PWD\""]
                    $0.env = ["COLOUR": "grün"]
                }
                #expect(try client.invoke("env-command").text == "grün|/tmp|/tmp|")
            }
        }

        @Test func commandsArePipelinesWithAStatus() throws {
            let client = try agent.client()
            try withFunctions(["pipeline", "status"], of: agent) {
                try client.put("pipeline", .command) { $0.argv = ["sh", "-c", "sort | uniq -c | sort -rn | head -1"] }
                for _ in 0..<2 {
                    let answer = try client.invoke("pipeline", "b\na\nb\n")
                    #expect(answer.outcome == .ok, "\(answer.summary)")
                    #expect(answer.text == "      2 b\n")
                }
                try client.put("status", .command) {
                    $0.argv = ["sh", "-c", "echo partial; echo why >&2; exit 3"]
                }
                let failed = try client.invoke("status")
                #expect(failed.outcome == .functionError)
                #expect(failed.error.exitStatus == 3)
                #expect(failed.error.message.contains("status"))
                #expect(failed.logText == "why\n")
                #expect(failed.startKind == .cold)
                let again = try client.invoke("status")
                #expect(again.startKind == .warm)
                #expect(again.outcome == .functionError)
            }
        }

        /// A warm-up runs the function before the first request, which then finds its effects.
        @Test func aWarmUpRunsFirst() throws {
            try PythonKit.with("warmed", in: agent) {
                $0.warmupEvent = .init("{\"do\":\"count\"}".utf8)
            } _: { client in
                let answer = try client.invoke("warmed", "{\"do\":\"count\"}")
                #expect(answer.text == "2")
            }
            try PythonKit.with("bad-warmup", in: agent) {
                $0.warmupEvent = .init("{\"do\":\"throw\"}".utf8)
            } _: { client in
                let answer = try client.invoke("bad-warmup", "{}")
                #expect(answer.outcome == .initFailed)
                #expect(answer.error.message.contains("warm-up"), "\(answer.summary)")
                #expect(answer.error.message.contains("bleen"), "\(answer.summary)")
            }
        }
    }
}

/// The example in C, compiled by the test.
enum NativeEcho {
    static func build() throws -> ScratchDirectory {
        let scratch = try ScratchDirectory()
        let output = try Command.run([
            "/usr/bin/cc", "-O2", "-static", "-I", try BuildProducts.repository("rootfs-tools/runtimes/native"),
            "-o", scratch.path + "/echo", try BuildProducts.repository("rootfs-tools/examples/native-echo/echo.c"),
        ])
        guard output.status == 0 else { throw TestFailure("the native example: \(output.errors)") }
        return scratch
    }
}
