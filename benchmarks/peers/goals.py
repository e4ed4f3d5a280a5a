"""What else writes have to reach, each against a reference of its own in the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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


def scenarios(rows: int, rounds: int, dialect: str) -> tuple[Scenario, ...]:
    """Those that the engine can be measured in, with ``rows`` bars in the table."""

    def scenario(
        name: str, measures: str, prepare: Callable[..., object], limits: Mapping[str, float]
    ) -> Scenario:
        bound = partial(prepare, rows=rows)
        return Scenario(name, measures, "bars", rounds, bound, Metric.RATIO, limits)  # type: ignore[arg-type]

    both = (
        scenario(
            "replay",
            f"write {rows:,} bars that are all stored; against the engine's own load of them into"
            " an empty table",
            _replay,
            {"postgresql": 1.0},
        ),
        scenario(
            "correction",
            f"write {rows:,} stored bars, 1 % of them corrected; against the replay",
            _correction,
            {"postgresql": 1.3},
        ),
    )
    if dialect == "sqlite":
        return both
    append = scenario(
        "append",
        f"write {_APPENDED:,} new bars of one series; against a COPY of the same encoded bytes",
        _append,
        {"postgresql": 1.3},
    )
    return (append, *both)


def _require(done: int, wanted: int) -> None:
    if done != wanted:
        raise NotMeasuredError(f"wrong: {done:,} rows instead of {wanted:,}")


def _write(space: Space, bars: Bars, **wanted: int) -> None:
    report = space.store.write(bars, source="bench")
    for name, rows in wanted.items():
        _require(getattr(report, name), rows)


def _fill(space: Space, bars: Bars) -> None:
    space.engine.empty(space.db)
    _write(space, bars, inserted=len(bars))
    space.db.run("bench.rest")


@contextmanager
def _append(space: Space, rows: int) -> Iterator[Case]:
    """Both sides append, to the same table and on the same connection."""
    history = fresh_bars(rows)
    _fill(space, history)
    symbol, timeframe = history.series[0]
    series_id = space.db.run("series.find", symbol=symbol, timeframe=timeframe).series_id
    text = space.db.queries["bars.load"].statements[0].encode()
    first = rows // len(history.series)
    rows_before = rows
    bars, encoded = history, b""

    def advance() -> None:
        nonlocal bars, encoded, first, rows_before
        _require(space.db.run("bench.count_rows"), rows_before)
        rows_before += _APPENDED
        bars = synthetic_bars(_APPENDED, 1, first=first)
        first += _APPENDED
        keys = (np.full(_APPENDED, number, dtype=np.int32) for number in (series_id, 1))
        columns = [*keys, bars.ts, *(getattr(bars, name) for name in VALUES)]
        encoded = b"".join(copy_binary.encode([columns]))
        space.db.run("bench.checkpoint")

    def copy() -> None:
        with (
            space.db.connection() as pinned,
            space.engine.bare(space.db, pinned) as raw,
            raw.cursor() as cursor,
            cursor.copy(text) as copying,
        ):
            copying.write(encoded)

    yield Case(lambda: _write(space, bars, inserted=_APPENDED), _APPENDED, advance, copy)


@contextmanager
def _replay(space: Space, rows: int) -> Iterator[Case]:
    """What the reference has loaded into the emptied table is what the subject writes again."""
    bars = fresh_bars(rows)
    _fill(space, bars)
    with space.engine.keep_rows(space.db):
        versions = None

        def empty() -> None:
            space.engine.empty(space.db)
            space.db.run("bench.checkpoint")

        def settle() -> None:
            nonlocal versions
            space.db.run("bench.rest")
            space.db.run("bench.checkpoint")
            versions = space.db.run("bench.row_versions")

        def write() -> None:
            _write(space, bars, unchanged=rows)

        def verify() -> None:
            if space.db.run("bench.row_versions") != versions:
                raise NotMeasuredError("wrong: a replay has written rows")

        def load() -> None:
            space.db.run("bench.load_reference")

        def empty_after_replay() -> None:
            if versions is not None:
                verify()
            empty()

        turns = cycle((empty_after_replay, settle))
        yield Case(write, rows, lambda: next(turns)(), load)
        verify()


@contextmanager
def _correction(space: Space, rows: int) -> Iterator[Case]:
    """The corrected rows are scattered over all series, and corrected back in the next round."""
    bars = fresh_bars(rows)
    corrected_rows = int(rows * _CORRECTED_SHARE)
    chosen = np.random.default_rng(0).choice(rows, corrected_rows, replace=False)
    high = bars.high.copy()
    high[chosen] += _CENT
    stored, other = bars, replace(bars, high=high)
    _fill(space, stored)

    def replay() -> None:
        _write(space, stored, unchanged=rows)

    def correct() -> None:
        nonlocal stored, other
        _write(space, other, updated=corrected_rows, unchanged=rows - corrected_rows)
        stored, other = other, stored

    def reset() -> None:
        space.db.run("bench.rest")
        space.db.run("bench.checkpoint")

    yield Case(correct, rows, reset, replay)
