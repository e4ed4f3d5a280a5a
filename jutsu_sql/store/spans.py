"""Spans of time: from one microsecond up to, and without, another one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

Span = tuple[int, int]


def merge_spans(spans: Iterable[Span]) -> list[Span]:
    """The same moments in the fewest spans, in the order of time."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        elif start < end:
            merged.append((start, end))
    return merged


def intersect_spans(spans: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """The moments that are in both."""
    return merge_spans(
        (max(start, other_start), min(end, other_end))
        for start, end in spans
        for other_start, other_end in others
    )


def subtract_spans(spans: Sequence[Span], holes: Sequence[Span]) -> list[Span]:
    """The moments of spans that are in no hole; both are as :func:`merge_spans` gives them."""
    left = []
    for start, end in spans:
        at = start
        for low, high in holes[bisect_right(holes, at, key=lambda hole: hole[1]) :]:
            if low >= end:
                break
            if at < low:
                left.append((at, low))
            at = high
        if at < end:
            left.append((at, end))
    return left


__all__ = ["Span", "intersect_spans", "merge_spans", "subtract_spans"]
