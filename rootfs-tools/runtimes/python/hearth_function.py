"""From an INIT message to the user's handler: environment, paths, import, and truthful errors when that fails."""

import posix
import sys

from hearth_failure import Failure

#: Modules that HEARTH_PRELOAD imported before anything of the user's was known.
_preloaded = set()


def preload(names):
    """Imports modules for the tier `runtime`. One that fails is reported and left out: an image may lack it."""
    before = set(sys.modules)
    for name in names.replace(",", " ").split():
        try:
            __import__(name)
        except Exception as error:
            print(f"hearth: preload of {name} failed: {type(error).__name__}: {error}", file=sys.stderr)
    _preloaded.update(set(sys.modules) - before)


class Function:
    """A loaded function: its handler, its warm-up, and what INIT said of it."""

    def __init__(self, init):
        self.name = _text(init, "function")
        self.memory_bytes = _number(init, "memory_bytes")
        self.max_result_bytes = _number(init, "max_result_bytes")
        code = _text(init, "code")
        _set_environment(init.get("env") or {})
        _enter(code)
        handler = _text(init, "handler")
        self.handler, self.module = _import_handler(handler, code)
        warmup = getattr(self.module, "warmup", None)
        self.warmup = warmup if callable(warmup) else self.handler


def _text(init, key):
    value = init.get(key)
    if not isinstance(value, str) or not value or "\0" in value:
        raise Failure("Runtime.InvalidInit", f'INIT: "{key}" must be a text that is not empty, not {value!r:.100}')
    return value


def _number(init, key):
    value = init.get(key, 0)
    if not isinstance(value, int) or value < 0:
        raise Failure("Runtime.InvalidInit", f'INIT: "{key}" must be a whole number, not {value!r:.100}')
    return value


def _set_environment(variables):
    for key, value in variables.items():
        if not isinstance(value, str) or not key or "=" in key or "\0" in key + value:
            raise Failure("Runtime.InvalidInit", f"INIT: the environment variable {key!r:.100} cannot be set")
    if "os" in sys.modules:
        sys.modules["os"].environ.update(variables)
    else:
        # os.environ is made from posix.environ when os is imported, which costs 1.1 ms and may never happen.
        for key, value in variables.items():
            key, value = key.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape")
            posix.putenv(key, value)
            posix.environ[key] = value
    if "TZ" in variables:
        import time

        time.tzset()


def _enter(code):
    """The working directory, sys.path and what site.py would have set up (it costs 2.5 ms and is not run: -S)."""
    try:
        posix.chdir(code)
        names = posix.listdir(".")
    except OSError as error:
        raise Failure("Runtime.InvalidInit", f"the code directory {code} cannot be entered: {error.strerror}") from None
    _forget_shadowed(names)
    search = [code]
    variable = posix.environ.get(b"PYTHONPATH", b"").decode("utf-8", "surrogateescape")
    search += [entry for entry in variable.split(":") if entry]
    sys.path[:0] = search
    if posix.environ.get(b"HEARTH_PYTHON_SITE") == b"1":
        import site

        site.main()
        sys.path[:] = search + [entry for entry in sys.path if entry not in search]
        return
    import builtins

    builtins.exit = builtins.quit = _exit
    packages = [path for path in _site_directories() if _exists(path)]
    sys.path += packages
    sys.meta_path.append(_PathFiles(packages))


def _exit(status=None):
    raise SystemExit(status)


def _exists(path):
    try:
        posix.stat(path)
    except OSError:
        return False
    return True


def _site_directories():
    version = "python%d.%d" % sys.version_info[:2]
    for prefix in dict.fromkeys((sys.prefix + "/local", "/usr/local", sys.prefix)):
        yield f"{prefix}/lib/{version}/site-packages"
        yield f"{prefix}/lib/{version}/dist-packages"  # Debian's name
    yield f"{sys.prefix}/lib/python3/dist-packages"


class _PathFiles:
    """Last in sys.meta_path: reads the site directories' *.pth files when a module is found nowhere else.

    Editable installs and namespace packages need them, a plain installed package does not.
    """

    def __init__(self, directories):
        self.directories = directories

    def find_spec(self, name, path=None, target=None):
        directories, self.directories = self.directories, ()
        if not any(entry.endswith(".pth") for directory in directories for entry in posix.listdir(directory)):
            return None
        import site

        paths, finders = set(sys.path), set(map(id, sys.meta_path))
        for directory in directories:
            site.addsitedir(directory)
        for finder in sys.meta_path:
            if id(finder) not in finders:
                spec = finder.find_spec(name, path, target)
                if spec:
                    return spec
        if path is None and set(sys.path) != paths:
            from importlib.machinery import PathFinder

            return PathFinder.find_spec(name)
        return None


def _forget_shadowed(names):
    """A function that brings its own copy of a preloaded package gets its own copy, in whatever tier it starts."""
    own = {name[:-3] if name.endswith(".py") else name.partition(".")[0] for name in names}
    for name in [name for name in _preloaded if name.partition(".")[0] in own]:
        sys.modules.pop(name, None)


def _import_handler(handler, code):
    place, dot, attribute = handler.rpartition(".")
    if place.startswith("./"):
        place = place[2:]
    name = place.replace("/", ".")
    if not dot or not attribute or not all(name.split(".")):
        raise Failure(
            "Runtime.MalformedHandlerName",
            f"the handler {handler!r:.200} is not of the form MODULE.FUNCTION or DIR/MODULE.FUNCTION, as app.handler",
        )
    top = name.partition(".")[0]
    if top in sys.modules and (_exists(f"{top}.py") or _exists(f"{top}/__init__.py")):
        raise Failure(
            "Runtime.ImportModuleError",
            f"{top!r} is a module of Python itself and loaded before any code; give {code}/{top} another name",
        )
    try:
        __import__(name)
        module = sys.modules[name]
    except SyntaxError as error:
        raise Failure("Runtime.UserCodeSyntaxError", f"{error.msg} ({error.filename}, line {error.lineno})") from error
    except ImportError as error:
        message = f"cannot import {name!r}: {error}"
        if isinstance(error, ModuleNotFoundError) and error.name and (name + ".").startswith(error.name + "."):
            message += f"; {code} holds {_listing()}"
        raise Failure("Runtime.ImportModuleError", message) from error
    except SystemExit as error:
        raise Failure("Runtime.ExitError", f"the code called sys.exit({error.code!r}) while it was loaded") from error
    function = getattr(module, attribute, None)
    if not callable(function):
        found = sorted(key for key, value in vars(module).items() if callable(value) and not key.startswith("_"))
        what = "has no" if function is None else f"has, but as {type(function).__name__}, not as a function,"
        raise Failure(
            "Runtime.HandlerNotFound",
            f"module {name!r} {what} {attribute!r}; its functions: {', '.join(found[:20]) or 'none'}",
        )
    return function, module


def _listing():
    names = sorted(posix.listdir("."))
    return ", ".join(names[:20]) + (", ..." if len(names) > 20 else "") if names else "no file"
