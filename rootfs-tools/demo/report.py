"""What people see: steps, figures in human units, tables. Plain text unless stdout is a terminal without NO_COLOR."""

import os
import sys

_COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _styled(text, code):
    return f"\033[{code}m{text}\033[0m" if _COLOUR else text


def step(text):
    """The line that says what happens next."""
    print(_styled(f"==> {text}", "1"), flush=True)


def line(text):
    print(f"    {text}", flush=True)


def failure(text):
    sys.stdout.flush()
    print(f"demonstration failed: {text}", file=sys.stderr, flush=True)


def duration(microseconds):
    """Three digits are enough to compare, and units that need no counting of zeros."""
    if microseconds == 0:
        return "-"
    if microseconds < 999.5:
        return f"{microseconds:.0f} us"
    if microseconds < 9_995:
        return f"{microseconds / 1000:.2f} ms"
    if microseconds < 99_950:
        return f"{microseconds / 1000:.1f} ms"
    if microseconds < 999_500:
        return f"{microseconds / 1000:.0f} ms"
    return f"{microseconds / 1e6:.2f} s"


def table(headers, rows, right=()):
    """Prints columns; those in `right` are aligned to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [headers, *cells]) for column in range(len(headers))]

    def text(row):
        aligned = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ]
        return "  ".join(aligned).rstrip()

    print(_styled(text(headers), "1"))
    for row in cells:
        print(text(row))
    sys.stdout.flush()
