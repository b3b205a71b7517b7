"""Sleeps for `seconds` (1 when the event does not say) and tells how much of its time was left before and after."""

import time


def handler(event, context):
    seconds = (event or {}).get("seconds", 1)
    before = context.get_remaining_time_in_millis()
    time.sleep(seconds)
    return {"slept": seconds, "left_before_ms": before, "left_after_ms": context.get_remaining_time_in_millis()}
