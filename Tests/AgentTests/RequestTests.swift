import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Linux
import Testing
import Wire

extension AgentTests {
    /// Many requests, and those that are given up.
    @Suite @TestThread
    struct RequestTests {
        let agent: TestAgent
        init() throws { agent = try TestAgent.shared() }

        struct Slept: Decodable {
            var begin: Double
            var end: Double
        }

        @Test func twentyAtOnceOnFourSandboxes() throws {
            try PythonKit.with(in: agent) {
                $0.maxConcurrency = 4
            } _: { client in
                let pending = try (0..<20).map { index in
                    var request = HearthInvokeRequest()
                    request.function = "kit"
                    request.payload = .init("{\"do\":\"sleep\",\"seconds\":0.05,\"tag\":\(index)}".utf8)
                    return try client.begin(request, options: .patient)
                }
                let answers = try pending.map { try client.finish($0, options: .patient) }
                #expect(answers.allSatisfy { $0.outcome == .ok }, "\(answers.map(\.summary))")
                let tags = answers.map { $0.text.contains("\"tag\"") }
                #expect(tags.allSatisfy { $0 })
                for (index, answer) in answers.enumerated() {
                    #expect(answer.text.contains("\"tag\":\(index)") || answer.text.contains("\"tag\": \(index)"))
                }
                #expect(Set(answers.map(\.sandboxID)).count <= 4)
                let slept = try answers.map { try JSONDecoder().decode(Slept.self, from: $0.payload) }
                let most = slept.map { one in slept.count { $0.begin <= one.begin && one.begin < $0.end } }.max() ?? 0
                #expect(most <= 4, "\(most) ran at once")
                #expect(most >= 2, "they ran one after the other")
                // The later ones waited, and the response says where.
                #expect(answers.contains { $0.timing.queuedNs > 50_000_000 })
            }
        }

        @Test func theQueueIsBounded() throws {
            try PythonKit.with(in: agent) {
                $0.maxConcurrency = 1
            } _: { client in
                _ = try client.invoke("kit", "{}")
                let pending = try (0..<40).map { _ in
                    var request = HearthInvokeRequest()
                    request.function = "kit"
                    request.payload = .init("{\"do\":\"sleep\",\"seconds\":0.02}".utf8)
                    return try client.begin(request, options: .patient)
                }
                let answers = try pending.map { try client.finish($0, options: .patient) }
                let rejected = answers.filter { $0.outcome == .rejected }
                #expect(answers.count { $0.outcome == .ok } == 21, "one ran and max_queue is 20")
                #expect(rejected.count == 19)
                #expect(rejected.allSatisfy { $0.error.message.contains("kit") && !$0.error.hint.isEmpty })
                #expect(rejected.allSatisfy { $0.startKind == .unspecified })
            }
        }

        @Test func cancellingEndsTheWork() throws {
            try PythonKit.with(in: agent) { client in
                try inTime("all of it is gone", below: 100) {
                    let warm = try client.invoke("kit", "{}")
                    let group = try agent.group(of: warm.sandboxID)
                    var request = HearthInvokeRequest()
                    request.function = "kit"
                    request.payload = .init("{\"do\":\"descend\"}".utf8)
                    let pending = try client.begin(request, options: .patient)
                    try eventually("it runs") { TestAgent.processes(below: group).count >= 3 }
                    let pids = TestAgent.processes(below: group)
                    try client.cancel(pending)
                    let answer = try client.finish(pending, options: .patient)
                    #expect(answer.outcome == .cancelled, "\(answer.summary)")
                    return try milliseconds {
                        try eventually("all of it is gone") { pids.allSatisfy { !TestAgent.isAlive($0) } }
                    }.0
                }
                #expect(try client.invoke("kit", "{\"do\":\"count\"}").startKind == .cold)
            }
        }

