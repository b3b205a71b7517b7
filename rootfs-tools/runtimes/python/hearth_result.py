"""A handler's return value as bytes: JSON, raw bytes, or a stream of pieces; awaited where it is awaitable."""

from hearth_failure import Failure
from hearth_wire import MAX_PIECE_BYTES, dumps

_BYTES = (bytes, bytearray, memoryview)
_COROUTINE, _ASYNC_GENERATOR = 0x80, 0x200  # inspect.CO_*


class Awaiter:
    """One asyncio loop for the life of the process: clients that a handler keeps belong to it.

    Tasks that a handler leaves behind rest while no invocation runs, and go on in the next.
    """

    def __init__(self, handler):
        self.loop = None
        code = getattr(handler, "__code__", None)
        if code is not None and code.co_flags & (_COROUTINE | _ASYNC_GENERATOR):
            self._open()  # asyncio's import (35 ms) belongs to the init, not to the first invocation

    def _open(self):
        import asyncio

        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)

    def wait(self, awaitable):
        if self.loop is None or self.loop.is_closed():
            self._open()
        if not hasattr(awaitable, "send") and not hasattr(awaitable, "get_loop"):
            awaitable = _await(awaitable)
        return self.loop.run_until_complete(awaitable)


async def _await(awaitable):
    return await awaitable


def result_bytes(value):
    if isinstance(value, _BYTES):
        return _plain(value)
    try:
        return dumps(value)
    except (TypeError, ValueError, RecursionError, OverflowError, AttributeError) as error:
        name = type(value).__name__
        raise Failure("Runtime.MarshalError", f"the handler's result ({name}) is not JSON: {error}") from error


def pieces_of(value, awaiter):
    """A generator of bytes, each a CHUNK's body, when the value is an iterator or asynchronous iterator; else None."""
    if hasattr(value, "__anext__"):
        return _split(_drain(value, awaiter))
    if hasattr(value, "__next__"):
        return _split(value)
    return None


def _split(items):
    """Bytes go as they are, text as UTF-8, any other value as a line of JSON; no piece longer than a CHUNK."""
    try:
        for item in items:
            if isinstance(item, _BYTES):
                data = _plain(item)
            elif isinstance(item, str):
                data = item.encode("utf-8", "surrogatepass")
            else:
                data = result_bytes(item) + b"\n"
            if len(data) <= MAX_PIECE_BYTES:
                if data:
                    yield data
            else:
                view = memoryview(data)
                for start in range(0, len(data), MAX_PIECE_BYTES):
                    yield view[start : start + MAX_PIECE_BYTES]
    finally:
        close = getattr(items, "close", None)
        if callable(close):
            close()


def _drain(items, awaiter):
    try:
        while True:
            try:
                yield awaiter.wait(items.__anext__())
            except StopAsyncIteration:
                return
    finally:
        close = getattr(items, "aclose", None)
        if callable(close):
            awaiter.wait(close())


def _plain(value):
    """One byte an item, whatever the shape of a memoryview."""
    return value.tobytes() if isinstance(value, memoryview) else value
