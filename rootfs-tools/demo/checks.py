"""What each function must answer, computed here by other means than the function's own. Every check either raises
DemoFailure or returns a few words about what was found right, and, for a function that must be held, by what it was."""

import collections
import json
import subprocess

import leftovers
from catalogue import licences
from failure import expect

_DEFAULT_PIDS = 64  # what the agent gives a function that does not say


def _words(text):
    """Words as wordcount means them (letters, at most one apostrophe between two runs of letters), found by a scan of
    the characters rather than by its regular expression."""
    found, word, joined = [], "", False
    for position, character in enumerate(text + " "):
        if character.isalnum() and not character.isdecimal():
            word += character
            continue
        following = text[position + 1 : position + 2]
        if character == "'" and word and not joined and following.isalnum() and not following.isdecimal():
            word, joined = word + character, True
            continue
        if word:
            found.append(word.lower())
        word, joined = "", False
    return found


def wordcount(example, answer, machine):
    result = answer["payload"]
    counts = collections.Counter(_words(example.payload.decode("utf-8", "replace")))
    files, _ = licences()
    size = int(subprocess.run(["wc", "-c"], input=example.payload, stdout=subprocess.PIPE, check=True).stdout)
    expect(result["bytes"] == size, f"wordcount read {result['bytes']} bytes, wc -c says {size}")
    expect(result["words"] == counts.total(), f"wordcount found {result['words']} words, a scan {counts.total()}")
    expect(
        result["distinct"] == len(counts), f"wordcount found {result['distinct']} distinct words, a scan {len(counts)}"
    )
    best = sorted(counts.values(), reverse=True)[: len(result["top"])]
    expect([count for _, count in result["top"]] == best, f"wordcount's top ten are {result['top']}, a scan has {best}")
    for word, count in result["top"]:
        expect(counts[word] == count, f"wordcount found '{word}' {count} times, a scan {counts[word]}")
    return (
        f"{size:,} bytes of {len(files)} licences: {counts.total():,} words, '{result['top'][0][0]}' {best[0]:,} times"
    )


def sqlreport(example, answer, machine):
    result = answer["payload"]
    rows = json.loads(example.payload)["rows"]
    regions = collections.defaultdict(list)
    for row in rows:
        regions[row["region"]].append(row)
    wanted = [
        {
            "region": region,
            "sales": len(sales),
            "units": sum(sale["units"] for sale in sales),
            "revenue": sum(sale["units"] * sale["cents"] for sale in sales) / 100,
            "products": len({sale["product"] for sale in sales}),
            "last_day": max(sale["day"] for sale in sales),
        }
        for region, sales in regions.items()
    ]
    wanted.sort(key=lambda region: region["revenue"], reverse=True)
    expect(result["rows"] == len(rows) == 1000, f"sqlreport took {result['rows']} rows of {len(rows)}")
    expect(len(result["regions"]) == len(wanted), f"sqlreport has {len(result['regions'])} regions, not {len(wanted)}")
    for got, right in zip(result["regions"], wanted):
        revenue = got.pop("revenue"), right.pop("revenue")
        expect(got == right and abs(revenue[0] - revenue[1]) < 0.005, f"sqlreport answers {got}, the rows say {right}")
        right["revenue"] = revenue[1]
    return f"{len(rows):,} rows, {len(wanted)} regions, first '{wanted[0]['region']}' with {wanted[0]['revenue']:,.2f}"


def groupsum(example, answer, machine):
    request = json.loads(example.payload)
    sums = collections.defaultdict(lambda: {"count": 0, "sum": 0})
    for row in request["rows"]:
        group = sums[row[request["by"]]]
        group["count"] += 1
        group["sum"] += row[request["sum"]]
    wanted = {"rows": len(request["rows"]), "groups": dict(sums)}
    expect(answer["payload"] == wanted, f"groupsum answers {answer['payload']}, the rows say {wanted}")
    return ", ".join(f"{name} {group['sum']:g}" for name, group in sums.items())


def pipeline(example, answer, machine):
    command = example.arguments[example.arguments.index("--") + 1 :]
    here = subprocess.run(
        command,
        input=example.payload,
        stdout=subprocess.PIPE,
        check=True,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"},
    ).stdout.decode()
    expect(answer["payload"] == here, f"pipeline answers {answer['payload']!r}, the same pipeline here {here!r}")
    return f"ten lines, the same as the pipeline gives outside; first '{here.split(chr(10))[0].strip()}'"


def hello(example, answer, machine):
    wanted = example.arguments[-1] + "\n"
    expect(answer["payload"] == wanted, f"hello answers {answer['payload']!r}, not {wanted!r}")
    return f"says '{wanted.strip()}'"


