"""Reading bars: columns of one series, of many, and the last ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from jutsu_sql.bars import VALUES, Bars, Series
from jutsu_sql.database import Call, Connection, Database
from jutsu_sql.errors import BarsError
from jutsu_sql.instants import (
    MAX_US,
    MIN_US,
    datetime_from_us,
    us_from_bound,
    us_from_datetime,
)
from jutsu_sql.store.loads import find_series
from jutsu_sql.timeframe import Timeframe, interval_end, parse_timeframe

# What is read at a time: a few megabytes, which stay in the caches, and bound what the driver and
# the server hold beside the result.
_PIECE_BARS = 32_768
# Pieces asked for in one round trip.
_PIECES_AT_ONCE = 8
# Longer than this the data of a series rarely are.
_LONG = timedelta(days=3_653)
# Pieces for each connection at least, so that none waits long for the last one.
_SHARES = 4

_Part = tuple[int, np.datetime64, dict[str, Any]]


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


class _Piece(NamedTuple):
    """Bars still to read: of which series, by id with their places in the result, and when."""

    places: Mapping[int, int]
    start: datetime
    end: datetime

    def call(self) -> Call:
        """What gives the first of them, as many as fit into an answer."""
        span = {"start": self.start, "end": self.end, "n": _PIECE_BARS}
        if len(self.places) == 1:
            (series_id,) = self.places
            return "bars.read_piece", {"series_id": series_id, **span}
        return "bars.read_many", {"series_ids": sorted(self.places), **span}

    def parts(self, columns: dict[str, Any]) -> Iterator[_Part]:
        """The answer, series by series."""
        if not len(columns["ts"]):
            return
        if len(self.places) == 1:
            (place,) = self.places.values()
            yield place, columns["ts"][0], columns
            return
        ids = columns["series_id"]
        edges = [0, *(np.flatnonzero(np.diff(ids)) + 1).tolist(), len(ids)]
        for first, stop in pairwise(edges):
            part = {name: columns[name][first:stop] for name in ("ts", *VALUES)}
            yield self.places[int(ids[first])], part["ts"][0], part

    def rest(self, columns: dict[str, Any]) -> Iterator[_Piece]:
        """What is left to read after an answer that was full."""
        last, ts = max(self.places), columns["ts"][-1]
        if len(self.places) > 1:
            last = int(columns["series_id"][-1])
            if after := {i: place for i, place in self.places.items() if i > last}:
                yield self._replace(places=after)
        if ts < np.datetime64(self.end.replace(tzinfo=None)):
            start = datetime_from_us(int(ts.astype(np.int64)) + 1)
            yield _Piece({last: self.places[last]}, start, self.end)


def read_bars(
    db: Database,
    symbol: str | Sequence[str],
    timeframe: str,
    start: Any,
    end: Any,
    parallel: int = 1,
) -> Bars:
    """See :meth:`jutsu_sql.BarStore.read`."""
    if parallel < 1:
        raise BarsError(f"parallel is a number of connections, not {parallel}")
    frame = parse_timeframe(timeframe)
    span = bounds(start, end)
    names = [symbol] if isinstance(symbol, str) else symbol
    ids = find_series(db, [Series(name, str(frame)) for name in names])
    if not ids:
        return Bars.empty()
    pieces = _pieces(list(ids.values()), frame, span)
    if len(pieces) == 1 and _bars_expected(frame, span) < _PIECE_BARS:
        # One statement sees one state: no need of a transaction around it.
        name, params = pieces[0].call()
        columns = db.run(name, **params)
        if len(columns["ts"]) < _PIECE_BARS:
            return _joined(tuple(ids), list(pieces[0].parts(columns)))
    with db.one_state(parallel) as connections:
        return _joined(tuple(ids), _read_all(connections, pieces))


def _pieces(
    series_ids: Sequence[int], frame: Timeframe, span: dict[str, datetime]
) -> deque[_Piece]:
    """Each series by itself; where they have few bars, as many together as fill a piece."""
    at_once = max(1, int(_PIECE_BARS // (_bars_expected(frame, span) + 1)))
    numbered = list(enumerate(series_ids))
    return deque(
        _Piece({i: place for place, i in numbered[first : first + at_once]}, **span)
        for first in range(0, len(numbered), at_once)
    )


def _read_all(connections: Sequence[Connection], pieces: deque[_Piece]) -> list[_Part]:
    """Every piece, in no order, each connection in a thread of its own."""
    parts: list[_Part] = []
    if len(connections) == 1:
        _read_pieces(connections[0], pieces, parts, _PIECES_AT_ONCE)
        return parts
    shares = _SHARES * len(connections)
    if len(pieces) < shares:
        pieces = _cut(connections[0], pieces, -(-shares // len(pieces)))
    at_once = min(_PIECES_AT_ONCE, max(1, len(pieces) // shares))
    with ThreadPoolExecutor(len(connections)) as threads:
        for done in [
            threads.submit(_read_pieces, connection, pieces, parts, at_once)
            for connection in connections
        ]:
            done.result()
    return parts


def _bars_expected(frame: Timeframe, span: dict[str, datetime]) -> float:
    """How many bars a series may have there: one an interval, for some years at most."""
    length = min(span["end"] - span["start"], _LONG)
    return length / timedelta(microseconds=int(interval_end(np.array([0]), frame)[0]))


def _cut(connection: Connection, pieces: Iterable[_Piece], shares: int) -> deque[_Piece]:
    """Each piece in so many shares of equal time, so that one long series keeps all busy."""
    cut: deque[_Piece] = deque()
    for piece in pieces:
        if len(piece.places) > 1:
            cut.append(piece)
            continue
        (series_id,) = piece.places
        found = connection.run("bars.extent", series_id=series_id, start=piece.start, end=piece.end)
        if found.first_ts is None:
            continue
        first, last = map(us_from_datetime, found)
        edges = [first + (last + 1 - first) * share // shares for share in range(shares + 1)]
        for start, end in pairwise(edges):
            if start < end:
                times = datetime_from_us(start), datetime_from_us(end - 1)
                cut.append(_Piece(piece.places, *times))
    return cut


def _read_pieces(
    connection: Connection, pieces: deque[_Piece], parts: list[_Part], at_once: int
) -> None:
    """Read pieces until none is left; what does not fit into one answer is a piece again."""
    while pieces:
        batch: list[_Piece] = []
        with suppress(IndexError):  # another thread has taken the last one
            while len(batch) < at_once:
                batch.append(pieces.popleft())
        answers = connection.run_all([piece.call() for piece in batch])
        for piece, columns in zip(batch, answers, strict=True):
            parts += piece.parts(columns)
            if len(columns["ts"]) == _PIECE_BARS:
                pieces.extendleft(piece.rest(columns))


def _joined(series: tuple[Series, ...], parts: list[_Part]) -> Bars:
    """All parts by series and time. One column after the other, so that one is there twice."""
    if not parts:
        return replace(Bars.empty(), series=series)
    parts.sort(key=itemgetter(0, 1))
    rows = [len(columns["ts"]) for _, _, columns in parts]
    codes = np.repeat(np.array([place for place, _, _ in parts], dtype=np.int32), rows)
    joined = (
        np.concatenate([columns.pop(name) for _, _, columns in parts]) for name in ("ts", *VALUES)
    )
    return Bars(series, codes, *joined)


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
