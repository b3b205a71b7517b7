"""Reads the Python code of a function without running it: which packages it imports, which functions and topics it calls.

Runs in a sandbox of its own, for the code is a stranger's: `python3 -I - ROOT < python.py`. Writes one JSON object, see
README.md. Whatever cannot be read is named under `skipped` with its reason; nothing ends the whole.
"""

import ast
import importlib.util
import json
import os
import re
import stat
import subprocess
import sys
import time
import warnings

LARGEST_FILE = 2 << 20
MOST_FILES = 2000
MOST_BYTES = 32 << 20
MOST_ENTRIES = 50_000
MOST_LISTED = 200
LISTED_FILES = 4
MOST_SKIPPED = 20
SECONDS = 12
IMPORT_SECONDS = 6
# Calls whose first literal argument names a function or a topic, by the last part of what is called.
FUNCTION_CALLS = {"invoke", "invoke_function", "call_function", "prefetch"}
TOPIC_CALLS = {"emit", "emit_event", "publish", "send_event"}
FUNCTION_KEYWORDS = {"FunctionName", "function", "function_name"}
TOPIC_KEYWORDS = {"TopicArn", "Topic", "topic", "topic_name", "QueueName"}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")


class Result:
    def __init__(self):
        self.files = 0
        self.imports = {}
        self.calls = {}
        self.skipped = []
        self.skipped_count = 0

    def skip(self, file, reason):
        self.skipped_count += 1
        if len(self.skipped) < MOST_SKIPPED:
            self.skipped.append({"file": file[:200], "reason": str(reason)[:200]})

    def imported(self, name, file):
        top = name.split(".")[0]
        if not top or len(self.imports) >= 10 * MOST_LISTED and top not in self.imports:
            return
        files = self.imports.setdefault(top, [])
        if file not in files and len(files) < LISTED_FILES:
            files.append(file)

    def called(self, target, topic, file, line):
        target = target.rsplit(":", 1)[-1] if target.startswith("arn:") else target
        if "//" not in target and (NAME.match(target) or topic and 0 < len(target) <= 256 and target.isprintable()) and len(
            self.calls
        ) < MOST_LISTED:
            self.calls.setdefault((target, topic), (file, line))


def literal(node):
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def last_name(node):
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def visit_call(node, file, result):
    called = last_name(node.func)
    first = literal(node.args[0]) if node.args else None
    words = {k.arg: literal(k.value) for k in node.keywords if k.arg}
    if called == "import_module" or called == "__import__":
        if first:
            result.imported(first, file)
        return
    for names, keywords, topic in (
        (FUNCTION_CALLS, FUNCTION_KEYWORDS, False),
        (TOPIC_CALLS, TOPIC_KEYWORDS, True),
    ):
        if called not in names:
            continue
        # boto3's SNS and SQS say where in a keyword, as its Lambda does.
        target = next((words[k] for k in sorted(keywords) if words.get(k)), first)
        if target:
            result.called(target, topic, file, getattr(node, "lineno", 0))


def read_tree(tree, file, result):
    # By a list, not by recursion: the tree is as deep as its author likes.
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                result.imported(alias.name, file)
        elif isinstance(node, ast.ImportFrom):
            if node.level == 0 and node.module:
                result.imported(node.module, file)
        elif isinstance(node, ast.Call):
            visit_call(node, file, result)
        waiting.extend(ast.iter_child_nodes(node))


def walk(root, result):
    """The Python files below root, never out of it: links are not followed."""
    waiting, entries = [root], 0
    while waiting:
        directory = waiting.pop()
        try:
            listed = sorted(os.scandir(directory), key=lambda e: e.name)
        except (OSError, UnicodeError) as error:
            result.skip(os.path.relpath(directory, root), error.strerror or error)
            continue
        for entry in listed:
            entries += 1
            if entries > MOST_ENTRIES:
                result.skip(".", f"more than {MOST_ENTRIES} files: the rest was not looked at")
                return
            name = os.path.relpath(entry.path, root)
            if entry.is_symlink():
                if entry.name.endswith(".py"):
                    result.skip(name, "it is a symbolic link")
            elif entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif entry.name.endswith(".py"):
                yield name, entry


