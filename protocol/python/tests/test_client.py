"""The client against a small agent in a thread, which is written with frames alone."""

import os
import pathlib
import socket
import struct
import sys
import tempfile
import threading
import time
import unittest
import zipfile
import io

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from hearth_client import AgentError, Client, ConnectionLost, Refused, Unprocessed  # noqa: E402
from hearth_client import messages as m  # noqa: E402
from hearth_client.frames import END_STREAM, ERROR, MAGIC, Decoder, Frame, Kind, Limits  # noqa: E402


class Agent:
    """Answers by `handler(agent, frame, fds)`, which is called for every frame after the handshake."""

    def __init__(self, handler, credit=256 << 10, message=1 << 20):
        self.handler, self.limits = handler, Limits(message, 256, credit)
        ours, self.theirs = socket.socketpair()
        self.socket, self.seen = ours, []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def send(self, kind, stream=0, body=b"", flags=0):
        self.socket.sendall(Frame(kind, stream, body, flags).encode())

    def respond(self, stream, message):
        self.send(Kind.RESPONSE, stream, message.encode(), ERROR if isinstance(message, m.Error) else 0)

    def serve(self):
        decoder = Decoder(Limits(self.limits.message, 256, self.limits.credit))
        with self.socket:
            while True:
                data, fds, _, _ = socket.recv_fds(self.socket, 65536, 16)
                if not data:
                    return
                for frame in decoder.feed(data, len(fds)):
                    if frame.kind == Kind.HELLO:
                        decoder.handshake = False
                        self.send(Kind.WELCOME, 0, struct.pack(
                            ">IHHQIII", MAGIC, 1, 0, 1, self.limits.message, self.limits.streams, self.limits.credit))
                        continue
                    self.seen.append(frame)
                    if self.handler(self, frame, [fds.pop(0) for _ in range(frame.fds)]) == "close":
                        return


def echo(agent, frame, _):
    if frame.kind == Kind.REQUEST and frame.method == m.Method.INVOKE:
        request = m.InvokeRequest.decode(frame.body[8:])
        agent.respond(frame.stream, m.InvokeResponse(
            outcome=m.Outcome.OK, start_kind=m.StartKind.WARM, payload=request.payload, invocation_id="1"))


