"""A sequence of (varint length, message), as PushPlan, PullLatency and PullJournal have it in DATA, cut anywhere."""

from .messages import DecodeError, _read_varint, _varint

_LONGEST = 64 << 20


def encode(messages):
    out = bytearray()
    for message in messages:
        body = message.encode()
        _varint(len(body), out)
        out += body
    return bytes(out)


class Reader:
    def __init__(self, message_type):
        self._type, self._buffer = message_type, bytearray()

    def feed(self, data):
        """Takes bytes and yields the messages that are whole now."""
        self._buffer += data
        while True:
            try:
                length, at = _read_varint(self._buffer, 0)
            except DecodeError:
                if len(self._buffer) >= 10:
                    raise
                return  # the length itself is not all there yet
            if length > _LONGEST:
                raise DecodeError(f"a message of {length} bytes")
            if len(self._buffer) - at < length:
                return
            body = bytes(self._buffer[at : at + length])
            del self._buffer[: at + length]
            yield self._type.decode(body)

    def finish(self):
        if self._buffer:
            raise DecodeError("the sequence ended inside a message")
