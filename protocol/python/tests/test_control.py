"""The coordinator's methods against a small agent, and the histograms against exact figures."""

import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from hearth_client import AgentError, LatencyPull, delimited, histogram  # noqa: E402
from hearth_client import messages as m  # noqa: E402
from hearth_client.frames import Kind  # noqa: E402
import test_client  # noqa: E402


def build(values, digits=2, lowest=1024):
    counts = {}
    for value in values:
        index = histogram.index_of(value, digits, lowest)
        counts[index] = counts.get(index, 0) + 1
    made = m.Histogram(significant_digits=digits, lowest_ns=lowest, total=len(values), sum_ns=sum(values),
                       min_ns=min(values), max_ns=max(values))
    last = 0
    for index in sorted(counts):
        made.index_deltas.append(index - last)
        made.counts.append(counts[index])
        last = index
    return made


class HistogramTests(unittest.TestCase):
    def test_the_layout_is_hdr_histograms(self):
        for value, index in [(0, 0), (1023, 1023), (2047, 2047), (2048, 2048), (2050, 2049), (4095, 3071), (4096, 3072),
                             (8191, 4095), (8192, 4096)]:
            self.assertEqual(histogram.index_of(value, 3, 1), index)
        for power in range(10, 46):
            for value in (1 << power, (1 << power) + 1, (1 << power + 1) - 1):
                index = histogram.index_of(value, 2, 1024)
                self.assertLessEqual(histogram.lowest_value(index, 2, 1024), value)
                self.assertGreater(histogram.lowest_value(index + 1, 2, 1024), value)

    def test_merging_is_counting_together(self):
        seed = random.randrange(2**32)
        values = [int(random.Random(seed + i).expovariate(1e-7)) for i in range(1000)]
        merged = histogram.merge(build(values[:300]), build(values[300:]), m.Histogram(), None)
        self.assertEqual(merged, build(values), f"seed {seed}")
        for percent in (1, 50, 90, 99, 100):
            exact = sorted(values)[max(0, -(-10 * percent // 1) - 1)]
            told = histogram.percentile(merged, percent)
            self.assertTrue(exact <= told <= exact * 1.01 + 1024, f"seed {seed}: {percent} {exact} {told}")
        self.assertIsNone(histogram.percentile(histogram.merge(), 50))
        with self.assertRaises(ValueError):
            histogram.merge(build([5]), build([5], digits=3))

    def test_delimited_messages_cut_anywhere(self):
        entries = [m.PlanEntry(function="f" * (60 * i)) for i in range(5)]
        data = delimited.encode(entries)
        for size in (1, 2, 3, 64, 1000):
            reader, seen = delimited.Reader(m.PlanEntry), []
            for at in range(0, len(data), size):
                seen += reader.feed(data[at : at + size])
            reader.finish()
            self.assertEqual(seen, entries)
        reader = delimited.Reader(m.PlanEntry)
        self.assertEqual(list(reader.feed(b"\x05\x01")), [])
        with self.assertRaises(m.DecodeError):
            reader.finish()
        with self.assertRaises(m.DecodeError):
            list(delimited.Reader(m.PlanEntry).feed(b"\xff" * 11))


class ControlTests(unittest.TestCase):
    connect = test_client.ClientTests.connect

    def test_a_plan_that_does_not_fit_a_message_follows_it(self):
        received = bytearray()

        def agent(agent, frame, _):
            if frame.kind == Kind.REQUEST:
                self.request = m.PushPlanRequest.decode(frame.body[8:])
            if frame.kind == Kind.DATA:
                received.extend(frame.body)
            if frame.flags & 1:
                agent.respond(frame.stream, m.PushPlanResponse(generation=self.request.generation))

        client = self.connect(agent, message=4096)
        client.push_plan(3, [m.PlanEntry(function="f", confidence=0.5)], ttl=2.5, coordinator="c")
        self.assertEqual((self.request.generation, self.request.ttl_ns, len(self.request.entries)), (3, 2_500_000_000, 1))
        self.assertFalse(self.request.entries_follow)
        entries = [m.PlanEntry(function=f"f{i}", confidence=0.5) for i in range(1000)]
        client.push_plan(4, entries)
        self.assertTrue(self.request.entries_follow and not self.request.entries)
        self.assertEqual(list(delimited.Reader(m.PlanEntry).feed(received)), entries)

    def test_latencies_come_as_a_stream_and_their_cursor_goes_back(self):
        series = [m.LatencySeries(function="f", start_kind=kind, phase=m.Phase.TOTAL, histogram=build([v]))
                  for kind, v in ((m.StartKind.COLD, 10**8), (m.StartKind.WARM, 10**5))]

        def agent(agent, frame, _):
            if frame.kind != Kind.REQUEST:
                return
            self.request = m.PullLatencyRequest.decode(frame.body[8:])
            data = delimited.encode(series)
            agent.send(Kind.DATA, frame.stream, data[:7])
            agent.send(Kind.DATA, frame.stream, data[7:])
            agent.respond(frame.stream, m.PullLatencyResponse(cursor=9, boot_id="b", interval_ns=10**9))

        client = self.connect(agent)
        pulled = client.pull_latency(function="f")
        self.assertIsInstance(pulled, LatencyPull)
        self.assertEqual((self.request.cursor, self.request.stream_series, pulled.interval), (0, True, 1.0))
        self.assertEqual(pulled.find("f").total, 2)
        self.assertEqual(pulled.find("f", m.StartKind.WARM).sum_ns, 10**5)
        self.assertEqual(pulled.find("g").total, 0)
        client.pull_latency(pulled)
        self.assertEqual((self.request.cursor, self.request.boot_id), (9, "b"))

    def test_the_journal_is_paged_and_followed(self):
        def agent(agent, frame, _):
            if frame.kind == Kind.CANCEL:
                agent.respond(frame.stream, m.Error(code=m.ErrorCode.CANCELLED))
            if frame.kind != Kind.REQUEST:
                return
            request = m.PullJournalRequest.decode(frame.body[8:])
            entries = [m.JournalEntry(sequence=request.cursor + i, kind="run") for i in (1, 2)]
            if request.follow:
                agent.send(Kind.DATA, frame.stream, delimited.encode(entries))
                return
            agent.respond(frame.stream, m.PullJournalResponse(
                cursor=request.cursor + 2, entries=entries, more=request.cursor < 8, lost=3 if request.cursor == 5 else 0))

        client = self.connect(agent)
        seen = list(client.pull_journal(5))
        self.assertEqual([e.kind for e in seen], ["lost", "run", "run", "run", "run", "run", "run"])
        self.assertEqual([e.sequence for e in seen[1:]], [6, 7, 8, 9, 10, 11])
        following = client.pull_journal(20, follow=True)
        self.assertEqual([next(following).sequence for _ in range(2)], [21, 22])
        following.close()
        self.assertEqual(len(list(client.pull_journal(9))), 2, "the connection goes on")

    def test_errors_and_plain_calls(self):
        def agent(agent, frame, _):
            if frame.kind != Kind.REQUEST:
                return
            self.method, self.body = frame.method, bytes(frame.body[8:])
            if frame.method == m.Method.DRAIN:
                agent.respond(frame.stream, m.Error(code=m.ErrorCode.UNAVAILABLE, message="stopping", retryable=True))
            else:
                agent.respond(frame.stream, m.PrefetchResponse())

        client = self.connect(agent)
        client.prefetch("f", count=3, ttl=1, confidence=0.5, wait=True)
        request = m.PrefetchRequest.decode(self.body)
        self.assertEqual((request.count, request.ttl_ns, request.wait), (3, 10**9, True))
        client.evict(sandbox="s1", to_tier=m.Tier.BARE)
        self.assertEqual(m.EvictRequest.decode(self.body), m.EvictRequest(sandbox_id="s1", to_tier=m.Tier.BARE))
        client.emit_event("orders", "7")
        self.assertEqual(self.method, m.Method.EMIT_EVENT)
        client.predict(horizon=60, limit=5)
        self.assertEqual(m.PredictRequest.decode(self.body).horizon_ns, 60 * 10**9)
        client.observe(b'{"t": 1}\n')
        self.assertEqual(self.method, m.Method.OBSERVE)
        with self.assertRaises(AgentError) as caught:
            client.drain(timeout=1, exit=True)
        self.assertTrue(caught.exception.retryable)


if __name__ == "__main__":
    unittest.main()
