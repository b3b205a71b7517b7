"""An exception as the protocol's {"type", "message", "trace"}.

Not the traceback module: importing it costs 8 ms, would happen when memory or file descriptors have just run out,
and would pick up a `traceback.py` or `re.py` of the user's.
"""

from hearth_wire import MAX_PIECE_BYTES, dumps

MESSAGE_CHARACTERS = 8192
LINE_CHARACTERS = 400
FIRST_FRAMES, LAST_FRAMES = 20, 40
CHAIN_LENGTH = 16

_OWN_DIRECTORY = __file__.rpartition("/")[0] + "/"

_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"


class Failure(Exception):
    """What the runtime itself has to say, with a type of its own ("Runtime.HandlerNotFound")."""

    def __init__(self, type_name, message):
        super().__init__(message)
        self.type_name = type_name


def report_of(error):
    """What there is to say of `error`; nothing in it refers to its frames."""
    if isinstance(error, Failure):
        name, cause = error.type_name, error.__cause__
    else:
        name, cause = type(error).__name__, error
    report = {"type": name, "message": _clip(_message(error), MESSAGE_CHARACTERS)}
    report["trace"] = _trace(cause) if cause is not None else []
    return report


def encode_report(report, fatal=False):
    """The body of an ERROR or INIT_ERROR, at most MAX_PIECE_BYTES long. `fatal`: the process ends after it."""
    if fatal:
        report["fatal"] = True
    body = dumps(report)
    while len(body) > MAX_PIECE_BYTES:
        lines = report["trace"]
        if len(lines) < 4:
            report["trace"], report["message"] = [], _clip(report["message"], MESSAGE_CHARACTERS // 4)
        else:
            keep = len(lines) // 3
            report["trace"] = lines[:keep] + [f"  ... {len(lines) - 2 * keep} lines left out ..."] + lines[-keep:]
        body = dumps(report)
    return body


def _message(error):
    try:
        if isinstance(error, SyntaxError) and error.filename:
            return f"{error.msg} ({error.filename}, line {error.lineno})"
        return str(error)
    except BaseException as broken:  # a __str__ that raises
        return f"(its message cannot be shown: str() raised {type(broken).__name__})"


def _clip(text, limit):
    return text if len(text) <= limit else text[:limit] + f"... ({len(text) - limit} more characters)"


def _trace(error):
    try:
        lines = []
        _add_chain(error, lines, set(), CHAIN_LENGTH)
        return [_clip(line, LINE_CHARACTERS) for line in lines]
    except Exception as broken:
        return [f"(the trace cannot be shown: {type(broken).__name__})"]


def _add_chain(error, lines, seen, room):
    """Python's own order: the first cause at the top, the error that came out at the bottom."""
    seen.add(id(error))
    earlier, link = error.__cause__, _CAUSE
    if earlier is None and not error.__suppress_context__:
        earlier, link = error.__context__, _CONTEXT
    if earlier is not None and id(earlier) not in seen:
        if room:
            _add_chain(earlier, lines, seen, room - 1)
        else:
            lines.append("(earlier causes left out)")
        lines += ["", link, ""]
    frames = list(_frames(error.__traceback__))
    if frames:
        lines.append("Traceback (most recent call last):")
    for index, (code, number) in enumerate(frames):
        if FIRST_FRAMES <= index < len(frames) - LAST_FRAMES:
            if index == FIRST_FRAMES:
                lines.append(f"  ... {len(frames) - FIRST_FRAMES - LAST_FRAMES} frames left out ...")
            continue
        lines.append(f'  File "{code.co_filename}", line {number}, in {code.co_name}')
        source = _source_line(code.co_filename, number)
        if source:
            lines.append("    " + source)
    if isinstance(error, SyntaxError) and error.filename:
        lines.append(f'  File "{error.filename}", line {error.lineno}')
        if error.text:
            lines.append("    " + error.text.strip())
            if error.offset and error.offset > 0:
                indent = len(error.text) - len(error.text.lstrip())
                lines.append("    " + " " * max(0, error.offset - 1 - indent) + "^")
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__"):
        name = f"{kind.__module__}.{name}"
    message = error.msg if isinstance(error, SyntaxError) and error.filename else _message(error)
    lines += _clip(f"{name}: {message}" if message else name, MESSAGE_CHARACTERS).split("\n")
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, (list, tuple)):
        for note in notes[:20]:
            lines += str(note).split("\n")
    members = getattr(error, "exceptions", None)
    if isinstance(members, tuple):  # an exception group
        for number, member in enumerate(members[:10], 1):
            if isinstance(member, BaseException) and id(member) not in seen and room:
                inner = []
                _add_chain(member, inner, seen, room - 1)
                lines.append(f"  +---------------- {number} ----------------")
                lines += ["  | " + line for line in inner]


def _frames(traceback):
    """(code, line) of each frame of the user's or a library's: ours, asyncio's and the importer's only wrap them."""
    leading = True
    while traceback is not None:
        code = traceback.tb_frame.f_code
        name = code.co_filename
        ours = name.startswith((_OWN_DIRECTORY, "<frozen "))
        if not ours and not (leading and "/asyncio/" in name):
            leading = False
            yield code, traceback.tb_lineno
        traceback = traceback.tb_next


def _source_line(path, number):
    try:
        with open(path, "rb") as file:
            for _ in range(number - 1):
                if not file.readline(4096).endswith(b"\n"):
                    return ""
            return file.readline(4096).decode("utf-8", "replace").strip()
    except Exception:  # generated code, a zip, no file descriptor left, no memory left
        return ""
