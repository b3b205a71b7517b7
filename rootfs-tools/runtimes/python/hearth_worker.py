"""The life of a function's process: HELLO, INIT, READY, then one invocation after the other (protocol/FUNCTION.md)."""

import atexit
import gc
import posix
import sys

from hearth_context import Context
from hearth_failure import Failure, encode_report, report_of
from hearth_function import Function, preload
from hearth_wire import (
    CHUNK, ERROR, HELLO, INIT, INIT_ERROR, INVOKE, READY, RESULT, SHUTDOWN,
    BodyTooLarge, Channel, ChannelLost, ProtocolError, loads,
)  # fmt: skip
from hearth_result import Awaiter, pieces_of, result_bytes

EXIT_FAILED, EXIT_CHANNEL_LOST, EXIT_PROTOCOL = 1, 74, 76
#: Address space kept for reporting a MemoryError: more than the 1 MiB arenas that Python's allocator maps.
RESERVE_BYTES = 4 << 20
_END_OF_CHANNEL = (ChannelLost, ProtocolError)


def main():
    try:
        Worker(Channel(3)).run()
        status = 0
    except ProtocolError as error:
        print(f"hearth: protocol error on fd 3: {error}", file=sys.stderr)
        status = EXIT_PROTOCOL
    except ChannelLost as error:
        print(f"hearth: the function lost its agent: {error}", file=sys.stderr)
        status = EXIT_CHANNEL_LOST
    except BaseException as error:  # raised between two invocations: by a signal handler
        print(f"hearth: between invocations: {encode_report(report_of(error)).decode()}", file=sys.stderr)
        status = EXIT_FAILED
    leave(status)


def leave(status):
    """Ends the process as a script would end, but without waiting for threads that the handler left running."""
    try:
        atexit._run_exitfuncs()
    except BaseException as error:
        print(f"hearth: an exit function failed: {type(error).__name__}: {error}", file=sys.stderr)
    flush()
    posix._exit(status)


