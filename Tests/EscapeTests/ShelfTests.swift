import AgentTestSupport
import Glibc
import HearthClient
import Linux
import Testing
import Wire

extension EscapeTests {
    /// Whoever is served from a shelf finds nothing of whoever was served before, neither in its process nor in its sandbox.
    @Suite(.serialized, .timeLimit(.minutes(3))) @TestThread struct Shelves {
        /// Leaves traces wherever a function can, and looks for them.
        private static let code = """
            import builtins, ctypes, gc, json, os, socket, subprocess, sys, tempfile, threading, time
            KEPT = []
            def soil():
                os.environ["TRACE"] = "1"
                builtins.TRACE = sys.modules["trace_of_a_tenant"] = json
                json.loads.__globals__["TRACE"] = 1
                os.chdir("/tmp"); os.umask(0o7)
                for place in ("/tmp", "/dev/shm"):
                    with open(place + "/trace", "w") as file: file.write("TRACE")
                KEPT.append(open("/tmp/open", "w"))
                name = socket.socket(socket.AF_UNIX); name.bind("\\0trace"); name.listen(); KEPT.append(name)
                port = socket.socket(); port.bind(("127.0.0.1", 4242)); port.listen(); KEPT.append(port)
                KEPT.append(subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True))
                threading.Thread(target=time.sleep, args=(1000,), name="trace", daemon=True).start()
                libc = ctypes.CDLL(None)
                libc.shmget(4242, 4096, 0o1666)
            def free(family, address):
                with socket.socket(family) as probe:
                    try: probe.bind(address)
                    except OSError: return False
                    return True
            def look():
                libc = ctypes.CDLL(None)
                names = {os.path.basename(os.readlink("/proc/self/fd/" + fd)) for fd in os.listdir("/proc/self/fd")
                         if os.path.exists("/proc/self/fd/" + fd)}
                processes = [pid for pid in os.listdir("/proc") if pid.isdigit()]
                found = {
                    "environment": "TRACE" in os.environ, "builtin": hasattr(builtins, "TRACE"),
                    "module": "trace_of_a_tenant" in sys.modules, "library": "TRACE" in json.loads.__globals__,
                    "directory": os.getcwd() == "/tmp", "file": os.path.exists("/tmp/trace"),
                    "memory": os.path.exists("/dev/shm/trace"), "descriptor": "open" in names,
                    "name": not free(socket.AF_UNIX, "\\0trace"), "port": not free(socket.AF_INET, ("127.0.0.1", 4242)),
                    "process": any(b"1000" in open("/proc/%s/cmdline" % pid, "rb").read() for pid in processes),
                    "thread": any(thread.name == "trace" for thread in threading.enumerate()),
                    "segment": libc.shmget(4242, 4096, 0) >= 0, "object": bool(KEPT),
                }
                mask = os.umask(0); os.umask(mask)
                found["umask"] = mask == 0o7
                return sorted(name for name in found if found[name])
            def handler(event, context):
                return soil() if event == "soil" else look()
            """
        private static let all =
            "[\"builtin\",\"descriptor\",\"directory\",\"environment\",\"file\",\"library\",\"memory\",\"module\","
            + "\"name\",\"object\",\"port\",\"process\",\"segment\",\"thread\",\"umask\"]"

        @Test(arguments: [HearthTier.bare, .runtime])
        func theNextFunctionOfAShelfFindsNothing(_ tier: HearthTier) throws {
            let kind = tier == .bare ? HearthStartKind.bare : .runtime
            try withAgent(tier == .bare ? "bare_pool: 1" : "runtime_pool: 1") { _, client in
                try client.put("former", .python, files: ["app.py": Self.code])
                try client.waitForIdle(1, tier)
                let first = try client.invoke("former", "\"soil\"")
                #expect(first.outcome == .ok && first.startKind == kind, "\(first.summary)")
                // The control: in a sandbox that has served, all of it is there to be found.
                let second = try client.invoke("former", "\"look\"")
                #expect(second.sandboxID == first.sandboxID && second.text == Self.all, "\(second.summary)")
                for round in 0..<3 {
                    // With the former's sandbox alive beside it, then with its slot, ids and group free to be used again.
                    if round == 1 { _ = try client.deleteFunction("former") }
                    try client.put("latter\(round)", .python, files: ["app.py": Self.code])
                    try client.waitForIdle(1, tier)
                    let look = try client.invoke("latter\(round)", "\"look\"")
                    #expect(look.outcome == .ok && look.startKind == kind, "\(look.summary)")
                    #expect(look.text == "[]", "round \(round): \(look.text)")
                }
            }
        }
    }
}
