"""Messages on fd 3, and JSON, with nothing imported that a started interpreter does not hold already.

`import json` costs 5 to 7 ms of a 7 ms start (it pulls in re, enum, functools, collections); its C half, `_json`,
costs 0.1 ms and does all the work. Where an interpreter has no `_json`, or calls it differently, json is imported.
"""

import posix

INIT, INVOKE, SHUTDOWN = 1, 2, 3
HELLO, READY, INIT_ERROR, RESULT, ERROR, CHUNK = range(128, 134)

HEADER_BYTES = 12
#: The longest body either side may announce; checked before anything is allocated.
MAX_BODY_BYTES = 1 << 28
#: The longest body of a CHUNK, an ERROR and an INIT_ERROR.
MAX_PIECE_BYTES = 1 << 16
READ_BYTES = 1 << 16


class ProtocolError(BaseException):
    """The agent sent something that is not the function protocol."""


class ChannelLost(BaseException):
    """fd 3 is closed, by the function or at the agent's end.

    Both are BaseException so that no `except Exception` of a handler's generator swallows them.
    """


class BodyTooLarge(MemoryError):
    """A message's body did not fit in memory; it has been read and dropped."""

    def __init__(self, kind, invocation, length):
        super().__init__(f"a payload of {length} bytes does not fit in the memory that is left")
        self.kind = kind
        self.invocation = invocation


class Channel:
    """One end of the stream socket between the agent and the function."""

    #: Above the numbers that open() hands out, so that a handler which closes every fd and opens files of its own
    #: gets EBADF from us rather than our messages in its files; below 64, where the kernel would grow the fd table.
    PARKED_FD = 63

    def __init__(self, fd):
        try:
            self.fd = posix.dup2(fd, self.PARKED_FD, False)
            posix.close(fd)
        except OSError:  # RLIMIT_NOFILE below 64: stay where we are
            posix.set_inheritable(fd, False)
            self.fd = fd
        posix.set_blocking(self.fd, True)
        # One buffer for good: a message can still be taken when the function has filled the memory.
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._start = self._end = 0
        self._release = None

    def on_memory_shortage(self, release):
        """Calls `release()` before a body that did not fit is read and dropped."""
        self._release = release

    def receive(self):
        """Reads one message: (type, invocation, body as a memoryview), or None when the agent has closed its end."""
        buffer = self._buffer
        if self._start:  # what came behind the previous message
            rest = self._end - self._start
            buffer[:rest] = bytes(buffer[self._start : self._end])
            self._start, self._end = 0, rest
        while self._end < HEADER_BYTES:
            count = self._read(buffer[self._end :])
            if not count:
                if self._end:
                    raise ProtocolError(f"the stream ended inside a header, after {self._end} of {HEADER_BYTES} bytes")
                return None
            self._end += count
        header = int.from_bytes(buffer[:HEADER_BYTES], "big")
        length = header >> 64
        kind = header >> 56 & 0xFF
        invocation = header & 0xFFFF_FFFF
        if header >> 32 & 0xFF_FFFF:
            raise ProtocolError(f"the reserved bytes of a header are {buffer[5:8].hex()}, not zero")
        if not INIT <= kind <= SHUTDOWN:
            raise ProtocolError(f"there is no message type {kind} from agent to function")
        if length > MAX_BODY_BYTES:
            raise ProtocolError(f"a body of {length} bytes is announced; the limit is {MAX_BODY_BYTES}")
        return kind, invocation, self._body(kind, invocation, length)

    def _body(self, kind, invocation, length):
        """The body in memory of its own: a handler may keep what it is made of."""
        buffer = self._buffer
        here = min(length, self._end - HEADER_BYTES)
        try:
            body = memoryview(bytearray(length))
            body[:here] = buffer[HEADER_BYTES : HEADER_BYTES + here]
        except MemoryError:
            if self._release:
                self._release()
            body = None
        if here + HEADER_BYTES < self._end:
            self._start = here + HEADER_BYTES
        else:
            self._end = 0
        while here < length:
            into = buffer[: length - here] if body is None else body[here:]
            count = self._read(into)
            if not count:
                raise ProtocolError(f"the stream ended inside a body, after {here} of {length} bytes")
            here += count
        if body is None:
            raise BodyTooLarge(kind, invocation, length)
        return body

    def _read(self, into):
        try:
            return posix.readv(self.fd, (into,))
        except ConnectionResetError:  # the agent closed its end with messages of ours unread
            return 0
        except OSError as error:
            raise ChannelLost(f"fd 3 cannot be read: {error.strerror}") from None

    def send(self, kind, invocation=0, body=b""):
        """Writes one message; `body` is anything with the buffer interface, one byte an item."""
        length = len(body)
        header = (length << 64 | kind << 56 | invocation).to_bytes(HEADER_BYTES, "big")
        try:
            written = posix.writev(self.fd, (header, body))
            if written == HEADER_BYTES + length:
                return
            while written < HEADER_BYTES:
                written += posix.writev(self.fd, (header[written:], body))
            view = memoryview(body)
            while written < HEADER_BYTES + length:
                written += posix.write(self.fd, view[written - HEADER_BYTES :])
        except OSError as error:
            raise ChannelLost(f"fd 3 cannot be written: {error.strerror}") from None

    def forget(self):
        """Closes this process's copy: a forked child must neither answer for its parent nor keep the channel open."""
        try:
            posix.close(self.fd)
        except OSError:
            pass
        self.fd = -1


def _refuse(value):
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _json_by_its_c_half():
    import _json

    class Options:
        strict = True
        object_hook = object_pairs_hook = None
        parse_float, parse_int, parse_constant = float, int, {
            "NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf"),
        }.__getitem__  # fmt: skip

    scan = _json.make_scanner(Options)
    as_text = _json.encode_basestring
    as_ascii = _json.encode_basestring_ascii
    whitespace = " \t\n\r"

    def loads(text):
        start = 0
        if text[:1] in whitespace:
            start = len(text) - len(text.lstrip(whitespace))
        try:
            value, end = scan(text, start)
        except StopIteration as stop:
            raise ValueError(f"Expecting value: char {stop.value}") from None
        except SystemError:  # 3.11 and older find JSONDecodeError only where json.decoder has been imported
            raise ValueError("malformed JSON") from None
        if end != len(text) and text[end:].strip(whitespace):
            raise ValueError(f"Extra data: char {end}")
        return value

    def encode(value, string):
        make = _json.make_encoder({}, _refuse, string, None, ":", ",", False, False, False)
        return "".join(make(value, 0)).encode()

    def dumps(value):
        try:
            return encode(value, as_text)
        except UnicodeEncodeError:  # half of a surrogate pair: JSON can say it, UTF-8 cannot
            return encode(value, as_ascii)

    sample = {"\u00e9": [1.5, None, True, "x"]}
    if loads(" " + dumps(sample).decode()) != sample:
        raise ImportError("_json does not work as expected")
    return loads, dumps


def _json_by_the_module():
    import json

    def dumps(value):
        options = {"separators": (",", ":"), "allow_nan": False}
        try:
            return json.dumps(value, ensure_ascii=False, **options).encode()
        except UnicodeEncodeError:
            return json.dumps(value, **options).encode()

    return json.loads, dumps


try:
    loads, dumps = _json_by_its_c_half()
except Exception:  # another interpreter's _json, or none
    loads, dumps = _json_by_the_module()
