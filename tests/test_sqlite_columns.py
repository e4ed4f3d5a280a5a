"""Ranges that are read from the file's pages: when, when SQLite is asked, and beside writers."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jutsu_sql
from jutsu_sql import Bars, BarStore, Database
from jutsu_sql.dialects import sqlite_columns, sqlite_file
from jutsu_sql.errors import DatabaseCorruptError, DatabaseLockedError
from jutsu_sql.sqlite_tree import read_spans

ROWS = 3_000
FIRST = np.datetime64("2024-01-02", "us")


def bars_of(symbol: str, value: float, rows: int = ROWS) -> Bars:
    ts = FIRST + np.arange(rows) * np.timedelta64(1, "m")
    return Bars.from_arrays(symbol, "1m", ts, *[np.full(rows, value)] * 5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bars.db"


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    with jutsu_sql.connect(f"sqlite:///{path}", snapshots=False) as db:
        db.migrate()
        yield db


@pytest.fixture
def store(db: Database) -> BarStore:
    store = BarStore(db)
    store.write(bars_of("A", 1.0), source="test")
    store.write(bars_of("B", 2.5), source="test")
    return store


@pytest.fixture
def page_reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of each read of pages that was not given up."""
    counts: list[int] = []

    def counted(*args: Any) -> Any:
        columns = read_spans(*args)
        counts.append(len(columns[0]))
        return columns

    monkeypatch.setattr(sqlite_columns, "read_spans", counted)
    return counts


def plain(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for statement in statements:
            raw.execute(statement).fetchall()


CHECKPOINT = "PRAGMA wal_checkpoint(TRUNCATE)"


@pytest.mark.parametrize("state", [[], [CHECKPOINT], [CHECKPOINT, "UPDATE bars SET close = open"]])
def test_a_range_is_read_from_pages(
    store: BarStore, path: Path, page_reads: list[int], state: list[str]
) -> None:
    plain(path, *state)
    assert np.array_equal(store.read("A", "1m").close, np.full(ROWS, 1.0))
    both = store.read(["A", "B"], "1m")
    assert np.array_equal(both.high, np.repeat([1.0, 2.5], ROWS))
    assert [len(block) for block in store.stream(["A", "B"], "1m")] == [2 * ROWS]
    assert sum(page_reads) == 5 * ROWS


def test_a_short_range_is_not(store: BarStore, page_reads: list[int]) -> None:
    assert len(store.read("A", "1m", FIRST, FIRST + np.timedelta64(1_000, "m"))) == 1_001
    assert not page_reads


def test_a_transaction_sees_what_it_has_written(
    db: Database, store: BarStore, page_reads: list[int]
) -> None:
    with db.transaction() as tx:
        found = tx.run("series.find", symbol="A", timeframe="1m")
        span = {"start": datetime(1970, 1, 1, tzinfo=UTC), "end": datetime(2030, 1, 1, tzinfo=UTC)}
        tx.run("bars.delete", series_id=found.series_id, **span)
        columns = tx.run("bars.read_piece", series_id=found.series_id, n=ROWS, **span)
        assert not len(columns["ts"])
    assert not page_reads


def replace_file(path: Path, _: pytest.MonkeyPatch) -> None:
    other = path.with_name("other.db")
    plain(path, CHECKPOINT, f"VACUUM INTO '{other}'")
    plain(other, "DELETE FROM bars")
    other.replace(path)


def add_column(path: Path, _: pytest.MonkeyPatch) -> None:
    plain(path, "ALTER TABLE bars ADD COLUMN vwap REAL")


def key_of(key: str) -> Callable[[Path, pytest.MonkeyPatch], None]:
    def remake(path: Path, _: pytest.MonkeyPatch) -> None:
        plain(
            path,
            "CREATE TABLE kept AS SELECT * FROM bars",
            "DROP TABLE bars",
            "CREATE TABLE bars (series_id INTEGER, load_id INTEGER, ts INTEGER, open REAL,"
            f" high REAL, low REAL, close REAL, volume REAL, PRIMARY KEY ({key})) WITHOUT ROWID",
            "INSERT INTO bars SELECT * FROM kept",
        )

    return remake


def hide_descriptors(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "_DESCRIPTORS", "/absent")


def change_index(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "_INDEX_VERSION", 3_008_000)


@pytest.mark.parametrize(
    "change",
    [
        replace_file,
        add_column,
        hide_descriptors,
        change_index,
        key_of("ts, series_id"),
        key_of("series_id, load_id, ts"),
        key_of("series_id, ts DESC"),
    ],
)
def test_whatever_is_unexpected_is_left_to_sqlite(
    store: BarStore,
    path: Path,
    page_reads: list[int],
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path, pytest.MonkeyPatch], None],
) -> None:
    change(path, monkeypatch)
    assert np.array_equal(store.read("A", "1m").close, np.full(ROWS, 1.0))
    assert not page_reads


