"""Histograms of PullLatency: merging them and reading percentiles off them. The layout is HdrHistogram's."""

from .messages import Histogram


def _magnitude(significant_digits):
    return (2 * 10**significant_digits - 1).bit_length()


def index_of(value, significant_digits, lowest):
    unit, magnitude = lowest.bit_length() - 1, _magnitude(significant_digits)
    bucket = max(0, value.bit_length() - unit - magnitude)
    return (bucket << magnitude - 1) + (value >> bucket + unit)


def lowest_value(index, significant_digits, lowest):
    """The smallest value that has this index."""
    unit, half = lowest.bit_length() - 1, 1 << _magnitude(significant_digits) - 1
    if index < half:
        return index << unit
    return (index % half + half) << index // half - 1 + unit


def cells(histogram):
    """The counts by index, ascending."""
    index = 0
    for delta, count in zip(histogram.index_deltas, histogram.counts):
        index += delta
        yield index, count


def merge(*histograms):
    """One histogram of everything that these counted. Their layouts must be the same."""
    full = [h for h in histograms if h is not None and h.total]
    if not full:
        return Histogram()
    layouts = {(h.significant_digits, h.lowest_ns) for h in full}
    if len(layouts) > 1:
        raise ValueError(f"histograms of different layouts: {sorted(layouts)}")
    sums = {}
    for histogram in full:
        for index, count in cells(histogram):
            sums[index] = sums.get(index, 0) + count
    digits, lowest = layouts.pop()
    merged = Histogram(
        significant_digits=digits, lowest_ns=lowest, highest_ns=max(h.highest_ns for h in full),
        total=sum(h.total for h in full), sum_ns=sum(h.sum_ns for h in full), min_ns=min(h.min_ns for h in full),
        max_ns=max(h.max_ns for h in full))
    last = 0
    for index in sorted(sums):
        merged.index_deltas.append(index - last)
        merged.counts.append(sums[index])
        last = index
    return merged


def percentile(histogram, percent):
    """The nanoseconds that so many percent of all values do not exceed, to the layout's precision; None of nothing."""
    if histogram is None or not histogram.total:
        return None
    rank = max(1, -(-histogram.total * min(max(percent, 0), 100) // 100))
    seen = 0
    for index, count in cells(histogram):
        seen += count
        if seen >= rank:
            above = lowest_value(index + 1, histogram.significant_digits, histogram.lowest_ns)
            return min(above - 1, histogram.max_ns)
    return histogram.max_ns
