"""What loads have asked their sources for: a bar that is in none of it, nobody has fetched."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from jutsu_sql.bars import Series
from jutsu_sql.database import Connection
from jutsu_sql.errors import BarsError
from jutsu_sql.instants import (
    DAY_US,
    Micros,
    datetime_from_us,
    us_from_bound,
    us_from_datetime,
)
from jutsu_sql.store.loads import Load, Touched, resolve_series, series_note
from jutsu_sql.timeframe import Timeframe, interval_end, parse_timeframe

# From one time up to, and without, another one; or, of each series, from its first bar of the load
# to the end of the last.
Asked = tuple[int, int] | Literal["span"]


def asked_of(given: Any) -> Asked | None:
    """What was asked for, in microseconds; dates begin at 00:00 UTC.

    Raises:
        BarsError: a bound cannot be understood, or the first is not before the second.
    """
    if given is None:
        return None
    if isinstance(given, str):
        if given != "span":
            raise BarsError(f'asked is (start, end) or "span", not {given!r}')
        return "span"
    start, end = (us_from_bound(bound, end=False) for bound in given)
    if start >= end:
        raise BarsError(f"asked= is from a time up to a later one, not {given[0]} to {given[1]}")
    return start, end


def note_claims(tx: Connection, load: Load, asked: Asked, named: Series | None) -> None:
    """Note what a load has asked for, of each series that it touches and of the one it names.

    A bar whose interval was not over when it was asked for may come yet: it is left out. From
    ``1D`` up an interval is over where its last date has ended everywhere on Earth.

    Raises:
        BarsError: there is no series to note it of.
    """
    if named is not None and asked != "span":
        ids, _ = resolve_series(tx, load, [named])
        # Touched, so that it is settled, waited for and undone as a series with bars is.
        moments = (datetime_from_us(us) for us in (asked[0], asked[1] - 1))
        tx.run_all([series_note(load, [Touched(ids[named], *moments)])])
    rows = tx.run("coverage.touched", load_id=load.load_id)
    if not rows and asked != "span":
        raise BarsError("asked= without bars: say symbol= and timeframe= of the series, too")
    claims = []
    for row in rows:
        frame = parse_timeframe(row.timeframe)
        start, end = _span(row, frame) if asked == "span" else asked
        end = min(end, _over_until(load, frame))
        if start < end:
            claims.append((row.series_id, datetime_from_us(start), datetime_from_us(end)))
    if claims:
        series_ids, starts, ends = (list(column) for column in zip(*claims, strict=True))
        tx.run(
            "coverage.note", load_id=load.load_id, series_ids=series_ids, starts=starts, ends=ends
        )


def _span(row: Any, frame: Timeframe) -> tuple[int, int]:
    last = np.array([us_from_datetime(row.last_ts)])
    return us_from_datetime(row.first_ts), int(interval_end(last, frame)[0])


def _over_until(load: Load, frame: Timeframe) -> int:
    """The first start of which it is not certain that its interval was over."""
    length = frame.length_us + (DAY_US // 2 if frame.is_session else 0)
    return us_from_datetime(load.observed_at) - length + 1


def merge_spans(starts: Micros, ends: Micros) -> list[tuple[int, int]]:
    """Spans of time without overlaps, in their order."""
    spans: list[tuple[int, int]] = []
    for start, end in sorted(zip(starts.tolist(), ends.tolist(), strict=True)):
        if spans and start <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(end, spans[-1][1])
        else:
            spans.append((start, end))
    return spans


__all__ = ["Asked", "asked_of", "merge_spans", "note_claims"]
