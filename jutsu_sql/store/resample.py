"""Resampling in SQL: which stretch of time belongs to which bucket is decided here, once for both
engines; the bars are put together there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from jutsu_sql.bars import Bars, Series
from jutsu_sql.database import Database
from jutsu_sql.errors import BarsError
from jutsu_sql.instants import (
    DAY_US,
    MAX_US,
    MIN_US,
    SECOND_US,
    Micros,
    datetime_from_us,
    instants_of_wall,
    us_from_datetime,
    us_from_wall_time,
    zone,
)
from jutsu_sql.store.read import bounds
from jutsu_sql.timeframe import Timeframe, floor_session, interval_end, parse_timeframe

Session = tuple[str | time, str | time]
# A zone may be a day ahead or behind, and a session may begin the day before.
_MARGIN_US = 2 * DAY_US
_YEAR_US = 366 * DAY_US


class Resampled(NamedTuple):
    """``bars``, and which of them are partial (bool): their interval outlasts what is stored."""

    bars: Bars
    is_partial: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Hours:
    """When the session of a date begins and ends, in microseconds since its midnight in ``tz``."""

    tz: str
    open_us: int
    close_us: int

    @classmethod
    def of(cls, tz: str, session: Session | None) -> _Hours:
        zone(tz)  # what is wrong with it shows now
        if session is None:
            return cls(tz, 0, DAY_US)
        opens, closes = map(us_from_wall_time, session)
        closes = closes or DAY_US
        return cls(tz, opens - DAY_US if opens >= closes else opens, closes)

    def starts(self, dates: Micros) -> Micros:
        return instants_of_wall(dates + self.open_us, self.tz)

    def ends(self, dates: Micros) -> Micros:
        return instants_of_wall(dates + self.close_us, self.tz)


@dataclass(frozen=True, slots=True)
class _Parts:
    """Stretches of time, of which each is the label's bucket or is cut into buckets."""

    labels: Micros
    starts: Micros
    ends: Micros

    def __getitem__(self, rows: npt.NDArray[np.bool_]) -> _Parts:
        return _Parts(self.labels[rows], self.starts[rows], self.ends[rows])


def resample_bars(
    db: Database,
    symbol: str,
    timeframe: str,
    to: str,
    start: Any,
    end: Any,
    *,
    tz: str,
    session: Session | None,
) -> Resampled:
    """See :meth:`jutsu_sql.BarStore.resample`."""
    source, target = parse_timeframe(timeframe), parse_timeframe(to)
    _require_whole(source, target)
    if source.is_session and (tz != "UTC" or session):
        raise BarsError(f"a {source} bar carries its session date: leave tz= and session= out")
    hours = _Hours.of(tz, session)
    first_us, last_us = map(us_from_datetime, bounds(start, end).values())
    series = Series(symbol, str(target))
    with db.read_transaction() as tx:
        found = tx.run("series.find", symbol=symbol, timeframe=str(source))
        extent = found and tx.run("resample.extent", series_id=found.series_id)
        if not extent:
            return Resampled(Bars.empty(), np.empty(0, dtype=np.bool_))
        stored = us_from_datetime(extent.first_ts), us_from_datetime(extent.last_ts)
        parts = _parts(hours, target, (first_us, last_us), stored)
        columns = tx.run(
            "resample.bars",
            series_id=found.series_id,
            # No session is so long that it would be cut.
            width_s=(2 * DAY_US if target.is_session else target.length_us) // SECOND_US,
            labels=_datetimes(parts.labels),
            starts=_datetimes(parts.starts),
            ends=_datetimes(parts.ends),
        )
    bars = Bars.of_one(series, columns)
    known_until = interval_end(np.array([stored[1]]), source).item()
    known_until = min(known_until, us_from_datetime(extent.observed_at))
    ends = _bucket_ends(bars.ts.view(np.int64), target, hours, parts)
    return Resampled(bars, ends > known_until)


def _require_whole(source: Timeframe, target: Timeframe) -> None:
    """Buckets that hold whole bars only."""
    if target.is_session:
        is_whole = target.count == 1 and (
            not source.is_session or (source.count == 1 and source.unit == "D" != target.unit)
        )
    else:
        is_whole = (
            not source.is_session
            and source.length_us < target.length_us <= DAY_US
            and target.length_us % source.length_us == 0
        )
    if not is_whole:
        raise BarsError(
            f"bars of {source} do not make bars of {target}: intraday bars make longer ones, by a"
            " whole number and of 24 hours at most, and 1D, 1W and 1M; bars of 1D make 1W and 1M"
        )


def _parts(
    hours: _Hours, target: Timeframe, wanted: tuple[int, int], stored: tuple[int, int]
) -> _Parts:
    """The sessions between what is stored first and last whose buckets start in what is wanted."""
    if stored[0] < MIN_US + _YEAR_US or stored[1] > MAX_US - _YEAR_US:
        raise BarsError("bars of the years 1 and 9999, where no calendar goes on, make no others")
    first = max(stored[0], wanted[0]) - _MARGIN_US
    last = min(stored[1], wanted[1] + target.length_us) + _MARGIN_US
    dates = np.arange(first // DAY_US * DAY_US, last, DAY_US)
    parts = _Parts(dates, hours.starts(dates), hours.ends(dates))
    if target.is_session:
        labels = floor_session(dates, target)
        parts = _Parts(labels, parts.starts, parts.ends)
        return parts[(labels >= wanted[0]) & (labels <= wanted[1])]
    width = target.length_us
    before = np.maximum(-((parts.starts - wanted[0]) // width), 0)
    within = np.maximum((wanted[1] - parts.starts) // width + 1, 0)
    starts = parts.starts + before * width
    ends = np.minimum(parts.ends, parts.starts + within * width)
    return _Parts(starts, starts, ends)[starts < ends]


def _bucket_ends(us: Micros, target: Timeframe, hours: _Hours, parts: _Parts) -> Micros:
    if target.is_session:
        return hours.ends(interval_end(us, target) - DAY_US)
    part = np.searchsorted(parts.starts, us, "right") - 1
    return np.minimum(us + target.length_us, parts.ends[part])


def _datetimes(us: Micros) -> list[Any]:
    return list(map(datetime_from_us, us.tolist()))
