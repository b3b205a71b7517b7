import AgentTestSupport
import Foundation
import Testing

extension HearthTests {
    /// What the agent shows: as tables, and as JSON.
    @Suite @TestThread
    struct ListingTests {
        let hearth: HearthCommand
        init() throws { hearth = try HearthCommand() }

        private func array(_ arguments: String...) throws -> [[String: Any]] {
            let output = try hearth.run(arguments)
            try #require(output.status == 0, "\(output.errors)")
            let value = try JSONSerialization.jsonObject(with: Data(output.bytes))
            return try #require(value as? [[String: Any]], "\(output.text)")
        }

        @Test func functionsAndSandboxes() throws {
            #expect(try array("function", "list", "--json").isEmpty)
            #expect(try hearth("function", "list").text.isEmpty)
            try hearth.must("function", "put", "listed", "--runtime", "command", "--", "cat")
            try hearth.must("invoke", "listed", "--data", "x")
            let functions = try array("function", "list", "--json")
            #expect(functions.count == 1)
            #expect(functions.first?["argv"] as? [String] == ["cat"])
            #expect(functions.first?["runtime"] as? String == "command")
            let table = try hearth("function", "list").text.split(separator: "\n")
            #expect(table.count == 2)
            #expect(table.first?.hasPrefix("NAME") == true)
            #expect(table.last?.hasPrefix("listed") == true)
            #expect(try hearth("function", "list", "-q").text == "listed\n")
            let shown = try hearth("function", "show", "listed")
            #expect(shown.text.contains("command"))
            #expect(!shown.text.contains("\u{1b}"), "no colour in a pipe")
            let detail =
                try JSONSerialization.jsonObject(
                    with: Data(try hearth("function", "show", "listed", "--json").bytes)) as? [String: Any]
            #expect(detail?["name"] as? String == "listed")

            let sandboxes = try array("ps", "--json")
            #expect(sandboxes.count == 1)
            #expect(sandboxes.first?["function"] as? String == "listed")
            #expect(sandboxes.first?["tier"] as? String == "ready")
            #expect(sandboxes.first?["state"] as? String == "idle")
            #expect(sandboxes.first?["invocations"] as? Int == 1)
            #expect((sandboxes.first?["pid"] as? Int ?? 0) > 1)
            #expect((sandboxes.first?["reason"] as? String)?.isEmpty == false)
            let ps = try hearth("ps").text.split(separator: "\n")
            #expect(ps.count == 2)
            #expect(ps.first?.hasPrefix("SANDBOX") == true)

            let stats =
                try JSONSerialization.jsonObject(
                    with: Data(try hearth("stats", "listed", "--json").bytes)) as? [String: Any]
            let entry = (stats?["functions"] as? [[String: Any]])?.first
            #expect(entry?["function"] as? String == "listed", "\(stats ?? [:])")
            #expect(try hearth("stats").text.contains("listed"))
            try hearth.must("function", "delete", "listed")
            try eventually("its sandbox is gone") { try array("ps", "--json").isEmpty }
        }

        @Test func doctor() throws {
            let findings = try array("doctor", "--json")
            let ids = findings.compactMap { $0["id"] as? String }
            #expect(ids.count == findings.count)
            #expect(Set(ids).count == ids.count)
            #expect(Set(ids).isSuperset(of: ["kernel", "cgroup.memory", "cgroup.pids"]))
            for finding in findings {
                let status = finding["status"] as? String ?? ""
                #expect(["ok", "warn", "missing"].contains(status), "\(finding)")
                #expect((finding["found"] as? String)?.isEmpty == false, "\(finding)")
                guard status != "ok" else { continue }
                #expect((finding["cost"] as? String)?.isEmpty == false, "what the lack costs: \(finding)")
                #expect((finding["remedy"] as? String)?.isEmpty == false, "what to do: \(finding)")
            }
            let text = try hearth("doctor")
            #expect(text.status == 0)
            for id in ids { #expect(text.text.contains(id)) }
        }

        @Test func images() throws {
            #expect(try array("image", "list", "--json").map { $0["name"] as? String } == ["host"])
            let scratch = try ScratchDirectory()
            try scratch.write("int main(void) { return 42; }\n", to: "answer.c")
            try scratch.write("", to: "root/etc/none")
            let built = try Command.run([
                "/usr/bin/cc", "-static", "-o", scratch.path + "/root/answer", scratch.path + "/answer.c",
            ])
            #expect(built.status == 0, "\(built.errors)")
            let imported = try hearth("image", "import", "own", scratch.path + "/root", "--json")
            #expect(imported.status == 0, "\(imported.errors)")
            let info = try JSONSerialization.jsonObject(with: Data(imported.bytes)) as? [String: Any]
            #expect(info?["name"] as? String == "own")
            #expect((info?["digest"] as? String)?.hasPrefix("sha256:") == true)
            #expect(try hearth("run", "--image", "own", "--", "/answer").status == 42)
            #expect(try hearth("image", "list").text.contains("own"))
            let again = try hearth("image", "import", "own", scratch.path + "/root")
            #expect(again.status == 1)
            #expect(again.errors.contains("replace"), "\(again.errors)")
            try hearth.must("image", "delete", "own")
            #expect(try hearth("image", "delete", "own").status == 1)
            #expect(try hearth("run", "--image", "own", "--", "/answer").status == 125)
        }

        @Test func noAgent() throws {
            let program = try BuildProducts.executable("hearth")
            let scratch = try ScratchDirectory()
            let socket = scratch.path + "/none.sock"
            let commands = [
                ["ps"], ["stats"], ["doctor"], ["function", "list"], ["image", "list"], ["invoke", "x"],
                ["function", "delete", "x"],
            ]
            for arguments in commands {
                let output = try Command.run([program] + arguments + ["--socket", socket])
                #expect(output.status == 69, "\(arguments): \(output.status)")
                #expect(output.text.isEmpty)
                #expect(output.errors.contains(socket), "\(arguments): \(output.errors)")
                #expect(output.errors.contains("hearthd"), "the remedy: \(output.errors)")
            }
            // `run` keeps the statuses below 125 for the program.
            let run = try Command.run([program, "run", "--socket", socket, "--", "/bin/true"])
            #expect(run.status == 125)
            #expect(run.errors.contains(socket))
        }
    }
}
