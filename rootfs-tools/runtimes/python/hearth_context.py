"""The second argument of a handler, as AWS Lambda users know it."""

from time import monotonic_ns


class Context:
    """What is known of one invocation.

    `event` is "invoke" or "warmup"; `payload` the request's bytes as they came; `user` and `session` what the caller
    named, or "".
    """

    #: What get_remaining_time_in_millis() says when there is no deadline: the largest number JSON carries exactly.
    NO_DEADLINE = (1 << 53) - 1

    function_version = "$LATEST"
    identity = None
    client_context = None

    def __init__(self, function, remaining_ns, fields, payload):
        self._deadline = monotonic_ns() + remaining_ns if remaining_ns else 0
        self._payload = payload
        self.function_name = function.name
        self.memory_limit_in_mb = function.memory_bytes >> 20
        self.aws_request_id = fields.get("request_id", "")
        self.user = fields.get("user", "")
        self.session = fields.get("session", "")
        self.event = fields.get("event", "invoke")

    def get_remaining_time_in_millis(self):
        if not self._deadline:
            return self.NO_DEADLINE
        return max(0, self._deadline - monotonic_ns()) // 1_000_000

    @property
    def payload(self):
        return bytes(self._payload)

    def __repr__(self):
        return f"Context(function_name={self.function_name!r}, aws_request_id={self.aws_request_id!r})"
