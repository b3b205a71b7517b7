import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Linux
import Testing
import Wire

extension AgentTests {
    /// What is told to the prediction, what it keeps, and what it makes of damage.
    @Suite(.sharedAgent("prediction: on\n")) @TestThread
    struct PredictionTests {
        private func observe(
            _ client: HearthClient, _ format: HearthLogFormat, _ log: String, routes: [(String, String)] = []
        ) throws -> HearthObserveResponse {
            var request = HearthObserveRequest()
            request.format = format
            request.routes = routes.map { pair in
                var route = HearthPathRoute()
                (route.prefix, route.function) = pair
                return route
            }
            return try client.observe(request, log: .bytes(Array(log.utf8)), options: .patient)
        }

        @Test func problemsAreToldByLine() throws {
            let client = try TestAgent.shared().client()
            let future = Date().timeIntervalSince1970 + 86_400
            let lines = [
                "{\"time\": 1, \"function\": \"seen\"}", "", "# a comment", "not json",
                "{\"time\": 2, \"functoin\": \"f\"}",
                "{\"time\": \(future), \"function\": \"seen\"}", "{\"time\": 3, \"function\": \"\"}",
                "{\"time\": 4, \"function\": \"\(String(repeating: "x", count: 300))\"}",
                String(repeating: "y", count: 100_000), "{\"time\": \"2001-01-01T00:00:00Z\", \"topic\": \"t\"}",
            ]
            let response = try observe(client, .json, lines.joined(separator: "\n"))
            #expect(response.accepted == 2, "\(response)")
            #expect(response.ignored == 2)
            #expect(response.refused == 6)
            let numbers = response.problems.map { String($0.prefix { $0 != ":" }) }
            #expect(numbers == ["line 4", "line 5", "line 6", "line 7", "line 8", "line 9"], "\(response.problems)")
            let many = try observe(client, .json, String(repeating: "bad\n", count: 5000))
            #expect(many.refused == 5000)
            #expect(many.problems.count == 20)
        }

        @Test func accessLogsNameFunctionsByPath() throws {
            let agent = try TestAgent.shared()
            let client = try agent.client()
            try withFunctions(["shop", "cart"], of: agent) {
                for name in ["shop", "cart"] { try client.put(name, .command) { $0.argv = ["/bin/cat"] } }
                let log = """
                    10.0.0.1 - ada [28/Nov/2025:07:00:00 +0000] "GET /shop/item?id=1 HTTP/1.1" 200 17
                    10.0.0.1 - ada [28/Nov/2025:07:00:02 +0000] "POST /shop/cart HTTP/1.1" 200 17 "-" "Mozilla/5.0 (x \\"y\\")"
                    10.0.0.2 - - [28/Nov/2025:07:00:03 +0000] "GET /static/a.css HTTP/1.1" 304 0
                    10.0.0.3 - - [28/Nov/2025:25:00:03 +0000] "GET /shop HTTP/1.1" 200 0

                    """
                let response = try observe(client, .clf, log, routes: [("/shop", "shop"), ("/shop/cart", "cart")])
                #expect(response.accepted == 2, "\(response)")
                #expect(response.ignored == 1)
                #expect(response.refused == 1)
                #expect(response.problems.first?.hasPrefix("line 4:") == true)
                // Both were heard of: something is said of either.
                for name in ["shop", "cart"] {
                    var request = HearthPredictRequest()
                    request.function = name
                    #expect(try client.predict(request).predictions.count == 1)
                }
            }
        }

        /// More functions than there is room for: those silent longest go, and the agent goes on meanwhile.
        @Test func memoryStaysWithinItsBound() throws {
            let agent = try TestAgent(
                configuration: "prediction: on\nprediction_memory: 10M\nprediction_save: 1s\n")
            let client = try agent.client()
            for name in ["first", "last"] { try client.put(name, .command) { $0.argv = ["/bin/cat"] } }
            let start = Date().timeIntervalSince1970 - 3000
            func lines(_ names: [String], at time: Double) -> String {
                names.map { "{\"time\": \(time), \"function\": \"\($0)\", \"user\": \"u-\($0)\"}\n" }.joined()
            }
            let log =
                lines(["first"], at: start) + lines((0..<900).map { "f\($0)" }, at: start + 1)
                + (0..<5).map { lines(["last"], at: start + 600 + Double($0) * 60) }.joined()
            #expect(try observe(client, .json, log).accepted == 906)
            func bytes() throws -> Double { try client.gauge("prediction.memory_bytes") }
            let bound = Double(10 << 20)
            try eventually("it is within its bound: \((try? bytes()) ?? 0)") { try bytes() <= bound }
            func known(_ name: String) throws -> Bool {
                var request = HearthPredictRequest()
                request.function = name
                return try !client.predict(request).predictions.isEmpty
            }
            #expect(try known("last"))
            #expect(try !known("first"))
            #expect(try client.gauge("prediction.observed") == 906)
            // It goes on learning.
            _ = try client.invoke("first")
            try eventually("what is new is learned") { try known("first") }
            #expect(!agent.log.contains("nothing left to forget"), "\(agent.log)")
            let problems = agent.stop()
            #expect(problems.isEmpty, "\(problems)")
        }

