"""Starts before their requests: an agent with prediction, and the same work without it, side by side."""

import json
import time

import report
from agent import Agent
from failure import expect

# Memory is dear: what is not expected soon is not held, so that a start before its request is the prediction's doing.
DEAR = "keep_alive: 600ms\nforecast_ends_keep_alive: on\nminimum_idle: 300ms\nmemory_price: 0.1\nfreeze_after: never\n"
CALLS = 8
PERIOD = 2.0
ROUNDS = 6


def _invoke(agent, name, user=""):
    arguments = ["invoke", name, "--json", "--data", "{}"] + (["--user", user] if user else [])
    return json.loads(agent.call(*arguments).stdout)


def _put(agent, name, *options):
    agent.call("function", "put", name, "--runtime", "command", *options, "--", "cat")


def _ready(agent, name, patience):
    """Waits until a sandbox of the function is ready that nobody has used; false if none comes."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if any(
            box["function"] == name and box["state"] == "idle" and box["invocations"] == 0 for box in agent.json("ps")
        ):
            return True
        time.sleep(0.05)
    return False


def _rhythm(agent):
    starts, held = [], 0
    due = time.monotonic()
    for _ in range(CALLS):
        time.sleep(max(0, due - time.monotonic()))
        starts.append(_invoke(agent, "beat")["start"])
        due += PERIOD
        time.sleep(max(0, due - PERIOD / 2 - time.monotonic()))
        held += any(box["function"] == "beat" for box in agent.json("ps"))
    return starts, held


def _sequence(agent, patience):
    for turn in range(ROUNDS):
        _invoke(agent, "first", "ada")
        time.sleep(0.3)
        _invoke(agent, "second", "ada")
        time.sleep((0.7, 1.9, 1.1, 2.3, 0.8, 1.5)[turn % 6])
    _invoke(agent, "first", "ada")
    _ready(agent, "second", patience)
    return _invoke(agent, "second", "ada")["start"]


def _newcomer(agent, patience):
    now = time.time() - 6000
    log = "".join(
        f'{{"time": {now + 97 * user + after}, "function": "{name}", "user": "u{user}"}}\n'
        for user in range(40)
        for name, after in (("login", 0), ("inbox", 1.5))
    )
    if agent.call("observe", stdin=log.encode(), check=False).returncode != 0:
        _invoke(agent, "login", "newcomer")
        return _invoke(agent, "inbox", "newcomer")["start"]
    _invoke(agent, "login", "newcomer")
    _ready(agent, "inbox", patience)
    return _invoke(agent, "inbox", "newcomer")["start"]


def _event(agent, patience):
    agent.call("event", "emit", "orders", "--key", "7", check=False)
    _ready(agent, "bound", patience)
    return _invoke(agent, "bound")["start"]


def _day(binaries, share, speed, setting, patience):
    agent = Agent(binaries, share, speed, f"prediction: {setting}\n{DEAR}")
    try:
        agent.start()
        for name in ("beat", "first", "second", "login", "inbox"):
            _put(agent, name)
        _put(agent, "bound", "--topic", "orders")
        starts, held = _rhythm(agent)
        why = agent.call("predict", "beat").stdout.decode() if setting == "on" else ""
        rows = [
            (f"called every {PERIOD:g} s, the last call", starts[-1]),
            ("called after another by the same user", _sequence(agent, patience)),
            ("called by a new user, as other users do", _newcomer(agent, patience)),
            ("bound to a topic, after an event on it", _event(agent, patience)),
        ]
        agent.stop()
        return rows, starts, held, why
    finally:
        agent.clean_up()


def show(binaries, share, speed):
    report.step("starting before the request: the same work with prediction and without")
    on, starts, held, why = _day(binaries, share, speed, "on", 15 * speed)
    off, cold, _, _ = _day(binaries, share, speed, "off", 0.3)
    report.table(
        ["FUNCTION", "PREDICTION ON", "PREDICTION OFF"],
        [[text, with_it, without] for (text, with_it), (_, without) in zip(on, off)],
    )
    report.line(f"every {PERIOD:g} s: {', '.join(starts)}; there in the middle of {held} of {len(starts)} pauses")
    for line in why.splitlines():
        report.line(line)
    expect(all(start == "prefetched" for _, start in on[1:]), "not every start came before its request", str(on))
    expect("prefetched" in starts, "the rhythm was not met", str(starts))
    expect(all(start == "cold" for _, start in off), "without prediction something was ready", str(off))
    expect(set(cold) == {"cold"}, "without prediction the rhythm was met", str(cold))
