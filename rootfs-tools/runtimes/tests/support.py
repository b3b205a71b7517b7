"""What the test cases share: where things are, which interpreters there are, and a case that owns its processes."""

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

TESTS = os.path.dirname(os.path.abspath(__file__))
if TESTS not in sys.path:
    sys.path.insert(0, TESTS)

import agent  # noqa: E402

RUNTIMES = os.path.dirname(TESTS)
EXAMPLES = os.path.join(os.path.dirname(RUNTIMES), "examples")
PROTOCOL = os.path.join(os.path.dirname(os.path.dirname(RUNTIMES)), "protocol", "FUNCTION.md")


def python_interpreters():
    """The image's own interpreter first; HEARTH_TEST_PYTHONS (paths with colons) adds others."""
    found = ["/usr/bin/python3"] if os.path.exists("/usr/bin/python3") else [sys.executable]
    return found + [path for path in os.environ.get("HEARTH_TEST_PYTHONS", "").split(":") if path]


def python_argv(interpreter):
    return [interpreter, "-I", "-S", "-B", "-X", "utf8", os.path.join(RUNTIMES, "python", "bootstrap.py")]


def node_argv():
    node = os.environ.get("HEARTH_TEST_NODE") or shutil.which("node")
    return [node, os.path.join(RUNTIMES, "node", "bootstrap.cjs")] if node else None


class RuntimeCase(unittest.TestCase):
    """A case with a code directory and processes that are gone when it ends."""

    argv = None

    def setUp(self):
        self.code = tempfile.mkdtemp(prefix="hearth-runtime-test-")
        self.addCleanup(shutil.rmtree, self.code, ignore_errors=True)

    def write(self, path, text):
        path = os.path.join(self.code, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(text))
        return path

    def spawn(self, argv=None, env=None):
        process = agent.FunctionProcess(argv or self.argv, env)
        self.addCleanup(process.close)
        return process

    def load(self, text, handler="app.handler", env=None, file=None, **more):
        """A process whose code is `text`, said READY."""
        process, failure = self.attempt(text, handler, env, file, **more)
        self.assertIsNone(failure)
        return process

    def attempt(self, text, handler="app.handler", env=None, file=None, **more):
        """(process, None or the INIT_ERROR's object)."""
        self.write(file or self.default_file, text)
        process = self.spawn()
        process.hello()
        return process, process.init(self.code, handler, env, **more)


def compile_c(source, output, *flags):
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        raise unittest.SkipTest("no C compiler")
    subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-Werror", *flags, source, "-o", output], check=True)
    return output