@pytest.mark.parametrize(
    "params",
    [
        {"series_ids": [2, 0, 1, 2, -1]},
        {"series_ids": [2, -1, 0]},
        {"series_ids": [1, None]},
        {"series_ids": [2, 2**63]},
        {"series_ids": 2},
        {"start": "0"},
        {"end": float("inf")},
        {"n": "2000"},
        {"n": 2000.0},
    ],
)
def test_parameters_mean_what_sqlite_takes_them_for(
    db: Database,
    store: BarStore,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    params: dict[str, Any],
) -> None:
    params = {"series_ids": [1, 2], "start": 0, "end": 2**62, "n": 5_000} | params
    found = db.run("bars.read_many", **params)
    monkeypatch.setattr(sqlite_columns, "_RANGES", set())
    with jutsu_sql.connect(f"sqlite:///{path}", snapshots=False) as other:
        expected = other.run("bars.read_many", **params)
    assert len(found["ts"]) > 64
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_a_temporary_table_in_front_of_bars(path: Path, tmp_path: Path, store: BarStore) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "cover.sqlite.sql").write_text(
        "-- kind: script\n"
        "CREATE TEMPORARY TABLE Bars (series_id INTEGER, load_id INTEGER, ts INTEGER, open REAL,"
        " high REAL, low REAL, close REAL, volume REAL, PRIMARY KEY (series_id, ts)) WITHOUT ROWID;"
        "INSERT INTO Bars SELECT * FROM main.bars ORDER BY ts LIMIT 200"
    )
    with jutsu_sql.connect(f"sqlite:///{path}", snapshots=False, queries=own) as db:
        db.run("cover")
        assert len(BarStore(db).read("A", "1m")) == 100


def test_no_more_rows_than_are_fetched_first(
    db: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = np.datetime64("1980-01-01", "us") + np.arange(64) * np.timedelta64(1, "D")
    BarStore(db).write(Bars.from_arrays("D", "1D", days, *[np.ones(64)] * 5), source="test")
    plain(path, CHECKPOINT)

    def read_late(*args: Any) -> Any:
        # The driver has found that there are no more, and nothing keeps the state.
        inner = "ts > (SELECT min(ts) FROM bars) AND ts < (SELECT max(ts) FROM bars)"
        plain(path, f"UPDATE bars SET volume = 2 WHERE {inner}", CHECKPOINT)
        return read_spans(*args)

    monkeypatch.setattr(sqlite_columns, "read_spans", read_late)
    assert BarStore(db).read("D", "1D").volume.tolist() == [1.0] * 64


def test_a_file_with_a_rollback_journal(
    db: Database, store: BarStore, path: Path, page_reads: list[int]
) -> None:
    db.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        assert raw.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
        with (
            closing(
                raw.execute("SELECT ts FROM bars")
            ),  # who reads keeps others from changing that
            jutsu_sql.connect(f"sqlite:///{path}", snapshots=False, lock_timeout=0.05) as again,
        ):
            assert np.array_equal(BarStore(again).read("A", "1m").close, np.full(ROWS, 1.0))
    assert page_reads == [ROWS]


def test_a_file_that_cannot_be_locked_is_told_of_when_a_view_begins(
    db: Database, store: BarStore, path: Path
) -> None:
    db.close()
    plain(path, "PRAGMA journal_mode = DELETE")
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("BEGIN IMMEDIATE")
        with jutsu_sql.connect(f"sqlite:///{path}", snapshots=False, lock_timeout=0.05) as again:
            raw.execute("COMMIT")
            raw.execute("BEGIN EXCLUSIVE")
            with pytest.raises(DatabaseLockedError), again.read_transaction():
                pass


def test_what_is_damaged_is_told_by_sqlite(
    db: Database, store: BarStore, path: Path, page_reads: list[int]
) -> None:
    db.close()
    content = bytearray(path.read_bytes())
    middle = store_ts(FIRST + np.timedelta64(ROWS // 2, "m"))
    page_at = content.index(middle) // 4096 * 4096
    content[page_at + 3 : page_at + 5] = b"\xff\xff"
    path.write_bytes(content)
    with (
        jutsu_sql.connect(f"sqlite:///{path}", snapshots=False) as again,
        pytest.raises(DatabaseCorruptError, match="malformed"),
    ):
        BarStore(again).read("A", "1m")
    assert not page_reads


def store_ts(ts: np.datetime64) -> bytes:
    return int(ts.astype(np.int64)).to_bytes(8, "big")


WRITER = """
import itertools, random, sqlite3, sys, time
raw = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
raw.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
until = time.monotonic() + float(sys.argv[2])
for generation in itertools.count(10):
    columns = ("open", "high", "low", "close", "volume")
    changes = ", ".join(f"{column} = {generation / 4}" for column in columns)
    raw.execute(f"UPDATE bars SET {changes}")
    if random.random() < 0.5:
        mode = random.choice(["PASSIVE", "FULL", "RESTART", "TRUNCATE"])
        raw.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
    if random.random() < 0.1:
        raw.close()
        raw = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
    if time.monotonic() > until:
        break
"""


def test_readers_beside_other_processes_see_whole_commits(
    store: BarStore, path: Path, page_reads: list[int]
) -> None:
    seen: set[float] = set()
    failures: list[str] = []
    is_done = threading.Event()

    def read(parallel: int) -> None:
        while not is_done.is_set():
            bars = store.read(["A", "B"] if parallel else "A", "1m", parallel=parallel or 1)
            values = np.unique([bars.open, bars.high, bars.low, bars.close, bars.volume])
            if len(bars) != (2 * ROWS if parallel else ROWS) or (
                len(values) != 1 and values[-1] > 2.5
            ):
                failures.append(f"{len(bars)} bars of {values}")
            seen.update(values.tolist())

    def come_and_go() -> None:
        while not is_done.is_set():
            plain(path, "SELECT count(*) FROM bars")

    threads = [threading.Thread(target=read, args=(parallel,)) for parallel in (0, 0, 1, 2)]
    threads.append(threading.Thread(target=come_and_go))
    for thread in threads:
        thread.start()
    command = [sys.executable, "-c", WRITER, str(path), os.environ.get("JUTSU_TEST_SOAK_S", "3")]
    writers = [subprocess.Popen(command) for _ in range(1)]
    codes = [writer.wait() for writer in writers]
    is_done.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert codes == [0]
    assert len(seen) > 5
    assert len(page_reads) > 20
