import AgentTestSupport
import Glibc
import HearthClient
import Linux
import NurseryABI
import Testing
import Wire

extension AgentTests {
    /// SIGKILL to hearthd at every step: the next start finds whatever was left, and after it there is nothing. (To PID 1 and to
    /// the nursery: SandboxTests.CrashSafety, KillTests.)
    @Suite @TestThread
    struct CrashSafetyTests {
        /// Puts a function and invokes it; wherever hearthd dies in that, the client is told.
        private func use(_ agent: TestAgent) throws {
            let client = try agent.client()
            try client.put("kit", .python, files: ["app.py": "def handler(e, c): return 'alive'\n"])
            _ = try client.invoke("kit", "{}")
        }

        /// After the kill: another hearthd on the same state works, knows what it must, and leaves nothing when it is stopped.
        private func recover(_ first: TestAgent, _ scratch: ScratchDirectory, isStored: Bool) throws {
            let second = try TestAgent(scratch: scratch)
            let names = try second.client().listFunctions().map(\.spec.name)
            #expect(names == (isStored ? ["kit"] : []))
            #expect(try TestAgent.temporaryFiles(second.state).filter { !$0.hasSuffix(".sock") } == [])
            try use(second)
            try eventually("nothing without an owner runs: \((try? second.orphans()) ?? [])") {
                try second.orphans().isEmpty
            }
            let known = try second.sandboxes().count
            #expect(try second.populatedGroups().count == known)
            let problems = second.stop()
            #expect(problems.isEmpty, "\(problems)")
            if first.nursery != second.nursery { #expect(!TestAgent.isAlive(first.nursery)) }
        }

        @Test(arguments: FaultPoint.allCases)
        func hearthdDies(at point: FaultPoint) throws {
            let scratch = try ScratchDirectory()
            let first = try TestAgent(scratch: scratch, environment: ["\(FaultPoint.variable)=\(point.rawValue)"])
            if point == .invocationEnded {
                // The answer is on its way before the agent notes the end: the client may have it, or not.
                try? use(first)
            } else {
                #expect(throws: HearthClientError.self) { try use(first) }
            }
            #expect(try first.waitForEnd() == .signal(SIGKILL))
            let before: [FaultPoint] = [.treeUnpacked, .treeStored]
            try recover(first, scratch, isStored: !before.contains(point))
        }

        /// hearthd is killed while PID 1 (its steps) or the nursery (the others) is in the middle of a creation. A nursery that
        /// stands still is found out by the next start, and ended.
        @Test(
            arguments: [
                HN_FAULT_ARMED, HN_FAULT_SESSION, HN_FAULT_CREDENTIALS, HN_FAULT_PIVOT, HN_FAULT_SIGNALS,
                HN_FAULT_LISTED,
            ].map(\.rawValue))
        func hearthdDiesAsACreationStopped(at step: UInt32) throws {
            let scratch = try ScratchDirectory()
            let first = try TestAgent(scratch: scratch, environment: ["\(FaultPoint.variable)=create:\(step)"])
            let client = try first.client()
            try client.put("kit", .python, files: ["app.py": "def handler(e, c): return 'alive'\n"])
            var request = HearthInvokeRequest()
            request.function = "kit"
            _ = try client.begin(request, options: .patient)
            try eventually("it has begun") { try !first.populatedGroups().isEmpty }
            try first.killAgent()
            try recover(first, scratch, isStored: true)
        }

        /// What a power cut leaves: files that are half written, names of sockets, groups, and here even processes in them.
        @Test func aPowerCutIsCleanedUp() throws {
            let scratch = try ScratchDirectory()
            let first = try TestAgent(scratch: scratch)
            try use(first)
            let (state, cgroup, socket) = (first.state, first.cgroup, first.socket)
            #expect(first.stop() == [])

            for file in ["code/.staging/1-1/tree/half", "images/.staging/1-2/rootfs/half", "restart", "journal.spool"] {
                try scratch.write([UInt8](repeating: 0xa5, count: 5000), to: "state/" + file)
            }
            _ = try UnixSocket.listen(path: socket, kind: .stream, mode: 0o600)
            _ = try UnixSocket.listen(path: state + "/nursery.sock", kind: .sequencedPacket, mode: 0o600)
            for name in ["g77/child", "g78"] { try Files.makeDirectories("\(cgroup)/sandboxes/\(name)") }
            let group = try Cgroup(opening: cgroup + "/sandboxes/g77/child")
            let null = try Files.open("/dev/null", flags: O_RDWR)
            let stray = try Linux.Process.spawn(
                ["/bin/sleep", "1000"], environment: [],
                descriptors: [null.rawValue, null.rawValue, null.rawValue], cgroup: group.directory.rawValue)

            let second = try TestAgent(scratch: scratch)
            #expect(try stray.wait(timeout: 5_000_000_000) == .signal(SIGKILL))
            #expect(try TestAgent.temporaryFiles(state).filter { !$0.hasSuffix(".sock") } == [])
            #expect(try second.groups().filter { $0.hasSuffix("g77") || $0.hasSuffix("g78") } == [])
            #expect(try second.client().invoke("kit", "{}").text == "\"alive\"")
            let problems = second.stop()
            #expect(problems.isEmpty, "\(problems)")
        }
    }
}
