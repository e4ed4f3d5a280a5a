"""Reads that are one query a series: by counts instead of dates, and as of a time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from jutsu_sql.bars import Bars, Series
from jutsu_sql.database import Database
from jutsu_sql.errors import BarsError
from jutsu_sql.instants import datetime_from_us, us_from_bound
from jutsu_sql.store.loads import find_series
from jutsu_sql.store.read import bounds
from jutsu_sql.timeframe import parse_timeframe


def read_with_warmup(
    db: Database,
    symbol: str | Sequence[str],
    timeframe: str,
    start: Any,
    end: Any,
    warmup: int,
    as_of: Any,
) -> Bars:
    """See :meth:`jutsu_sql.BarStore.read`."""
    if start is None:
        raise BarsError(f"warmup={warmup} counts back from the start: say start=")
    span = bounds(start, end)
    if as_of is None:
        return _read_each(db, "bars.read_warm", symbol, timeframe, n=_count(warmup), **span)
    query_name, known_at = "bars.read_warm_as_of", _known_at(as_of)
    return _read_each(db, query_name, symbol, timeframe, n=_count(warmup), as_of=known_at, **span)


def read_as_of(
    db: Database, symbol: str | Sequence[str], timeframe: str, start: Any, end: Any, as_of: Any
) -> Bars:
    """See :meth:`jutsu_sql.BarStore.read`."""
    known_at = _known_at(as_of)
    return _read_each(
        db, "bars.read_as_of", symbol, timeframe, as_of=known_at, **bounds(start, end)
    )


def read_latest(
    db: Database, symbol: str | Sequence[str], timeframe: str, n: int, end: Any
) -> Bars:
    """See :meth:`jutsu_sql.BarStore.latest`."""
    last = bounds(None, end)["end"]
    return _read_each(db, "bars.read_latest", symbol, timeframe, n=_count(n), end=last)


def _count(bars: int) -> int:
    if bars < 0:
        raise BarsError(f"a number of bars is not {bars}")
    return bars


def _known_at(as_of: Any) -> datetime:
    return datetime_from_us(us_from_bound(as_of, end=True))


def _read_each(
    db: Database, query_name: str, symbol: str | Sequence[str], timeframe: str, **params: Any
) -> Bars:
    """One query a series; of several series, all of one state."""
    frame = str(parse_timeframe(timeframe))
    symbols = [symbol] if isinstance(symbol, str) else symbol
    names = [Series(name, frame) for name in symbols]
    with db.read_transaction() if len(names) > 1 else nullcontext(db) as tx:
        found = find_series(tx, names)
        return Bars.concat(
            Bars.of_one(series, tx.run(query_name, series_id=series_id, **params))
            for series, series_id in found.items()
        )
