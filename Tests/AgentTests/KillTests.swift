import AgentTestSupport
import Foundation
import Glibc
import HearthClient
import Linux
import Testing
import Wire

extension AgentTests {
    /// Processes that are killed with SIGKILL under load. Each test has an agent of its own.
    @Suite @TestThread
    struct KillTests {
        /// Callers that invoke the kit until they are told to stop, and what they saw.
        private func load(_ agent: TestAgent, callers: Int = 4) -> [Background<[HearthOutcome]>] {
            (0..<callers).map { _ in
                Background {
                    var outcomes: [HearthOutcome] = []
                    let client = try agent.client()
                    while true {
                        do {
                            let answer = try client.invoke("kit", "{\"do\":\"sleep\",\"seconds\":0.01}")
                            outcomes.append(answer.outcome)
                        } catch {
                            return outcomes
                        }
                    }
                }
            }
        }

        /// Without a next start the nursery ends by itself, and every sandbox with it.
        @Test func theNurseryEndsAloneAfterItsLinger() throws {
            let agent = try TestAgent(configuration: "nursery_linger: 1s")
            let client = try agent.client()
            try client.put("kit", .python, files: PythonKit.files)
            _ = try client.invoke("kit", "{}")
            let processes = TestAgent.processes(below: agent.cgroup)
            #expect(processes.count >= 3, "nursery, PID 1, python")
            try agent.signal(SIGKILL)
            _ = try agent.waitForEnd()
            try eventually("everything has ended") { processes.allSatisfy { !TestAgent.isAlive($0) } }
            // Its empty groups are swept by the next start; here nobody starts again.
            removeGroups(agent.cgroup)
        }

        private func removeGroups(_ path: String) {
            for name in (try? Files.list(path)) ?? [] {
                var status = stat()
                if lstat(path + "/" + name, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
                    removeGroups(path + "/" + name)
                }
            }
            rmdir(path)
        }

        @Test func theNurseryIsKilled() throws {
            let agent = try TestAgent()
            let client = try agent.client()
            try client.put("kit", .python, files: PythonKit.files) { $0.maxConcurrency = 4 }
            let callers = load(agent)
            try eventually("four sandboxes run") { try agent.populatedGroups().count >= 4 }
            #expect(kill(agent.nursery, SIGKILL) == 0)
            let exit = try agent.waitForEnd()
            #expect(exit == .status(1))
            #expect(agent.log.contains("nursery has ended"), "\(agent.log.suffix(1000))")
            for caller in callers { _ = try caller.join() }
            let left = try agent.leftovers()
            #expect(left.isEmpty, "\(left)")
        }

        @Test func aSandboxsPID1IsKilled() throws {
            let agent = try TestAgent()
            let client = try agent.client()
            try client.put("kit", .python, files: PythonKit.files)
            for _ in 0..<5 {
                let warm = try client.invoke("kit", "{\"do\":\"count\"}")
                let group = try agent.group(of: warm.sandboxID)
                let all = TestAgent.processes(below: group)
                var request = HearthInvokeRequest()
                request.function = "kit"
                request.payload = .init("{\"do\":\"sleep\",\"seconds\":20}".utf8)
                let pending = try client.begin(request, options: .patient)
                try eventually("it runs") { try client.listSandboxes().contains { $0.state == "running" } }
                let info = try #require(try client.listSandboxes().first)
                #expect(kill(info.pid, SIGKILL) == 0)
                let (time, answer) = try milliseconds { try client.finish(pending, options: .patient) }
                #expect(answer.outcome == .crashed, "\(answer.summary)")
                #expect(time < 2000)
                #expect(!answer.error.message.isEmpty)
                try eventually("nothing of it is left") { all.allSatisfy { !TestAgent.isAlive($0) } }
                let next = try client.invoke("kit", "{\"do\":\"count\"}")
                #expect(next.outcome == .ok, "\(next.summary)")
                #expect(next.startKind == .cold)
                #expect(next.text == "1")
            }
            let problems = agent.stop()
            #expect(problems.isEmpty, "\(problems)")
        }

        /// Stopped in the middle of work: what runs is finished, what comes later is sent away.
        @Test func stoppingFinishesWhatRuns() throws {
            let agent = try TestAgent()
            let client = try agent.client()
            try client.put("kit", .python, files: PythonKit.files)
            _ = try client.invoke("kit", "{}")
            var request = HearthInvokeRequest()
            request.function = "kit"
            request.payload = .init("{\"do\":\"sleep\",\"seconds\":0.5}".utf8)
            let pending = try client.begin(request, options: .patient)
            try eventually("it runs") { try agent.client().listSandboxes().contains { $0.state == "running" } }
            try agent.signal(SIGTERM)
            let answer = try client.finish(pending, options: .patient)
            #expect(answer.outcome == .ok, "\(answer.summary)")
            #expect(throws: HearthClientError.self) { try client.info() }
            let problems = agent.stop()
            #expect(problems.isEmpty, "\(problems)")
        }
    }
}
