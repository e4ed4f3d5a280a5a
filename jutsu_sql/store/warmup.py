"""Reads that count bars instead of guessing dates."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
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
    query_name, params = "bars.read_warm", bounds(start, end)
    if as_of is not None:
        query_name = "bars.read_warm_as_of"
        params["as_of"] = datetime_from_us(us_from_bound(as_of, end=True))
    return _read_each(db, query_name, symbol, timeframe, n=warmup, **params)


def read_latest(
    db: Database, symbol: str | Sequence[str], timeframe: str, n: int, end: Any
) -> Bars:
    """See :meth:`jutsu_sql.BarStore.latest`."""
    last = bounds(None, end)["end"]
    return _read_each(db, "bars.read_latest", symbol, timeframe, n=n, end=last)


def _read_each(
    db: Database,
    query_name: str,
    symbol: str | Sequence[str],
    timeframe: str,
    *,
    n: int,
    **params: Any,
) -> Bars:
    """One query a series; of several series, all of one state."""
    if n < 0:
        raise BarsError(f"a number of bars is not {n}")
    frame = str(parse_timeframe(timeframe))
    symbols = [symbol] if isinstance(symbol, str) else symbol
    names = [Series(name, frame) for name in symbols]
    with db.read_transaction() if len(names) > 1 else nullcontext(db) as tx:
        found = find_series(tx, names)
        return Bars.concat(
            Bars.of_one(series, tx.run(query_name, series_id=series_id, n=n, **params))
            for series, series_id in found.items()
        )
