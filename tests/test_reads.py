"""Reads in pieces, by pages and arrays, over one connection and many: what plain rows say."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import jutsu_sql
from jutsu_sql import Bars, BarStore, Database, sqlite_tree
from jutsu_sql.dialects import sqlite, sqlite_columns
from jutsu_sql.errors import BarsError, PoolTimeoutError
from jutsu_sql.store import read

SYMBOLS = ("A", "B", "C")
FIRST = datetime(1969, 12, 31, 23, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PRICES = st.sampled_from([0.0, -1.5, 1.0, 1.25, 2.0**60, 1e-9])


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every edge within a few dozen bars."""
    monkeypatch.setattr(read, "_PIECE_BARS", 7)
    monkeypatch.setattr(read, "_PIECES_AT_ONCE", 2)
    monkeypatch.setattr(sqlite_columns, "_PROBED_OF_RANGE_ROWS", 2)
    monkeypatch.setattr(sqlite_columns, "_MIN_RANGE_ROWS", 0)
    monkeypatch.setattr(sqlite_columns, "_MIN_SPAN_ROWS", 0)
    monkeypatch.setattr(sqlite_columns, "_PROBED_ROWS", 3)
    monkeypatch.setattr(sqlite_columns, "_FETCH_ROWS", 3)
    monkeypatch.setattr(sqlite_tree, "_LEAVES_AT_ONCE", 2)


@st.composite
def contents(draw: st.DrawFn) -> list[dict[str, Any]]:
    # Also closer to each other than their timeframe says.
    steps = st.lists(st.integers(0, 600), max_size=40, unique=True)
    return [
        {
            "symbol": symbol,
            "timeframe": "1m",
            "ts": FIRST + step * MINUTE / 3,
            **dict.fromkeys(("open", "high", "low", "close"), draw(PRICES)),
            "volume": float(step % 3),
        }
        for symbol in SYMBOLS
        for step in draw(steps)
    ]


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    bars=contents(),
    symbols=st.permutations([*SYMBOLS, "absent"]).flatmap(
        lambda names: st.integers(0, 4).map(lambda count: names[:count])
    ),
    start=st.none() | st.integers(-5, 205),
    minutes=st.none() | st.integers(0, 3) | st.integers(0, 210),
    parallel=st.integers(1, 3),
)
def test_every_read_is_what_plain_rows_say(
    db: Database,
    store: BarStore,
    bars: list[dict[str, Any]],
    symbols: list[str],
    start: int | None,
    minutes: int | None,
    parallel: int,
) -> None:
    store.delete(everything=True)
    store.write(bars, source="test")
    first = None if start is None else FIRST + start * MINUTE
    last = None if minutes is None else (first or FIRST) + minutes * MINUTE
    expected = [
        tuple(row)
        for symbol in symbols
        for row in db.run("testing.plain_bars")
        if row.symbol == symbol
        and (first is None or row.ts >= first)
        and (last is None or row.ts <= last)
    ]
    got = store.read(symbols, "1m", first, last, parallel=parallel)
    assert [tuple(bar) for bar in got] == expected
    for symbol in symbols[:1]:
        alone = store.read(symbol, "1m", first, last, parallel=parallel)
        assert [tuple(bar) for bar in alone] == [row for row in expected if row[0] == symbol]


def test_bars_closer_than_their_timeframe_are_all_read(store: BarStore) -> None:
    ts = np.datetime64("2024-01-02", "us") + np.arange(9) * np.timedelta64(10, "s")
    for symbol in SYMBOLS:
        store.write(Bars.from_arrays(symbol, "1m", ts, *[np.arange(9.0)] * 5), source="test")
    # A minute has one of each at most, so that the three are asked for together.
    got = store.read(SYMBOLS, "1m", ts[0], ts[-1] - np.timedelta64(15, "s"))
    assert [(bar.symbol, bar.close) for bar in got] == [(s, c) for s in SYMBOLS for c in range(7)]


def constant(value: float) -> Bars:
    """Every value of every bar of two series the same."""
    ts = np.datetime64("2024-01-02", "us") + np.arange(40) * np.timedelta64(1, "m")
    column = np.full(80, value)
    symbols = np.repeat(["A", "B"], 40).tolist()
    return Bars.from_arrays(symbols, "1m", np.tile(ts, 2), *[column] * 5)