        @Test func whatWasLearnedOutlivesARestartAndDamageIsPutAside() throws {
            let scratch = try ScratchDirectory()
            let file = scratch.path + "/state/forecast.state"
            func known(_ agent: TestAgent) throws -> [HearthSourceShare] {
                var request = HearthPredictRequest()
                request.function = "kept"
                return try agent.client().predict(request).predictions.first?.sources ?? []
            }
            let first = try TestAgent(configuration: "prediction: on\n", scratch: scratch)
            let client = try first.client()
            for name in ["kept", "dropped"] { try client.put(name, .command) { $0.argv = ["/bin/cat"] } }
            let now = Date().timeIntervalSince1970
            let log = (0..<30).map { step in
                ["kept", "dropped"].map { "{\"time\": \(now - 3100 + Double(step) * 100), \"function\": \"\($0)\"}\n" }
                    .joined()
            }.joined()
            #expect(try observe(client, .json, log).accepted == 60)
            let before = try known(first)
            #expect(before.contains { $0.source == "interval" }, "\(before)")
            _ = try client.deleteFunction("dropped")
            try client.put("dropped", .command) { $0.argv = ["/bin/cat"] }
            var request = HearthPredictRequest()
            request.function = "dropped"
            let forgotten = try client.predict(request).predictions.flatMap(\.sources)
            #expect(!forgotten.contains { $0.source == "interval" }, "a deleted function is remembered: \(forgotten)")
            var problems = first.stop()
            #expect(problems.isEmpty, "\(problems)")
            #expect(Files.exists(file))

            let second = try TestAgent(configuration: "prediction: on\n", scratch: scratch)
            let after = try known(second)
            #expect(after.contains { $0.source == "interval" }, "\(after)")
            problems = second.stop()
            #expect(problems.isEmpty, "\(problems)")

            // One byte of it flipped.
            var bytes = try Files.read(file, limit: 1 << 30)
            bytes[bytes.count / 2] ^= 0x40
            try Files.write(bytes, to: file)
            let third = try TestAgent(configuration: "prediction: on\n", scratch: scratch)
            #expect(try known(third).isEmpty)
            #expect(third.log.contains("its checksum does not match"), "\(third.log)")
            #expect(Files.exists(file + ".damaged"))
            problems = third.stop()
            #expect(problems.isEmpty, "\(problems)")

            // Of a later release: the version stands behind the magic number and the kind.
            bytes[bytes.count / 2] ^= 0x40
            bytes[12] = 99
            try Files.write(bytes, to: file)
            let fourth = try TestAgent(configuration: "prediction: on\n", scratch: scratch)
            #expect(fourth.log.contains("has format version 99"), "\(fourth.log)")
            problems = fourth.stop()
            #expect(problems.isEmpty, "\(problems)")

            // Of the first form, and sound: put aside too, and prediction begins anew.
            bytes[12] = 1
            try Files.write(bytes, to: file)
            let fifth = try TestAgent(configuration: "prediction: on\n", scratch: scratch)
            #expect(fifth.log.contains("has format version 1, this release reads version"), "\(fifth.log)")
            #expect(try known(fifth).isEmpty)
            #expect(try observe(try fifth.client(), .json, log).accepted == 60)
            #expect(try known(fifth).contains { $0.source == "interval" })
            problems = fifth.stop()
            #expect(problems.isEmpty, "\(problems)")
        }

        /// A function that is called faster than it is learned is learned from some of its calls, and each is accounted for.
        @Test func aBusyFunctionIsLearnedFromSomeOfItsCalls() throws {
            let agent = try TestAgent(configuration: "prediction: on\n")
            let client = try agent.client()
            try client.put("busy", .command) { $0.argv = ["/bin/cat"] }
            let pending = try (0..<64).map { _ in
                var request = HearthInvokeRequest()
                request.function = "busy"
                return try client.begin(request, options: .patient)
            }
            for call in pending { #expect(try client.finish(call, options: .patient).outcome == .ok) }
            try eventually("all are learned or counted") {
                try client.gauge("prediction.observed") + client.gauge("prediction.thinned") == 64
            }
            #expect(try client.gauge("prediction.thinned") > 0)
            #expect(try client.gauge("prediction.observed") >= 4)
            let problems = agent.stop()
            #expect(problems.isEmpty, "\(problems)")
        }
    }
}
