"""The one error of the demonstration."""


class DemoFailure(Exception):
    """What was expected and did not come; `details` is what helps to find out why."""

    def __init__(self, message, details=""):
        super().__init__(message)
        self.details = details


def expect(condition, message, details=""):
    if not condition:
        raise DemoFailure(message, details)
