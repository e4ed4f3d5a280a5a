"""What else a write has to reach, each with a reference of its own in the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from itertools import cycle

import numpy as np

from benchmarks.peers.write import fresh_bars
from jutsu_sql import copy_binary
from jutsu_sql.bars import VALUES, Bars
from jutsu_sql.bench import Case, Metric, NotMeasuredError, Scenario, Space, synthetic_bars

_APPENDED = 10_000
_CORRECTED_SHARE = 0.01
_CENT = 0.01


def scenarios(rows: int, rounds: int, dialect: str) -> list[Scenario]:
    """Those that an engine is measured in, with ``rows`` bars in the table."""
    return [
        Scenario(
            name,
            measures,
            "bars",
            rounds,
            partial(prepare, rows=rows),
            Metric.RATIO,
            {"postgresql": limit},
        )
        for name, prepare, limit, measures, dialects in _GOALS
        if dialect in dialects
    ]


def _require(done: int, wanted: int) -> None:
    if done != wanted:
        raise NotMeasuredError(f"wrong: {done:,} rows instead of {wanted:,}")


def _write(space: Space, bars: Bars, wanted: Mapping[str, int]) -> None:
    report = space.store.write(bars, source="bench")
    for name, rows in wanted.items():
        _require(getattr(report, name), rows)


def _fill(space: Space, bars: Bars) -> None:
    space.engine.empty(space.db)
    _write(space, bars, {"inserted": len(bars)})


def _settle(space: Space) -> None:
    space.db.run("bench.rest")
    space.db.run("bench.checkpoint")


@contextmanager
def _append(space: Space, rows: int) -> Iterator[Case]:
    """Both sides append to the same table, on the same connection."""
    history = fresh_bars(rows)
    _fill(space, history)
    symbol, timeframe = history.series[0]
    series_id = space.db.run("series.find", symbol=symbol, timeframe=timeframe).series_id
    ids = [np.full(_APPENDED, number, dtype=np.int32) for number in (series_id, 1)]
    text = space.db.queries["bars.load"].statements[0].encode()
    first, stored = rows // len(history.series), rows
    bars, encoded = history, b""

    def advance() -> None:
        nonlocal first, stored, bars, encoded
        _require(space.db.run("bench.count_rows"), stored)
        bars = synthetic_bars(_APPENDED, 1, first=first)
        encoded = b"".join(
            copy_binary.encode([[*ids, bars.ts, *(getattr(bars, name) for name in VALUES)]])
        )
        first += _APPENDED
        stored += _APPENDED
        _settle(space)

    def copy() -> None:
        with (
            space.db.connection() as pinned,
            space.engine.bare(space.db, pinned) as raw,
            raw.cursor() as cursor,
            cursor.copy(text) as copying,
        ):
            copying.write(encoded)

    def write() -> None:
        _write(space, bars, {"inserted": _APPENDED})

    yield Case(write, _APPENDED, advance, copy)
    _require(space.db.run("bench.count_rows"), stored)


@contextmanager
def _replay(space: Space, rows: int) -> Iterator[Case]:
    """What the reference has loaded into the emptied table is what the subject writes again."""
    bars = fresh_bars(rows)
    _fill(space, bars)
    with space.engine.keep_rows(space.db):
        versions = None

        def before_load() -> None:
            if versions is not None and space.db.run("bench.row_versions") != versions:
                raise NotMeasuredError("wrong: a replay has written rows")
            space.engine.empty(space.db)
            space.db.run("bench.checkpoint")

        def before_replay() -> None:
            nonlocal versions
            _settle(space)
            versions = space.db.run("bench.row_versions")

        turns = cycle((before_load, before_replay))

        def reset() -> None:
            next(turns)()

        yield Case(
            lambda: _write(space, bars, {"unchanged": rows}),
            rows,
            reset,
            lambda: space.db.run("bench.load_reference"),
        )
        before_load()


@contextmanager
def _correction(space: Space, rows: int) -> Iterator[Case]:
    """The corrected rows lie scattered over all series; the next round corrects them back."""
    bars = fresh_bars(rows)
    corrected = int(rows * _CORRECTED_SHARE)
    high = bars.high.copy()
    high[np.random.default_rng(0).choice(rows, corrected, replace=False)] += _CENT
    stored, other = bars, replace(bars, high=high)
    _fill(space, stored)

    def replay() -> None:
        _write(space, stored, {"unchanged": rows})

    def correct() -> None:
        nonlocal stored, other
        _write(space, other, {"updated": corrected, "unchanged": rows - corrected})
        stored, other = other, stored

    def reset() -> None:
        # No checkpoint, after which only the subject would write whole pages to the log.
        space.db.run("bench.rest")

    yield Case(correct, rows, reset, replay)


_BOTH = ("postgresql", "sqlite")
_Goal = tuple[str, Callable[..., AbstractContextManager[Case]], float, str, tuple[str, ...]]
_GOALS: tuple[_Goal, ...] = (
    (
        "append to a series",
        _append,
        1.3,
        f"write {_APPENDED:,} new bars of one series; against a COPY of the same encoded bytes",
        ("postgresql",),
    ),
    (
        "replay",
        _replay,
        1.0,
        "write bars that are all stored; against the engine's own load of them into an empty table",
        _BOTH,
    ),
    (
        "correction of 1 %",
        _correction,
        1.3,
        "write stored bars with 1 % of them corrected, revisions kept; against the replay",
        _BOTH,
    ),
)