def native_echo(example, answer, machine):
    wanted = example.payload.decode()
    expect(answer["payload"] == wanted, f"native-echo answers {answer['payload']!r}, not {wanted!r}")
    return f"'{wanted}' and back"


def memhog(example, answer, machine):
    limit = f"{example.memory >> 20} MiB"
    if machine.has("memory"):
        _outcome(example, answer, "out_of_memory")
        return "ended by the kernel's OOM killer, as memory.events of its cgroup says", f"memory.max {limit}"
    _outcome(example, answer, "function_error")
    _error_type(example, answer, "MemoryError")
    return "MemoryError; without a memory controller the process is held, not the sandbox", f"RLIMIT_DATA {limit}"


def spin(example, answer, machine):
    run = answer["timing_us"]["run"] / 1e6
    expect(run >= example.timeout, f"spin was ended after {run:.3f} s, before its {example.timeout:g} s")
    return f"ended after {run:.2f} s, and its sandbox with it", f"timeout {example.timeout:g} s"


def forkbomb(example, answer, machine):
    result = answer["payload"]
    expect(result["stopped_by"] == "EAGAIN", f"forkbomb was stopped by {result['stopped_by']}, not by EAGAIN")
    expect(
        1 <= result["forked"] < _DEFAULT_PIDS,
        f"forkbomb forked {result['forked']} times under a limit of {_DEFAULT_PIDS}",
    )
    group = leftovers.cgroup_of(machine.sandbox_pid(answer["sandbox"]))
    left = len((group / "cgroup.procs").read_text().split())
    expect(left == 2, f"{left} processes are in forkbomb's sandbox afterwards, not PID 1 and Python")
    if machine.has("pids"):
        limit, events = (group / "pids.max").read_text().strip(), (group / "pids.events").read_text().split()
        held = int(events[events.index("max") + 1])
        expect(limit == str(_DEFAULT_PIDS), f"forkbomb's pids.max is {limit}, not {_DEFAULT_PIDS}")
        expect(held > 0, "forkbomb was stopped, but pids.events does not say that pids.max did it")
        return f"{result['forked']} forks, then EAGAIN (pids.events: max {held})", f"pids.max {limit}"
    said = f"{result['forked']} forks, then EAGAIN; without a pids controller the sandbox's uid is counted"
    return said, f"RLIMIT_NPROC {_DEFAULT_PIDS}"


def thrower(example, answer, machine):
    _error_type(example, answer, "OrderError")
    trace = "\n".join(answer["error"]["trace"])
    for part in ("KeyError: 'price'", "read_price", "/var/task/app.py"):
        expect(part in trace, f"thrower's traceback does not show {part}", trace)
    return f"OrderError: {answer['error']['message']} (cause: KeyError 'price')"


def crash(example, answer, machine):
    expect(answer["error"]["signal"] == 11, f"crash ended by signal {answer['error']['signal']}, not by 11")
    expect("about to read address 0" in answer["logs"], "what crash printed before it died is not in its logs")
    return "SIGSEGV, with what it had printed before"


def exit3(example, answer, machine):
    expect(answer["error"]["exit_status"] == 3, f"exit3 left with {answer['error']['exit_status']}, not with 3")
    return "left with status 3 in the middle of an invocation"


def noise(example, answer, machine):
    wanted = {"lines": 100_000, "bytes": 10_000_000}
    expect(answer["payload"] == wanted, f"noise answers {answer['payload']}, not {wanted}")
    expect("000099999 xxx" in answer["logs"], "the end of noise's flood is not in its logs")
    size = len(answer["logs"])
    expect(size < 1 << 20, f"noise's logs were kept without bound: {size} bytes")
    return f"10 MB of output, the last {size >> 10} KiB kept"


def _outcome(example, answer, wanted):
    expect(
        answer["outcome"] == wanted,
        f"{example.name} came back with {answer['outcome']}, not {wanted}",
        json.dumps(answer.get("error")),
    )


def _error_type(example, answer, wanted):
    got = answer.get("error", {}).get("type")
    expect(got == wanted, f"{example.name} failed with {got}, not {wanted}")


CHECKS = {
    "wordcount": wordcount,
    "sqlreport": sqlreport,
    "groupsum": groupsum,
    "pipeline": pipeline,
    "hello": hello,
    "native-echo": native_echo,
    "memhog": memhog,
    "spin": spin,
    "forkbomb": forkbomb,
    "thrower": thrower,
    "crash": crash,
    "exit3": exit3,
    "noise": noise,
}


def check(example, answer, machine):
    """The outcome that examples.json promises, where the machine has what it takes, and then the answer itself.
    Returns what was found right and what held the function ("" for one that needs no holding)."""
    if example.name != "memhog":
        _outcome(example, answer, example.wanted["outcome"])
    said = CHECKS[example.name](example, answer, machine)
    return said if isinstance(said, tuple) else (said, "")
