"""What every runtime does with the bytes of the channel: protocol/FUNCTION.md, sections 2, 3, 9 and 11."""

import json
import os
import re
import shutil
import struct
import time
import unittest

import support
from agent import (
    HEADER, HELLO, INIT, INVOKE, READY, RESULT, SHUTDOWN,
    init_body, invoke_body, message,
)  # fmt: skip

GARBAGE = [
    ("text", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("zeros", bytes(64)),
    ("ones", b"\xff" * 64),
    ("flags", message(SHUTDOWN, flags=1)),
    ("reserved", message(SHUTDOWN, reserved=1)),
    ("unknown type", message(4)),
    ("a type of the other direction", message(RESULT, 1, b"x")),
    ("a body over the limit", HEADER.pack((1 << 28) + 1, INVOKE, 0, 0, 1)),
    ("the longest length", HEADER.pack(0xFFFFFFFF, INVOKE, 0, 0, 1)),
]


class Wire:
    """The cases; a subclass says which runtime, with an echo function of it in `self.code`."""

    handler = "app.handler"
    explains = True  # the runtime says on fd 2 what was wrong

    def start(self):
        process = self.spawn()
        process.hello()
        return process

    def idle(self):
        process = self.start()
        self.assertIsNone(process.init(self.code, self.handler))
        return process

    def assertRefused(self, process, what):
        self.assertEqual(process.ended(), 76, what)
        if self.explains:
            self.assertIn("protocol error", process.take_logs()[1], what)

    def test_init_split_at_every_byte(self):
        data = message(INIT, 0, init_body(self.code, self.handler))
        for cut in range(1, len(data)):
            process = self.start()
            process.send_bytes(data[:cut])
            time.sleep(0.0005)
            process.send_bytes(data[cut:])
            self.assertEqual(process.receive()[:2], (READY, 0), cut)
            process.close()

    def test_init_and_invoke_one_byte_at_a_time(self):
        process = self.start()
        for byte in message(INIT, 0, init_body(self.code, self.handler)):
            process.send_bytes(bytes([byte]))
            time.sleep(0.0002)
        self.assertEqual(process.receive()[:2], (READY, 0))
        for byte in message(INVOKE, 7, invoke_body(b'"one at a time"')):
            process.send_bytes(bytes([byte]))
            time.sleep(0.0002)
        self.assertEqual(process.receive(), (RESULT, 7, b'"one at a time"'))

    def test_invoke_split_at_every_byte(self):
        process = self.idle()
        body = invoke_body(b'"in two parts"')
        for cut in range(1, 12 + len(body)):
            data = message(INVOKE, cut, body)
            process.send_bytes(data[:cut])
            time.sleep(0.0003)
            process.send_bytes(data[cut:])
            self.assertEqual(process.receive(), (RESULT, cut, b'"in two parts"'))

    def test_a_life_in_one_write(self):
        process = self.start()
        life = message(INIT, 0, init_body(self.code, self.handler))
        for number in range(1, 50):
            life += message(INVOKE, number, invoke_body(b'"%s"' % (b"x" * (number * 100))))
        process.send_bytes(life + message(SHUTDOWN))
        self.assertEqual(process.receive()[:2], (READY, 0))
        for number in range(1, 50):
            self.assertEqual(process.receive(), (RESULT, number, b'"%s"' % (b"x" * (number * 100))))
        self.assertEqual(process.ended(), 0)

    def test_payloads_around_the_size_of_every_buffer(self):
        process = self.idle()
        overhead = len(message(INVOKE, 1, invoke_body(b'""')))
        for size in [0, 1, 4000, 8192] + [65536 - overhead + by for by in range(-14, 15)] + [65536, 131072, 3_000_001]:
            payload = b'"%s"' % (b"x" * size)
            kind, body, chunks = process.invoke(payload)
            self.assertEqual((kind, body == payload, chunks), (RESULT, True, []), size)

    def test_invocation_numbers_are_given_back(self):
        process = self.idle()
        for number in (1, 2, 255, 256, 65_536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 5):
            process.send(INVOKE, number, invoke_body(b"1"))
            self.assertEqual(process.receive(), (RESULT, number, b"1"))

    def test_garbage_before_init(self):
        for what, data in GARBAGE:
            process = self.start()
            process.send_bytes(data)
            self.assertRefused(process, what)

    def test_garbage_between_invocations(self):
        for what, data in GARBAGE:
            process = self.idle()
            self.assertEqual(process.invoke(b"1")[1], b"1")
            process.send_bytes(data)
            self.assertRefused(process, what)

    def test_messages_that_do_not_fit_the_state(self):
        for what, data in [
            ("INVOKE before INIT", message(INVOKE, 1, invoke_body())),
            ("INIT with an invocation", message(INIT, 1, init_body(self.code, self.handler))),
        ]:
            process = self.start()
            process.send_bytes(data)
            self.assertRefused(process, what)
        for what, data in [
            ("INIT again", message(INIT, 0, init_body(self.code, self.handler))),
            ("INVOKE 0", message(INVOKE, 0, invoke_body())),
            ("a context beyond the body", message(INVOKE, 1, struct.pack(">QI", 0, 100) + b"{}")),
            ("a context of 4 GiB", message(INVOKE, 1, struct.pack(">QI", 0, 0xFFFFFFFF) + b"{}")),
            ("a body too short", message(INVOKE, 1, bytes(11))),
            ("an empty body", message(INVOKE, 1)),
        ]:
            process = self.idle()
            process.send_bytes(data)
            self.assertRefused(process, what)

    def test_the_stream_ends_inside_a_message(self):
        init = message(INIT, 0, init_body(self.code, self.handler))
        for cut in (1, 11, 12, len(init) - 1):
            process = self.start()
            process.send_bytes(init[:cut])
            process.socket.shutdown(1)
            self.assertRefused(process, f"{cut} bytes of INIT")
        invoke = message(INVOKE, 1, invoke_body(b"x" * 100_000))
        for cut in (5, 12, 40, 70_000):
            process = self.idle()
            process.send_bytes(invoke[:cut])
            process.socket.shutdown(1)
            self.assertRefused(process, f"{cut} bytes of INVOKE")

    def test_ten_thousand_invocations_in_constant_memory(self):
        process = self.idle()
        for number in range(10_000):
            payload = b'"%s"' % (b"x" * (number % 3000))
            self.assertEqual(process.invoke(payload)[:2], (RESULT, payload))
            if number == 5_000:
                descriptors = len(os.listdir(f"/proc/{process.pid}/fd"))
                before = process.resident_kib()
        self.assertLessEqual(process.resident_kib(), before + self.growth_kib)
        self.assertEqual(len(os.listdir(f"/proc/{process.pid}/fd")), descriptors)

    growth_kib = 512


class JSONWire(Wire):
    """For runtimes that read the JSON of INIT and context themselves."""

    def test_json_that_is_none(self):
        for body in (b"", b"{", b"[]", b"null", b'"x"', b"{}{}"):
            process = self.start()
            process.send(INIT, 0, body)
            self.assertRefused(process, body)
            process = self.idle()
            process.send(INVOKE, 1, struct.pack(">QI", 0, len(body)) + body)
            self.assertRefused(process, body)

    def test_unknown_members_are_ignored(self):
        process = self.start()
        self.assertIsNone(process.init(self.code, self.handler, later={"a": [1]}))
        self.assertEqual(process.invoke(b"1", colour="red")[1], b"1")

    def test_the_bytes_of_the_specification(self):
        if not os.path.exists(support.PROTOCOL):
            self.skipTest("protocol/FUNCTION.md is not here")
        with open(support.PROTOCOL, encoding="utf-8") as file:
            lines = re.search(r"```hex\n(.*?)```", file.read(), re.S).group(1).splitlines()
        self.assertGreater(len(lines), 6)
        process = self.spawn()
        for line in lines:
            data = bytes.fromhex(line[1:])
            length, kind, flags, reserved, invocation = HEADER.unpack_from(data)
            self.assertEqual((length, flags, reserved), (len(data) - HEADER.size, 0, 0), line)
            body = data[HEADER.size :]
            if line[0] == "<":
                expected = (kind, invocation, body)
                self.assertEqual(process.receive()[: 2 if kind == HELLO else 3], expected[: 2 if kind == HELLO else 3])
                continue
            if kind == INIT:  # the code is elsewhere in this test
                body = json.dumps({**json.loads(body), "code": self.code}).encode()
            process.send(kind, invocation, body)
        self.assertEqual(process.ended(), 0)


class Python(JSONWire, support.RuntimeCase):
    argv = support.python_argv(support.python_interpreters()[0])

    def setUp(self):
        super().setUp()
        self.write("app.py", "def handler(event, context): return event")


@unittest.skipUnless(support.node_argv(), "no node on this machine")
class Node(JSONWire, support.RuntimeCase):
    argv = support.node_argv()
    growth_kib = 16_384  # V8's young generation breathes

    def setUp(self):
        super().setUp()
        self.write("app.js", "exports.handler = async (event) => event;")


@unittest.skipUnless(support.node_argv(), "no node on this machine")
class NodeListening(Node):
    """The event driven way, taken when the function keeps a timer."""

    def setUp(self):
        super().setUp()
        self.write("app.js", "setInterval(() => {}, 1000); exports.handler = async (event) => event;")


class Native(Wire, support.RuntimeCase):
    explains = False
    handler = "echo"

    def setUp(self):
        super().setUp()
        source = os.path.join(support.EXAMPLES, "native-echo", "echo.c")
        program = os.path.join(self.code, "echo")
        support.compile_c(source, program, "-std=c99", "-I" + os.path.join(support.RUNTIMES, "native"))
        self.argv = [program]


@unittest.skipUnless(shutil.which("perl"), "no perl on this machine")
class PerlOfTheReadme(Wire, support.RuntimeCase):
    """The example of native/README.md was written from FUNCTION.md alone."""

    growth_kib = 2048

    def setUp(self):
        super().setUp()
        with open(os.path.join(support.RUNTIMES, "native", "README.md"), encoding="utf-8") as file:
            program = re.search(r"```perl\n(.*?)```", file.read(), re.S).group(1)
        path = self.write("upper", program.replace("uc $payload", "$payload"))
        self.argv = [shutil.which("perl"), path]

    def test_payloads_around_the_size_of_every_buffer(self):
        process = self.idle()
        self.assertEqual(process.invoke(b"x" * 300_000)[1], b"x" * 300_000)
        self.assertEqual(process.error()["type"], "Empty")