class ClientTests(unittest.TestCase):
    def connect(self, handler, **limits):
        self.agent = Agent(handler, **limits)
        client = Client(self.agent.theirs)
        self.addCleanup(client.close)
        return client

    def test_a_restart_is_told_and_survived(self):
        path = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "a.sock"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(listener.close)
        listener.bind(str(path))
        listener.listen()
        runs = []

        def answer(agent, frame, _):
            if frame.kind != Kind.REQUEST:
                return None
            if frame.method == m.Method.INFO:
                return agent.respond(frame.stream, m.InfoResponse(boot_id=str(len(runs))))
            return "close" if len(runs) == 1 else echo(agent, frame, _)

        def serve():
            for _ in range(2):
                peer, _ = listener.accept()
                agent = Agent(answer)
                runs.append(agent)
                # The agent's own end is replaced by the connection that came.
                agent.socket.shutdown(socket.SHUT_RDWR)
                agent.thread.join()
                agent.socket = peer
                agent.thread = threading.Thread(target=agent.serve, daemon=True)
                agent.thread.start()

        threading.Thread(target=serve, daemon=True).start()
        client = Client(path)
        self.addCleanup(lambda: client.close())
        before = client.info().boot_id
        with self.assertRaises(ConnectionLost) as lost:
            client.invoke("f", {})
        self.assertEqual(lost.exception.outcome, m.Outcome.AGENT_RESTARTED)
        self.assertNotEqual(client.reconnect().boot_id, before)
        self.assertEqual(client.invoke("f", {"a": 1}).outcome, m.Outcome.OK)

    def test_invoke(self):
        client = self.connect(echo)
        self.assertEqual(client.invoke("f", b"raw").payload, b"raw")
        response = client.invoke("f", {"a": [1, 2]}, user="u", timeout=1.5, want_logs=True)
        self.assertEqual((response.outcome, response.start_kind), (m.Outcome.OK, m.StartKind.WARM))
        self.assertEqual(response.payload, b'{"a": [1, 2]}')
        request = m.InvokeRequest.decode(self.agent.seen[-1].body[8:])
        self.assertEqual((request.user, request.timeout_ns, request.want_logs), ("u", 1_500_000_000, True))

    def test_put_function_of_a_directory_and_within_its_credit(self):
        received = {}

        def handler(agent, frame, _):
            if frame.kind == Kind.REQUEST:
                received["request"] = m.PutFunctionRequest.decode(frame.body[8:])
                received["code"] = b""
            elif frame.kind == Kind.DATA:
                received["code"] += frame.body
                if frame.body:
                    agent.send(Kind.CREDIT, frame.stream, struct.pack(">I", len(frame.body)))
                if frame.flags & END_STREAM:
                    agent.respond(frame.stream, m.FunctionInfo(generation=4, code_digest="sha256:0"))

        client = self.connect(handler, credit=4096)
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "app.py").write_text("def handler(event, context): return event\n")
            pathlib.Path(folder, "lib").mkdir()
            blob = os.urandom(300_000)
            pathlib.Path(folder, "lib", "blob").write_bytes(blob)
            os.chmod(pathlib.Path(folder, "lib", "blob"), 0o755)
            info = client.put_function("hello", runtime="python", code=folder, handler="app.handler", memory=64 << 20,
                                       env={"A": "b"}, timeout=3)
        self.assertEqual(info.generation, 4)
        spec = received["request"].spec
        self.assertEqual((spec.runtime, spec.memory_bytes, spec.env, spec.timeout_ns),
                         (m.Runtime.PYTHON, 64 << 20, {"A": "b"}, 3_000_000_000))
        self.assertEqual(received["request"].code_size, len(received["code"]))
        archive = zipfile.ZipFile(io.BytesIO(received["code"]))
        self.assertEqual(sorted(archive.namelist()), ["app.py", "lib/blob"])
        self.assertEqual(archive.read("lib/blob"), blob)
        self.assertEqual(archive.getinfo("lib/blob").external_attr >> 16, 0o755)

    def test_streamed_result_and_logs(self):
        def handler(agent, frame, _):
            if frame.kind == Kind.REQUEST:
                agent.send(Kind.DATA, frame.stream, b"\x01log")
                agent.left, agent.credit = 40, 4096 - 4
            elif frame.kind == Kind.CREDIT:
                agent.credit += struct.unpack(">I", frame.body)[0]
            while agent.left and agent.credit >= 1001:
                agent.send(Kind.DATA, frame.stream, b"\x03" + b"x" * 1000)
                agent.left, agent.credit = agent.left - 1, agent.credit - 1001
                if not agent.left:
                    agent.respond(frame.stream, m.InvokeResponse(outcome=m.Outcome.OK, payload_streamed=True))

        client = self.connect(handler, credit=4096)
        stream = client.invoke_stream("f", logs=True)
        pieces = list(stream)
        self.assertEqual(pieces[0], (1, b"log"))
        self.assertEqual(b"".join(p for c, p in pieces if c == 3), b"x" * 40_000)
        self.assertTrue(stream.response.payload_streamed)

    def test_large_payload_is_streamed(self):
        for credit in (4096, 16 << 20):
            self.stream_payload(credit)

    def stream_payload(self, credit):
        got = bytearray()

        def handler(agent, frame, _):
            if frame.kind == Kind.DATA:
                self.assertIn(frame.body[:1], (b"\0", b""))
                got.extend(frame.body[1:])
                if frame.body:
                    agent.send(Kind.CREDIT, frame.stream, struct.pack(">I", len(frame.body)))
                if frame.flags & END_STREAM:
                    agent.respond(frame.stream, m.InvokeResponse(outcome=m.Outcome.OK))

        client = self.connect(handler, credit=credit)
        payload = os.urandom(2_500_000)
        self.assertEqual(client.invoke("f", payload).outcome, m.Outcome.OK)
        self.assertEqual(bytes(got), payload)

    def test_errors(self):
        client = self.connect(lambda agent, frame, _: agent.respond(
            frame.stream, m.Error(code=m.ErrorCode.NOT_FOUND, message="no function f", remedy="put it first")))
        with self.assertRaisesRegex(AgentError, "no function f; put it first") as raised:
            client.get_function("f")
        self.assertEqual(raised.exception.code, m.ErrorCode.NOT_FOUND)

    def test_run_with_descriptors(self):
        def handler(agent, frame, fds):
            os.write(fds[1], b"out")
            os.write(fds[2], b"err")
            for fd in fds:
                os.close(fd)
            agent.respond(frame.stream, m.RunResponse(outcome=m.Outcome.OK, exit_status=3))

        client = self.connect(handler)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(os.devnull, "rb") as null:
            response = client.run(["true"], stdio=(null, out, err))
            out.seek(0), err.seek(0)
            self.assertEqual((response.exit_status, out.read(), err.read()), (3, b"out", b"err"))

    def test_run_without_descriptors(self):
        def handler(agent, frame, _):
            if frame.kind == Kind.DATA and frame.flags & END_STREAM:
                agent.send(Kind.DATA, frame.stream, b"\x02oops")
                agent.send(Kind.DATA, frame.stream, b"\x01hi")
                agent.respond(frame.stream, m.RunResponse(outcome=m.Outcome.OK))

        client = self.connect(handler)
        response, out, err = client.run(["cat"], input=b"hi")
        self.assertEqual((response.outcome, out, err), (m.Outcome.OK, b"hi", b"oops"))

    def test_deadline_travels_and_bounds_the_wait(self):
        import hearth_client.client as module

        client = self.connect(lambda *_: None)
        patience, module._PATIENCE = module._PATIENCE, 0.1
        self.addCleanup(setattr, module, "_PATIENCE", patience)
        begun = time.monotonic()
        with self.assertRaises(TimeoutError):
            client.invoke("f", deadline=0.05)
        self.assertLess(time.monotonic() - begun, 5)
        self.assertEqual(struct.unpack_from(">Q", self.agent.seen[0].body)[0], 50_000_000)

    def test_cancel(self):
        def handler(agent, frame, _):
            if frame.kind == Kind.REQUEST:
                agent.send(Kind.DATA, frame.stream, b"\x03part")
            elif frame.kind == Kind.CANCEL:
                agent.respond(frame.stream, m.InvokeResponse(outcome=m.Outcome.CANCELLED))

        client = self.connect(handler)
        stream = client.invoke_stream("f")
        for _, data in stream:
            self.assertEqual(data, b"part")
            stream.cancel()
            stream.cancel()
        self.assertEqual(stream.response.outcome, m.Outcome.CANCELLED)
        self.assertEqual([f.kind for f in self.agent.seen].count(Kind.CANCEL), 1)
        with client.invoke_stream("f"):
            pass  # left early: cancelled, and the connection goes on
        stream = client.invoke_stream("f")
        stream.cancel()
        self.assertEqual(stream.response.outcome, m.Outcome.CANCELLED)

    def test_the_end_of_the_connection(self):
        client = self.connect(lambda *_: "close")
        with self.assertRaises(ConnectionLost):
            client.invoke("f")
        with self.assertRaises((ConnectionLost, Refused)):
            client.invoke("f")

    def test_goaway_tells_what_may_be_repeated(self):
        client = self.connect(lambda agent, frame, _: agent.send(Kind.GOAWAY, 0, struct.pack(">II", 0, 0) + b"drain"))
        with self.assertRaisesRegex(Unprocessed, "drain"):
            client.invoke("f")

    def test_listing_takes_all_pages(self):
        def handler(agent, frame, _):
            request = m.ListFunctionsRequest.decode(frame.body[8:])
            first = int(request.after or -1) + 1
            page = [m.FunctionInfo(spec=m.FunctionSpec(name=str(i))) for i in range(first, min(first + 2, 5))]
            agent.respond(frame.stream, m.ListFunctionsResponse(functions=page, more=first + 2 < 5))

        client = self.connect(handler)
        self.assertEqual([f.spec.name for f in client.list_functions()], list("01234"))


