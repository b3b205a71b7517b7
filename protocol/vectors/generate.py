#!/usr/bin/env python3
"""Writes frames/*.json and stories/*.json from SPEC.md. `--check` compares instead of writing.

This file must not use any implementation of the protocol: its bytes are what the implementations are held against.
"""

import json
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
HELLO, WELCOME, REQUEST, RESPONSE, DATA, CREDIT, CANCEL, PING, PONG, GOAWAY = range(1, 11)
END_STREAM, ERROR = 1, 2
MAGIC = 0x48525448
KIB = 1024

files: dict[str, dict] = {}


# ---- bytes ------------------------------------------------------------------------------------------------------


def header(length, stream, kind, flags=0, fds=0, method=0, reserved11=0, reserved14=0):
    return struct.pack(">IIBBBBHH", length, stream, kind, flags, fds, reserved11, method, reserved14)


def frame(kind, stream=0, body=b"", **fields):
    return header(len(body), stream, kind, **fields) + body


def hello(magic=MAGIC, major=1, reserved=0, features=1, extra=b""):
    return frame(HELLO, 0, struct.pack(">IHHQ", magic, major, reserved, features) + extra)


def welcome(magic=MAGIC, major=1, reserved=0, features=1, message=1024 * KIB, streams=256, credit=256 * KIB, extra=b""):
    body = struct.pack(">IHHQIII", magic, major, reserved, features, message, streams, credit)
    return frame(WELCOME, 0, body + extra)


def request(stream, method=6, message=b"", deadline=0, complete=True, fds=0, flags=None):
    if flags is None:
        flags = END_STREAM if complete else 0
    return frame(REQUEST, stream, struct.pack(">Q", deadline) + message, flags=flags, fds=fds, method=method)


def response(stream, body=b"", error=False, fds=0):
    return frame(RESPONSE, stream, body, flags=ERROR if error else 0, fds=fds)


def data(stream, body=b"", end=False):
    return frame(DATA, stream, body, flags=END_STREAM if end else 0)


def credit(stream, count):
    return frame(CREDIT, stream, struct.pack(">I", count))


def cancel(stream):
    return frame(CANCEL, stream)


def ping(value):
    return frame(PING, 0, value)


def pong(value):
    return frame(PONG, 0, value)


def go_away(last, code, text=""):
    return frame(GOAWAY, 0, struct.pack(">II", last, code) + text.encode())


def wire(octets):
    """Bytes as the JSON notation: hexadecimal, with long runs of one byte shortened."""
    parts, plain, i = [], bytearray(), 0
    while i < len(octets):
        j = i
        while j < len(octets) and octets[j] == octets[i]:
            j += 1
        if j - i >= 64:
            if plain:
                parts.append(plain.hex())
                plain = bytearray()
            parts.append({"repeat": f"{octets[i]:02x}", "count": j - i})
        else:
            plain += octets[i:j]
        i = j
    if plain:
        parts.append(plain.hex())
    return parts


# ---- messages, as far as the stories need them ------------------------------------------------------------------


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out) + bytes([number])


def number(field, value):
    return varint(field << 3) + varint(value)


