"""A runtime that has loaded a function is up about as soon as the bare interpreter has started and ended.

`bench.py` gives the figures; these bounds are wide, because a machine that runs tests is busy.
"""

import os
import shutil
import statistics
import subprocess
import time
import unittest

import support
from agent import ENVIRONMENT, FunctionProcess

ROUNDS = 15


class Start(support.RuntimeCase):
    def compare(self, bare, argv, handler):
        """The medians of interleaved starts: bare to exit; to HELLO; to READY. In ms."""
        times = {"bare": [], "hello": [], "ready": []}
        for _ in range(ROUNDS):
            started = time.monotonic_ns()
            os.waitpid(os.posix_spawn(bare[0], bare, ENVIRONMENT), 0)
            times["bare"].append(time.monotonic_ns() - started)
            with FunctionProcess(argv) as process:
                process.hello()
                times["hello"].append(time.monotonic_ns() - process.started_ns)
                self.assertIsNone(process.init(self.code, handler))
                times["ready"].append(time.monotonic_ns() - process.started_ns)
        return {name: statistics.median(values) / 1e6 for name, values in times.items()}

    def test_python(self):
        """With the bytecode that ../prepare makes; the sources are copied, so that this test leaves none behind."""
        runtime = os.path.join(self.code, "runtime")
        shutil.copytree(os.path.join(support.RUNTIMES, "python"), runtime)
        interpreter = support.python_interpreters()[0]
        compile_all = ["-I", "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", runtime]
        subprocess.run([interpreter, *compile_all], check=True)
        argv = support.python_argv(interpreter)
        argv[-1] = os.path.join(runtime, "bootstrap.py")
        self.write("app.py", "def handler(event, context): return event")
        times = self.compare([interpreter, "-c", "pass"], argv, "app.handler")
        self.assertLess(times["hello"], times["bare"] * 1.5, times)
        self.assertLess(times["ready"], times["bare"] * 1.6, times)

    def test_python_imports_little(self):
        """What a start costs, counted rather than timed: nothing of the standard library that is written in Python."""
        self.write("app.py", "import sys\nnames = sorted(sys.modules)\ndef handler(event, context): return names")
        process = self.spawn(support.python_argv(support.python_interpreters()[0]))
        process.hello()
        self.assertIsNone(process.init(self.code, "app.handler"))
        loaded = set(process.result())
        self.assertFalse(
            loaded & {"json", "re", "os", "enum", "functools", "collections", "traceback", "site", "typing"}
        )
        self.assertLess(len(loaded), 45)

    @unittest.skipUnless(support.node_argv(), "no node on this machine")
    def test_node(self):
        self.write("app.js", "exports.handler = async (event) => event;")
        node = support.node_argv()
        times = self.compare([node[0], "-e", "0"], node, "app.handler")
        self.assertLess(times["hello"], times["bare"] * 1.5, times)
        self.assertLess(times["ready"], times["bare"] * 1.7, times)

    def test_a_parked_runtime_has_one_thread_and_no_descriptor_of_its_own(self):
        process = self.spawn(support.python_argv(support.python_interpreters()[0]))
        process.hello()
        self.assertEqual(len(os.listdir(f"/proc/{process.pid}/task")), 1)
        # Whoever runs this test may have left it descriptors without close-on-exec.
        inherited = {fd for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")}
        inherited = {fd for fd in inherited if os.get_inheritable(int(fd))}
        self.assertEqual(set(os.listdir(f"/proc/{process.pid}/fd")) - (inherited - {"3"}), {"63"})
