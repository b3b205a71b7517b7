"""What a request waits for at each start kind, of one python function; and how soon a claimed bare sandbox is in user code.

    rootfs-tools/demo/starts.py [--binaries DIRECTORY] [--count N]

The kinds take turns, so that what else the machine does falls on all of them. Times are the agent's own breakdown; the first instruction of
user code is told by the program itself (hearth-stamp reads CLOCK_MONOTONIC first of all).
"""

import argparse
import contextlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "protocol" / "python"))

from hearth_client import client as hearth
from hearth_client import messages as m

HANDLER = "import json\n\ndef handler(event, context):\n    return event\n"
PARTS = ("queued", "sandbox", "init", "run", "total")


@contextlib.contextmanager
def agent(binaries, configuration):
    """hearthd with these settings, in a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="hearth-starts.", dir="/tmp") as name:
        directory = Path(name)
        # A sandbox's own root must reach what lies below.
        directory.chmod(0o711)
        (directory / "hearth.yaml").write_text(configuration + "prediction: off\nfreeze_after: never\n")
        socket = directory / "agent.sock"
        with open(directory / "log", "wb") as log:
            process = subprocess.Popen(
                [
                    binaries / "hearthd", "--config", directory / "hearth.yaml", "--socket", socket,
                    "--state", directory / "state", "--share", ROOT / "rootfs-tools",
                    "--nursery", binaries / "hearth-nursery",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            deadline = time.monotonic() + 20
            while not socket.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit("hearthd did not start: " + (directory / "log").read_text(errors="replace"))
                time.sleep(0.02)
            with hearth.Client(str(socket), timeout=60) as client:
                yield client
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def wait_for(client, tier, function=""):
    deadline = time.monotonic() + 120
    while not any(
        box.tier == tier and box.state == "idle" and box.function == function for box in client.ps()
    ):
        if time.monotonic() > deadline:
            sys.exit(f"no idle sandbox at tier {tier.name} after 120 s")
        time.sleep(0.01)


def invoke(client, name, kind, payload=b"{}"):
    """One invocation: its result, and the moment before it was sent."""
    begin = time.monotonic_ns()
    answer = client.invoke(name, payload)
    if answer.outcome != m.Outcome.OK or answer.start_kind != kind:
        sys.exit(f"expected {kind!r}, got {answer.start_kind!r}, {answer.outcome!r}: {answer.error}")
    return answer, begin


def measure(binaries, count):
    times = {kind: [] for kind in ("cold", "bare", "runtime", "prefetched", "warm")}
    sent, claimed = [], []
    with (
        tempfile.TemporaryDirectory() as scratch,
        agent(binaries, "") as none,
        agent(binaries, "bare_pool: 1\n") as bare,
        agent(binaries, "runtime_pool: 1\n") as runtime,
    ):
        code = Path(scratch) / "python"
        code.mkdir()
        (code / "app.py").write_text(HANDLER)
        stamp = Path(scratch) / "stamp"
        stamp.mkdir()
        (stamp / "stamp").write_bytes((binaries / "hearth-stamp").read_bytes())
        (stamp / "stamp").chmod(0o755)

        def put(client, **fields):
            # A new generation: no sandbox of the one before is used again.
            client.put_function("f", runtime="python", code=str(code), handler="app.handler", **fields)

        for _ in range(count):
            for client, kind, tier in (
                (none, m.StartKind.COLD, None), (bare, m.StartKind.BARE, m.Tier.BARE),
                (runtime, m.StartKind.RUNTIME, m.Tier.RUNTIME), (none, m.StartKind.PREFETCHED, m.Tier.READY),
            ):  # fmt: skip
                put(client, min_ready=1 if kind == m.StartKind.PREFETCHED else 0)
                if tier is not None:
                    wait_for(client, tier, "f" if tier == m.Tier.READY else "")
                    # What was done last is over: a request that comes out of the blue.
                    time.sleep(0.05)
                times[kind.name.lower()].append(invoke(client, "f", kind)[0].timing)
                if kind == m.StartKind.PREFETCHED:
                    times["warm"].append(invoke(client, "f", m.StartKind.WARM)[0].timing)
            bare.put_function("stamp", runtime="command", code=str(stamp), argv=["/var/task/stamp"])
            wait_for(bare, m.Tier.BARE)
            time.sleep(0.05)
            answer, begin = invoke(bare, "stamp", m.StartKind.BARE, b"")
            end = time.monotonic_ns()
            first = int.from_bytes(answer.payload, sys.byteorder)
            sent.append(first - begin)
            # The request arrived after it was sent and before the answer came by its total: the mean of both bounds.
            arrived = (begin + end - answer.timing.total_ns) / 2
            claimed.append(first - arrived - answer.timing.queued_ns)
        ledger = {gauge.name: gauge.value for gauge in none.stats().gauges if gauge.name.startswith("ledger.")}
    return times, sent, claimed, ledger


def print_ledger(ledger):
    """What became of the prefetches, by who asked for them."""
    print(f"{'PREFETCHES':<12}{'STARTED':>9}{'HIT':>6}{'LATE':>6}{'WASTED':>8}{'LEAD ms':>9}{'MB s':>8}")
    sources = sorted({name.split(".")[1] for name in ledger if name.count(".") == 2})
    for source in sources or ["total"]:
        prefix = f"ledger.{source}." if sources else "ledger."
        value = {part: ledger.get(prefix + part, 0) for part in ("started", "hit", "late", "wasted")}
        if not value["started"]:
            continue
        held = ledger.get(prefix + "hit_mb_s", 0) + ledger.get(prefix + "wasted_mb_s", 0)
        print(
            f"{source:<12}{value['started']:>9.0f}{value['hit']:>6.0f}{value['late']:>6.0f}{value['wasted']:>8.0f}"
            f"{ledger.get(prefix + 'lead_mean_ms', 0):>9.0f}{held:>8.1f}"
        )


def p(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binaries", type=Path, default=ROOT / "bin")
    parser.add_argument("--count", type=int, default=40)
    arguments = parser.parse_args()
    times, sent, claimed, ledger = measure(arguments.binaries.resolve(), arguments.count)
    print(f"python, microseconds, p50 of {arguments.count} (p90 of the total)")
    print(f"{'START':<12}" + "".join(f"{part.upper():>10}" for part in PARTS) + f"{'P90':>10}")
    for kind, all_of_it in times.items():
        values = {part: [getattr(timing, part + "_ns") / 1000 for timing in all_of_it] for part in PARTS}
        print(
            f"{kind:<12}"
            + "".join(f"{statistics.median(values[part]):>10.0f}" for part in PARTS)
            + f"{p(values['total'], 0.9):>10.0f}"
        )
    print_ledger(ledger)
    print("a bare sandbox, to the first instruction of user code (budget 300), microseconds: p50, p90")
    for name, values in (("from its claim", claimed), ("from before the request is sent", sent)):
        print(f"  {name:<34}{p(values, 0.5) / 1000:>8.0f}{p(values, 0.9) / 1000:>8.0f}")


if __name__ == "__main__":
    main()