        @Test func disconnectingEndsTheWork() throws {
            try PythonKit.with(in: agent) { client in
                let warm = try client.invoke("kit", "{}")
                let group = try agent.group(of: warm.sandboxID)
                do {
                    let leaving = try agent.client()
                    var request = HearthInvokeRequest()
                    request.function = "kit"
                    request.payload = .init("{\"do\":\"descend\"}".utf8)
                    _ = try leaving.begin(request, options: .patient)
                    try eventually("it runs") { TestAgent.processes(below: group).count >= 3 }
                    // Objects may go after their last use; this one goes here.
                    withExtendedLifetime(leaving) {}
                }
                // The client has gone out of scope, and its socket with it.
                try eventually("all of it is gone") { TestAgent.processes(below: group).isEmpty }
                try eventually("the agent knows") { try client.listSandboxes(function: "kit").isEmpty }
            }
        }

        /// A request that waits in the queue and is cancelled never runs.
        @Test func cancellingInTheQueue() throws {
            try PythonKit.with(in: agent) {
                $0.maxConcurrency = 1
            } _: { client in
                _ = try client.invoke("kit", "{\"do\":\"count\"}")
                var request = HearthInvokeRequest()
                request.function = "kit"
                request.payload = .init("{\"do\":\"sleep\",\"seconds\":0.3}".utf8)
                let first = try client.begin(request, options: .patient)
                request.payload = .init("{\"do\":\"count\"}".utf8)
                let second = try client.begin(request, options: .patient)
                try client.cancel(second)
                let (time, cancelled) = try milliseconds { try client.finish(second, options: .patient) }
                #expect(cancelled.outcome == .cancelled)
                #expect(cancelled.startKind == .unspecified)
                #expect(time < 200, "answered while the first one runs")
                #expect(try client.finish(first, options: .patient).outcome == .ok)
                #expect(
                    try client.invoke("kit", "{\"do\":\"count\"}").text == "3", "count, sleep, and not the cancelled")
            }
        }

        @Test func deadlines() throws {
            try PythonKit.with(in: agent) {
                $0.maxConcurrency = 1
            } _: { client in
                _ = try client.invoke("kit", "{}")
                var request = HearthInvokeRequest()
                request.function = "kit"
                request.payload = .init("{\"do\":\"sleep\",\"seconds\":5}".utf8)
                // While it runs: TIMEOUT, long before the function's own limit.
                try inTime("200 ms are allowed", below: 500) {
                    let (time, ran) = try milliseconds {
                        try client.invoke(request, options: CallOptions(deadlineNanoseconds: 200_000_000))
                    }
                    #expect(ran.outcome == .timeout, "\(ran.summary)")
                    #expect(time >= 200)
                    return time
                }
                // In the queue: REJECTED, and it never ran.
                _ = try client.invoke("kit", "{}")
                request.payload = .init("{\"do\":\"sleep\",\"seconds\":0.5}".utf8)
                let first = try client.begin(request, options: .patient)
                request.payload = .init("{\"do\":\"count\"}".utf8)
                let (waited, late) = try milliseconds {
                    try client.invoke(request, options: CallOptions(deadlineNanoseconds: 100_000_000))
                }
                #expect(late.outcome == .rejected, "\(late.summary)")
                #expect(late.startKind == .unspecified)
                #expect(waited < 300, "it waited \(waited) ms")
                #expect(try client.finish(first, options: .patient).outcome == .ok)
                // Other methods answer with an error.
                let slow = try refusal {
                    try client.putFunction(
                        upload("deadline"), code: .descriptor(try silentPipe()),
                        options: CallOptions(deadlineNanoseconds: 100_000_000))
                }
                #expect(slow.code == .deadlineExceeded)
            }
        }

        private func upload(_ name: String) -> HearthPutFunctionRequest {
            var request = HearthPutFunctionRequest()
            request.spec.name = name
            request.spec.runtime = .python
            request.spec.handler = "app.handler"
            request.codeFormat = .zip
            request.codeSize = 1000
            return request
        }

        /// The reading end of a pipe that nobody writes to, until the test process ends.
        private func silentPipe() throws -> Int32 {
            try DescriptorPair.pipe().take().first
        }
    }
}
