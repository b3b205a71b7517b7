"""The client's end of a connection without I/O: SPEC.md sections 3 to 8. Bytes in, events out, and the other way round."""

import os
import struct
from collections import deque
from dataclasses import dataclass, field

from .frames import (
    END_STREAM, ERROR, FEATURE_DESCRIPTORS, MAGIC, MAJOR, MAX_CREDIT, MAX_DATA, MAX_DESCRIPTORS, Code, Decoder, Frame,
    Kind, Limits, ProtocolError,
)


class Refused(Exception):
    """The request was not sent: it would break a limit, or the connection takes no more."""


@dataclass
class Event:
    """What the agent did: opened, response, data, drained, pong, go_away, unprocessed, failed."""

    name: str
    stream: int = 0
    body: bytes = b""
    error: object = False  # response: whether the body is an Error; failed: the ProtocolError
    fds: list = field(default_factory=list)
    fields: dict = field(default_factory=dict)


class _Stream:
    def __init__(self, credit, complete):
        self.send_credit = self.receive_credit = credit
        self.consumed = 0
        self.queue = deque()  # (channel or None, bytes)
        self.queued = 0
        self.ending = False  # END_STREAM follows the queue
        self.ended = complete
        self.cancelled = False


class ClientSession:
    def __init__(self, features=FEATURE_DESCRIPTORS):
        self.decoder = Decoder()
        self.state = "handshake"  # then open, going_away, closed
        self.offered, self.features = features, 0
        self.streams = {}
        self.next_stream = 1
        self.events = deque()
        self._arrived = deque()
        self._output = deque()  # (bytes, descriptors) of one frame each
        self._frame(Kind.HELLO, 0, struct.pack(">IHHQ", MAGIC, MAJOR, 0, features))

    @property
    def limits(self):
        return self.decoder.limits

    # ---- output

    def take_output(self):
        """The next (bytes, descriptors) for one sendmsg, or None. Descriptors go with the first byte."""
        if not self._output:
            return None
        data, fds = self._output.popleft()
        parts = [data]
        while self._output and not self._output[0][1] and len(parts) < 64:
            parts.append(self._output.popleft()[0])
        return b"".join(parts), fds

    def _frame(self, kind, stream=0, body=b"", flags=0, fds=(), method=0):
        self._output.append((Frame(kind, stream, body, flags, len(fds), method).encode(), list(fds)))

    def request(self, method, message, deadline_ns=None, fds=(), complete=True):
        """Opens a stream and returns its number. deadline_ns counts from the request's arrival."""
        if self.state != "open":
            raise Refused("the agent takes no more requests on this connection")
        if len(self.streams) >= self.limits.streams:
            raise Refused(f"{self.limits.streams} requests are open already")
        if len(message) + 8 > self.limits.message:
            raise Refused(f"a request of {len(message)} bytes; the agent takes {self.limits.message - 8}")
        if len(fds) > MAX_DESCRIPTORS:
            raise Refused(f"{len(fds)} descriptors; at most {MAX_DESCRIPTORS} go with a request")
        if fds and not self.features & FEATURE_DESCRIPTORS:
            raise Refused("this agent takes no descriptors")
        if self.next_stream > 2**32 - 3:
            raise Refused("all stream numbers are used; open another connection")
        stream = self.next_stream
        self.next_stream += 2
        self.streams[stream] = _Stream(self.limits.credit, complete)
        body = struct.pack(">Q", min(deadline_ns or 0, 2**63 - 1)) + message
        self._frame(Kind.REQUEST, stream, body, END_STREAM if complete else 0, fds, method)
        return stream

    def send_data(self, stream, data, channel=None):
        """Queues payload; False where the stream takes none any more."""
        s = self.streams.get(stream)
        if s is None or s.ending or s.ended or s.cancelled or self.state == "closed":
            return False
        if data:
            s.queue.append((channel, memoryview(bytes(data))))
            s.queued += len(data)
        self._flush(stream, s)
        return True

    def end_data(self, stream):
        s = self.streams.get(stream)
        if s is not None and not (s.ended or s.cancelled):
            s.ending = True
            self._flush(stream, s)

    def queued(self, stream):
        """Bytes that wait for credit."""
        s = self.streams.get(stream)
        return s.queued if s else 0

    def cancel(self, stream):
        s = self.streams.get(stream)
        if s is None or s.cancelled or self.state == "closed":
            return
        s.cancelled = True
        s.queue.clear()
        s.queued = 0
        self._frame(Kind.CANCEL, stream)

    def consumed(self, stream, count):
        """Gives the agent its credit back, in pieces of at least half the initial credit."""
        s = self.streams.get(stream)
        if s is None or self.state == "closed":
            return
        s.consumed += count
        if s.consumed >= max(1, self.limits.credit // 2):
            self._frame(Kind.CREDIT, stream, struct.pack(">I", s.consumed))
            s.receive_credit += s.consumed
            s.consumed = 0

    def ping(self, value):
        if self.state in ("open", "going_away"):
            self._frame(Kind.PING, 0, value)

    def go_away(self):
        if self.state == "open":
            self.state = "going_away"
            self._frame(Kind.GOAWAY, 0, struct.pack(">II", 0, Code.none))

    def _flush(self, stream, s):
        while s.queue:
            channel, data = s.queue[0]
            prefix = b"" if channel is None else bytes([channel])
            size = min(s.send_credit, MAX_DATA) - len(prefix)
            if size <= 0:
                return
            piece, rest = data[:size], data[size:]
            self._frame(Kind.DATA, stream, prefix + bytes(piece))
            s.send_credit -= len(prefix) + len(piece)
            s.queued -= len(piece)
            if rest:
                s.queue[0] = (channel, rest)
            else:
                s.queue.popleft()
        if s.ending and not s.ended:
            s.ended = True
            self._frame(Kind.DATA, stream, b"", END_STREAM)

    # ---- input

    def receive(self, data, fds=()):
        """Takes what one read brought. A breach of the protocol becomes the event `failed`."""
        if self.state == "closed":
            _close(fds)
            return
        self._arrived.extend(fds)
        try:
            for frame in self.decoder.feed(data, len(fds)):
                own = [self._arrived.popleft() for _ in range(frame.fds)]
                if own and not self.features & FEATURE_DESCRIPTORS:
                    _close(own)
                    raise ProtocolError(Code.bad_descriptors, "descriptors were not agreed upon")
                try:
                    self._handle(frame, own)
                except ProtocolError:
                    _close(own)
                    raise
                if self.state == "closed":
                    break
        except ProtocolError as error:
            self._fail(error)

    def receive_end(self):
        if self.state == "closed":
            return
        try:
            self.decoder.end()
            self.state = "closed"
        except ProtocolError as error:
            self._fail(error)

    def _fail(self, error):
        detail = error.detail.encode()[:1016]
        self._frame(Kind.GOAWAY, 0, struct.pack(">II", 0, error.code) + detail)
        self.state = "closed"
        _close(self._arrived)
        self._arrived.clear()
        self.events.append(Event("failed", error=error))

    def _handle(self, frame, fds):
        if self.state == "handshake" and frame.kind != Kind.GOAWAY:
            if frame.kind != Kind.WELCOME:
                raise ProtocolError(Code.unexpected_frame, f"{frame.kind.name} before WELCOME")
            self._welcome(frame.body)
        elif frame.kind == Kind.RESPONSE:
            self._open(frame.stream)
            del self.streams[frame.stream]
            self.events.append(Event("response", frame.stream, frame.body, bool(frame.flags & ERROR), fds))
        elif frame.kind == Kind.DATA:
            s = self._open(frame.stream)
            if frame.flags & END_STREAM:
                raise ProtocolError(Code.reserved_bits, "END_STREAM in DATA of the agent")
            if not frame.body:
                raise ProtocolError(Code.bad_frame, "DATA without a byte")
            if len(frame.body) > s.receive_credit:
                raise ProtocolError(Code.flow_control, f"{len(frame.body)} bytes with a credit of {s.receive_credit}")
            s.receive_credit -= len(frame.body)
            self.events.append(Event("data", frame.stream, frame.body))
        elif frame.kind == Kind.CREDIT:
            self._credit(frame)
        elif frame.kind == Kind.PING:
            self._frame(Kind.PONG, 0, frame.body)
        elif frame.kind == Kind.PONG:
            self.events.append(Event("pong", body=frame.body))
        elif frame.kind == Kind.GOAWAY:
            self._goes_away(frame.body)
        else:
            raise ProtocolError(Code.unexpected_frame, f"an agent does not send {frame.kind.name} here")

    def _welcome(self, body):
        magic, major, zero, features, message, streams, credit = struct.unpack_from(">IHHQIII", body)
        if magic != MAGIC:
            raise ProtocolError(Code.bad_magic, "WELCOME without the magic number")
        if major != MAJOR:
            raise ProtocolError(Code.unsupported_version, f"version {major}; this client speaks version {MAJOR}")
        if zero:
            raise ProtocolError(Code.reserved_bits, "the reserved bytes of WELCOME")
        if message < 4096 or streams < 1 or not 4096 <= credit <= MAX_CREDIT:
            raise ProtocolError(Code.bad_frame, "WELCOME with limits out of range")
        if features & ~self.offered:
            raise ProtocolError(Code.bad_frame, "WELCOME with features that HELLO did not offer")
        self.features = features
        self.decoder.limits = Limits(message, streams, credit)
        self.decoder.handshake = False
        self.state = "open"
        fields = {"features": features, "message": message, "streams": streams, "credit": credit}
        self.events.append(Event("opened", fields=fields))

    def _known(self, stream):
        if stream % 2 == 0:
            raise ProtocolError(Code.bad_stream_id, f"stream {stream} is even")
        if stream >= self.next_stream:
            raise ProtocolError(Code.unknown_stream, f"stream {stream} was never opened")

    def _open(self, stream):
        self._known(stream)
        if stream not in self.streams:
            raise ProtocolError(Code.stream_closed, f"stream {stream} has had its response")
        return self.streams[stream]

    def _credit(self, frame):
        self._known(frame.stream)
        (grant,) = struct.unpack(">I", frame.body)
        if grant == 0:
            raise ProtocolError(Code.bad_frame, "CREDIT of 0")
        s = self.streams.get(frame.stream)
        if s is None:
            return
        if s.send_credit + grant > MAX_CREDIT:
            raise ProtocolError(Code.flow_control, "credit above 2^31 - 1")
        s.send_credit += grant
        waited = bool(s.queue)
        self._flush(frame.stream, s)
        if waited and not s.queue:
            self.events.append(Event("drained", frame.stream))

    def _goes_away(self, body):
        last, code = struct.unpack_from(">II", body)
        text = body[8:].decode(errors="replace")
        self.events.append(Event("go_away", fields={"last_stream": last, "code": code, "text": text}))
        for stream in sorted(s for s in self.streams if s > last):
            del self.streams[stream]
            self.events.append(Event("unprocessed", stream))
        self.state = "going_away" if code == Code.none and self.state != "handshake" else "closed"


def _close(fds):
    for fd in fds:
        if isinstance(fd, int):
            try:
                os.close(fd)
            except OSError:
                pass
