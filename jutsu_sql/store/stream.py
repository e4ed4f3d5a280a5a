"""Bars of many series in the order of time, with a bounded part of them in memory.

The range is read window by window, each with one query for all series of a timeframe; NumPy puts
a window in order. That is cheaper than the engine's sort of everything.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import time
from typing import Any, Self

import numpy as np

from jutsu_sql.bars import VALUES, Bar, Bars, Series
from jutsu_sql.database import Connection, Database
from jutsu_sql.instants import MAX_US, Micros, datetime_from_us, us_from_datetime
from jutsu_sql.store.loads import find_series
from jutsu_sql.store.read import bounds
from jutsu_sql.timeframe import Timeframe, known_from, parse_timeframe

# A window is sized for this many bars, and read again in parts if it has more than twice as many.
# PostgreSQL's answer takes 80 bytes a bar, the columns 52, unsorted and then sorted: 100 MB.
_WINDOW_BARS = 1 << 18


class BarStream(Iterator[Bars]):
    """Blocks of bars, in order within and across blocks; :meth:`bars` gives single ones.

    From the first block on it holds a connection, and the state of the database that it reads,
    until it is exhausted, closed, left as a context manager, or garbage. Each block of a stream
    lists all series, whether it has bars of them or not; each of a scan has one.
    """

    def __init__(self, blocks: Generator[Bars, None, None]) -> None:
        self._blocks = blocks

    def __next__(self) -> Bars:
        return next(self._blocks)

    def bars(self) -> Iterator[Bar]:
        """The bars one by one."""
        for block in self:
            yield from block

    def close(self) -> None:
        """Give the connection back: there are no more blocks."""
        self._blocks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def stream_bars(
    db: Database,
    symbol: str | Sequence[str],
    timeframe: str | Sequence[str],
    start: Any,
    end: Any,
    *,
    tz: str | None,
    close: str | time | None,
) -> BarStream:
    """See :meth:`jutsu_sql.BarStore.stream`."""
    symbols = [symbol] if isinstance(symbol, str) else symbol
    texts = [timeframe] if isinstance(timeframe, str) else timeframe
    frames = sorted(set(map(parse_timeframe, texts)), key=lambda frame: frame.length_us)
    names = [Series(name, str(frame)) for frame in frames for name in symbols]
    first_us, last_us = map(us_from_datetime, bounds(start, end).values())
    for frame in frames:
        known_from(np.empty(0, dtype=np.int64), frame, tz, close)  # what is wrong shows now

    def blocks() -> Generator[Bars, None, None]:
        with db.read_transaction() as tx:
            ids = find_series(tx, names)
            lanes = []
            for frame in frames:
                of_frame = [name.timeframe == str(frame) for name in ids]
                if any(of_frame):
                    windows = _windows(tx, ids, np.flatnonzero(of_frame), frame, first_us, last_us)
                    lanes.append(_Lane(windows, frame, tz, close))
            yield from lanes[0].windows if len(lanes) == 1 else _merged(lanes)

    return BarStream(blocks())


def _windows(
    tx: Connection,
    ids: Mapping[Series, int],
    codes: Micros,
    frame: Timeframe,
    first_us: int,
    last_us: int,
) -> Iterator[Bars]:
    """The bars of the series with these numbers in ``ids``, by time, then in the order of ids."""
    series, series_ids = tuple(ids), np.array(list(ids.values()))[codes]
    shortest = max(_WINDOW_BARS // len(codes), 1) * frame.length_us
    limit = max(2 * _WINDOW_BARS, len(codes))
    width, start = shortest, _next_us(tx, series_ids, first_us)
    while start is not None and start <= last_us:
        stop = min(start + width - 1, last_us)
        columns = tx.run(
            "bars.read_many",
            series_ids=sorted(series_ids.tolist()),
            start=datetime_from_us(start),
            end=datetime_from_us(stop),
            n=limit + 1,
        )
        rows = len(columns["ts"])
        if rows > limit:
            width = shortest if width > shortest else width // 2
            continue
        if rows:
            yield _in_order(series, codes, series_ids, columns)
            start = stop + 1
            width = width if rows > _WINDOW_BARS // 2 else 2 * width
        else:
            start = _next_us(tx, series_ids, stop + 1)
            width = shortest


def _next_us(tx: Connection, series_ids: Micros, start_us: int) -> int | None:
    """The time of the first bar of any series from a moment on."""
    if start_us > MAX_US:
        return None
    start = datetime_from_us(start_us)
    calls = [
        ("stream.next_ts", {"series_id": series_id, "start": start})
        for series_id in series_ids.tolist()
    ]
    found = [ts for ts in tx.run_all(calls) if ts is not None]
    return us_from_datetime(min(found)) if found else None


def _in_order(
    series: tuple[Series, ...], codes: Micros, series_ids: Micros, columns: Mapping[str, Any]
) -> Bars:
    """Bars by time, then in the order of ``codes``, of columns by series and time."""
    starts = np.searchsorted(columns["series_id"], series_ids, "left")
    counts = np.searchsorted(columns["series_id"], series_ids, "right") - starts
    order = np.concatenate([np.arange(a, a + n) for a, n in zip(starts, counts, strict=True)])
    by_time = np.argsort(columns["ts"][order], kind="stable")
    rows = order[by_time]
    index = np.repeat(codes.astype(np.int32), counts)[by_time]
    return Bars(series, index, columns["ts"][rows], *(columns[name][rows] for name in VALUES))


class _Lane:
    """The bars of one timeframe on their way into a merge: the block at hand, and the others."""

    def __init__(
        self, windows: Iterator[Bars], frame: Timeframe, tz: str | None, close: str | time | None
    ) -> None:
        self.windows = windows
        self._frame, self._tz, self._close = frame, tz, close

    def advance(self) -> bool:
        """Take up the next block; False if there is none."""
        block = next(self.windows, None)
        if block is None:
            return False
        self.block = block
        us = block.ts.view(np.int64)
        self.known_us = known_from(us, self._frame, self._tz, self._close)
        return True

    def take(self, until_us: int) -> tuple[Bars, Micros]:
        """Remove what is known by then."""
        rows = np.searchsorted(self.known_us, until_us, "right")
        taken = self.block[:rows], self.known_us[:rows]
        self.block, self.known_us = self.block[rows:], self.known_us[rows:]
        return taken


def _merged(lanes: Sequence[_Lane]) -> Iterator[Bars]:
    """The bars by the time at which they are known; of one time, those of the first lane first."""
    lanes = [lane for lane in lanes if lane.advance()]
    while lanes:
        # What is known later of one lane may come after what another lane has not read yet.
        until_us = min(lane.known_us[-1] for lane in lanes)
        blocks, known = zip(*(lane.take(until_us) for lane in lanes), strict=True)
        yield Bars.concat(blocks)[np.argsort(np.concatenate(known), kind="stable")]
        lanes = [lane for lane in lanes if len(lane.block) or lane.advance()]
