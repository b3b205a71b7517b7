"""Floods stdout and stderr: `lines` of 100 bytes each, 100,000 of them when the event does not say."""

import sys


def handler(event, context):
    lines = (event or {}).get("lines", 100_000)
    for number in range(lines):
        print(f"{number:09d} " + "x" * 89)
        if number % 100 == 99:
            print(f"{number + 1} lines so far", file=sys.stderr)
    return {"lines": lines, "bytes": lines * 100}
