import AgentTestSupport
import HearthClient
import Linux
import Testing
import Wire

extension EscapeTests {
    /// A function with a seccomp profile of its own: less than the others have, never more.
    @Suite(.serialized, .timeLimit(.minutes(2))) struct StricterProfiles {
        private static let profiles = [
            "no-network": "default allow\nerrno EACCES socket socketpair\n",
            // What a careless or bribed operator might write: it gives nothing.
            "everything": "default allow\nallow ptrace mount unshare keyctl bpf io_uring_setup\n",
        ]

        private static let probe = """
            import ctypes, errno, json, sys
            libc = ctypes.CDLL(None, use_errno=True)
            def outcome(number, *arguments):
                result = libc.syscall(number, *[ctypes.c_long(a) for a in arguments])
                return errno.errorcode[ctypes.get_errno()] if result < 0 else "ok"
            def look():
                return [outcome(41, 2, 1, 0), outcome(101, 0, 0, 0, 0), outcome(272, 0x10000000), outcome(425, 1, 0)]
            def handler(event, context): return look()
            if __name__ == "__main__": print(json.dumps(look()))
            """

        private func withAgent(_ body: (HearthClient) throws -> Void) throws {
            let scratch = try ScratchDirectory()
            try Files.makeDirectories(scratch.path + "/profiles")
            for (name, text) in Self.profiles { try scratch.write(text, to: "profiles/\(name).profile") }
            let agent = try TestAgent(configuration: "seccomp_profiles: \(scratch.path)/profiles\n")
            do { try body(try agent.client()) } catch {
                _ = agent.stop()
                throw error
            }
            let problems = agent.stop()
            #expect(problems.isEmpty, "\(problems)")
        }

        @Test func aFunctionsProfileOnlyTightens() throws {
            try withAgent { client in
                // Without a label: a socket, and none of the others.
                let cases: [(String?, String)] = [
                    (nil, "[\"ok\", \"EPERM\", \"EPERM\", \"EPERM\"]"),
                    ("no-network", "[\"EACCES\", \"EPERM\", \"EPERM\", \"EPERM\"]"),
                    ("everything", "[\"ok\", \"EPERM\", \"EPERM\", \"EPERM\"]"),
                ]
                for (label, expected) in cases {
                    for runtime in [HearthRuntime.python, .command] {
                        try client.put("probe", runtime, files: ["app.py": Self.probe]) {
                            if runtime == .command { $0.argv = ["/usr/bin/python3", "/var/task/app.py"] }
                            if let label { $0.labels["hearth.seccomp"] = label }
                        }
                        let answer = try client.invoke("probe", "null")
                        #expect(answer.outcome == .ok, "\(answer.summary)")
                        #expect(
                            answer.text.filter { !$0.isWhitespace } == expected.filter { !$0.isWhitespace },
                            "\(runtime) with \(label ?? "no label")")
                        _ = try client.deleteFunction("probe")
                    }
                }
            }
        }

        @Test func aProfileThatIsNotThereIsRefused() throws {
            try withAgent { client in
                let error = try refusal {
                    try client.put("probe", .command) {
                        $0.argv = ["/bin/true"]
                        $0.labels["hearth.seccomp"] = "../default"
                    }
                }
                #expect(error.code == .failedPrecondition, "\(error)")
                #expect(error.message.contains("no seccomp profile") && error.remedy.contains("no-network"), "\(error)")
            }
        }
    }
}