def text(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def double(field, value):
    return varint(field << 3 | 1) + struct.pack("<d", value)


def delimited(*messages):
    return b"".join(varint(len(message)) + message for message in messages)


def plan_entry(name, confidence, count=0):
    return text(1, name) + double(2, confidence) + (number(5, count) if count else b"")


def journal_entry(sequence, kind, name):
    return number(1, sequence) + text(3, kind) + text(4, name)


# ---- frames -----------------------------------------------------------------------------------------------------


def good(name, description, octets, fds=0, handshake=False):
    length, stream, kind, flags, fd_count, _, method, _ = struct.unpack(">IIBBBBHH", octets[:16])
    entry = {"description": description, "wire": wire(octets)}
    if fds:
        entry["fds"] = fds
    if handshake:
        entry["handshake"] = True
    entry["frame"] = {
        "length": length, "stream": stream, "kind": kind, "flags": flags, "fds": fd_count, "method": method,
        "body": wire(octets[16:]),
    }
    files[f"frames/{name}.json"] = entry


def bad(name, description, octets, error, fds=0, handshake=False):
    entry = {"description": description, "wire": wire(octets)}
    if fds:
        entry["fds"] = fds
    if handshake:
        entry["handshake"] = True
    entry["error"] = error
    files[f"frames/{name}.json"] = entry


def frames():
    good("hello", "HELLO with the feature descriptors", hello(), handshake=True)
    good("hello-longer", "HELLO of a later revision: bytes behind the fields", hello(extra=b"later"), handshake=True)
    good("welcome", "WELCOME with the default limits", welcome(), handshake=True)
    good("request", "REQUEST of Invoke with a deadline of one second", request(1, 6, b"\x0a\x04echo", 10**9))
    good("request-open", "REQUEST without END_STREAM: DATA follows", request(3, 2, b"\x10\x02", complete=False))
    good("request-empty", "REQUEST whose message is empty", request(5, 12))
    good("request-unknown-method", "a method that does not exist is no frame error", request(7, 65535))
    good("request-largest", "REQUEST of exactly the largest message", request(1, 6, bytes(1024 * KIB - 8)))
    good("request-fds", "REQUEST of Run with three descriptors", request(9, 7, b"\x0a\x02ls", fds=3), fds=3)
    good("request-fds-16", "as many descriptors as may be", request(9, 7, b"", fds=16), fds=16)
    good("response", "RESPONSE", response(1, b"\x08\x01"))
    good("response-empty", "RESPONSE of an empty message", response(4294967293))
    good("response-error", "RESPONSE with an Error", response(1, b"\x08\x02\x12\x02no", error=True))
    good("response-fds", "RESPONSE with a descriptor", response(1, fds=1), fds=1)
    good("data", "DATA on channel 1", data(1, b"\x01hello"))
    good("data-end", "the last DATA", data(1, b"bye", end=True))
    good("data-empty-end", "empty DATA with END_STREAM", data(1, end=True))
    good("data-largest", "DATA of 65536 bytes", data(1, bytes(65536)))
    good("credit", "CREDIT of 128 KiB", credit(1, 131072))
    good("cancel", "CANCEL", cancel(1))
    good("ping", "PING", ping(b"12345678"))
    good("pong", "PONG", pong(b"12345678"))
    good("goaway", "GOAWAY with a text", go_away(7, 0, "drain"))
    good("goaway-bare", "GOAWAY without a text and with a code that does not exist yet", go_away(0, 9999))

    bad("bad-reserved-11", "byte 11 is not zero", header(0, 1, CANCEL, reserved11=1), "reserved_bits")
    bad("bad-reserved-14", "byte 14 is not zero", header(0, 1, CANCEL, reserved14=256), "reserved_bits")
    bad("bad-reserved-15", "byte 15 is not zero", header(0, 1, CANCEL, reserved14=1), "reserved_bits")
    bad("bad-kind-0", "kind 0", header(0, 1, 0), "unknown_kind")
    bad("bad-kind-11", "kind 11", header(0, 1, 11), "unknown_kind")
    bad("bad-kind-255", "kind 255", header(0, 1, 255), "unknown_kind")
    bad("bad-order-reserved-before-kind", "reserved byte and unknown kind: the reserved byte is named",
        header(0, 1, 99, reserved11=1), "reserved_bits")
    bad("bad-order-kind-before-length", "unknown kind and an absurd length", header(2**32 - 1, 1, 99), "unknown_kind")
    for kind, name, flags, stream, length in [
        (HELLO, "hello", 1, 0, 16), (WELCOME, "welcome", 1, 0, 28), (REQUEST, "request", 2, 1, 8),
        (REQUEST, "request-high", 0x80, 1, 8), (RESPONSE, "response", 1, 1, 0), (DATA, "data", 2, 1, 1),
        (CREDIT, "credit", 1, 1, 4), (CANCEL, "cancel", 1, 1, 0), (PING, "ping", 1, 0, 8), (PONG, "pong", 1, 0, 8),
        (GOAWAY, "goaway", 1, 0, 8),
    ]:
        bad(f"bad-flags-{name}", f"flags {flags:#x} are not defined for this kind",
            header(length, stream, kind, flags=flags), "reserved_bits")
    for kind, name, stream, length in [
        (RESPONSE, "response", 1, 0), (DATA, "data", 1, 1), (CREDIT, "credit", 1, 4), (CANCEL, "cancel", 1, 0),
        (PING, "ping", 0, 8), (GOAWAY, "goaway", 0, 8), (HELLO, "hello", 0, 16),
    ]:
        bad(f"bad-method-{name}", "a method outside of REQUEST", header(length, stream, kind, method=6), "reserved_bits")
    for kind, name, length in [
        (REQUEST, "request", 8), (RESPONSE, "response", 0), (DATA, "data", 1), (CREDIT, "credit", 4), (CANCEL, "cancel", 0),
    ]:
        bad(f"bad-stream-zero-{name}", "a frame of a stream on stream 0", header(length, 0, kind), "bad_stream_id")
    for kind, name, length in [
        (HELLO, "hello", 16), (WELCOME, "welcome", 28), (PING, "ping", 8), (PONG, "pong", 8), (GOAWAY, "goaway", 8),
    ]:
        bad(f"bad-stream-{name}", "a frame of the connection on stream 1", header(length, 1, kind), "bad_stream_id")
    for kind, name, stream, length in [
        (HELLO, "hello", 0, 257), (WELCOME, "welcome", 0, 257), (REQUEST, "request", 1, 1024 * KIB + 1),
        (REQUEST, "request-4gib", 1, 2**32 - 1), (RESPONSE, "response", 1, 1024 * KIB + 1), (DATA, "data", 1, 65537),
        (CREDIT, "credit", 1, 5), (CANCEL, "cancel", 1, 1), (PING, "ping", 0, 9), (PONG, "pong", 0, 9),
        (GOAWAY, "goaway", 0, 1025),
    ]:
        bad(f"bad-oversize-{name}", f"{length} bytes announced: refused by the header alone",
            header(length, stream, kind), "frame_too_large")
    for kind, name, stream, length in [
        (HELLO, "hello", 0, 15), (WELCOME, "welcome", 0, 27), (REQUEST, "request", 1, 7), (CREDIT, "credit", 1, 3),
        (PING, "ping", 0, 7), (PONG, "pong", 0, 0), (GOAWAY, "goaway", 0, 7),
    ]:
        bad(f"bad-short-{name}", f"{length} bytes announced, less than the kind has", header(length, stream, kind), "bad_frame")
    bad("bad-fds-17", "17 descriptors announced", header(8, 1, REQUEST, fds=17), "bad_descriptors", fds=17)
    bad("bad-fds-255", "255 descriptors announced, none sent", header(8, 1, REQUEST, fds=255), "bad_descriptors")
    bad("bad-fds-missing", "three announced, none arrived", request(1, 7, fds=3), "bad_descriptors")
    bad("bad-fds-fewer", "three announced, two arrived", request(1, 7, fds=3), "bad_descriptors", fds=2)
    bad("bad-fds-more", "two announced, three arrived", request(1, 7, fds=2), "bad_descriptors", fds=3)
    bad("bad-fds-unannounced", "none announced, one arrived", request(1, 7), "bad_descriptors", fds=1)
    bad("bad-fds-data", "DATA with a descriptor", header(1, 1, DATA, fds=1) + b"x", "bad_descriptors", fds=1)
    bad("bad-fds-ping", "PING with a descriptor", header(8, 0, PING, fds=1) + bytes(8), "bad_descriptors", fds=1)
    bad("bad-fds-hello", "HELLO with a descriptor", header(16, 0, HELLO, fds=1), "bad_descriptors", fds=1, handshake=True)
    bad("bad-truncated-header", "the end after 7 bytes of a header", request(1)[:7], "truncated")
    bad("bad-truncated-body", "the end inside a body", request(1, message=b"hello")[:-1], "truncated")
    bad("bad-truncated-before-body", "the end between header and body", request(1, message=b"hello")[:16], "truncated")
    bad("bad-handshake-http", "an HTTP client", b"GET / HTTP/1.1\r\nHost: hearth\r\n\r\n", "bad_magic", handshake=True)
    bad("bad-handshake-zero", "zeros", bytes(16), "bad_magic", handshake=True)
    bad("bad-handshake-request", "REQUEST before the handshake", request(1), "bad_magic", handshake=True)
    bad("bad-handshake-oversize", "HELLO that announces a mebibyte", header(1024 * KIB, 0, HELLO), "frame_too_large",
        handshake=True)


# ---- stories ----------------------------------------------------------------------------------------------------


class Story:
    def __init__(self, name, side, description, **limits):
        self.entry = {"description": description, "side": side}
        if limits:
            self.entry["limits"] = limits
        self.steps = self.entry["steps"] = []
        files[f"stories/{name}.json"] = self.entry

    def step(self, **fields):
        self.steps.append(fields)
        return self

    def receive(self, *octets, fds=0):
        fields = {"receive": wire(b"".join(octets))}
        if fds:
            fields["fds"] = fds
        return self.step(**fields)

    def send(self, *octets, fds=0):
        fields = {"send": wire(b"".join(octets))}
        if fds:
            fields["fds"] = fds
        return self.step(**fields)

    def expect(self, *events):
        return self.step(expect=list(events))

    def call(self, name, **fields):
        return self.step(call=name, **fields)

    def fails(self, error, last_stream=0):
        return self.expect(ev("failed", error=error)).step(send_go_away={"error": error, "last_stream": last_stream})


def ev(name, **fields):
    return {"event": name, **fields}


def ev_request(stream, method=6, message=b"", deadline=0, complete=True, fds=0):
    return ev("request", stream=stream, method=method, deadline=deadline or None, complete=complete, fds=fds,
              message=wire(message))


def ev_data(stream, body, end=None):
    return ev("data", stream=stream, body=wire(body), **({} if end is None else {"end": end}))


def ev_response(stream, body=b"", error=False, fds=0):
    return ev("response", stream=stream, error=error, body=wire(body), fds=fds)


def server(name, description, greeted=True, **limits):
    story = Story(name, "server", description, **limits)
    if greeted:
        story.receive(hello()).expect(ev("opened", features=1)).send(welcome(**limits))
    return story


def client(name, description, greeted=True, **limits):
    story = Story(name, "client", description)
    if greeted:
        settings = {"message": 1024 * KIB, "streams": 256, "credit": 256 * KIB, **limits}
        story.send(hello()).receive(welcome(**limits)).expect(ev("opened", features=1, **settings))
    return story


def asks(story, stream, method=6, message=b"", deadline=0, complete=True, fds=0):
    """A client under test makes a request."""
    return story.call("request", method=method, message=wire(message), deadline=deadline or None, complete=complete,
                      fds=fds).send(request(stream, method, message, deadline, complete, fds), fds=fds)


def asked(story, stream, method=6, message=b"", deadline=0, complete=True, fds=0):
    """A server under test gets a request."""
    return story.receive(request(stream, method, message, deadline, complete, fds), fds=fds).expect(
        ev_request(stream, method, message, deadline, complete, fds))


def server_stories():
    s = server("server-invoke", "a request and its response")
    asked(s, 1, message=b"\x0a\x04echo", deadline=1_000_000_000)
    s.call("respond", stream=1, error=False, body=wire(b"\x08\x01"), fds=0).send(response(1, b"\x08\x01"))

    s = server("server-two-at-once", "two requests in one read, answered the other way round")
    s.receive(request(1, 1), request(3, 12)).expect(ev_request(1, 1), ev_request(3, 12))
    s.call("respond", stream=3, error=False, body=wire(b"3"), fds=0)
    s.call("respond", stream=1, error=False, body=wire(b"1"), fds=0)
    s.send(response(3, b"3"), response(1, b"1"))

    s = server("server-error", "an error response")
    asked(s, 1, 3)
    s.call("respond", stream=1, error=True, body=wire(b"\x08\x02"), fds=0).send(response(1, b"\x08\x02", error=True))

    s = server("server-unknown-method", "passed up, for the agent to answer UNIMPLEMENTED")
    asked(s, 1, 999)
    s.call("respond", stream=1, error=True, body=wire(b"\x08\x07"), fds=0).send(response(1, b"\x08\x07", error=True))

    s = server("server-second-response", "the second response of a stream is refused locally")
    asked(s, 1)
    s.call("respond", stream=1, error=False, body=[], fds=0).send(response(1))
    s.call("respond", stream=1, error=False, body=[], fds=0).step(refused=True)
    s.call("data", stream=1, channel=None, bytes=wire(b"late")).step(refused=True)

    s = server("server-upload", "DATA of the client with an empty end; credit is granted at half of the window", credit=4096)
    asked(s, 1, 2, b"\x10\x02", complete=False)
    s.receive(data(1, bytes(2000)), data(1, b"x" * 100)).expect(ev_data(1, bytes(2000), False), ev_data(1, b"x" * 100, False))
    s.call("consumed", stream=1, count=2000).send()
    s.call("consumed", stream=1, count=100).send(credit(1, 2100))
    s.receive(data(1, bytes(4096))).expect(ev_data(1, bytes(4096), False))
    s.receive(data(1, end=True)).expect(ev_data(1, b"", True))
    s.call("consumed", stream=1, count=4096).send()
    s.call("respond", stream=1, error=False, body=[], fds=0).send(response(1))

    s = server("server-download", "a result that waits for credit, and the response behind it", credit=4096)
    asked(s, 1)
    s.call("data", stream=1, channel=3, bytes=wire(b"a" * 5000)).send(data(1, b"\x03" + b"a" * 4095))
    s.call("respond", stream=1, error=False, body=wire(b"ok"), fds=0).send()
    s.receive(credit(1, 500)).send(data(1, b"\x03" + b"a" * 499))
    s.receive(credit(1, 1)).send()
    s.receive(credit(1, 4096)).send(data(1, b"\x03" + b"a" * 406), response(1, b"ok"))

    s = server("server-drained", "the user learns when the queue is empty", credit=4096)
    asked(s, 1)
    s.call("data", stream=1, channel=None, bytes=wire(b"b" * 4100)).send(data(1, b"b" * 4096))
    s.receive(credit(1, 3)).expect().send(data(1, b"bbb"))
    s.receive(credit(1, 10)).expect(ev("drained", stream=1)).send(data(1, b"b"))
    s.call("respond", stream=1, error=False, body=[], fds=0).send(response(1))

    s = server("server-large-data", "payload is cut at 65536 bytes")
    asked(s, 1)
    s.call("data", stream=1, channel=1, bytes=wire(b"c" * 65536)).send(data(1, b"\x01" + b"c" * 65535), data(1, b"\x01c"))
    s.call("respond", stream=1, error=False, body=[], fds=0).send(response(1))

    s = server("server-cancel", "CANCEL twice is one event; the queue is dropped; the stream still has its response", credit=4096)
    asked(s, 1)
    s.call("data", stream=1, channel=None, bytes=wire(b"d" * 5000)).send(data(1, b"d" * 4096))
    s.receive(cancel(1), cancel(1)).expect(ev("cancel", stream=1))
    s.call("data", stream=1, channel=None, bytes=wire(b"more")).step(refused=True)
    s.receive(credit(1, 4096)).expect().send()
    s.call("respond", stream=1, error=True, body=wire(b"\x08\x09"), fds=0).send(response(1, b"\x08\x09", error=True))

    s = server("server-cancel-behind-response", "CANCEL while the response waits behind payload lets it out at once", credit=4096)
    asked(s, 1)
    s.call("data", stream=1, channel=None, bytes=wire(b"d" * 5000)).send(data(1, b"d" * 4096))
    s.call("respond", stream=1, error=False, body=wire(b"ok"), fds=0).send()
    s.receive(cancel(1)).expect().send(response(1, b"ok"))

    s = server("server-closed-stream", "what crosses a response is ignored: DATA, CREDIT, CANCEL")
    asked(s, 1, 2, complete=False)
    s.call("respond", stream=1, error=True, body=[], fds=0).send(response(1, error=True))
    s.receive(data(1, b"late"), data(1, end=True), credit(1, 5), cancel(1)).expect().send()
    asked(s, 3)
    s.call("respond", stream=3, error=False, body=[], fds=0).send(response(3))

    s = server("server-run-fds", "Run with three descriptors, then a request without any")
    s.receive(request(1, 7, b"\x0a\x02ls", fds=3), request(3, 1), fds=3)
    s.expect(ev_request(1, 7, b"\x0a\x02ls", fds=3), ev_request(3, 1))
    s.call("respond", stream=1, error=False, body=[], fds=2).send(response(1, fds=2), fds=2)
    s.call("respond", stream=3, error=False, body=[], fds=0).send(response(3))

    # PushPlan with entries_follow: generation 7, TTL 60 s; the entries cut where it happens to be.
    head = number(1, 7) + number(2, 60_000_000_000) + text(3, b"c1") + number(5, 1)
    entries = delimited(plan_entry(b"hello", 0.9, 2), plan_entry(b"world" * 30, 0.25))
    taken = number(1, 7) + number(2, 2)
    s = server("server-push-plan", "PushPlan: the entries follow as DATA, the answer when all have come")
    asked(s, 1, 30, head, complete=False)
    s.receive(data(1, entries, end=True)).expect(ev_data(1, entries, True))
    s.call("consumed", stream=1, count=len(entries)).send()
    s.call("respond", stream=1, error=False, body=wire(taken), fds=0).send(response(1, taken))

    s = server("server-push-plan-cut", "PushPlan: frames end inside a length and inside an entry, and an empty one ends it")
    asked(s, 1, 30, head, complete=False)
    # The second entry is longer than 127 bytes: its length has two.
    cut = len(delimited(plan_entry(b"hello", 0.9, 2))) + 1
    for piece in (entries[:3], entries[3:cut], entries[cut:]):
        s.receive(data(1, piece)).expect(ev_data(1, piece, False))
    s.receive(data(1, end=True)).expect(ev_data(1, b"", True))
    s.call("respond", stream=1, error=False, body=wire(taken), fds=0).send(response(1, taken))

    s = server("server-follow-journal", "PullJournal with follow: entries as they happen, until CANCEL")
    asked(s, 1, 33, number(1, 41) + number(3, 1))
    first = delimited(journal_entry(42, b"invocation", b"hello"), journal_entry(43, b"prefetch", b"hello"))
    s.call("data", stream=1, channel=None, bytes=wire(first)).send(data(1, first))
    later = delimited(journal_entry(44, b"invocation", b"hello"))
    s.call("data", stream=1, channel=None, bytes=wire(later)).send(data(1, later))
    s.receive(cancel(1)).expect(ev("cancel", stream=1))
    s.call("data", stream=1, channel=None, bytes=wire(later)).step(refused=True)
    cancelled = number(1, 9)
    s.call("respond", stream=1, error=True, body=wire(cancelled), fds=0).send(response(1, cancelled, error=True))

    s = server("server-ping", "PING is answered, a PONG that nobody asked for is reported and harmless")
    s.receive(ping(b"abcdefgh"), pong(b"hgfedcba")).expect(ev("pong", value=wire(b"hgfedcba"))).send(pong(b"abcdefgh"))
    s.call("ping", value=wire(b"01234567")).send(ping(b"01234567"))

    s = server("server-drain", "after GOAWAY what was accepted is finished, later requests are ignored with their DATA")
    asked(s, 5)
    s.call("go_away").step(send_go_away={"error": "none", "last_stream": 5})
    s.receive(request(7, 2, complete=False), data(7, b"code", end=True), cancel(7)).expect().send()
    s.call("respond", stream=5, error=False, body=[], fds=0).send(response(5))

    s = server("server-client-leaves", "GOAWAY of the client, then the end")
    s.receive(go_away(0, 0, "bye")).expect(ev("go_away", last_stream=0, code=0, text="bye"))
    s.step(receive_end=True).expect().send()

    s = server("server-longer-hello", "unknown features and longer bodies are ignored", greeted=False)
    s.receive(hello(features=2**64 - 1, extra=bytes(200))).expect(ev("opened", features=1)).send(welcome())

    s = server("server-no-fds-agreed", "descriptors without the feature", greeted=False)
    s.receive(hello(features=0)).expect(ev("opened", features=0)).send(welcome(features=0))
    s.receive(request(1, 7, fds=3), fds=3).fails("bad_descriptors")

    def reject(name, description, error, *octets, last=0, before=(), **limits):
        story = server(f"server-reject-{name}", description, **limits)
        for make in before:
            make(story)
        story.receive(*octets).fails(error, last)
        # Nothing is read after a connection error.
        story.receive(request(99)).expect().send()

    def open1(story):
        asked(story, 1, complete=False)

    def close1(story):
        asked(story, 1)
        story.call("respond", stream=1, error=False, body=[], fds=0).send(response(1))

    for name, octets, error in [
        ("magic", hello(magic=0x48525449), "bad_magic"), ("version", hello(major=2), "unsupported_version"),
        ("version-0", hello(major=0), "unsupported_version"), ("reserved", hello(reserved=1), "reserved_bits"),
        ("welcome", welcome(), "unexpected_frame"), ("goaway", go_away(0, 0), "unexpected_frame"),
        ("http", b"GET / HTTP/1.1\r\n\r\n", "bad_magic"), ("request", request(1), "bad_magic"),
    ]:
        story = server(f"server-reject-hello-{name}", "the handshake is refused", greeted=False)
        story.receive(octets).fails(error)

    reject("second-hello", "HELLO again", "unexpected_frame", hello())
    reject("welcome", "WELCOME from a client", "unexpected_frame", welcome())
    reject("response", "RESPONSE from a client", "unexpected_frame", response(1), last=1, before=[open1])
    reject("even-stream", "an even stream", "bad_stream_id", request(2))
    reject("even-data", "DATA on an even stream", "bad_stream_id", data(2, b"x"))
    reject("reused-stream", "a stream number again, after its response", "stream_reused", request(1), last=1, before=[close1])
    reject("reused-open-stream", "a stream number again, while it is open", "stream_reused", request(1), last=1, before=[open1])
    reject("falling-stream", "a smaller number than before", "stream_reused", request(3), last=5,
           before=[lambda s: asked(s, 5)])
    reject("data-without-stream", "DATA for a stream that was never opened", "unknown_stream", data(1, b"x"))
    reject("credit-without-stream", "CREDIT for a stream that was never opened", "unknown_stream", credit(3, 1), last=1,
           before=[open1])
    reject("cancel-without-stream", "CANCEL for a stream that was never opened", "unknown_stream", cancel(1))
    reject("data-after-end", "DATA after END_STREAM of the REQUEST", "stream_closed", data(1, b"x"), last=1,
           before=[lambda s: asked(s, 1)])
    reject("data-after-data-end", "DATA after END_STREAM of DATA", "stream_closed", data(1, b"x"), last=1,
           before=[open1, lambda s: s.receive(data(1, b"y", end=True)).expect(ev_data(1, b"y", True))])
    reject("data-after-cancel", "DATA after CANCEL", "stream_closed", data(1, b"x"), last=1,
           before=[open1, lambda s: s.receive(cancel(1)).expect(ev("cancel", stream=1))])
    reject("empty-data", "empty DATA without END_STREAM", "bad_frame", data(1), last=1, before=[open1])
    reject("credit-overrun", "one byte more than the credit", "flow_control", data(1, b"x"), last=1, credit=4096,
           before=[open1, lambda s: s.receive(data(1, bytes(4096))).expect(ev_data(1, bytes(4096), False))])
    reject("credit-zero", "CREDIT of 0", "bad_frame", credit(1, 0), last=1, before=[open1])
    reject("credit-overflow", "credit above 2^31 - 1", "flow_control", credit(1, 2**31 - 1), last=1, before=[open1])
    reject("deadline", "a deadline above 2^63 - 1", "bad_frame", request(1, deadline=2**63))
    reject("too-many-streams", "one stream more than allowed", "too_many_streams", request(5), last=3, streams=2,
           before=[lambda s: asked(s, 1), lambda s: asked(s, 3)])
    reject("oversize", "a REQUEST above the limit of this connection, by its header alone", "frame_too_large",
           header(4097, 1, REQUEST, flags=END_STREAM), message=4096)
    reject("unknown-kind", "kind 77", "unknown_kind", header(0, 0, 77))
    reject("reserved", "a reserved byte", "reserved_bits", header(0, 1, CANCEL, reserved11=9))
    reject("short-request", "a REQUEST too short for its deadline", "bad_frame", header(7, 1, REQUEST) + bytes(7))
    reject("missing-fds", "three descriptors announced, none arrived", "bad_descriptors", request(1, 7, fds=3))
    s = server("server-reject-stray-fds", "descriptors with a frame that announces none")
    s.receive(ping(bytes(8)), fds=1).expect(ev("failed", error="bad_descriptors"))
    s.step(send_go_away={"error": "bad_descriptors", "last_stream": 0})
    s = server("server-reject-fds-17", "17 descriptors")
    s.receive(request(1, 7, fds=17), fds=17).fails("bad_descriptors")
    s = server("server-reject-truncated", "the end inside a frame")
    s.receive(request(1)[:20]).step(receive_end=True).fails("truncated")


def client_stories():
    c = client("client-invoke", "a request and its response")
    asks(c, 1, message=b"\x0a\x04echo", deadline=5_000_000)
    c.receive(response(1, b"\x08\x01")).expect(ev_response(1, b"\x08\x01"))

    c = client("client-many", "three requests, answered in another order")
    for stream in (1, 3, 5):
        asks(c, stream, 12)
    c.receive(response(5, b"5"), response(1, b"1"), response(3, b"\x08\x0b", error=True))
    c.expect(ev_response(5, b"5"), ev_response(1, b"1"), ev_response(3, b"\x08\x0b", error=True))

    c = client("client-upload", "an upload within the credit, its rest when CREDIT comes, then END_STREAM", credit=4096)
    asks(c, 1, 2, complete=False)
    c.call("data", stream=1, channel=None, bytes=wire(b"z" * 5000)).send(data(1, b"z" * 4096))
    c.call("end", stream=1).send()
    c.receive(credit(1, 2048)).expect(ev("drained", stream=1)).send(data(1, b"z" * 904), data(1, end=True))
    c.call("data", stream=1, channel=None, bytes=wire(b"late")).step(refused=True)
    c.receive(response(1)).expect(ev_response(1))

    head = number(1, 7) + number(2, 60_000_000_000) + text(3, b"c1") + number(5, 1)
    entries = delimited(plan_entry(b"hello", 0.9, 2), plan_entry(b"world" * 30, 0.25))
    c = client("client-push-plan", "PushPlan: the entries follow as DATA")
    asks(c, 1, 30, head, complete=False)
    c.call("data", stream=1, channel=None, bytes=wire(entries)).send(data(1, entries))
    c.call("end", stream=1).send(data(1, end=True))
    refused = number(1, 6) + text(2, b"plan generation 7 is not newer than generation 9")
    c.receive(response(1, refused, error=True)).expect(ev_response(1, refused, error=True))

    c = client("client-follow-journal", "PullJournal with follow: an entry cut between two frames, then CANCEL")
    asks(c, 1, 33, number(1, 41) + number(3, 1))
    first = delimited(journal_entry(42, b"invocation", b"hello"), journal_entry(43, b"lost", b""))
    c.receive(data(1, first[:9]), data(1, first[9:])).expect(ev_data(1, first[:9]), ev_data(1, first[9:]))
    c.call("consumed", stream=1, count=len(first)).send()
    c.call("cancel", stream=1).send(cancel(1))
    cancelled = number(1, 9)
    c.receive(response(1, cancelled, error=True)).expect(ev_response(1, cancelled, error=True))

    # One warm invocation of 1 ms, in a histogram of D = 2 and lowest_ns 1024 (SPEC section 10.8).
    value, unit, magnitude = 1_000_000, 10, 8
    bucket = max(0, value.bit_length() - unit - magnitude)
    index = bucket * 2 ** (magnitude - 1) + (value >> bucket + unit)
    counted = (number(1, 2) + number(2, 1024) + number(3, 2**46 - 1) + text(4, varint(index)) + text(5, varint(1))
               + number(6, 1) + number(7, value) + number(8, value) + number(9, value))
    series = text(1, b"hello") + number(2, 5) + number(3, 5) + text(4, counted)
    c = client("client-pull-latency", "PullLatency with stream_series: the series as DATA, the cursor in the response")
    asks(c, 1, 32, number(1, 5) + text(2, b"boot") + number(4, 1))
    c.receive(data(1, delimited(series))).expect(ev_data(1, delimited(series)))
    c.call("consumed", stream=1, count=len(delimited(series))).send()
    answer = number(1, 6) + text(2, b"boot") + number(4, 1_000_000_000)
    c.receive(response(1, answer)).expect(ev_response(1, answer))

    c = client("client-refused-early", "a response before the upload ends; the rest is dropped", credit=4096)
    asks(c, 1, 2, complete=False)
    c.call("data", stream=1, channel=None, bytes=wire(b"z" * 5000)).send(data(1, b"z" * 4096))
    c.receive(response(1, b"\x08\x0c", error=True)).expect(ev_response(1, b"\x08\x0c", error=True))
    c.call("data", stream=1, channel=None, bytes=wire(b"late")).step(refused=True)
    c.receive(credit(1, 100)).expect().send()

    c = client("client-stream", "a streamed result; credit is granted at half of the window", credit=4096)
    asks(c, 1)
    c.receive(data(1, b"\x03" + bytes(2047)), data(1, b"\x01log")).expect(
        ev_data(1, b"\x03" + bytes(2047)), ev_data(1, b"\x01log"))
    c.call("consumed", stream=1, count=2048).send(credit(1, 2048))
    c.call("consumed", stream=1, count=4).send()
    c.receive(response(1, b"ok")).expect(ev_response(1, b"ok"))
    c.call("consumed", stream=1, count=4000).send()

    c = client("client-cancel", "cancelling twice sends one CANCEL; the stream ends with its response")
    asks(c, 1, complete=False)
    c.call("cancel", stream=1).send(cancel(1))
    c.call("cancel", stream=1).send()
    c.call("data", stream=1, channel=0, bytes=wire(b"more")).step(refused=True)
    c.receive(data(1, b"\x03crossed"), response(1, b"\x08\x08")).expect(
        ev_data(1, b"\x03crossed"), ev_response(1, b"\x08\x08"))
    c.call("cancel", stream=1).send()

    c = client("client-run-fds", "Run with three descriptors; a response with one")
    asks(c, 1, 7, b"\x0a\x02ls", fds=3)
    c.receive(response(1, fds=1), fds=1).expect(ev_response(1, fds=1))

    c = client("client-ping", "PING both ways")
    c.call("ping", value=wire(b"abcdefgh")).send(ping(b"abcdefgh"))
    c.receive(pong(b"abcdefgh"), ping(b"12345678")).expect(ev("pong", value=wire(b"abcdefgh"))).send(pong(b"12345678"))

    c = client("client-goaway", "an orderly end: streams above the last one were not touched")
    asks(c, 1)
    asks(c, 3)
    c.receive(go_away(1, 0, "drain")).expect(
        ev("go_away", last_stream=1, code=0, text="drain"), ev("unprocessed", stream=3))
    c.call("request", method=1, message=[], deadline=None, complete=True, fds=0).step(refused=True)
    c.receive(response(1)).expect(ev_response(1))

    c = client("client-goaway-error", "the agent ends the connection; what follows is not read")
    asks(c, 1)
    c.receive(go_away(1, 12, "too many")).expect(ev("go_away", last_stream=1, code=12, text="too many"))
    c.receive(response(1)).expect().send()

    c = client("client-goaway-hello", "the handshake is refused", greeted=False)
    c.send(hello()).receive(go_away(0, 2, "version 3 here")).expect(
        ev("go_away", last_stream=0, code=2, text="version 3 here"))

    c = client("client-limits", "what would break the agent's limits is refused here", message=4096, streams=1)
    c.call("request", method=1, message=wire(bytes(4089)), deadline=None, complete=True, fds=0).step(refused=True)
    c.call("request", method=1, message=[], deadline=None, complete=True, fds=17).step(refused=True)
    asks(c, 1, 1, bytes(4088))
    c.call("request", method=1, message=[], deadline=None, complete=True, fds=0).step(refused=True)
    c.receive(response(1, bytes(4096))).expect(ev_response(1, bytes(4096)))

    c = client("client-before-welcome", "no request before WELCOME", greeted=False)
    c.send(hello()).call("request", method=1, message=[], deadline=None, complete=True, fds=0).step(refused=True)

    c = client("client-longer-welcome", "WELCOME of a later revision", greeted=False)
    c.send(hello()).receive(welcome(features=0, extra=bytes(100))).expect(
        ev("opened", features=0, message=1024 * KIB, streams=256, credit=256 * KIB))
    c.call("request", method=7, message=[], deadline=None, complete=True, fds=3).step(refused=True)

    for name, octets, error in [
        ("magic", welcome(magic=1), "bad_magic"), ("version", welcome(major=2), "unsupported_version"),
        ("reserved", welcome(reserved=1), "reserved_bits"), ("features", welcome(features=3), "bad_frame"),
        ("message", welcome(message=4095), "bad_frame"), ("streams", welcome(streams=0), "bad_frame"),
        ("credit", welcome(credit=4095), "bad_frame"), ("credit-large", welcome(credit=2**31), "bad_frame"),
        ("hello", hello(), "unexpected_frame"), ("response", response(1), "bad_magic"),
    ]:
        story = client(f"client-reject-welcome-{name}", "the handshake is refused", greeted=False)
        story.send(hello()).receive(octets).fails(error)

    def reject(name, description, error, *octets, before=(), fds=0, **limits):
        story = client(f"client-reject-{name}", description, **limits)
        for make in before:
            make(story)
        story.receive(*octets, fds=fds).fails(error)

    def open1(story):
        asks(story, 1)

    def close1(story):
        asks(story, 1)
        story.receive(response(1)).expect(ev_response(1))

    reject("second-response", "a second RESPONSE", "stream_closed", response(1), before=[close1])
    reject("data-after-response", "DATA after RESPONSE", "stream_closed", data(1, b"x"), before=[close1])
    reject("unknown-response", "RESPONSE for a stream that was never opened", "unknown_stream", response(3), before=[open1])
    reject("unknown-credit", "CREDIT for a stream that was never opened", "unknown_stream", credit(3, 5), before=[open1])
    reject("even-response", "RESPONSE on an even stream", "bad_stream_id", response(2), before=[open1])
    reject("end-stream", "END_STREAM in DATA of the agent", "reserved_bits", data(1, b"x", end=True), before=[open1])
    reject("empty-data", "empty DATA", "bad_frame", data(1), before=[open1])
    reject("credit-overrun", "more DATA than there was credit", "flow_control", data(1, bytes(4097)), before=[open1],
           credit=4096)
    reject("credit-zero", "CREDIT of 0", "bad_frame", credit(1, 0), before=[open1])
    reject("credit-overflow", "credit above 2^31 - 1", "flow_control", credit(1, 2**31 - 1), before=[open1])
    reject("request", "REQUEST from an agent", "unexpected_frame", request(1), before=[open1])
    reject("cancel", "CANCEL from an agent", "unexpected_frame", cancel(1), before=[open1])
    reject("second-welcome", "WELCOME again", "unexpected_frame", welcome())
    reject("oversize", "a RESPONSE above the limit", "frame_too_large", header(4097, 1, RESPONSE), before=[open1],
           message=4096)
    reject("missing-fds", "descriptors announced, none arrived", "bad_descriptors", response(1, fds=1), before=[open1])
    reject("stray-fds", "descriptors with a frame that announces none", "bad_descriptors", ping(bytes(8)), fds=1)
    c = client("client-reject-truncated", "the end inside a frame")
    asks(c, 1)
    c.receive(response(1, b"hello")[:-1]).step(receive_end=True).fails("truncated")


# ---- files ------------------------------------------------------------------------------------------------------


def main():
    frames()
    server_stories()
    client_stories()
    texts = {name: json.dumps(entry, indent=1) + "\n" for name, entry in files.items()}
    present = {str(path.relative_to(HERE)) for folder in ("frames", "stories") for path in (HERE / folder).glob("*.json")}
    if "--check" in sys.argv:
        stale = [n for n, t in texts.items() if n not in present or (HERE / n).read_text() != t] + sorted(present - set(texts))
        for name in stale:
            print(f"{name}: not what generate.py writes; run python3 protocol/vectors/generate.py", file=sys.stderr)
        return 1 if stale else 0
    for name in present - set(texts):
        (HERE / name).unlink()
    for name, text in texts.items():
        path = HERE / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
