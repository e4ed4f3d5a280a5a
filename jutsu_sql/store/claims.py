"""What loads have asked their sources for: a bar that is in none of it, nobody has fetched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from jutsu_sql.bars import Series
from jutsu_sql.database import Connection
from jutsu_sql.errors import BarsError
from jutsu_sql.instants import (
    DAY_US,
    Micros,
    datetime_from_us,
    us_from_bound,
    us_from_datetime,
    us_from_times,
)
from jutsu_sql.store.loads import Load, Touched, resolve_series, series_note
from jutsu_sql.store.spans import merge_spans
from jutsu_sql.timeframe import Timeframe, interval_end, parse_timeframe

# From one time up to, and without, another one; or, of each series, from its first bar of the load
# to the end of the last.
Asked = tuple[int, int] | Literal["span"]


class Claims(NamedTuple):
    """What was asked for, by series: from each start up to, and without, its end."""

    series_ids: npt.NDArray[np.int64]
    starts: Micros
    ends: Micros

    def of(self, series_ids: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Micros, Micros]:
        """Those of some series, given in ascending order: the place of each there, start, end."""
        is_meant = np.isin(self.series_ids, series_ids)
        places = np.searchsorted(series_ids, self.series_ids[is_meant])
        return places, self.starts[is_meant], self.ends[is_meant]

    def of_one(self, series_id: int) -> list[tuple[int, int]]:
        """Those of one series, without overlaps, in the order of time."""
        _, starts, ends = self.of(np.array([series_id]))
        return merge_spans(zip(starts.tolist(), ends.tolist(), strict=True))


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
    insert_claims(tx, load, claims)


def insert_claims(
    tx: Connection, load: Load, claims: Sequence[tuple[int, datetime, datetime]]
) -> None:
    """Note what a load has asked for: series, start, end."""
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


def undone_loads(tx: Connection) -> set[int]:
    """The loads that were taken back, by an undo that was not."""
    undone: set[int] = set()
    for load_id, undone_by in tx.run("coverage.undone"):  # the latest first
        if undone_by not in undone:
            undone.add(load_id)
    return undone


def read_claims(tx: Connection, series_ids: Sequence[int], undone: set[int]) -> Claims:
    """What loads have asked for, of some series, but for those that were taken back."""
    rows = tx.run("coverage.claims", series_ids=list(series_ids))
    counts = ~np.isin(rows["load_id"], list(undone))
    starts, ends = (us_from_times(rows[name]) for name in ("start_ts", "end_ts"))
    return Claims(rows["series_id"].astype(np.int64)[counts], starts[counts], ends[counts])


__all__ = [
    "Asked",
    "Claims",
    "asked_of",
    "insert_claims",
    "note_claims",
    "read_claims",
    "undone_loads",
]