class MessageTests(unittest.TestCase):
    def test_every_message_comes_back(self):
        for name in m.MESSAGES:
            cls = getattr(m, name)
            message = cls()
            for field in cls.FIELDS:
                setattr(message, field.name, self.sample(field))
            self.assertEqual(cls.decode(message.encode()), message, name)
            self.assertEqual(cls.decode(cls().encode()), cls(), name)

    def sample(self, field):
        if field.map:
            return {"k": "v", "": "empty"}
        value = (field.message() if field.message else
                 {str: "ü", bytes: b"\0\xff", bool: True, float: -1.5}.get(type(field.scalar.default), 1))
        return [value, value] if field.repeated else value

    def test_known_bytes(self):
        # By hand from the encoding's rules, so that encoder and decoder cannot agree on something wrong.
        message = m.InvokeRequest(function="f", payload=b"\x01", payload_follows=True, timeout_ns=300)
        self.assertEqual(message.encode().hex(), "0a0166" + "120101" + "1801" + "30ac02")
        self.assertEqual(m.SandboxInfo.decode(bytes.fromhex("50ffffffffffffffffff01")).pid, -1)
        self.assertEqual(m.Histogram(index_deltas=[1, 300]).encode().hex(), "220301ac02")
        self.assertEqual(m.Histogram.decode(bytes.fromhex("2001" + "20ac02")).index_deltas, [1, 300])
        self.assertEqual(m.FunctionSpec(env={"a": "b"}).encode().hex(), "5a06" + "0a0161" + "120162")

    def test_unknown_fields_and_values_are_kept_out_of_the_way(self):
        data = bytes.fromhex("f8ff7f01" + "fa3f0161" + "0801" + "1063")
        response = m.InvokeResponse.decode(data)
        self.assertEqual((response.outcome, response.start_kind), (m.Outcome.OK, 99))

    def test_broken_bytes(self):
        for text in ["08", "0a05aa", "0b", "00", "0aff", "08ffffffffffffffffffff01", "0d010203", "0a02c328", "0801" "0a"]:
            with self.assertRaises(m.DecodeError, msg=text):
                m.InvokeRequest.decode(bytes.fromhex(text))

    def test_misspelt_fields_are_errors(self):
        with self.assertRaises(TypeError):
            m.InvokeRequest(functoin="f")
        with self.assertRaises(AttributeError):
            m.InvokeRequest().functoin = "f"


if __name__ == "__main__":
    unittest.main()
