"""The methods for coordinators: the pool, plans, latencies, the journal, prediction."""

from . import delimited
from . import messages as m
from .histogram import merge


class LatencyPull:
    """What a pull brought. Hand it to the next one to get what comes after it; keep it until that has its answer."""

    def __init__(self, response, series):
        self.cursor, self.boot_id = response.cursor, response.boot_id
        self.series, self.interval = series, response.interval_ns / 1e9

    def find(self, function=None, start_kind=None, phase=m.Phase.TOTAL):
        """The histogram of one function, start kind and phase; merged over all of them where one is not given."""
        return merge(*(
            s.histogram for s in self.series
            if function in (None, s.function) and start_kind in (None, s.start_kind) and phase == s.phase))


class ControlMethods:
    # ---- the pool

    def prefetch(self, function, *, count=1, tier=m.Tier.READY, ttl=0.0, confidence=1.0, wait=False, deadline=None):
        """Has `count` sandboxes ready; with `wait` it returns when they are there. ttl: seconds they are kept unused."""
        request = m.PrefetchRequest(
            function=function, count=count, tier=tier, ttl_ns=int(ttl * 1e9), confidence=confidence, wait=wait)
        return self.call(m.Method.PREFETCH, request, m.PrefetchResponse, deadline=deadline)

    def evict(self, *, function="", sandbox="", all=False, to_tier=m.Tier.UNSPECIFIED):
        """Ends idle sandboxes of a function, one of them, or all."""
        request = m.EvictRequest(function=function, sandbox_id=sandbox, all=all, to_tier=to_tier)
        return self.call(m.Method.EVICT, request, m.EvictResponse)

    def drain(self, *, timeout=0.0, exit=False, deadline=None):
        """Returns when nothing runs any more. timeout: seconds after which the rest is ended."""
        request = m.DrainRequest(timeout_ns=int(timeout * 1e9), exit=exit)
        return self.call(m.Method.DRAIN, request, m.DrainResponse, deadline=deadline)

    # ---- plans

    def push_plan(self, generation, entries, *, ttl=0.0, coordinator="", deadline=None):
        """Replaces the plan by these PlanEntry messages, however many they are. ttl: seconds."""
        request = m.PushPlanRequest(generation=generation, ttl_ns=int(ttl * 1e9), coordinator=coordinator)
        request.entries = list(entries)
        if len(request.encode()) + 8 <= self._session.limits.message:
            return self.call(m.Method.PUSH_PLAN, request, m.PushPlanResponse, deadline=deadline)
        following, request.entries, request.entries_follow = request.entries, [], True
        return self.call(m.Method.PUSH_PLAN, request, m.PushPlanResponse, deadline=deadline,
                         upload=delimited.encode(following))

    def get_plan(self):
        return self.call(m.Method.GET_PLAN, m.GetPlanRequest(), m.GetPlanResponse)

    # ---- what a coordinator learns from

    def pull_latency(self, previous=None, *, function="", deadline=None):
        """Latencies since `previous`, a LatencyPull; without it, since the agent's start.

        Where boot_id is another than that of `previous`, the agent was restarted and everything since then came.
        AgentError with FAILED_PRECONDITION: the cursor is too old; begin anew without `previous`.
        """
        request = m.PullLatencyRequest(function=function, stream_series=True)
        if previous is not None:
            request.cursor, request.boot_id = previous.cursor, previous.boot_id
        reader, series = delimited.Reader(m.LatencySeries), []
        with self.open(m.Method.PULL_LATENCY, request, m.PullLatencyResponse, deadline=deadline) as stream:
            for _, data in stream:
                series.extend(reader.feed(data))
            response = stream.response
        reader.finish()
        return LatencyPull(response, series + response.series)

    def pull_journal(self, cursor=0, *, limit=0, follow=False, deadline=None):
        """The journal's entries after `cursor`, page after page; with `follow` those to come as well, until the generator
        is closed. An entry of the kind "lost" stands where some are no longer kept."""
        if follow:
            yield from self._follow_journal(cursor, deadline)
            return
        while True:
            request = m.PullJournalRequest(cursor=cursor, limit=limit)
            page = self.call(m.Method.PULL_JOURNAL, request, m.PullJournalResponse, deadline=deadline)
            if page.lost:
                yield m.JournalEntry(kind="lost", fields={"entries": str(page.lost), "because": "no longer kept"})
            yield from page.entries
            if not page.more or page.cursor <= cursor:
                return
            cursor = page.cursor

    def _follow_journal(self, cursor, deadline):
        request = m.PullJournalRequest(cursor=cursor, follow=True)
        reader = delimited.Reader(m.JournalEntry)
        with self.open(m.Method.PULL_JOURNAL, request, m.PullJournalResponse, deadline=deadline) as stream:
            for _, data in stream:
                yield from reader.feed(data)
            stream.response  # raises what ended it

    # ---- prediction

    def observe(self, log, *, format=m.LogFormat.JSON, deadline=None):
        """Feeds the lines of an access log, bytes or an iterable of pieces, to the predictor."""
        return self.call(m.Method.OBSERVE, m.ObserveRequest(format=format), m.ObserveResponse, upload=log,
                         deadline=deadline)

    def emit_event(self, topic, key=""):
        return self.call(m.Method.EMIT_EVENT, m.EmitEventRequest(topic=topic, key=key), m.EmitEventResponse)

    def predict(self, *, horizon=0.0, function="", user="", limit=0):
        """The most probable invocations within `horizon` seconds."""
        request = m.PredictRequest(horizon_ns=int(horizon * 1e9), function=function, user=user, limit=limit)
        return self.call(m.Method.PREDICT, request, m.PredictResponse)
