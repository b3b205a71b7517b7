"""Starts and round trips of the runtimes, next to the bare interpreters, interleaved: `python3 bench.py [--json]`.

No sandbox: what is measured is the runtime itself. `bare` is posix_spawn to exit of `python3 -c pass`, `node -e 0` and
a static C program; hello, ready and first are counted from posix_spawn too, to the message HELLO, to READY, to the
RESULT of a first invocation that is sent on READY. `round trip` is one INVOKE of 100 bytes and its RESULT, warm.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "tests"))
import support  # noqa: E402
from agent import ENVIRONMENT, INVOKE, FunctionProcess, invoke_body, message  # noqa: E402


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def bare_start(argv):
    started = time.monotonic_ns()
    pid = os.posix_spawn(argv[0], argv, ENVIRONMENT)
    os.waitpid(pid, 0)
    return {"bare": time.monotonic_ns() - started}


def function_start(argv, code, handler):
    with FunctionProcess(argv) as process:
        process.hello()
        hello = time.monotonic_ns()
        failure = process.init(code, handler)
        ready = time.monotonic_ns()
        if failure:
            raise SystemExit(f"{argv}: {failure}")
        process.invoke(b"1")
        first = time.monotonic_ns()
        return {name: at - process.started_ns for name, at in (("hello", hello), ("ready", ready), ("first", first))}


def round_trips(argv, code, handler, count):
    """The bytes are made ahead and the socket is read plainly: the agent's own Python is most of what is left."""
    times = []
    with FunctionProcess(argv) as process:
        process.hello()
        if process.init(code, handler):
            raise SystemExit(f"{argv}: it does not load")
        data = message(INVOKE, 1, invoke_body(b'"%s"' % (b"x" * 98)))
        socket = process.socket
        for number in range(count + count // 4):
            started = time.perf_counter_ns()
            socket.send(data)
            if len(socket.recv(65536)) != 112:
                raise SystemExit(f"{argv}: not the answer")
            if number >= count // 4:
                times.append(time.perf_counter_ns() - started)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--starts", type=int, default=100)
    parser.add_argument("--calls", type=int, default=20000)
    options = parser.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory() as code:
        with open(os.path.join(code, "app.py"), "w") as file:
            file.write("def handler(event, context):\n    return event\n")
        with open(os.path.join(code, "app.js"), "w") as file:
            file.write("exports.handler = async (event) => event;\n")
        python = support.python_interpreters()[0]
        subjects = {"python": ([python, "-c", "pass"], support.python_argv(python), "app.handler")}
        if support.node_argv():
            subjects["node"] = ([support.node_argv()[0], "-e", "0"], support.node_argv(), "app.handler")
        if shutil.which("cc"):
            source = os.path.join(support.EXAMPLES, "native-echo", "echo.c")
            include = "-I" + os.path.join(support.RUNTIMES, "native")
            echo = support.compile_c(source, os.path.join(code, "echo"), "-static", include)
            true = os.path.join(code, "true")
            program = b"int main(void) { return 0; }"
            subprocess.run(["cc", "-O2", "-static", "-x", "c", "-", "-o", true], input=program, check=True)
            subjects["native"] = ([true], [echo], "echo")
        samples = {name: {} for name in subjects}
        for _ in range(options.starts):
            for name, (bare, argv, handler) in subjects.items():
                for kind, value in (*bare_start(bare).items(), *function_start(argv, code, handler).items()):
                    samples[name].setdefault(kind, []).append(value)
        for name, (_, argv, handler) in subjects.items():
            samples[name]["round trip"] = round_trips(argv, code, handler, options.calls)
    for name, kinds in samples.items():
        rows[name] = {
            kind: {f"p{int(share * 100)}": round(percentile(values, share) / 1000, 1) for share in (0.5, 0.9, 0.99)}
            for kind, values in kinds.items()
        }
    if options.json:
        print(json.dumps({"unit": "us", "rows": rows}))
        return
    print(f"{'':8}{'':12}{'p50':>10}{'p90':>10}{'p99':>10}   microseconds")
    for name, kinds in rows.items():
        for kind, row in kinds.items():
            print(f"{name:8}{kind:12}" + "".join(f"{row[p]:>10}" for p in ("p50", "p90", "p99")))


if __name__ == "__main__":
    main()
