"""What a sync asks a source for: what coverage lacks, and the last bars again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from jutsu_sql.instants import DAY_US, SECOND_US, datetime_from_us, us_from_datetime
from jutsu_sql.store.source import Interval
from jutsu_sql.store.spans import Span, intersect_spans, subtract_spans
from jutsu_sql.timeframe import (
    Timeframe,
    floor_session,
    interval_end,
    known_from,
    parse_timeframe,
)

if TYPE_CHECKING:
    from jutsu_sql.database import Database
    from jutsu_sql.store.coverage import Coverage

# So many intervals are asked for at most in one piece, which is kept in memory and is one load.
_PIECE_BARS = 100_000
# Of so many of the last stored bars, those are asked for again that were observed too early.
_PARTIAL_BARS = 100
# Where the date of the day after begins first: UTC+14.
_EARLIEST_US = 14 * 3600 * SECOND_US


def until_now(frame: Timeframe) -> int:
    """The end of the intervals that have begun; of sessions, of those that have anywhere."""
    now_us = us_from_datetime(datetime.now(UTC))
    if not frame.is_session:
        return now_us
    today = floor_session(np.array([now_us + _EARLIEST_US]), frame)
    return int(interval_end(today, frame)[0])


def cut_spans(spans: Iterable[Span], frame: Timeframe) -> list[Span]:
    """Pieces that have the same bars, are not too long, and begin and end at dates or seconds."""
    step_us = DAY_US if frame.is_session else SECOND_US
    longest_us = _PIECE_BARS * frame.length_us
    return [
        (at, min(at + longest_us, end))
        for start, end in (tuple(-(-us // step_us) * step_us for us in span) for span in spans)
        for at in range(start, end, longest_us)
    ]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one series: its last stored bars, what was asked for, what is missing.

    ``start_us`` is where it begins, ``last_end_us`` where the last stored bar ends; None: nothing
    is stored.
    """

    start_us: int | None
    last_end_us: int | None
    to_reread: list[Span]
    claims: list[Span]
    missing: list[Span] | None

    def to_ask(self, start_us: int, end_us: int) -> list[Span]:
        """What to ask a source for, in the order of time.

        A calendar knows what is missing of the intervals that are over. Behind the last stored bar
        is the one that is running, and what may have come since.
        """
        tail_us = max(start_us, self.last_end_us or start_us)
        tail = subtract_spans([(tail_us, end_us)], self.claims)
        missing = self.missing
        if missing is None:
            missing = subtract_spans([(start_us, end_us)], self.claims)
        return intersect_spans([*missing, *tail, *self.to_reread], [(start_us, end_us)])


def known_of(
    db: Database,
    coverage: Coverage,
    timeframe: str,
    end_us: int,
    reread: int,
) -> dict[str, Known]:
    """What is known of each series up to a time, by its symbol."""
    missing: dict[str, list[Span]] = {}
    for fetch in coverage.plan():
        missing.setdefault(fetch.symbol, []).append(as_span((fetch.start, fetch.end)))
    frame = parse_timeframe(timeframe)
    known = {}
    for found in coverage.series:
        claims = [as_span(each) for each in coverage.asked(found.symbol, timeframe)]
        starts = [start for start, _ in claims[:1]]
        if found.start is not None:
            starts.append(us_from_datetime(found.start))
        known[found.symbol] = Known(
            min(starts, default=None),
            *_last_bars(db, found.symbol, frame, end_us, reread),
            claims,
            None if found.expected is None else missing.get(found.symbol, []),
        )
    return known


def _last_bars(
    db: Database, symbol: str, frame: Timeframe, end_us: int, reread: int
) -> tuple[int | None, list[Span]]:
    """Where the last stored bar of a series ends, and what to ask for again."""
    series = db.run("series.find", symbol=symbol, timeframe=str(frame))
    if series is None:
        return None, []
    rows = db.run(
        "bars.observed",
        series_id=series.series_id,
        end=datetime_from_us(end_us - 1),
        n=max(reread, _PARTIAL_BARS),
    )
    if not rows:
        return None, []
    ts = np.array([us_from_datetime(row.ts) for row in rows], dtype=np.int64)
    observed = np.array([us_from_datetime(row.observed_at) for row in rows], dtype=np.int64)
    ends = interval_end(ts, frame)
    last_end_us = int(ends[-1])
    is_partial = observed < known_from(ts, frame)
    again = list(zip(ts[is_partial].tolist(), ends[is_partial].tolist(), strict=True))
    if reread:
        again.append((int(ts[-reread:][0]), last_end_us))
    return last_end_us, again


def as_interval(span: Span) -> Interval:
    """A span as aware datetimes."""
    return datetime_from_us(span[0]), datetime_from_us(span[1])


def as_span(interval: Interval) -> Span:
    """An interval in microseconds."""
    return us_from_datetime(interval[0]), us_from_datetime(interval[1])
