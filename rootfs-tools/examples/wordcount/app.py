"""Counts the words of a text: the payload is the text itself, the answer its size and its most frequent words."""

import re
from collections import Counter

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def handler(event, context):
    # Not `event`: a text that happens to be JSON is a text here.
    text = context.payload.decode("utf-8", "replace")
    counts = Counter(match.group().lower() for match in WORD.finditer(text))
    return {
        "bytes": len(context.payload),
        "words": counts.total() if hasattr(counts, "total") else sum(counts.values()),
        "distinct": len(counts),
        "top": counts.most_common(10),
    }


def warmup(event, context):
    """One small run: the expression is compiled and the code paths are warm before the first request."""
    Counter(match.group().lower() for match in WORD.finditer("warm and ready"))
    return None
