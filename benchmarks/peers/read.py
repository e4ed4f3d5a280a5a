"""The same bars, read by ``BarStore.read`` and by each peer in turn, as the same NumPy columns."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from time import process_time

import numpy as np

from benchmarks.peers.peer import Columns, Cost, Reader
from benchmarks.peers.write import fresh_bars
from jutsu_sql.bars import VALUES, Bars
from jutsu_sql.bench import (
    Case,
    Metric,
    NotMeasuredError,
    Result,
    Samples,
    Scenario,
    Space,
    Verdict,
    judge,
    limit_of,
    measure_one,
)
from jutsu_sql.database import connect
from jutsu_sql.store import BarStore

# By dialect, then by peer: at most so many times what it takes.
_Limits = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """One way of calling ``BarStore.read``, and what it has to reach.

    Without ``has_ends`` the read is of all that there is. ``limits`` are of time, ``cpu_limits`` of
    CPU. If not ``for_all``, only the peers with a limit are measured, and the files. Where a read
    is short there are ``rounds_factor`` times the rounds.
    """

    title: str
    query: str = "bench.read_all"
    parallel: int = 1
    has_ends: bool = False
    is_warm: bool = False
    limits: _Limits = field(default_factory=dict)
    cpu_limits: _Limits = field(default_factory=dict)
    for_all: bool = False
    rounds_factor: int = 1


PANELS = (
    Panel(
        "all of 100 series",
        limits={"sqlite": {"ADBC": 1 / 1.5, "sqlite3 fetchall": 1 / 1.3}},
        for_all=True,
    ),
    Panel(
        "all of 100 series, parallel=2",
        parallel=2,
        limits={
            "postgresql": {"ADBC": 1 / 1.4, "connectorx, 2 connections": 1.0},
            "sqlite": {"ADBC": 1 / 1.5, "sqlite3 fetchall": 1 / 1.3},
        },
        cpu_limits={"postgresql": {"ADBC": 1 / 4}},
    ),
    Panel(
        "one of 100 series",
        query="bench.read_one",
        limits={"postgresql": {"ADBC": 1.0, "psycopg fetchall, binary": 1 / 2}},
        for_all=True,
        rounds_factor=10,
    ),
    Panel(
        "one of 100 series, from a time to a time",
        query="bench.read_one",
        has_ends=True,
        limits={"postgresql": {"ADBC": 1.0}, "sqlite": {"ADBC": 1.0}},
        rounds_factor=10,
    ),
    Panel(
        "all of 100 series, unchanged since the last read",
        is_warm=True,
        limits={"postgresql": {"ADBC": 1 / 50}, "sqlite": {"ADBC": 1 / 50}},
    ),
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of one peer. ``cpu_s`` is what the reading process worked for it and for us, and
    ``cpu`` the verdict on that where there is a limit; ``shaping_s`` is what columns took."""

    result: Result
    shaping_s: float | None = None
    versions: Sequence[str] = ()
    cpu_s: tuple[float, float] | None = None
    cpu: Result | None = None


def fill(space: Space, rows: int) -> Bars:
    """Put the bars there that are read; gives them."""
    bars = fresh_bars(rows)
    space.engine.empty(space.db)
    space.store.write(bars, source="bench")
    for query in ("bench.rest", "bench.checkpoint"):
        space.db.run(query)
    return bars


def fingerprint(columns: Columns) -> dict[str, str]:
    """What has to be the same of all columns that hold the same bars, to the bit."""
    prints = {}
    for name, column in columns.items():
        plain = column.astype(np.int64) if name == "series_id" else column
        if plain.dtype == np.dtype("M8[us]"):
            plain = plain.view(np.int64)
        digest = blake2b(np.ascontiguousarray(plain).data, digest_size=16).hexdigest()
        prints[name] = f"{len(plain):,} of {plain.dtype}, {digest}"
    return prints


def _require_same(found: Mapping[str, str], stored: Mapping[str, str]) -> None:
    """What is fast and wrong is no result."""
    if found != stored:
        wrong = [name for name in stored if found.get(name) != stored[name]]
        raise NotMeasuredError(f"wrong: {', '.join(wrong) or 'more columns'}: not what is stored")


