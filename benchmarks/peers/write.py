"""The same bars, loaded by ``BarStore.write`` and by each peer in turn, into the same table."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.peers.peer import Columns, Peer
from jutsu_sql.bars import VALUES, Bars, Series
from jutsu_sql.bench import (
    Case,
    Metric,
    NotMeasuredError,
    Result,
    Scenario,
    Space,
    Verdict,
    measure_one,
    synthetic_bars,
)

_SERIES = 100


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of one peer: its own times are ``result.reference_s``, ours ``result.median_s``.

    ``shaping_s`` is the part of the peer's time that made its rows of columns.
    """

    result: Result
    shaping_s: float | None
    versions: list[str]


def fresh_bars(rows: int) -> Bars:
    """What is loaded: bars of 100 series."""
    return synthetic_bars(rows, _SERIES)


@contextmanager
def history(space: Space, rows: int) -> Iterator[None]:
    """Keep so many bars of 100 other series, for a table to have before anything is measured."""
    if not rows:
        yield
        return
    bars = synthetic_bars(rows, _SERIES)
    others = tuple(
        Series(f"OTHER{code:03d}", timeframe) for code, (_, timeframe) in enumerate(bars.series)
    )
    space.engine.empty(space.db)
    space.store.write(replace(bars, series=others), source="bench")
    space.db.run("bench.keep_rows")
    space.db.run("bench.keep_history")
    yield
    space.db.run("bench.forget_history")


class _Table:
    """The table ``bars`` between samples: what must be in it, and the way back."""

    def __init__(self, space: Space, bars: Bars, history_rows: int) -> None:
        self._space = space
        self._bars = bars
        self._history_rows = history_rows
        self._is_loaded = False

    def reset(self) -> None:
        """The table without the bars, once the sample before has been found to be right."""
        if self._is_loaded:
            self.verify()
        db = self._space.db
        self._space.engine.empty(db)
        if self._history_rows:
            db.run("bench.restore_history")
        db.run("bench.checkpoint")
        self._is_loaded = True

    def verify(self) -> None:
        """Every bar is there with its values, and no other than before.

        Raises:
            NotMeasuredError: what is fast and wrong is no result.
        """
        rows = self._space.db.run("bench.count_rows")
        wanted = len(self._bars) + self._history_rows
        differing = self._space.db.run("bench.count_differences")
        if rows != wanted or differing:
            raise NotMeasuredError(
                f"wrong: {rows:,} bars instead of {wanted:,}, and {differing:,} missing or changed"
            )

    def columns(self) -> Columns:
        """The bars as whoever has looked up the series' ids would have them."""
        find = self._space.db.run
        ids = [find("series.find", symbol=s, timeframe=t).series_id for s, t in self._bars.series]
        return {
            "series_id": np.array(ids, dtype=np.int32)[self._bars.series_index],
            "load_id": np.ones(len(self._bars), dtype=np.int32),
            "ts": self._bars.ts,
            **{name: getattr(self._bars, name) for name in VALUES},
        }


@contextmanager
def _case(
    space: Space, peer: Peer, rows: int, history_rows: int, shaping_s: list[float]
) -> Iterator[Case]:
    bars = fresh_bars(rows)
    table = _Table(space, bars, history_rows)

    def write() -> None:
        space.store.write(bars, source="bench")

    space.engine.empty(space.db)
    write()
    with space.engine.keep_rows(space.db), peer.opened(space.db, table.columns()) as session:

        def move() -> None:
            shaping_s.append(session.move().shaping_s)

        def reset() -> None:
            session.forget()
            table.reset()

        yield Case(write, rows, reset, move)
        table.verify()


def compare(
    space: Space, peer: Peer, rows: int, history_rows: int, rounds: int, limit: float | None
) -> Comparison:
    """``BarStore.write`` (the subject) against a peer (the reference), in turn."""
    rows = min(rows, peer.most_rows or rows)
    shaping_s: list[float] = []
    scenario = Scenario(
        peer.name,
        "BarStore.write of the same bars, the load and its row of loads included",
        "bars",
        rounds,
        lambda at: _case(at, peer, rows, history_rows, shaping_s),
        Metric.RATIO,
        None if limit is None else {space.db.config.dialect: limit},
    )
    result = measure_one(scenario, space)
    if result.verdict is Verdict.NOT_MEASURED:
        return Comparison(result, None, [])
    return Comparison(result, statistics.median(shaping_s[1:]), peer.versions())
