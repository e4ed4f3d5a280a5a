"""Bars series by series, with a bounded part of them in memory."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import numpy as np

from jutsu_sql.bars import Bars, Series
from jutsu_sql.database import Call, Connection, Database
from jutsu_sql.errors import BarsError
from jutsu_sql.instants import datetime_from_us
from jutsu_sql.store.read import bounds
from jutsu_sql.store.stream import BarStream
from jutsu_sql.timeframe import parse_timeframe

# As a read: what is read at a time, and of so many series in one round trip.
_PIECE_BARS = 32_768
_SERIES_AT_ONCE = 8


def scan_bars(
    db: Database,
    symbol: str | Sequence[str] | None,
    timeframe: str | Sequence[str] | None,
    start: Any,
    end: Any,
) -> BarStream:
    """See :meth:`jutsu_sql.BarStore.scan`."""
    symbols = [symbol] if isinstance(symbol, str) else symbol
    texts = [timeframe] if isinstance(timeframe, str) else timeframe
    frames = None if texts is None else [str(parse_timeframe(text)) for text in texts]
    span = bounds(start, end)

    def blocks() -> Generator[Bars, None, None]:
        with db.read_transaction() as tx:
            ids = matching_series(tx, symbols, frames)
            for name in symbols or ():
                if not any(series.symbol == name for series in ids):
                    raise BarsError(f"no series of {name} is stored at that timeframe")
            yield from scan_series(tx, ids, **span)

    return BarStream(blocks())


def matching_series(
    tx: Connection, symbols: Sequence[str] | None, frames: Sequence[str] | None
) -> dict[Series, int]:
    """The ids of the series of these symbols and timeframes, None being all, by their names."""
    rows = tx.run("series.matching", symbol=None, timeframe=None)
    found = {Series(row.symbol, row.timeframe): row.series_id for row in rows}
    return {
        name: found[name]
        for name in sorted(found)
        if (symbols is None or name.symbol in symbols)
        and (frames is None or name.timeframe in frames)
    }


def scan_series(
    tx: Connection, ids: Mapping[Series, int], start: datetime, end: datetime
) -> Generator[Bars, None, None]:
    """The bars of each series in time order, in blocks of one series; a series may have none."""
    names = iter(ids)
    while batch := list(islice(names, _SERIES_AT_ONCE)):
        answers = tx.run_all([_piece(ids[name], start, end) for name in batch])
        for name, columns in zip(batch, answers, strict=True):
            yield from _rest_of(tx, name, ids[name], columns, end)


def _rest_of(
    tx: Connection, name: Series, series_id: int, columns: dict[str, Any], end: datetime
) -> Generator[Bars, None, None]:
    while len(columns["ts"]):
        yield Bars.of_one(name, columns)
        if len(columns["ts"]) < _PIECE_BARS:
            return
        start = datetime_from_us(int(columns["ts"][-1].astype(np.int64)) + 1)
        if start > end:
            return
        query, params = _piece(series_id, start, end)
        columns = tx.run(query, **params)


def _piece(series_id: int, start: datetime, end: datetime) -> Call:
    span = {"series_id": series_id, "start": start, "end": end, "n": _PIECE_BARS}
    return "bars.read_piece", span
