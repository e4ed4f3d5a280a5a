"""Reading bars: columns of one series, of many, and the last ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from jutsu_sql.bars import VALUES, Bars, Series
from jutsu_sql.database import Connection, Database
from jutsu_sql.errors import BarsError
from jutsu_sql.instants import MAX_US, MIN_US, datetime_from_us, us_from_bound
from jutsu_sql.store.loads import find_series
from jutsu_sql.timeframe import parse_timeframe


class SeriesSummary(NamedTuple):
    """One series: its first and last bar (aware UTC datetimes, or None) and their number."""

    symbol: str
    timeframe: str
    bars: int
    first: datetime | None
    last: datetime | None


def bounds(start: Any, end: Any) -> dict[str, datetime]:
    """An inclusive range as query parameters; None is open.

    Raises:
        BarsError: a bound cannot be understood, or the start lies after the end.
    """
    first = MIN_US if start is None else us_from_bound(start, end=False)
    last = MAX_US if end is None else us_from_bound(end, end=True)
    if first > last:
        raise BarsError(f"the start {start} lies after the end {end}")
    return {"start": datetime_from_us(first), "end": datetime_from_us(last)}


def read_bars(
    db: Database | Connection, symbol: str | Sequence[str], timeframe: str, start: Any, end: Any
) -> Bars:
    """See :meth:`jutsu_sql.BarStore.read`."""
    frame = str(parse_timeframe(timeframe))
    span = bounds(start, end)
    if isinstance(symbol, str):
        series = Series(symbol, frame)
        found = db.run("series.find", symbol=symbol, timeframe=frame)
        if found is None:
            return Bars.empty()
        return _one_series(series, db.run("bars.read", series_id=found.series_id, **span))
    ids = find_series(db, [Series(name, frame) for name in symbol])
    if not ids:
        return Bars.empty()
    columns = db.run("bars.read_many", series_ids=list(ids.values()), **span)
    return _many_series(ids, columns)


def read_latest(db: Database, symbol: str, timeframe: str, n: int, end: Any) -> Bars:
    """See :meth:`jutsu_sql.BarStore.latest`."""
    if n < 0:
        raise BarsError(f"n is a number of bars, not {n}")
    series = Series(symbol, str(parse_timeframe(timeframe)))
    found = db.run("series.find", symbol=series.symbol, timeframe=series.timeframe)
    if found is None:
        return Bars.empty()
    last = bounds(None, end)["end"]
    columns = db.run("bars.read_latest", series_id=found.series_id, end=last, n=n)
    return _one_series(series, columns)


def read_as_of(
    db: Database, symbol: str | Sequence[str], timeframe: str, start: Any, end: Any, as_of: Any
) -> Bars:
    """See :meth:`jutsu_sql.BarStore.read`."""
    frame = str(parse_timeframe(timeframe))
    names = [symbol] if isinstance(symbol, str) else symbol
    params = {**bounds(start, end), "as_of": datetime_from_us(us_from_bound(as_of, end=True))}
    parts = []
    for series, series_id in find_series(db, [Series(name, frame) for name in names]).items():
        parts.append(_one_series(series, db.run("bars.read_as_of", series_id=series_id, **params)))
    return Bars.concat(parts)


def read_history(db: Database, symbol: str, timeframe: str, ts: Any) -> list[Any]:
    """See :meth:`jutsu_sql.BarStore.history`."""
    frame = str(parse_timeframe(timeframe))
    found = db.run("series.find", symbol=symbol, timeframe=frame)
    if found is None:
        return []
    moment = datetime_from_us(us_from_bound(ts, end=False))
    rows: list[Any] = db.run("revisions.history", series_id=found.series_id, ts=moment)
    return rows


def summarize_series(db: Database) -> list[SeriesSummary]:
    """See :meth:`jutsu_sql.BarStore.series`."""
    return [SeriesSummary(*row) for row in db.run("series.summary")]


def _one_series(series: Series, columns: dict[str, Any]) -> Bars:
    codes = np.zeros(len(columns["ts"]), dtype=np.int32)
    return Bars((series,), codes, columns["ts"], *(columns[name] for name in VALUES))


def _many_series(ids: dict[Series, int], columns: dict[str, Any]) -> Bars:
    """Rows come by id; the caller asked for them in the order of its symbols."""
    wanted = np.fromiter(ids.values(), dtype=np.int64)
    starts = np.searchsorted(columns["series_id"], wanted, "left")
    stops = np.searchsorted(columns["series_id"], wanted, "right")
    codes = np.repeat(np.arange(len(ids), dtype=np.int32), stops - starts)
    order = np.concatenate([np.arange(*span) for span in zip(starts, stops, strict=True)])
    return Bars(tuple(ids), codes, columns["ts"][order], *(columns[name][order] for name in VALUES))
