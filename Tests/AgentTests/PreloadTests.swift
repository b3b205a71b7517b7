import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Testing
import Wire

extension AgentTests {
    /// What a runtime imports while it waits, from the code of the functions that it may be given.
    @Suite @TestThread
    struct PreloadTests {
        /// Answers which of its imports were there before its own.
        private static func code(_ modules: String...) -> [String: String] {
            let names = modules.map { "'\($0)'" }.joined(separator: ", ")
            return [
                "app.py": "import sys\nfound = sorted({\(names)} & set(sys.modules))\n"
                    + modules.map { "import \($0)\n" }.joined()
                    + "def handler(event, context):\n    return found\n"
            ]
        }

        private func put(_ client: HearthClient, _ name: String, _ files: [String: String]) throws {
            try client.put(name, .python, files: files)
            try eventually("the code of \(name) is read", within: 90) {
                try client.getFunction(name).analysis.state == .done
            }
        }

        /// The one that waits was started before; its successor knows better.
        private func renew(_ client: HearthClient) throws {
            try client.waitForIdle(1, .runtime)
            let old = try #require(try client.idle(.runtime).first)
            kill(old.pid, SIGKILL)
            try eventually("another waits", within: 90) {
                try client.idle(.runtime).first.map { $0.id != old.id } ?? false
            }
        }

        @Test func whatHalfOfTheFunctionsImportIsThere() throws {
            let agent = try TestAgent(
                configuration: "prediction: off\nanalyze: on\nruntime_pool: 1\nkeep_alive: 100ms\n")
            let client = try agent.client()
            // A name of the standard library that may not be chosen, and one that is the function's own.
            var files = Self.code("decimal", "sqlite3", "random", "own")
            files["own.py"] = "value = 1\n"
            try put(client, "first", files)
            try renew(client)
            let first = try client.invoke("first")
            #expect(first.startKind == .runtime && first.text == #"["decimal","sqlite3"]"#, "\(first.summary)")
            // Half of two import what the first does.
            try put(client, "second", Self.code("csv"))
            try renew(client)
            let second = try client.invoke("second")
            #expect(second.startKind == .runtime && second.text == #"["csv"]"#, "\(second.summary)")
            // One of three is fewer than half.
            try put(client, "third", Self.code("sqlite3", "zipfile"))
            try renew(client)
            let third = try client.invoke("third")
            #expect(third.startKind == .runtime && third.text == #"["sqlite3"]"#, "\(third.summary)")
            // Those that are gone do not count.
            for name in ["first", "second"] { _ = try client.deleteFunction(name) }
            try renew(client)
            try eventually("nothing of it is left") { try client.listSandboxes(function: "third").isEmpty }
            let alone = try client.invoke("third")
            #expect(alone.startKind == .runtime && alone.text == #"["sqlite3","zipfile"]"#, "\(alone.summary)")
            // OpenSSL may have been loaded: who configures it gets a runtime of its own.
            try client.put("configured", .python, files: PythonKit.files) { $0.env = ["OPENSSL_CONF": "/var/task/ssl"] }
            let configured = try client.invoke("configured", "{\"do\":\"count\"}")
            #expect(configured.outcome == .ok && configured.startKind != .runtime, "\(configured.summary)")
            let problems = agent.stop()
            #expect(problems.isEmpty, "\(problems)")
        }
    }
}
