"""A blocking client on one connection, for one thread at a time."""

import array
import json
import os
import select
import socket
import time

from . import messages as m
from .archive import pack
from .control import ControlMethods
from .frames import MAX_DESCRIPTORS, ProtocolError
from .session import ClientSession

DEFAULT_SOCKET = "/run/hearth/agent.sock"
CHANNEL_INPUT, CHANNEL_STDOUT, CHANNEL_STDERR, CHANNEL_RESULT = range(4)
_READ = 128 << 10
_UPLOAD_WINDOW = 128 << 10
_PATIENCE = 5.0  # the agent says that a deadline passed; this is for an agent that says nothing


class AgentError(Exception):
    """The agent answered with an error."""

    def __init__(self, error):
        super().__init__(f"{error.message}; {error.remedy}" if error.remedy else error.message)
        self.error = error

    @property
    def code(self):
        return self.error.code

    @property
    def retryable(self):
        return self.error.retryable


class ConnectionLost(ConnectionError):
    """The connection ended before the response: the request may or may not have been carried out.

    `outcome` is what an invocation's outcome is then: AGENT_RESTARTED, its answer unknown. `Client.reconnect` finds the
    agent again.
    """

    outcome = m.Outcome.AGENT_RESTARTED


class Unprocessed(ConnectionError):
    """The agent is going away and did not touch the request: it may be repeated elsewhere."""


