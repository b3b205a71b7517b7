"""The example functions do what examples.json says, with the runtimes alone: no sandbox, so no limit but time."""

import glob
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time
import unittest

import support
from agent import ERROR, INVOKE, RESULT, Silent, invoke_body

with open(os.path.join(support.EXAMPLES, "examples.json"), encoding="utf-8") as file:
    EXAMPLES = {example["name"]: example for example in json.load(file)["examples"]}

FIELDS = {
    "name", "about", "runtime", "code", "build", "handler", "argv", "memory", "timeout", "env", "payload", "expect",
}  # fmt: skip
OUTCOMES = {"ok", "function_error", "crashed", "timeout", "out_of_memory", "init_failed"}


def payload_of(example):
    """The payload as examples.json describes it (README.md there)."""
    payload = example.get("payload", {})
    if "files" in payload:
        parts = []
        for path in sorted(glob.glob(payload["files"])):
            with open(path, "rb") as file:
                parts.append(file.read())
        return b"".join(parts)
    if "file" in payload:
        with open(os.path.join(support.EXAMPLES, payload["file"]), "rb") as file:
            return file.read()
    if "command" in payload:
        return subprocess.run(payload["command"], cwd=support.EXAMPLES, check=True, capture_output=True).stdout
    if "json" in payload:
        return json.dumps(payload["json"]).encode()
    return payload.get("text", "").encode()


def at(value, path):
    for key in path.split("."):
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


class Table(unittest.TestCase):
    def test_every_example_is_complete(self):
        self.assertEqual(len(EXAMPLES), 15)
        for name, example in EXAMPLES.items():
            self.assertLessEqual(set(example), FIELDS, name)
            self.assertIn(example["runtime"], ("python", "node", "native", "command"), name)
            self.assertIn(example["expect"]["outcome"], OUTCOMES, name)
            own_program = example["runtime"] in ("command", "native")
            self.assertTrue(example["argv"] if own_program else example["handler"], name)
            self.assertRegex(example["memory"], r"^\d+M$")
            self.assertRegex(example["timeout"], r"^\d+s$")
            if "code" in example and "build" not in example:
                self.assertTrue(os.path.isdir(os.path.join(support.EXAMPLES, example["code"])), name)


class Functions(support.RuntimeCase):
    def start(self, name):
        example = EXAMPLES[name]
        if "build" in example:
            self.build(example)
        code = os.path.join(support.EXAMPLES, example["code"])
        if example["runtime"] == "python":
            argv = support.python_argv(support.python_interpreters()[0])
        elif example["runtime"] == "node":
            argv = support.node_argv() or self.skipTest("no node on this machine")
        else:
            argv = [word.replace("/var/task", code) for word in example["argv"]]
        process = self.spawn(argv)
        process.hello()
        self.assertIsNone(process.init(code, example.get("handler", ""), example.get("env")))
        return process

    def build(self, example):
        if not shutil.which("cc") or not shutil.which("make"):
            self.skipTest("no C compiler, or no make")
        subprocess.run(example["build"], cwd=support.EXAMPLES, check=True, capture_output=True)

    def check(self, example, result):
        expect = example["expect"]
        for path, value in expect.get("json", {}).items():
            self.assertEqual(at(json.loads(result), path), value, path)
        if "text" in expect:
            self.assertEqual(result.decode(), expect["text"])
        if "contains" in expect:
            self.assertIn(expect["contains"], result.decode())
        if "pattern" in expect:
            self.assertRegex(result.decode(), expect["pattern"])

    def test_those_that_answer(self):
        for name in ("wordcount", "sqlreport", "groupsum", "native-echo", "noise", "sleeper"):
            with self.subTest(name):
                payload = payload_of(EXAMPLES[name])
                process = self.start(name)
                event = "warmup" if name in ("wordcount", "groupsum") else "invoke"
                kind, body, _ = process.invoke(payload, event=event)
                self.assertEqual(kind, RESULT, body)
                kind, body, _ = process.invoke(payload, remaining_ns=5 * 10**9, timeout=60)
                self.assertEqual(kind, RESULT, body)
                self.check(EXAMPLES[name], body)

    def test_noise_is_as_loud_as_it_says(self):
        process = self.start("noise")
        process.result()
        out, err = process.take_logs()
        self.assertEqual((len(out), len(err.splitlines())), (10_000_000, 1000))

    def test_commands(self):
        for name in ("pipeline", "hello", "stamp"):
            with self.subTest(name):
                example = EXAMPLES[name]
                argv = list(example["argv"])
                if "build" in example:
                    self.build(example)
                    argv[0] = argv[0].replace("/var/task", os.path.join(support.EXAMPLES, example["code"]))
                done = subprocess.run(argv, input=payload_of(example), capture_output=True, check=True, timeout=60)
                self.check(example, done.stdout)

    def test_hello_reads_stdin_without_arguments(self):
        self.build(EXAMPLES["hello"])
        program = os.path.join(support.EXAMPLES, "hello-static", "bin", "hello")
        data = os.urandom(300_000)
        self.assertEqual(subprocess.run([program], input=data, capture_output=True, check=True).stdout, data)

    def test_stamp_reads_the_clock_first(self):
        self.build(EXAMPLES["stamp"])
        program = os.path.join(support.EXAMPLES, "hello-static", "bin", "stamp")
        before = time.monotonic_ns()
        stamp = int(subprocess.run([program], capture_output=True, check=True).stdout)
        self.assertTrue(before < stamp < time.monotonic_ns())
        if shutil.which("strace"):
            done = subprocess.run(["strace", program], capture_output=True, check=True, text=True)
            calls = re.findall(r"^(\w+)\(", done.stderr, re.M)
            self.assertEqual(calls, ["execve", "clock_gettime", "write", "exit_group"])

    def test_thrower_shows_its_cause(self):
        error = self.start("thrower").error()
        self.assertEqual(error["type"], EXAMPLES["thrower"]["expect"]["error_type"])
        trace = "\n".join(error["trace"])
        self.assertIn("KeyError: 'price'", trace)
        self.assertIn("direct cause", trace)
        self.assertIn("in read_price", trace)

    def test_crash_and_exit3_end_as_they_say(self):
        for name in ("crash", "exit3"):
            process = self.start(name)
            process.send(INVOKE, 1, invoke_body())
            expect = EXAMPLES[name]["expect"]
            status = expect.get("status") or -getattr(signal, expect["signal"])
            self.assertEqual(process.ended(), status, name)

    def test_spin_does_not_end_by_itself(self):
        process = self.start("spin")
        with self.assertRaises(Silent):
            process.invoke(timeout=0.5)
        self.assertEqual(process.take_logs()[0], "spinning\n")

    def test_memhog_meets_its_limit(self):
        process = self.start("memhog")
        resource.prlimit(process.pid, resource.RLIMIT_AS, (256 << 20, 256 << 20))
        expect = EXAMPLES["memhog"]["expect"]["without_memory_controller"]
        kind, body, _ = process.invoke()
        self.assertEqual((kind, json.loads(body)["type"]), (ERROR, expect["error_type"]))
        self.assertIn("holding 8 MiB\n", process.take_logs()[0])

    def test_forkbomb_counts_and_cleans_up(self):
        process = self.start("forkbomb")
        self.assertEqual(process.result({"at_most": 25}), {"forked": 25, "stopped_by": None})
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
            self.assertEqual(file.read().split(), [])
