"""The agent's side of the function protocol, for tests: starts a function's process and talks to it over fd 3."""

import fcntl
import json
import os
import select
import signal
import socket
import struct
import time

INIT, INVOKE, SHUTDOWN = 1, 2, 3
HELLO, READY, INIT_ERROR, RESULT, ERROR, CHUNK = range(128, 134)
HEADER = struct.Struct(">IBBHI")
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp"}


class Closed(Exception):
    """The function closed its end."""


class Silent(Exception):
    """Nothing came in time."""


def message(kind, invocation=0, body=b"", flags=0, reserved=0):
    return HEADER.pack(len(body), kind, flags, reserved, invocation) + body


def init_body(code, handler, env=None, **more):
    fields = {"protocol": 1, "function": "test", "handler": handler, "code": code, "env": env or {}}
    fields.update({"memory_bytes": 128 << 20, "timeout_ns": 3_000_000_000, "max_result_bytes": 0})
    fields.update(more)
    return json.dumps(fields).encode()


def invoke_body(payload=b"", remaining_ns=0, **context):
    fields = {"request_id": "r-1", "user": "", "session": "", "event": "invoke", **context}
    text = json.dumps(fields).encode()
    return struct.pack(">QI", remaining_ns, len(text)) + text + payload


class FunctionProcess:
    """A function's process: fd 3 is our socketpair, fds 1 and 2 are pipes, fd 0 is /dev/null."""

    def __init__(self, argv, env=None):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        # Above 9, so that no dup2 in the child meets its own source.
        ends = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (theirs.fileno(), out_end, err_end)]
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, ends[1], 1),
            (os.POSIX_SPAWN_DUP2, ends[2], 2),
            (os.POSIX_SPAWN_DUP2, ends[0], 3),
        ]
        self.started_ns = time.monotonic_ns()
        self.pid = os.posix_spawn(argv[0], argv, {**ENVIRONMENT, **(env or {})}, file_actions=actions)
        for fd in (*ends, out_end, err_end):
            os.close(fd)
        theirs.close()
        self.socket = ours
        self.pipes = {"out": out, "err": err}
        self.logs = {"out": b"", "err": b""}
        for fd in self.pipes.values():
            os.set_blocking(fd, False)
        self.buffer = b""
        self.invocation = 0
        self.status = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()
        for fd in self.pipes.values():
            os.close(fd)
        self.pipes = {}

    # -- messages

    def send(self, kind, invocation=0, body=b""):
        self.send_bytes(message(kind, invocation, body))

    def send_bytes(self, data):
        """Keeps reading while it writes, as an agent must: a function may stream before it has read everything."""
        view = memoryview(data)
        while view:
            try:
                count = self.socket.send(view, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
                view = view[count:]
            except BlockingIOError:
                self._pump(30.0, select.POLLOUT)

    def receive(self, timeout=20.0):
        """One message: (type, invocation, body)."""
        deadline = time.monotonic() + timeout
        while True:
            if len(self.buffer) >= HEADER.size:
                length, kind, flags, reserved, invocation = HEADER.unpack_from(self.buffer)
                assert flags == 0 and reserved == 0, "reserved bytes of a message from the function"
                if len(self.buffer) >= HEADER.size + length:
                    body = self.buffer[HEADER.size : HEADER.size + length]
                    self.buffer = self.buffer[HEADER.size + length :]
                    return kind, invocation, body
            self._pump(deadline - time.monotonic())

    def _pump(self, timeout, also=0):
        poll = select.poll()
        poll.register(self.socket, select.POLLIN | also)
        for fd in self.pipes.values():
            poll.register(fd, select.POLLIN)
        ready = poll.poll(timeout * 1000) if timeout > 0 else []
        if not ready:
            raise Silent(f"nothing in time; stderr: {self.drain('err')!r}")
        for fd, events in ready:
            if fd == self.socket.fileno():
                if not events & ~select.POLLOUT:
                    continue
                try:
                    data = self.socket.recv(1 << 20)
                except ConnectionResetError:
                    data = b""
                if not data:
                    raise Closed(f"the function closed fd 3; stderr: {self.drain('err')!r}")
                self.buffer += data
            else:
                self.drain("out")
                self.drain("err")
                time.sleep(0.0005)  # a closed pipe stays readable

    def drain(self, name):
        while name in self.pipes:
            try:
                data = os.read(self.pipes[name], 1 << 16)
            except BlockingIOError:
                break
            if not data:
                break
            self.logs[name] += data
        return self.logs[name]

    def take_logs(self):
        """What was printed since the last call; after a RESULT or ERROR: exactly this invocation's."""
        taken = (self.drain("out").decode(), self.drain("err").decode())
        self.logs = {"out": b"", "err": b""}
        return taken

    # -- the steps of a life

    def hello(self):
        kind, invocation, body = self.receive()
        assert (kind, invocation) == (HELLO, 0), (kind, invocation, body)
        return json.loads(body)

    def init(self, code, handler, env=None, **more):
        """Sends INIT; None when READY came, the INIT_ERROR's object otherwise."""
        self.send(INIT, 0, init_body(code, handler, env, **more))
        kind, invocation, body = self.receive()
        assert invocation == 0 and kind in (READY, INIT_ERROR), (kind, invocation, body)
        return json.loads(body) if kind == INIT_ERROR else None

    def invoke(self, payload=b"", remaining_ns=0, timeout=20.0, **context):
        """(RESULT or ERROR, its body, the CHUNKs before it)."""
        self.invocation += 1
        self.send(INVOKE, self.invocation, invoke_body(payload, remaining_ns, **context))
        return self.outcome(timeout)

    def outcome(self, timeout=20.0):
        chunks = []
        while True:
            kind, invocation, body = self.receive(timeout)
            assert invocation == self.invocation, (kind, invocation, body)
            if kind == CHUNK:
                assert len(body) <= 65536
                chunks.append(body)
                continue
            assert kind in (RESULT, ERROR), kind
            return kind, body, chunks

    def result(self, value=None, /, **context):
        """The value of a handler that answers with JSON."""
        payload = b"" if value is None else json.dumps(value).encode()
        kind, body, chunks = self.invoke(payload, **context)
        assert kind == RESULT and not chunks, (kind, body, self.drain("err"))
        return json.loads(body)

    def error(self, value=None, /, **context):
        """The object of a handler's ERROR."""
        payload = b"" if value is None else json.dumps(value).encode()
        kind, body, _ = self.invoke(payload, **context)
        assert kind == ERROR, (kind, body)
        return json.loads(body)

    def error_of(self, payload):
        """The same, for a payload that is not JSON."""
        kind, body, _ = self.invoke(payload)
        assert kind == ERROR, (kind, body)
        return json.loads(body)

    def wait(self, timeout=10.0):
        """The exit status, negative for a signal."""
        deadline = time.monotonic() + timeout
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                raise Silent(f"process {self.pid} did not exit; stderr: {self.drain('err')!r}")
            else:
                self.drain("out")
                self.drain("err")
                time.sleep(0.002)
        return self.status

    def ended(self, timeout=10.0):
        """Waits for the end of the stream; the exit status."""
        try:
            extra = self.receive(timeout)
        except Closed:
            return self.wait(timeout)
        raise AssertionError(f"expected the end of the stream, got {extra!r}")

    def resident_kib(self):
        with open(f"/proc/{self.pid}/status") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        raise AssertionError("no VmRSS")