class Stream:
    """A call under way. Iterate over it for its payload, as (channel, bytes); `response` is there afterwards.

    Leaving early (`close`, or the end of a `with` block) cancels.
    """

    def __init__(self, client, number, response_type, deadline, channels):
        self._client, self.number, self._type, self._channels = client, number, response_type, channels
        self._until = None if deadline is None else time.monotonic() + deadline + _PATIENCE
        self._data, self._outcome = [], None
        self._on_input = None

    def __iter__(self):
        while True:
            while self._data:
                body = self._data.pop(0)
                self._client._session.consumed(self.number, len(body))
                yield (body[0], body[1:]) if self._channels else (None, body)
            if self._outcome is not None:
                return
            self._client._run(self)

    @property
    def response(self):
        """The method's response; waits for it, and drops payload that was not iterated over."""
        for _ in self:
            pass
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def cancel(self):
        """Asks the agent to stop. The stream still ends with a response."""
        self._client._session.cancel(self.number)
        self._client._flush()

    def close(self):
        if self._outcome is None:
            self._client._abandon(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Client(ControlMethods):
    """A connection to a node agent.

    path: the agent's socket; None stands for the environment variable HEARTH_SOCKET, and without that for
    /run/hearth/agent.sock. A connected socket may be given instead.
    """

    def __init__(self, path=None, timeout=10.0):
        if isinstance(path, socket.socket):
            self._path, self._socket = None, path
        else:
            self._path = path = path or os.environ.get("HEARTH_SOCKET") or DEFAULT_SOCKET
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self._socket.connect(os.fspath(path))
            except OSError as error:
                self._socket.close()
                raise ConnectionError(
                    f"cannot connect to {path}: {error.strerror}; start hearthd, or set HEARTH_SOCKET to its socket"
                ) from error
        self._socket.setblocking(False)
        self._session = ClientSession()
        self._streams = {}
        self._pending = None
        self._goodbye = ""
        until = time.monotonic() + timeout
        while self._session.state == "handshake":
            self._exchange(until)
        if self._session.state != "open":
            self.close()
            raise ConnectionLost(self._goodbye or "the agent closed the connection during the handshake")

    def close(self):
        self._session.state = "closed"
        self._socket.close()

    def reconnect(self, timeout=10.0):
        """Connects to the same path again, waiting for an agent that is just starting, and returns its `info()`: another
        boot_id than before tells that it was restarted. What was under way on the old connection is lost (ConnectionLost).
        """
        if self._path is None:
            raise ValueError("this client was given a socket, not a path; make a new one")
        self.close()
        self._lose(ConnectionLost("the client connected again"))
        until = time.monotonic() + timeout
        while True:
            try:
                self.__init__(self._path, max(0.1, until - time.monotonic()))
                return self.info()
            except OSError:
                if time.monotonic() >= until:
                    raise
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- any method

    def open(self, method, request, response_type, *, deadline=None, fds=(), complete=True, channels=False):
        """Sends a request and returns its Stream. `deadline`: seconds that the agent has from its arrival."""
        nanoseconds = None if deadline is None else max(1, int(deadline * 1e9))
        number = self._session.request(int(method), request.encode(), nanoseconds, fds, complete)
        stream = self._streams[number] = Stream(self, number, response_type, deadline, channels)
        self._flush()
        return stream

    def call(self, method, request, response_type, *, deadline=None, fds=(), upload=None, channel=None):
        """A request and its response. `upload`: bytes, or an iterable of pieces, that follow as DATA."""
        stream = self.open(method, request, response_type, deadline=deadline, fds=fds, complete=upload is None,
                           channels=channel is not None)
        try:
            if upload is not None:
                self.upload(stream, upload, channel)
            return stream.response
        except BaseException:
            stream.close()
            raise

    def upload(self, stream, data, channel=None):
        """Sends payload on a stream and ends it; pieces are taken as the agent grants credit."""
        pieces = [data] if isinstance(data, (bytes, bytearray, memoryview)) else data
        for piece in pieces:
            view = memoryview(piece)
            for at in range(0, len(view), _UPLOAD_WINDOW):
                while stream._outcome is None and (
                    self._pending or self._session.queued(stream.number) > _UPLOAD_WINDOW
                ):
                    self._run(stream)
                if stream._outcome is not None:
                    return  # refused before the end: the rest is not wanted
                self._session.send_data(stream.number, view[at : at + _UPLOAD_WINDOW], channel)
                self._flush()
        self._session.end_data(stream.number)
        self._flush()

    # ---- functions

    def put_function(self, name, *, runtime, code=None, handler="", argv=(), image="", memory=0, cpus=0.0, pids=0, tmp=0,
                     timeout=0.0, env=None, warmup=b"", min_ready=0, max_concurrency=0, labels=None,
                     reuse_code_digest="", expected_generation=0, create_only=False, deadline=None):
        """Creates or replaces a function and returns its FunctionInfo.

        runtime: a Runtime, or its name ("python"). code: a directory, a zip file, or the bytes of one.
        memory and tmp are bytes, timeout seconds; warmup is a payload like invoke's.
        """
        if isinstance(runtime, str):
            runtime = m.Runtime[runtime.upper()]
        spec = m.FunctionSpec(
            name=name, runtime=runtime, handler=handler, argv=list(argv), image=image, memory_bytes=memory, cpus=cpus,
            pids=pids, tmp_bytes=tmp, timeout_ns=int(timeout * 1e9), env=dict(env or {}), warmup_event=_payload(warmup),
            min_ready=min_ready, max_concurrency=max_concurrency, labels=dict(labels or {}))
        request = m.PutFunctionRequest(
            spec=spec, code_format=m.CodeFormat.NONE, reuse_code_digest=reuse_code_digest,
            expected_generation=expected_generation, create_only=create_only)
        archive = None
        if code is not None:
            archive = pack(code)
            request.code_format, request.code_size = m.CodeFormat.ZIP, len(archive)
        return self.call(m.Method.PUT_FUNCTION, request, m.FunctionInfo, upload=archive, deadline=deadline)

    def get_function(self, name):
        return self.call(m.Method.GET_FUNCTION, m.GetFunctionRequest(name=name), m.FunctionInfo)

    def list_functions(self, prefix=""):
        """All functions, page after page."""
        after = ""
        while True:
            page = self.call(m.Method.LIST_FUNCTIONS, m.ListFunctionsRequest(prefix=prefix, after=after),
                             m.ListFunctionsResponse)
            yield from page.functions
            if not page.more or not page.functions:
                return
            after = page.functions[-1].spec.name

    def delete_function(self, name, expected_generation=0):
        request = m.DeleteFunctionRequest(name=name, expected_generation=expected_generation)
        return self.call(m.Method.DELETE_FUNCTION, request, m.DeleteFunctionResponse)

    # ---- invocations

    def invoke(self, function, payload=b"", *, deadline=None, **fields):
        """Invokes a function and returns the InvokeResponse, whatever its outcome.

        payload: bytes as they are, text as UTF-8, anything else as JSON. Further fields are those of InvokeRequest, and
        `timeout` in seconds. A payload above the connection's limit is streamed.
        """
        request, upload = self._invocation(function, payload, fields)
        return self.call(m.Method.INVOKE, request, m.InvokeResponse, deadline=deadline, upload=upload,
                         channel=CHANNEL_INPUT)

    def invoke_stream(self, function, payload=b"", *, deadline=None, logs=False, **fields):
        """Invokes a function and returns a Stream of (channel, bytes): the result (channel 3) as it is made, and with
        `logs` what the function prints (1 and 2)."""
        request, upload = self._invocation(function, payload, fields)
        request.stream_result, request.stream_logs = True, logs
        stream = self.open(m.Method.INVOKE, request, m.InvokeResponse, deadline=deadline, complete=upload is None,
                           channels=True)
        if upload is not None:
            self.upload(stream, upload, CHANNEL_INPUT)
        return stream

    def _invocation(self, function, payload, fields):
        timeout = fields.pop("timeout", 0)
        request = m.InvokeRequest(function=function, timeout_ns=int(timeout * 1e9), **fields)
        data = _payload(payload)
        # What the other fields take is far below this.
        if len(data) + 4096 <= self._session.limits.message:
            request.payload = data
            return request, None
        request.payload_follows = True
        return request, data

    def run(self, argv, *, stdio=None, input=None, image="", env=None, memory=0, cpus=0.0, pids=0, timeout=0.0, cwd="",
            uid=0, tty=False, deadline=None):
        """Runs a program in a sandbox of its own.

        With stdio, three files or descriptors, they are its stdin, stdout and stderr, and the RunResponse is returned.
        Without, `input` (bytes) is its stdin, and (RunResponse, stdout, stderr) is returned.
        """
        request = m.RunRequest(
            argv=list(argv), image=image, env=dict(env or {}), memory_bytes=memory, cpus=cpus, pids=pids,
            timeout_ns=int(timeout * 1e9), cwd=cwd, uid=uid, tty=tty, stdin_follows=stdio is None and input is not None)
        if stdio is not None:
            fds = [f if isinstance(f, int) else f.fileno() for f in stdio]
            return self.call(m.Method.RUN, request, m.RunResponse, deadline=deadline, fds=fds)
        with self.open(m.Method.RUN, request, m.RunResponse, deadline=deadline, complete=input is None,
                       channels=True) as stream:
            if input is not None:
                self.upload(stream, input, CHANNEL_INPUT)
            out = {CHANNEL_STDOUT: bytearray(), CHANNEL_STDERR: bytearray()}
            for channel, data in stream:
                out.setdefault(channel, bytearray()).extend(data)
            return stream.response, bytes(out[CHANNEL_STDOUT]), bytes(out[CHANNEL_STDERR])

    # ---- the node

    def info(self):
        return self.call(m.Method.INFO, m.InfoRequest(), m.InfoResponse)

    def ps(self, function=""):
        request = m.ListSandboxesRequest(function=function)
        return self.call(m.Method.LIST_SANDBOXES, request, m.ListSandboxesResponse).sandboxes

    def images(self):
        return self.call(m.Method.LIST_IMAGES, m.ListImagesRequest(), m.ListImagesResponse).images

    def import_image(self, name, source, replace=False):
        """Imports a root file system: a tar file (sent), or a directory of the node (named)."""
        request = m.ImportImageRequest(name=name, replace=replace)
        if os.path.isdir(source):
            request.format, request.path = m.ImageFormat.DIRECTORY, os.path.abspath(source)
            return self.call(m.Method.IMPORT_IMAGE, request, m.ImageInfo)
        request.format, request.size = m.ImageFormat.TAR, os.path.getsize(source)
        with open(source, "rb") as file:
            return self.call(m.Method.IMPORT_IMAGE, request, m.ImageInfo, upload=iter(lambda: file.read(_READ), b""))

    def delete_image(self, name):
        return self.call(m.Method.DELETE_IMAGE, m.DeleteImageRequest(name=name), m.DeleteImageResponse)

    def stats(self, function=""):
        return self.call(m.Method.STATS, m.StatsRequest(function=function), m.StatsResponse)

    def doctor(self):
        return self.call(m.Method.DOCTOR, m.DoctorRequest(), m.DoctorResponse).findings

    # ---- the connection

    def _run(self, stream):
        """Exchanges once, until something came or could be written."""
        if stream._outcome is not None:
            return
        if self._session.state == "closed":
            self._lose(ConnectionLost(self._goodbye or "the agent closed the connection"))
            return
        try:
            self._exchange(stream._until)
        except (OSError, ProtocolError) as error:
            self._lose(error)
            if isinstance(error, TimeoutError) and stream._outcome is None:
                stream._outcome = error
        if self._session.state == "closed":
            self._lose(ConnectionLost(self._goodbye or "the agent closed the connection"))

    def _lose(self, error):
        if isinstance(error, TimeoutError):
            return
        for stream in self._streams.values():
            stream._outcome = error
        self._streams.clear()

    def _abandon(self, stream):
        self._streams.pop(stream.number, None)
        stream._outcome = ConnectionLost("given up by the caller")
        self._session.cancel(stream.number)
        try:
            self._flush()
        except OSError:
            pass  # the connection is gone, and with it the request

    def _exchange(self, until):
        self._flush()
        wait = None if until is None else max(0.0, until - time.monotonic())
        readable, writable, _ = select.select([self._socket], [self._socket] if self._pending else [], [], wait)
        if not readable and not writable:
            raise TimeoutError("the agent gave no answer in time, not even that time is up")
        if readable:
            self._read()
        self._flush()

    def _read(self):
        size = array.array("i").itemsize
        try:
            data, ancillary, flags, _ = self._socket.recvmsg(
                _READ, socket.CMSG_SPACE(size * MAX_DESCRIPTORS), socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data, ancillary, flags = b"", [], 0
        fds = array.array("i")
        for level, kind, body in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(body[: len(body) - len(body) % size])
        if flags & socket.MSG_CTRUNC:
            for fd in fds:
                os.close(fd)
            self.close()
            raise ConnectionLost("more descriptors came than a frame may carry")
        if data:
            self._session.receive(data, list(fds))
        else:
            self._session.receive_end()
        self._sort()

    def _flush(self):
        try:
            while True:
                self._pending = self._pending or self._session.take_output()
                if self._pending is None:
                    return
                data, fds = self._pending
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
                sent = self._socket.sendmsg([data], rights)
                # Descriptors left with the first byte.
                self._pending = (data[sent:], []) if sent < len(data) else None
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            # What the agent said before it closed is still to be read, and says more.
            self._pending = None
            self._session._output.clear()
            if self._session.state != "closed":
                self._drain()

    def _drain(self):
        while self._session.state != "closed" and select.select([self._socket], [], [], 1.0)[0]:
            self._read()

    def _sort(self):
        while self._session.events:
            event = self._session.events.popleft()
            if event.name == "go_away":
                self._goodbye = event.fields["text"]
            elif event.name == "failed":
                raise event.error
            stream = self._streams.get(event.stream)
            if stream is None:
                for fd in event.fds:
                    os.close(fd)
            elif event.name == "data":
                stream._data.append(event.body)
            elif event.name == "unprocessed":
                stream._outcome = Unprocessed(f"the agent is going away ({self._goodbye}) and did not begin the request")
                del self._streams[event.stream]
            elif event.name == "response":
                stream._outcome = self._response(stream, event)
                del self._streams[event.stream]

    @staticmethod
    def _response(stream, event):
        for fd in event.fds:  # no method of this version answers with descriptors
            os.close(fd)
        try:
            return AgentError(m.Error.decode(event.body)) if event.error else stream._type.decode(event.body)
        except m.DecodeError as error:
            return error


def _payload(value):
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, str):
        return value.encode()
    return json.dumps(value).encode()
