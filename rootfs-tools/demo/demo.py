"""The demonstration, step by step. run.sh starts it as root in a mount namespace of its own."""

import argparse
import json
import os
import secrets
import signal
import sys
import time
from pathlib import Path

import catalogue
import checks
import leftovers
import peers
import prediction
import report
from agent import Agent
from failure import DemoFailure, expect

SHARE = Path(__file__).resolve().parent.parent
# After these the sandbox can serve again; after every other outcome it has ended.
_REUSABLE = ("ok", "function_error")
# Its process may have to end after its answer, when its memory is full although the handler has returned.
_MAY_END = ("memhog",)


class Machine:
    """What the agent finds on this machine."""

    def __init__(self, agent):
        self._agent = agent
        self.findings = agent.json("doctor")
        self._ok = {finding["id"] for finding in self.findings if finding["status"] == "ok"}

    def found(self, identifier):
        return identifier in self._ok

    def has(self, controller):
        return self.found(f"cgroup.{controller}")

    def controllers(self):
        return [name for name in ("cpu", "memory", "pids", "io") if self.has(name)]

    def sandbox_pid(self, name):
        for sandbox in self._agent.json("ps"):
            if sandbox["id"] == name:
                return sandbox["pid"]
        raise DemoFailure(f"'hearth ps' does not list the sandbox {name}")

    def describe(self):
        for status, word in (("ok", "found"), ("warn", "note"), ("missing", "missing")):
            some = [finding for finding in self.findings if finding["status"] == status]
            if status == "ok" and some:
                report.line(f"{word}: {', '.join(finding['id'] for finding in some)}")
            else:
                for finding in some:
                    report.line(f"{word}: {finding['id']}; {finding['cost']}")


def invoke(agent, example):
    """One invocation as `hearth invoke --json` tells it; its exit status must say the same as its outcome."""
    result = agent.call(
        "invoke",
        example.name,
        "--data",
        "-",
        "--json",
        stdin=example.payload,
        check=False,
        patience=example.timeout + 60,
    )
    try:
        answer = json.loads(result.stdout)
    except ValueError:
        raise DemoFailure(
            f"'hearth invoke {example.name} --json' printed no JSON (status {result.returncode})",
            result.stderr.decode(errors="replace") + agent.last_words(),
        )
    statuses = {"ok": 0, "function_error": 10, "crashed": 11, "timeout": 12, "out_of_memory": 13, "init_failed": 14}
    wanted = statuses.get(answer["outcome"])
    expect(
        result.returncode == wanted,
        f"'hearth invoke {example.name}' left with {result.returncode}; {answer['outcome']} means {wanted}",
    )
    return answer


def cold_and_warm(agent, machine, example):
    """Invokes a function twice and checks both answers; two rows of the table."""
    example.put(agent)
    rows, said, held_by, before = [], "", "", None
    for turn in ("first", "second"):
        answer = invoke(agent, example)
        said, held_by = checks.check(example, answer, machine)
        start = answer["start"]
        if turn == "first":
            expect(start == "cold", f"the first start of {example.name} was {start}, not cold")
        elif example.name in _MAY_END:
            pass
        elif before in _REUSABLE:
            expect(start == "warm", f"{example.name} was there already, but its second start was {start}, not warm")
        else:
            expect(start != "warm", f"{example.name} ended as {before}, but its sandbox served again")
        before = answer["outcome"]
        timing = answer["timing_us"]
        expect(timing["total"] >= timing["run"] > 0, f"the times of {example.name} do not add up: {timing}")
        rows.append(
            [
                example.name,
                start,
                answer["outcome"],
                *(report.duration(timing[part]) for part in ("queued", "sandbox", "init", "run", "total")),
                held_by,
            ]
        )
    report.line(f"{example.name:<12} {rows[0][2]}: {said}")
    return rows


def echo_bytes(agent):
    """Bytes that are no text and no JSON, there and back through the command line as a program uses it."""
    payload = agent.directory / "payload"
    payload.write_bytes(secrets.token_bytes(1 << 20))
    answer = agent.call("invoke", "native-echo", "--data", f"@{payload}").stdout
    expect(answer == payload.read_bytes(), f"native-echo gave {len(answer)} bytes back that are not the 1,048,576 sent")
    report.line("native-echo  ok: 1 MiB of random bytes is the same when it comes back")


