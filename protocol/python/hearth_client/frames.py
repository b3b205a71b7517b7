"""Frames: SPEC.md sections 2 and 7."""

import enum
import struct
from dataclasses import dataclass

HEADER = struct.Struct(">IIBBBBHH")
MAGIC = 0x48525448
MAJOR = 1
FEATURE_DESCRIPTORS = 1
MAX_DATA = 65536
MAX_DESCRIPTORS = 16
MAX_CREDIT = 2**31 - 1
END_STREAM = 1
ERROR = 2


class Kind(enum.IntEnum):
    HELLO = 1
    WELCOME = 2
    REQUEST = 3
    RESPONSE = 4
    DATA = 5
    CREDIT = 6
    CANCEL = 7
    PING = 8
    PONG = 9
    GOAWAY = 10


class Code(enum.IntEnum):
    """The codes of GOAWAY."""

    none = 0
    bad_magic = 1
    unsupported_version = 2
    bad_frame = 3
    reserved_bits = 4
    frame_too_large = 5
    unknown_kind = 6
    unexpected_frame = 7
    bad_stream_id = 8
    stream_reused = 9
    unknown_stream = 10
    stream_closed = 11
    too_many_streams = 12
    flow_control = 13
    bad_descriptors = 14
    truncated = 15
    timeout = 16
    not_permitted = 17
    overloaded = 18
    internal = 19


class ProtocolError(Exception):
    """The other side broke the protocol: the connection is over."""

    def __init__(self, code, detail):
        super().__init__(f"{code.name}: {detail}")
        self.code, self.detail = code, detail


@dataclass
class Limits:
    message: int = 1 << 20
    streams: int = 256
    credit: int = 256 << 10


@dataclass
class Frame:
    kind: int
    stream: int = 0
    body: bytes = b""
    flags: int = 0
    fds: int = 0
    method: int = 0

    def encode(self):
        return HEADER.pack(len(self.body), self.stream, self.kind, self.flags, self.fds, 0, self.method, 0) + self.body


_FLAGS = {Kind.REQUEST: END_STREAM, Kind.DATA: END_STREAM, Kind.RESPONSE: ERROR}
_OF_STREAM = {Kind.REQUEST, Kind.RESPONSE, Kind.DATA, Kind.CREDIT, Kind.CANCEL}


def _lengths(kind, limits):
    return {
        Kind.HELLO: (16, 256), Kind.WELCOME: (28, 256), Kind.REQUEST: (8, limits.message),
        Kind.RESPONSE: (0, limits.message), Kind.DATA: (0, MAX_DATA), Kind.CREDIT: (4, 4), Kind.CANCEL: (0, 0),
        Kind.PING: (8, 8), Kind.PONG: (8, 8), Kind.GOAWAY: (8, 1024),
    }[kind]


class Decoder:
    """Cuts bytes into frames, whatever pieces they come in, and counts the descriptors that come with them."""

    def __init__(self, limits=None, handshake=True):
        self.limits = limits or Limits()
        self.handshake = handshake
        self._buffer = bytearray()
        self._frame = None  # a checked header whose body is not complete
        self._length = 0
        self._fds = 0

    def feed(self, data, fds=0):
        """Takes what one read brought and yields its frames."""
        self._fds += fds
        if self._fds > 2 * MAX_DESCRIPTORS:
            raise ProtocolError(Code.bad_descriptors, "more descriptors than any frame announces")
        self._buffer += data
        while True:
            if self._frame is None:
                if len(self._buffer) < HEADER.size:
                    break
                self._frame = self._check(HEADER.unpack_from(self._buffer))
                del self._buffer[: HEADER.size]
            if len(self._buffer) < self._length:
                break
            frame, self._frame = self._frame, None
            frame.body = bytes(self._buffer[: self._length])
            del self._buffer[: self._length]
            yield frame
        if self._fds and (self._frame is not None or not self._buffer):
            raise ProtocolError(Code.bad_descriptors, "descriptors that no frame announced")

    def end(self):
        """The stream ended here."""
        if self._frame is not None or self._buffer:
            raise ProtocolError(Code.truncated, "the connection ended inside a frame")

    def _check(self, fields):
        length, stream, kind, flags, fds, zero, method, zeros = fields
        if self.handshake and kind not in (Kind.HELLO, Kind.WELCOME, Kind.GOAWAY):
            raise ProtocolError(Code.bad_magic, "this does not begin with the protocol's handshake")
        if zero or zeros:
            raise ProtocolError(Code.reserved_bits, "a reserved byte is not zero")
        if kind not in Kind._value2member_map_:
            raise ProtocolError(Code.unknown_kind, f"kind {kind} does not exist")
        kind = Kind(kind)
        if flags & ~_FLAGS.get(kind, 0):
            raise ProtocolError(Code.reserved_bits, f"flags {flags} are not defined for {kind.name}")
        if method and kind != Kind.REQUEST:
            raise ProtocolError(Code.reserved_bits, f"a method in {kind.name}")
        if (stream != 0) != (kind in _OF_STREAM):
            raise ProtocolError(Code.bad_stream_id, f"{kind.name} on stream {stream}")
        smallest, largest = _lengths(kind, self.limits)
        if length > largest:
            raise ProtocolError(Code.frame_too_large, f"{kind.name} of {length} bytes; at most {largest} are allowed")
        if length < smallest:
            raise ProtocolError(Code.bad_frame, f"{kind.name} of {length} bytes; it has at least {smallest}")
        if fds > MAX_DESCRIPTORS or fds and kind not in (Kind.REQUEST, Kind.RESPONSE):
            raise ProtocolError(Code.bad_descriptors, f"{kind.name} with {fds} descriptors")
        if fds > self._fds:
            raise ProtocolError(Code.bad_descriptors, f"{fds} descriptors announced, {self._fds} came")
        self._fds -= fds
        self._length = length
        return Frame(kind, stream, b"", flags, fds, method)
