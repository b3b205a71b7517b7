#!/usr/bin/env python3
"""How long an agent takes for a plan of many entries: plan_time.py [ENTRIES [ROUNDS]].

Registers so many functions with the agent at HEARTH_SOCKET, pushes plans for all of them, and takes the functions away.
The time is the client's, from before the request is sent until the answer is there, and, beside it, the agent's own CPU time.
"""

import os
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "protocol" / "python"))

from hearth_client import Client, delimited  # noqa: E402
from hearth_client import messages as m  # noqa: E402

PREFIX = "plan-time-"


def agent_cpu(pid):
    """Seconds of CPU that the process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with Client() as agent:
        pid = agent_pid(agent)
        names = [f"{PREFIX}{i}" for i in range(count)]
        for name in names:
            agent.put_function(name, runtime="command", argv=["/bin/true"])
        entries = [m.PlanEntry(function=name, confidence=0.05, window_start_ns=10**9 * (3600 + i % 600),
                               window_end_ns=10**9 * (3660 + i % 600)) for i, name in enumerate(names)]
        body = delimited.encode(entries)
        generation = agent.get_plan().generation
        times, before = [], agent_cpu(pid)
        for _ in range(rounds):
            generation += 1
            request = m.PushPlanRequest(generation=generation, ttl_ns=7200 * 10**9, entries_follow=True)
            start = time.monotonic()
            answer = agent.call(m.Method.PUSH_PLAN, request, m.PushPlanResponse, upload=body)
            times.append((time.monotonic() - start) * 1e3)
            assert answer.accepted == count, answer
        used = (agent_cpu(pid) - before) / rounds * 1e3
        print(f"{count} entries, {len(body)} bytes, {rounds} plans: answered after min {min(times):.1f} ms, "
              f"median {statistics.median(times):.1f} ms; CPU time of the agent {used:.1f} ms a plan")
        agent.push_plan(generation + 1, [])
        for name in names:
            agent.delete_function(name)


def agent_pid(agent):
    """Of the process at the other end of the socket (SO_PEERCRED)."""
    import socket
    import struct

    credentials = agent._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", credentials)[0]


if __name__ == "__main__":
    main()