def show(agent, *command):
    report.step(f"hearth {' '.join(command)}")
    for line in agent.call(*command).stdout.decode().splitlines():
        report.line(line)


def story(agent, rounds):
    """Everything with the agent running. Returns the rows of both tables."""
    report.step(f"starting hearthd in {agent.directory}")
    agent.start()
    report.step("hearth doctor: what this machine has")
    machine = Machine(agent)
    machine.describe()
    names = list(checks.CHECKS)
    if not machine.found("runtime.node"):
        report.line("groupsum is skipped: there is no node here (apt-get install nodejs)")
        names.remove("groupsum")
    report.step("compiling the examples in C")
    examples = catalogue.load(SHARE, agent.directory, names, agent.speed)
    report.step(f"registering {len(examples)} functions and invoking each cold, then again")
    rows = []
    for example in examples:
        rows += cold_and_warm(agent, machine, example)
        if example.name == "native-echo":
            echo_bytes(agent)
    comparison = []
    if rounds:
        report.step(f"starting the same static binary by hearth, crun and runc in turn, {rounds} times each")
        hello = next(example for example in examples if example.name == "hello")
        comparison = peers.compare(
            agent, hello, machine.controllers(), SHARE / "seccomp/default.profile", rounds, report.line
        )
    show(agent, "ps")
    show(agent, "stats")
    return rows, comparison


class Count:
    """What there is at a moment. Processes are those below this one, so that nobody else's are among them; the same
    holds for the mounts of a private namespace. Of the cgroups only those that bear the agent's name are compared."""

    def __init__(self):
        leftovers.reap()
        self.processes = leftovers.processes()
        self.cgroups = leftovers.cgroups()
        self.mounts = leftovers.mounts()


def count_leftovers(agent, before):
    """After the agent has ended, everything must be as it was."""
    # A killed process leaves its cgroup when it is gone, which may be a moment later.
    for _ in range(50):
        after = Count()
        groups = [leftovers.within(count.cgroups, agent.cgroup_names) for count in (before, after)]
        if not after.processes and not groups[1]:
            break
        time.sleep(0.1)
    report.line(f"processes: {len(before.processes)} before, {len(after.processes)} after")
    report.line(f"cgroups:   {len(groups[0])} before, {len(groups[1])} after")
    report.line(f"mounts:    {len(before.mounts)} before, {len(after.mounts)} after")
    running = ", ".join(f"{name} ({pid})" for pid, name in after.processes)
    expect(after.processes == before.processes, f"left running: {running}")
    expect(groups[1] == groups[0], f"cgroups left: {', '.join(map(str, groups[1]))}")
    expect(
        after.mounts == before.mounts,
        "the mounts are not what they were",
        "\n".join(sorted(after.mounts ^ before.mounts)),
    )


def interrupted(number, _frame):
    raise KeyboardInterrupt(signal.Signals(number).name)


def main():
    # In user-mode Linux a fork takes 2 ms and Python half a second to start.
    slow = bool(os.environ.get("HEARTH_UML"))
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3 if slow else 9)
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    started = time.monotonic()
    leftovers.adopt_orphans()
    before = Count()
    agent = Agent(arguments.bin, SHARE, speed=6 if slow else 1)
    try:
        rows, comparison = story(agent, arguments.rounds)
        report.step("stopping hearthd and counting what is left")
        agent.stop()
        count_leftovers(agent, before)
        if not slow:
            prediction.show(arguments.bin, SHARE, speed=1)
            count_leftovers(agent, before)
    except DemoFailure as failure:
        report.failure(str(failure))
        if failure.details:
            print(failure.details, file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupt:
        report.failure(f"ended by {interrupt}")
        return 130
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        agent.clean_up()
    report.step(f"every answer was right, and nothing is left ({time.monotonic() - started:.0f} s)")
    report.table(
        ["FUNCTION", "START", "OUTCOME", "QUEUED", "SANDBOX", "INIT", "RUN", "TOTAL", "HELD BY"],
        rows,
        right=(3, 4, 5, 6, 7),
    )
    report.line("where both starts are cold, the first invocation ended its sandbox")
    if comparison:
        print()
        report.table(
            ["THE SAME STATIC BINARY", "MEDIAN", "MIN", "MAX", "N"],
            [
                [name, *(report.duration(value) for value in (median, least, most)), count]
                for name, median, least, most, count in comparison
            ],
            right=(1, 2, 3, 4),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
