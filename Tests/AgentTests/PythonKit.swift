import AgentTestSupport
import Foundation
import HearthClient
import Wire

/// A Python function that does what its event says: echoes, throws, dies, hangs, floods. One piece of code for most tests.
enum PythonKit {
    static let files = [
        "app.py": """
        import ctypes, json, os, signal, socket, struct, sys, time
        COUNT = 0

        def channel():
            # The bootstrap has moved it away from 3; user code can find it all the same.
            for fd in map(int, os.listdir("/proc/self/fd")):
                try:
                    if os.readlink("/proc/self/fd/%d" % fd).startswith("socket:"): return fd
                except OSError: pass

        def die_deep(levels):
            if levels: return die_deep(levels - 1)
            raise LookupError("no such colour: bleen")

        def descend():
            # A grandchild in a session of its own, whose parent is gone: only the sandbox still has it.
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    while True: time.sleep(60)
                os._exit(0)
            os.wait()

        def bomb():
            made = []
            try:
                while True:
                    pid = os.fork()
                    if pid == 0:
                        time.sleep(60)
                        os._exit(0)
                    made.append(pid)
            except OSError as error:
                reason = error.errno
            for pid in made: os.kill(pid, signal.SIGKILL)
            for pid in made: os.waitpid(pid, 0)
            return {"made": len(made), "errno": reason}

        def handler(event, context):
            global COUNT
            COUNT += 1
            if not isinstance(event, dict): return context.payload
            do = event.get("do")
            if do == "count": return COUNT
            if do == "throw": return die_deep(2)
            if do == "exit": os._exit(event["status"])
            if do == "kill": os.kill(os.getpid(), event["signal"]); time.sleep(5)
            if do == "segv": ctypes.string_at(0)
            if do == "spin":
                while True: pass
            if do == "sleep":
                begin = time.monotonic()
                time.sleep(event["seconds"])
                return {"begin": begin, "end": time.monotonic(), "sandbox": os.stat("/tmp").st_dev, "tag": event.get("tag")}
            if do == "descend":
                descend()
                while True: time.sleep(60)
            if do == "hold":
                held = [bytearray(1 << 20) for _ in range(event["mib"])]
                return len(held)
            if do == "bomb": return bomb()
            if do == "print":
                for index in range(event["lines"]): print(event["text"], index)
                print(event["text"], "on stderr", file=sys.stderr)
                return event["text"]
            if do == "flood":
                block = b"x" * 65536
                for _ in range(event["mib"] * 16): os.write(1, block)
                os.write(1, b"the end")
                return "flooded"
            if do == "bytes": return bytes(range(256)) * (event["size"] // 256)
            if do == "pieces": return (b"%05d" % index * 2000 for index in range(event["count"]))
            if do == "env": return {name: os.environ.get(name) for name in event["names"]}
            if do == "write":
                try:
                    with open(event["path"], "w") as file: file.write("x")
                except OSError as error: return error.errno
                return 0
            if do == "list": return sorted(os.listdir(event["path"]))
            if do == "garbage":
                for _ in range(64): os.write(event["fd"], os.urandom(4096))
                return "scribbled"
            if do == "endless":
                block = b"x" * 65536
                while True: os.write(event["fd"], block)
            if do == "close":
                os.close(event["fd"])
                return "closed"
            if do == "garbage3":
                os.write(channel(), os.urandom(4096))
                time.sleep(5)
            if do == "flood3":
                # Well-formed CHUNKs of the current invocation, for ever.
                message = struct.pack(">IBBHI", 65536, 133, 0, 0, event["invocation"]) + b"x" * 65536
                fd = channel()
                while True: os.write(fd, message)
            if do == "close3":
                os.close(channel())
                time.sleep(5)
            if do == "forge3":
                os.write(channel(), struct.pack(">IBBHI", 0xffffffff, 131, 0, 0, 1))
                time.sleep(5)
            if do == "idle":
                # After the answer, in a thread: garbage while no invocation runs.
                import threading
                def later():
                    time.sleep(0.05)
                    os.write(channel(), b"not a message at all, and longer than a header")
                threading.Thread(target=later, daemon=True).start()
                return "soon"
            return event
        """
    ]

    /// Puts the kit under a name, gives it to the test, and takes it away.
    static func with<Value>(
        _ name: String = "kit", in agent: TestAgent, _ change: (inout HearthFunctionSpec) -> Void = { _ in },
        _ body: (HearthClient) throws -> Value
    ) throws -> Value {
        let client = try agent.client()
        try client.put(name, .python, files: files, change)
        return try withFunctions([name], of: agent) { try body(client) }
    }
}

/// Deletes functions after the test, whatever happened.
func withFunctions<Value>(_ names: [String], of agent: TestAgent, _ body: () throws -> Value) throws -> Value {
    let value: Value
    do {
        value = try body()
    } catch {
        try? deleteFunctions(names, of: agent)
        throw error
    }
    try deleteFunctions(names, of: agent)
    return value
}

/// Those that there are.
private func deleteFunctions(_ names: [String], of agent: TestAgent) throws {
    let client = try agent.client()
    let present = Set(try client.listFunctions().map(\.spec.name))
    for name in names where present.contains(name) { _ = try client.deleteFunction(name, options: .patient) }
}

/// Milliseconds that something took.
func milliseconds<Value>(_ body: () throws -> Value) rethrows -> (Double, Value) {
    let start = now()
    let result = try body()
    return (Double(now() - start) / 1e6, result)
}