def flush():
    """Everything printed so far reaches the pipes before the message that ends the invocation: logs are cut there."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            stream.flush()
        except BaseException:  # closed, replaced by None, or its pipe is gone: the handler's own doing
            pass


class Worker:
    def __init__(self, channel):
        self.channel = channel
        self.body = None
        self.forked = False
        self.reserve = None
        channel.on_memory_shortage(self.release_reserve)

    def run(self):
        sys.stdout.reconfigure(line_buffering=True)
        # Not the function's: it sees the same environment whether its runtime waited for it or not.
        modules = posix.environ.pop(b"HEARTH_PRELOAD", b"")
        posix.unsetenv(b"HEARTH_PRELOAD")
        preload(modules.decode("utf-8", "replace"))
        version = "%d.%d.%d" % sys.version_info[:3]
        self.channel.send(HELLO, 0, b'{"protocol":1,"runtime":"python","version":"%s"}' % version.encode())
        message = self.channel.receive()
        if message is None or message[0] == SHUTDOWN:
            return
        kind, invocation, body = message
        if kind != INIT or invocation:
            raise ProtocolError(f"expected INIT of invocation 0, got type {kind} of invocation {invocation}")
        del message
        self.start(body)
        del body
        self.serve()

    def start(self, body):
        init = _object(body, "INIT")
        self.reserve_memory()
        try:
            if init.get("protocol") != 1:
                raise Failure(
                    "Runtime.UnsupportedProtocol",
                    f"this runtime speaks protocol 1, INIT asks for {init.get('protocol')!r:.100}: update the runtime",
                )
            _report_crashes()
            self.function = Function(init)
            self.awaiter = Awaiter(self.function.handler)
        except BaseException as error:
            self.reserve = None
            body = encode_report(report_of(error))
            flush()
            self.channel.send(INIT_ERROR, 0, body)
            posix._exit(EXIT_FAILED)
        posix.register_at_fork(after_in_child=self.after_fork)
        flush()
        self.channel.send(READY)
        # Nothing loaded so far becomes garbage: collections need not look at it, nor write to its pages.
        gc.freeze()

    def after_fork(self):
        self.forked = True
        self.channel.forget()

    def serve(self):
        while True:
            try:
                message = self.channel.receive()
            except BodyTooLarge as error:
                if error.kind != INVOKE:
                    raise ProtocolError(str(error)) from None
                answer, status = self.describe(MemoryError(*error.args))
                self.channel.send(ERROR, error.invocation, answer)
                if status is not None:
                    leave(status)
                continue
            if message is None or message[0] == SHUTDOWN:
                return
            kind, invocation, self.body = message
            if kind != INVOKE or not invocation:
                raise ProtocolError(f"expected INVOKE or SHUTDOWN, got type {kind} of invocation {invocation}")
            del message
            status = self.invoke(invocation)
            if status is not None:
                leave(status)

    def invoke(self, invocation):
        """Runs the handler once and sends what ends the invocation; an exit status when the process must end too."""
        status = None
        try:
            kind, answer = RESULT, self.call(invocation)
        except MemoryError as error:  # first, and without a call: matching the others and calling take memory
            self.reserve = None
            kind, (answer, status) = ERROR, self.describe(error)
        except _END_OF_CHANNEL:
            raise
        except SystemExit as error:
            kind, status = ERROR, _status(error.code)
            answer = encode_report(report_of(_exit_failure(error, status)), True)
        except BaseException as error:
            kind, (answer, status) = ERROR, self.describe(error)
        if self.forked:
            self.end_child(status)
        flush()
        self.channel.send(kind, invocation, answer)
        return status

    def call(self, invocation):
        """The body of the RESULT message; a streamed result has been sent as CHUNKs before."""
        function = self.function
        # Nobody else holds the request: it is freed before the answer goes out, and a sandbox may be frozen then.
        body, self.body = self.body, None
        remaining_ns = int.from_bytes(body[:8], "big")
        split = 12 + int.from_bytes(body[8:12], "big")
        if len(body) < split:
            raise ProtocolError(f"INVOKE of {len(body)} bytes: its context ends at byte {split}")
        context = Context(function, remaining_ns, _object(body[12:split], "the context of INVOKE"), body[split:])
        target = function.warmup if context.event == "warmup" else function.handler
        value = target(_event(body[split:]), context)
        if hasattr(value, "__await__"):
            value = self.awaiter.wait(value)
        limit = function.max_result_bytes
        pieces = pieces_of(value, self.awaiter)
        if pieces is None:
            answer = result_bytes(value)
            if limit and len(answer) > limit:
                raise _too_large(len(answer), limit)
            return answer
        total = 0
        try:
            for piece in pieces:
                if self.forked:
                    break
                total += len(piece)
                if limit and total > limit:
                    raise _too_large(total, limit)
                self.channel.send(CHUNK, invocation, piece)
        finally:
            pieces.close()
        return b""

    def describe(self, error):
        """(the body that reports `error`, the exit status if the process must end after it).

        It must when the memory is full even though the handler has been left: the next invocation would fail too.
        """
        try:
            report = report_of(error)
            body = encode_report(report)
        except MemoryError:
            self.reserve = None
            _forget_frames(error)
            report = report_of(error)
            body = encode_report(report)
        if self.reserve is None:
            _forget_frames(error)
            self.reserve_memory()
            if self.reserve is None:
                return encode_report(report, True), EXIT_FAILED
        return body, None

    def end_child(self, status):
        if status is None:
            print("hearth: a forked child came back from the handler: end it with os._exit()", file=sys.stderr)
        flush()
        posix._exit(status or 0)

    def reserve_memory(self):
        try:
            self.reserve = bytes(RESERVE_BYTES)  # by calloc: no page is touched, no memory used (a bytearray is: 3 ms)
        except MemoryError:
            self.reserve = None

    def release_reserve(self):
        self.reserve = None


def _forget_frames(error):
    """Frames hold their variables, and these what fills the memory."""
    error.__traceback__ = error.__cause__ = error.__context__ = None


def _object(body, what):
    try:
        value = loads(str(body, "utf-8"))
    except ValueError as error:
        raise ProtocolError(f"{what} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ProtocolError(f"{what} is a JSON {type(value).__name__}, not an object")
    return value


_JSON_STARTS = frozenset(b'{["-0123456789tfnNI \t\r\n')


def _event(payload):
    """JSON as its value, other UTF-8 as str, anything else as bytes, nothing as None."""
    if not payload:
        return None
    try:
        text = str(payload, "utf-8")
    except UnicodeDecodeError:
        return bytes(payload)
    if payload[0] in _JSON_STARTS:
        try:
            return loads(text)
        except (ValueError, ImportError, AttributeError):  # the latter two: the user's own json.py, found for the error
            pass
    return text


def _too_large(size, limit):
    return Failure(
        "Function.ResponseSizeTooLarge",
        f"the result is {size} bytes or more and the limit is {limit}: return less, or raise the function's limit",
    )


def _status(code):
    """The exit status that Python gives sys.exit(code)."""
    return 0 if code is None else code & 0xFF if isinstance(code, int) else 1


def _exit_failure(error, status):
    failure = Failure("Runtime.ExitError", f"the handler called sys.exit({error.code!r:.200}), exit status {status}")
    failure.__cause__ = error
    return failure


def _report_crashes():
    """On SIGSEGV and its kin, the Python frames go to stderr before the process dies of the signal (0.1 ms)."""
    try:
        import faulthandler

        faulthandler.enable()
    except (ImportError, RuntimeError, OSError, ValueError):  # no such module, or stderr is not a file
        pass
