"""Every vector of protocol/vectors that concerns a client, in one piece and split at every byte."""

import json
import pathlib
import struct
import subprocess
import sys
import unittest

PROTOCOL = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROTOCOL / "python"))

from hearth_client.frames import Code, Decoder, Kind, ProtocolError  # noqa: E402
from hearth_client.session import ClientSession, Refused  # noqa: E402


def octets(parts):
    return b"".join(
        bytes.fromhex(p) if isinstance(p, str) else bytes.fromhex(p["repeat"]) * p["count"] for p in parts)


def cuts(data):
    """The ways to cut data: whole, byte by byte, in two at every place (of long data the first places)."""
    yield [data]
    step = [data[i : i + 1] for i in range(min(len(data), 4096))]
    yield step + [data[i : i + 251] for i in range(4096, len(data), 251)]
    for at in range(1, min(len(data), 400 if len(data) <= 400 else 60)):
        yield [data[:at], data[at:]]


def load(kind):
    return [(p.name, json.loads(p.read_text())) for p in sorted((PROTOCOL / "vectors" / kind).glob("*.json"))]


class Frames(unittest.TestCase):
    def test_frames(self):
        vectors = load("frames")
        self.assertGreater(len(vectors), 90)
        for name, vector in vectors:
            wire = octets(vector["wire"])
            for pieces in cuts(wire):
                with self.subTest(name, pieces=len(pieces), first=len(pieces[0])):
                    self.check(vector, wire, pieces)

    def check(self, vector, wire, pieces):
        decoder = Decoder(handshake=vector.get("handshake", False))
        frames, error = [], None
        try:
            for index, piece in enumerate(pieces):
                frames += decoder.feed(piece, vector.get("fds", 0) if index == 0 else 0)
            decoder.end()
        except ProtocolError as raised:
            error = raised.code.name
        self.assertEqual(error, vector.get("error"))
        if error is None:
            (frame,) = frames
            want = vector["frame"]
            self.assertEqual(
                (len(frame.body), frame.stream, frame.kind, frame.flags, frame.fds, frame.method),
                tuple(want[k] for k in ("length", "stream", "kind", "flags", "fds", "method")))
            self.assertEqual(frame.body, octets(want["body"]))
            self.assertEqual(frame.encode(), wire)

    def test_announced_length_buys_no_memory(self):
        decoder = Decoder(handshake=False)
        with self.assertRaises(ProtocolError):
            list(decoder.feed(struct.pack(">IIBBBBHH", 2**32 - 1, 1, Kind.RESPONSE, 0, 0, 0, 0, 0)))


class Stories(unittest.TestCase):
    def test_client_stories(self):
        stories = [(n, s) for n, s in load("stories") if s["side"] == "client"]
        self.assertGreater(len(stories), 35)
        for name, story in stories:
            longest = max([octets(s["receive"]) for s in story["steps"] if "receive" in s], key=len, default=b"")
            for index, _ in enumerate(cuts(longest)):
                with self.subTest(name, cut=index):
                    self.play(story, index)

    def play(self, story, cut):
        self.session = ClientSession()
        self.refused = False
        for step in story["steps"]:
            self.step(step, cut)
        self.assertEqual(self.events(), [])
        self.assertEqual(self.output(), (b"", 0))

    def step(self, step, cut):
        if "receive" in step:
            data = octets(step["receive"])
            ways = list(cuts(data))
            for index, piece in enumerate(ways[cut] if cut < len(ways) else [data]):
                # Names instead of numbers: nothing here is a real descriptor.
                fds = [f"fd{i}" for i in range(step.get("fds", 0))] if index == 0 else []
                self.session.receive(piece, fds)
        elif "receive_end" in step:
            self.session.receive_end()
        elif "call" in step:
            self.call(step)
        elif "expect" in step:
            self.assertEqual(self.events(), [self.wanted(e) for e in step["expect"]])
        elif "send" in step:
            self.assertEqual(self.output(), (octets(step["send"]), step.get("fds", 0)))
        elif "send_go_away" in step:
            data, _ = self.output()
            last = list(Decoder(handshake=False).feed(data))[-1]
            self.assertEqual(last.kind, Kind.GOAWAY)
            stream, code = struct.unpack_from(">II", last.body)
            self.assertEqual((Code(code).name, stream), (step["send_go_away"]["error"], step["send_go_away"]["last_stream"]))
        elif "refused" in step:
            self.assertTrue(self.refused)
            self.assertEqual(self.output(), (b"", 0))
        else:
            self.fail(f"unknown step {step}")

    def call(self, step):
        session, stream = self.session, step.get("stream")
        self.refused = False
        if step["call"] == "request":
            try:
                session.request(step["method"], octets(step["message"]), step["deadline"],
                                [f"fd{i}" for i in range(step["fds"])], step["complete"])
            except Refused:
                self.refused = True
        elif step["call"] == "data":
            self.refused = not session.send_data(stream, octets(step["bytes"]), step["channel"])
        elif step["call"] == "end":
            session.end_data(stream)
        elif step["call"] == "cancel":
            session.cancel(stream)
        elif step["call"] == "consumed":
            session.consumed(stream, step["count"])
        elif step["call"] == "ping":
            session.ping(octets(step["value"]))
        elif step["call"] == "go_away":
            session.go_away()
        else:
            self.fail(f"unknown call {step}")

    def output(self):
        data, fds = b"", 0
        while (piece := self.session.take_output()) is not None:
            data += piece[0]
            fds += len(piece[1])
        return data, fds

    def events(self):
        found = []
        while self.session.events:
            e = self.session.events.popleft()
            shape = {"event": e.name, **e.fields}
            if e.name in ("response", "data", "drained", "unprocessed"):
                shape["stream"] = e.stream
            if e.name in ("response", "data"):
                shape["body"] = e.body
            if e.name == "response":
                shape |= {"error": e.error, "fds": len(e.fds)}
            if e.name == "pong":
                shape["value"] = e.body
            if e.name == "failed":
                shape["error"] = e.error.code.name
            found.append(shape)
        return found

    @staticmethod
    def wanted(event):
        return {k: octets(v) if isinstance(v, list) else v for k, v in event.items()}


class Generated(unittest.TestCase):
    """What is checked in is what the generators write."""

    def run_check(self, script):
        result = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_vectors(self):
        self.run_check(PROTOCOL / "vectors" / "generate.py")

    def test_schema(self):
        self.run_check(PROTOCOL / "python" / "generate_schema.py")


if __name__ == "__main__":
    unittest.main()
