import AgentTestSupport
import Glibc
import Linux
import Testing

extension HearthTests {
    /// `hearth run`.
    @Suite @TestThread
    struct RunTests {
        let hearth: HearthCommand
        init() throws { hearth = try HearthCommand() }

        @Test func outputAndStatus() throws {
            let good = try hearth("run", "--", "/bin/sh", "-c", "echo out; echo err >&2")
            #expect(good.status == 0, "\(good.errors)")
            #expect(good.text == "out\n")
            #expect(good.errors == "err\n")
            #expect(try hearth("run", "--", "/bin/sh", "-c", "exit 7").status == 7)
            #expect(try hearth("run", "--", "sh", "-c", "exit 255").status == 255, "found in PATH")
            #expect(try hearth("run", "--", "/bin/sh", "-c", "kill -TERM $$").status == 128 + SIGTERM)
            #expect(try hearth("run", "--", "/bin/sh", "-c", "kill -SEGV $$").status == 128 + SIGSEGV)
        }

        @Test func whatCannotRun() throws {
            let missing = try hearth("run", "--", "/no/such/program")
            #expect(missing.status == 127)
            #expect(missing.errors.contains("hearth: "))
            #expect(missing.text.isEmpty)
            let noProgram = try hearth("run", "--", "/etc/passwd")
            #expect(noProgram.status == 126, "\(noProgram.errors)")
            let image = try hearth("run", "--image", "nope", "--", "/bin/true")
            #expect(image.status == 125)
            #expect(image.errors.contains("nope"), "\(image.errors)")
            #expect(image.errors.contains("hearth image"), "the remedy: \(image.errors)")
            let nothing = try hearth("run")
            #expect(nothing.status == 64, "a usage error (sysexits)")
            #expect(nothing.errors.contains("--"))
            let memory = try hearth("run", "--memory", "lots", "--", "/bin/true")
            #expect(memory.status == 64)
            #expect(memory.errors.contains("lots"))
        }

        @Test func timeLimit() throws {
            let start = now()
            let output = try hearth("run", "--timeout", "300ms", "--", "/bin/sleep", "30")
            let seconds = Double(now() - start) / 1e9
            #expect(output.status == 124)
            #expect(seconds >= 0.3 && seconds < 2, "\(seconds) s")
            #expect(output.errors.contains("300 ms"), "\(output.errors)")
        }

        @Test func standardInput() throws {
            let input = Array(String(repeating: "line\n", count: 100_000).utf8)
            let piped = try hearth("run", "-i", "--", "/usr/bin/wc", "-l", input: input)
            #expect(piped.text == "100000\n", "\(piped.errors)")
            // Without -i there is none, whatever this command's own stdin is.
            let without = try hearth("run", "--", "/usr/bin/wc", "-c", input: input)
            #expect(without.text == "0\n")
        }

        @Test func outputOfAnySize() throws {
            let output = try hearth(
                "run", "--", "/bin/sh", "-c", "head -c 20000000 /dev/zero; head -c 1000 /dev/zero >&2")
            #expect(output.status == 0)
            #expect(output.bytes.count == 20_000_000)
            #expect(output.errorBytes.count == 1000)
        }

        /// Output comes while the program runs, not when it ends.
        @Test func outputStreams() throws {
            let command = try hearth.start("run", "--", "/bin/sh", "-c", "echo first; sleep 5; echo second")
            try eventually("the first line") { try !command.written().isEmpty }
            #expect(try command.written() == "first\n")
            let output = try command.wait()
            #expect(output.text == "first\nsecond\n")
        }

        @Test func environmentDirectoryAndIdentity() throws {
            let output = try hearth(
                "run", "-e", "COLOUR=grün", "--env", "EMPTY=", "--cwd", "/tmp", "--", "/bin/sh", "-c",
                "echo \"$COLOUR|$EMPTY|$HEARTH_SOCKET|$PWD|$(id -u)\"")
            #expect(output.text == "grün||\("")|/tmp|1000\n", "\(output.text) \(output.errors)")
            let processes = try hearth("run", "--", "/bin/sh", "-c", "ls /proc | grep -c '^[0-9]'")
            let count = Int(processes.text.split(separator: "\n").first ?? "") ?? 0
            #expect(count >= 2 && count <= 5, "a PID namespace of its own: \(processes.text)")
        }

        /// A client that is killed takes its sandbox along.
        @Test func killedClients() throws {
            let command = try hearth.start("run", "--", "/bin/sh", "-c", "echo up; sleep 100")
            try eventually("it runs") { try command.written() == "up\n" }
            #expect(try !hearth.agent.populatedGroups().isEmpty)
            try command.signal(SIGKILL)
            _ = try command.wait()
            try eventually("its sandbox is gone") { try hearth.agent.populatedGroups().isEmpty }
        }

        @Test func manyAtOnce() throws {
            let agent = hearth.agent
            let program = try BuildProducts.executable("hearth")
            let statuses = try concurrently(8) { index in
                try Command.run(
                    [program, "run", "--", "/bin/sh", "-c", "exit \(index)"],
                    environment: ["HEARTH_SOCKET": agent.socket]
                ).status
            }
            #expect(statuses == (0..<8).map { Int32($0) })
        }
    }
}