class _Subject:
    """``BarStore.read`` in the way of a panel, and the columns that it has to give."""

    def __init__(self, store: BarStore, panel: Panel, stored: Bars) -> None:
        is_one = panel.query == "bench.read_one"
        symbols = [series.symbol for series in stored.series[: 1 if is_one else None]]
        self._store = store
        ends = (stored.ts.min(), stored.ts.max()) if panel.has_ends else (None, None)
        self._call = (symbols, stored.series[0].timeframe, *ends)
        self._parallel = panel.parallel
        self._names = ("ts", *VALUES) if is_one else ("series_id", "ts", *VALUES)
        self.rows = int(np.count_nonzero(stored.series_index < len(symbols)))

    def read(self) -> Bars:
        return self._store.read(*self._call, parallel=self._parallel)

    def columns(self, bars: Bars, rows: int | None = None) -> Columns:
        """As the query of the panel gives them; a new table numbers its series from 1 on."""
        columns = {name: getattr(bars, name) for name in ("ts", *VALUES)}
        columns["series_id"] = bars.series_index + 1
        return {name: columns[name][:rows] for name in self._names}


@contextmanager
def _store(space: Space, panel: Panel) -> Iterator[BarStore]:
    if not panel.is_warm:
        yield space.store
        return
    with tempfile.TemporaryDirectory(prefix="jutsu-bench-") as folder:
        config = replace(space.db.config, snapshots=True, snapshot_dir=folder)
        with connect(config=config) as db:
            store = BarStore(db)
            said = store.describe_snapshots()
            if not said.startswith("on"):
                raise NotMeasuredError(f"snapshots are {said}")
            yield store


@contextmanager
def _case(
    space: Space, panel: Panel, peer: Reader, stored: Bars, costs: list[tuple[Cost, float]]
) -> Iterator[Case]:
    with (
        _store(space, panel) as store,
        peer.opened(space.db, panel.query) as session,
    ):
        subject = _Subject(store, panel, stored)
        wanted = fingerprint(subject.columns(stored, subject.rows))
        theirs = Cost(0.0, 0.0)
        moved: Callable[[], dict[str, str]] | None = None

        def move() -> None:
            nonlocal theirs, moved
            theirs = session.move()
            moved = partial(session.look, fingerprint)

        def read() -> None:
            nonlocal moved
            start = process_time()
            bars = subject.read()
            costs.append((theirs, process_time() - start))
            moved = partial(fingerprint, subject.columns(bars))

        def reset() -> None:
            nonlocal moved
            if moved:
                _require_same(moved(), wanted)
            moved = None
            session.forget()

        yield Case(read, subject.rows, reset, move)
        reset()


def compare(space: Space, panel: Panel, peer: Reader, stored: Bars, rounds: int) -> Comparison:
    """``BarStore.read`` (the subject) against a peer (the reference), in turn."""
    dialect = space.db.config.dialect
    costs: list[tuple[Cost, float]] = []

    def scenario(limits: _Limits) -> Scenario:
        limit = limits.get(dialect, {}).get(peer.name)
        return Scenario(
            peer.name,
            "BarStore.read of the same bars",
            "bars",
            rounds * panel.rounds_factor,
            lambda at: _case(at, panel, peer, stored, costs),
            Metric.RATIO,
            None if limit is None else {dialect: limit},
        )

    result = measure_one(scenario(panel.limits), space)
    if result.verdict is Verdict.NOT_MEASURED:
        return Comparison(result)
    counted = costs[-result.rounds :]
    theirs, ours = [cost.cpu_s for cost, _ in counted], [cpu_s for _, cpu_s in counted]
    by_cpu = scenario(panel.cpu_limits)
    return Comparison(
        result,
        statistics.median(cost.shaping_s for cost, _ in counted),
        peer.versions(),
        (statistics.median(theirs), statistics.median(ours)),
        judge(by_cpu, limit_of(by_cpu, space), Samples(result.work, ours, theirs))
        if by_cpu.limits
        else None,
    )