def read_file(entry):
    descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is no file")
        data = file.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise ValueError(f"it has more than {LARGEST_FILE >> 20} MiB")
    return data


def analyse(root, result):
    started, total = time.monotonic(), 0
    for name, entry in walk(root, result):
        if result.files >= MOST_FILES or total >= MOST_BYTES or time.monotonic() - started > SECONDS:
            result.skip(name, "the limits of files, bytes or time were reached: this and the rest were not read")
            return
        try:
            data = read_file(entry)
            total += len(data)
            tree = ast.parse(data, name)
        except SyntaxError as error:
            result.skip(name, f"it does not parse: {error.msg} (line {error.lineno})")
        except (ValueError, UnicodeError, OSError) as error:
            result.skip(name, error)
        except (RecursionError, MemoryError) as error:
            result.skip(name, f"it is nested too deep ({type(error).__name__})")
        else:
            result.files += 1
            read_tree(tree, name, result)


def size_of(path):
    """Bytes of a package's files, and whether all were counted."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    total = seen = 0
    for directory, _, files in os.walk(path):
        for file in files:
            seen += 1
            if seen > 5000:
                return total
            try:
                total += os.lstat(os.path.join(directory, file)).st_size
            except OSError:
                pass
    return total


def locate(name, root):
    """Where a package is: in the code, in the image, or nowhere; and its size. Nothing is imported."""
    for candidate in (os.path.join(root, name), os.path.join(root, name + ".py")):
        if os.path.isdir(candidate) or os.path.isfile(candidate):
            return "bundled", size_of(candidate)
    if name in sys.builtin_module_names:
        return "image", 0
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        spec = None
    if spec is None:
        return "missing", 0
    if spec.submodule_search_locations:
        return "image", sum(size_of(path) for path in list(spec.submodule_search_locations)[:4])
    return "image", size_of(spec.origin) if spec.origin and os.path.isfile(spec.origin) else 0


def measure(names):
    """Microseconds that importing each of the image's packages takes, by -X importtime. Code of the function is not run."""
    if not names:
        return {}
    program = "\n".join(f"try:\n import {name}\nexcept BaseException: pass" for name in names)
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-X", "importtime", "-c", program],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=IMPORT_SECONDS,
        )
        output = done.stderr
    except subprocess.TimeoutExpired as error:
        output = error.stderr or b""
    except OSError:
        return {}
    found = {}
    for line in output.decode("utf-8", "replace").splitlines():
        fields = line.removeprefix("import time:").split("|")
        if len(fields) == 3 and fields[1].strip().isdigit() and fields[2].strip() in names:
            found.setdefault(fields[2].strip(), int(fields[1]))
    return found


def main():
    warnings.simplefilter("ignore")
    root = sys.argv[1]
    result = Result()
    analyse(root, result)
    packages = []
    for name, files in sorted(result.imports.items()):
        if name == "__future__":
            continue
        origin, size = locate(name, root)
        packages.append({"name": name[:100], "origin": origin, "bytes": size, "import_us": 0, "files": files})
    times = measure([p["name"] for p in packages if p["origin"] == "image" and p["name"].isidentifier()])
    for package in packages:
        package["import_us"] = times.get(package["name"], 0)
    packages.sort(key=lambda p: (-p["import_us"], -p["bytes"], p["name"]))
    calls = [
        {"target": target, "topic": topic, "file": file[:200], "line": line}
        for (target, topic), (file, line) in sorted(result.calls.items())
    ]
    json.dump(
        {
            "files": result.files, "packages": packages[:MOST_LISTED], "calls": calls, "skipped": result.skipped,
            "skipped_count": result.skipped_count,
        },
        sys.stdout,
    )


main()