@pytest.mark.parametrize("parallel", [1, 3])
def test_a_reader_beside_a_writer_never_sees_half_a_load(store: BarStore, parallel: int) -> None:
    store.write(constant(0.0), source="test")
    failures: list[BaseException] = []
    is_done = threading.Event()

    def write() -> None:
        try:
            for value in range(1, 30):
                store.write(constant(float(value)), source="test")
        except BaseException as error:
            failures.append(error)
        finally:
            is_done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while not is_done.is_set():
        bars = store.read(["A", "B"], "1m", parallel=parallel)
        (value,) = np.unique([bars.open, bars.close, bars.volume])
        seen.append(value)
        assert len(bars) == 80
    writer.join()
    assert not failures
    assert seen == sorted(seen)


def test_connections_of_one_state_keep_it(db: Database, store: BarStore) -> None:
    store.write(constant(1.0), source="test")
    if db.config.database == ":memory:":
        with db.one_state(3) as connections:
            assert len(connections) == 1
        return
    with db.one_state(3) as connections:
        before = [len(connection.run("testing.plain_bars")) for connection in connections]
        store.delete("A")
        after = [len(connection.run("testing.plain_bars")) for connection in connections]
    assert before == after == [80] * 3
    with db.one_state(2) as connections:
        assert [len(c.run("testing.plain_bars")) for c in connections] == [40, 40]


def test_views_that_a_commit_comes_between_begin_again(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with jutsu_sql.connect(f"sqlite:///{tmp_path}/bars.db") as db:
        db.migrate()
        store = BarStore(db)
        store.write(constant(1.0), source="test")
        looks: list[Any] = []
        data_version = sqlite.SqliteDialect._data_version

        def look(self: Any, raw: Any) -> Any:
            looks.append(data_version(self, raw))
            if len(looks) == 1:
                store.delete("A")
            return looks[-1]

        monkeypatch.setattr(sqlite.SqliteDialect, "_data_version", look)
        with db.one_state(2) as connections:
            seen = [[row.bars for row in c.run("series.summary")] for c in connections]
        assert len(looks) == 4
        assert seen == [[0, 40], [0, 40]]


def test_parallel_is_a_number_of_connections(tmp_path: Any) -> None:
    with jutsu_sql.connect(
        f"sqlite:///{tmp_path}/bars.db", pool_size=1, max_overflow=1, pool_timeout=0.1
    ) as db:
        db.migrate()
        store = BarStore(db)
        store.write(constant(1.0), source="test")
        with pytest.raises(BarsError, match="not 0"):
            store.read("A", "1m", parallel=0)
        with pytest.raises(PoolTimeoutError):
            store.read("A", "1m", parallel=3)
        assert len(store.read(["A", "B"], "1m", parallel=2)) == 80


def test_columns_of_plain_rows_are_in_order_with_every_type(db: Database) -> None:
    columns = db.run("testing.numbers", rows=5_000, missing=-1)
    assert columns["n"].tolist() == list(range(5_000, 0, -1))
    assert {columns[name].dtype for name in ("n", "small")} == {np.dtype(np.int64)}
    assert columns["half"].tolist() == [n / 2 for n in range(5_000, 0, -1)]
    assert columns["half"].dtype == np.float64


def test_columns_of_plain_rows_with_nulls_and_without_rows(db: Database) -> None:
    columns = db.run("testing.numbers", rows=300, missing=150)
    assert columns["half"].tolist() == [None if n == 150 else n / 2 for n in range(300, 0, -1)]
    assert columns["n"].tolist() == list(range(300, 0, -1))
    none = db.run("testing.numbers", rows=0, missing=-1)
    assert [len(column) for column in none.values()] == [0, 0, 0]


def test_any_query_gives_columns(db: Database) -> None:
    BarStore(db).write(constant(1.0), source="test")
    now = datetime(2024, 1, 2, tzinfo=UTC)
    begun = {"kind": "write", "source": "x", "uri": None, "content_sha256": None}
    tool = {"actor": "x", "tool_version": "x"}
    db.run("loads.start", **begun, **tool, observed_at=now, started_at=now)
    columns = db.run_columns("loads.recent", n=2)
    assert columns["source"].tolist() == ["x", "test"]
    assert columns["started_at"].dtype == np.dtype("M8[us]")
    unfinished, finished = columns["finished_at"]
    assert unfinished is None
    assert finished.tzinfo is not None
    assert list(db.run_columns("bars.latest", series_id=0, n=1)["close"]) == []


def test_columns_of_text_and_numeric_take_the_slower_way(db: Database) -> None:
    columns = db.run("testing.words", rows=300)
    assert columns["word"].tolist() == [f"w{n}" for n in range(1, 301)]
    assert columns["n"].tolist() == list(range(1, 301))
