"""Snapshots: used while nothing has changed, and never after anything has, whoever changed it."""

# ruff: noqa: E501 - statements are one line each

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psycopg
import pytest
from conftest import created_database

import jutsu_sql
from jutsu_sql import Bars, BarStore
from jutsu_sql.bench import synthetic_bars
from jutsu_sql.store import snapshots

ROWS = 1_200
A, B = "BENCH000", "BENCH001"
# Runs SQL text as somebody who does not know the toolkit.
Sql = Callable[[str], Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "snapshots"


def connected(url: str, folder: Path, **settings: Any) -> jutsu_sql.Database:
    return jutsu_sql.connect(url, snapshot_dir=folder, **settings)


@contextmanager
def plain_sql(url: str) -> Iterator[Sql]:
    """A driver's own connection, in autocommit."""
    raw: Any
    if url.startswith("sqlite"):
        raw = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    else:
        raw = psycopg.connect(url, autocommit=True)
    with closing(raw):
        yield lambda text: [raw.execute(part) for part in text.split(";;")][-1]


class Reader:
    """A store whose reads of the database are counted."""

    def __init__(self, store: BarStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store, self.reads = store, 0
        read_bars = snapshots.read_bars

        def counted(*args: Any) -> Bars:
            self.reads += args[0] is store._db  # and not one without snapshots
            return read_bars(*args)

        monkeypatch.setattr(snapshots, "read_bars", counted)

    def read(self, *args: Any) -> Bars:
        return self.store.read(*args)

    def reads_of(self, *args: Any) -> int:
        before = self.reads
        self.read(*args)
        return self.reads - before


def same(left: Bars, right: Bars) -> bool:
    names = ("series_index", "ts", "open", "high", "low", "close", "volume")
    return left.series == right.series and all(
        np.array_equal(getattr(left, name), getattr(right, name)) for name in names
    )


KINDS = ("sqlite", "postgresql")


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated database of each engine."""
    name = "migrated_sqlite" if request.param == "sqlite" else "migrated_postgres"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
def reader(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """Two series of a minute's bars on each engine."""
    with connected(url, folder) as db:
        store = BarStore(db)
        store.write(synthetic_bars(2 * ROWS, 2), source="test")
        yield Reader(store, monkeypatch)


QUERIES: tuple[tuple[Any, ...], ...] = (([A, B], "1m"), (A, "1m"), (B, "1m"))


def warm(reader: Reader) -> None:
    for query in QUERIES:
        reader.read(*query)
        assert reader.reads_of(*query) == 0


def check(reader: Reader, url: str) -> None:
    """Every read says what the database says."""
    with jutsu_sql.connect(url, snapshots=False) as db:
        truth = BarStore(db)
        for query in (
            *QUERIES,
            ([B, A], "1m"),
            (A, "1m", "2020-01-01T01:00Z", "2020-01-01T02:00Z"),
        ):
            for _ in range(2):
                assert same(reader.read(*query), truth.read(*query)), query


def test_a_read_is_kept_and_mapped(reader: Reader, folder: Path) -> None:
    first = reader.read([A, B], "1m")
    assert reader.reads == 1
    again = reader.read([A, B], "1m")
    assert reader.reads == 1
    assert same(first, again)
    for bars in (first, again):
        with pytest.raises(ValueError, match="read-only"):
            bars.close[0] = 1.0
    if os.name == "posix":
        assert folder.stat().st_mode & 0o777 == 0o700
        assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_ranges_are_slices(reader: Reader, url: str) -> None:
    warm(reader)
    spans = [
        ("2020-01-01T00:00Z", None),
        (None, "2020-01-01T00:00Z"),
        ("2020-01-01T03:00Z", "2020-01-01T07:30Z"),
        ("2020-01-01T03:00:01Z", "2020-01-01T03:00:59Z"),
        ("2030-01-01", None),
    ]
    before = reader.reads
    for symbol in (A, [B, "nobody", A], [A, B], [A, A]):
        for span in spans:
            bars = reader.read(symbol, "1m", *span)
            with jutsu_sql.connect(url, snapshots=False) as db:
                assert same(bars, BarStore(db).read(symbol, "1m", *span))
    # Of B and A the second range begins before the first.
    assert reader.reads - before == 2


def test_the_largest_read_of_a_state_is_kept(reader: Reader) -> None:
    part = (A, "1m", "2020-01-01T00:00Z", "2020-01-01T18:00Z")
    assert [reader.reads_of(*part) for _ in range(2)] == [1, 0]
    assert [reader.reads_of(A, "1m") for _ in range(2)] == [1, 0]
    assert reader.reads_of(*part) == 0


def test_only_what_has_changed_is_read_again(reader: Reader, monkeypatch: Any) -> None:
    store = reader.store
    store.write(synthetic_bars(400 * 5, 5), source="test")
    names = [f"BENCH{code:03d}" for code in range(5)]
    reader.read(names, "1m")
    store.delete("BENCH003", "1m", "2020-01-01", "2020-01-01")
    asked = []
    read_bars = snapshots.read_bars
    monkeypatch.setattr(snapshots, "read_bars", lambda *a: asked.append(a[1]) or read_bars(*a))
    got = reader.read(names, "1m")
    assert asked == [["BENCH003"]]
    monkeypatch.undo()
    assert not len(got.select("BENCH003"))
    assert same(reader.read(names, "1m"), got)


def _moved(rows: int) -> Bars:
    bars = synthetic_bars(2 * ROWS, 2)[:rows]
    return Bars(
        bars.series,
        bars.series_index,
        bars.ts,
        bars.open,
        bars.high,
        bars.low,
        bars.close,
        bars.volume + 1,
    )


def _failing_write(store: BarStore) -> None:
    with pytest.raises(jutsu_sql.JutsuSqlError):
        store.write(_moved(10), source="test", on_conflict="error")


TOOLKIT: dict[str, Callable[[BarStore], Any]] = {
    "corrects": lambda s: s.write(_moved(10), source="test"),
    "adds": lambda s: s.write(synthetic_bars(20, 2, first=ROWS), source="test"),
    "adds many": lambda s: s.write(synthetic_bars(6_000, 2, first=ROWS), source="test"),
    "deletes": lambda s: s.delete(A, "1m", None, "2020-01-01T03:00Z"),
    "undoes": lambda s: s.undo(1),
    "replays": lambda s: s.write(synthetic_bars(2 * ROWS, 2), source="test"),
    "fails": _failing_write,
}


@pytest.mark.parametrize("name", TOOLKIT)
def test_after_what_the_toolkit_does(name: str, reader: Reader, url: str) -> None:
    warm(reader)
    TOOLKIT[name](reader.store)
    check(reader, url)
    TOOLKIT[name](reader.store)
    check(reader, url)


UPDATE = "UPDATE bars SET volume = volume + 1 WHERE series_id = 1"
# By anybody, in SQL: what is done, and whether snapshots are still on afterwards.
BYPASSES = {
    "update": UPDATE,
    "one row": f"{UPDATE} AND ts = (SELECT min(ts) FROM bars)",
    "delete": "DELETE FROM bars WHERE series_id = 2",
    "delete all": "DELETE FROM bars",
    "insert": "INSERT INTO bars SELECT 1, load_id, ts + {day}, open, high, low, close, volume FROM bars WHERE series_id = 2",
    "upsert": "INSERT INTO bars SELECT 1, load_id, ts, open, high, low, close, volume + 9 FROM bars WHERE series_id = 2"
    " ON CONFLICT (series_id, ts) DO UPDATE SET volume = excluded.volume",
    "move": "DELETE FROM bars WHERE series_id = 1;; UPDATE bars SET series_id = 1 WHERE series_id = 2",
    "with the load of the series": "UPDATE bars SET close = low, load_id = (SELECT last_load_id FROM series WHERE series_id = 1)",
    "in a transaction": f"BEGIN;; {UPDATE};; COMMIT",
    "after a savepoint": f"BEGIN;; {UPDATE};; SAVEPOINT s;; DELETE FROM bars;; ROLLBACK TO SAVEPOINT s;; COMMIT",
    "in and after a savepoint": f"BEGIN;; SAVEPOINT s;; {UPDATE};; ROLLBACK TO SAVEPOINT s;; {UPDATE};; COMMIT",
    "exchange of names": "UPDATE series SET symbol = 'x' WHERE series_id = 1;; UPDATE series SET symbol = 'BENCH000' WHERE series_id = 2;;"
    " UPDATE series SET symbol = 'BENCH001' WHERE series_id = 1",
    "exchange of columns": "ALTER TABLE bars RENAME COLUMN open TO x;; ALTER TABLE bars RENAME COLUMN close TO open;;"
    " ALTER TABLE bars RENAME COLUMN x TO close",
    "new series of the same id": "CREATE TABLE s AS SELECT * FROM series;; DELETE FROM series WHERE series_id = 1;;"
    " INSERT INTO series (series_id, symbol, timeframe) {override} SELECT series_id, symbol, timeframe FROM s WHERE series_id = 1;;"
    f" {UPDATE}",
}
SQLITE = {
    "replace": "INSERT OR REPLACE INTO bars SELECT 1, load_id, ts, open, high, low, close, volume + 9 FROM bars WHERE series_id = 2",
    "or ignore": "INSERT OR IGNORE INTO bars SELECT 1, load_id, ts + 30000000, open, high, low, close, volume FROM bars WHERE series_id = 2",
    "or replace, recursive": "PRAGMA recursive_triggers = ON;; UPDATE OR REPLACE bars SET series_id = 1 WHERE series_id = 2",
    "exchange of ids": "UPDATE series SET series_id = 9 WHERE series_id = 1;; UPDATE series SET series_id = 1 WHERE series_id = 2;;"
    " UPDATE series SET series_id = 2 WHERE series_id = 9",
    "vacuum": f"{UPDATE};; VACUUM",
    "trigger dropped": f"DROP TRIGGER bars_updated;; {UPDATE}",
    "trigger of another name": "CREATE TRIGGER other AFTER UPDATE ON series BEGIN UPDATE bars SET volume = volume + 1; END;;"
    " UPDATE series SET calendar = 'x'",
    "table replaced": "DROP VIEW market_data;; CREATE TABLE b AS SELECT * FROM bars;; UPDATE b SET volume = volume + 1;; DROP TABLE bars;; ALTER TABLE b RENAME TO bars",
    "table renamed": "ALTER TABLE bars RENAME TO b;; CREATE TABLE bars AS SELECT * FROM b;; UPDATE bars SET volume = volume + 1",
}
POSTGRESQL = {
    "truncate": "TRUNCATE bars",
    "merge": "MERGE INTO bars USING (SELECT * FROM bars WHERE series_id = 2) AS o ON bars.series_id = 1 AND bars.ts = o.ts"
    " WHEN MATCHED THEN UPDATE SET volume = o.volume + 1",
    "cte": "WITH gone AS (DELETE FROM bars WHERE series_id = 1 RETURNING *) SELECT count(*) FROM gone",
    "replica": f"SET session_replication_role = replica;; {UPDATE}",
    "claim of another transaction": f"SET jutsu_sql.renewed_in = '1';; {UPDATE}",
    "rewrite": "DROP VIEW market_data;; ALTER TABLE bars ALTER COLUMN volume TYPE double precision USING volume + 1",
    "new column of the same name": "DROP VIEW market_data;; ALTER TABLE bars DROP COLUMN volume;; ALTER TABLE bars ADD COLUMN volume double precision NOT NULL DEFAULT 5",
    "trigger disabled": f"ALTER TABLE bars DISABLE TRIGGER renew;; {UPDATE}",
    "all triggers disabled for a while": f"ALTER TABLE bars DISABLE TRIGGER ALL;; {UPDATE};; ALTER TABLE bars ENABLE TRIGGER ALL",
    "trigger disabled for a while": f"ALTER TABLE bars DISABLE TRIGGER renew;; {UPDATE};; ALTER TABLE bars ENABLE ALWAYS TRIGGER renew",
    "trigger dropped for a while": f"DROP TRIGGER renew ON bars;; {UPDATE};;"
    " CREATE TRIGGER renew AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON bars FOR EACH STATEMENT EXECUTE FUNCTION renew_bars_state();;"
    " ALTER TABLE bars ENABLE ALWAYS TRIGGER renew",
    "function replaced": "CREATE OR REPLACE FUNCTION renew_bars_state() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';;"
    f" {UPDATE}",
    "child": "CREATE TABLE b () INHERITS (bars);; INSERT INTO b SELECT 1, load_id, ts + interval '1 day', open, high, low, close, volume"
    " FROM bars WHERE series_id = 2",
    "parent": "CREATE TABLE p (LIKE bars);; ALTER TABLE bars INHERIT p;; UPDATE p SET volume = volume + 1;; ALTER TABLE bars NO INHERIT p",
    "table replaced": "CREATE TABLE b (LIKE bars INCLUDING ALL);; INSERT INTO b SELECT * FROM bars;; UPDATE b SET volume = volume + 1;;"
    " DROP TABLE bars CASCADE;; ALTER TABLE b RENAME TO bars",
    "table renamed": "ALTER TABLE bars RENAME TO b;; CREATE TABLE bars AS SELECT * FROM b;; UPDATE bars SET volume = volume + 1",
    "row security": f"{UPDATE};; ALTER TABLE bars ENABLE ROW LEVEL SECURITY",
    "rule": "CREATE RULE r AS ON UPDATE TO series DO ALSO UPDATE bars SET volume = volume + 1;; UPDATE series SET calendar = 'x'",
}
WORDS = {
    "sqlite": {"day": "86400000000", "override": ""},
    "postgresql": {"day": "interval '1 day'", "override": "OVERRIDING SYSTEM VALUE"},
}
CASES = [
    *(
        (kind, name, text.format(**WORDS[kind]))
        for kind in KINDS
        for name, text in BYPASSES.items()
    ),
    *(("sqlite", name, text) for name, text in SQLITE.items()),
    *(("postgresql", name, text) for name, text in POSTGRESQL.items()),
]


@pytest.mark.parametrize(
    ("url", "text"),
    [pytest.param(kind, text, id=f"{kind}-{name}") for kind, name, text in CASES],
    indirect=["url"],
)
def test_after_what_anybody_does(reader: Reader, url: str, text: str) -> None:
    warm(reader)
    with plain_sql(url) as sql:
        sql(text)
        check(reader, url)
        with suppress(sqlite3.Error, psycopg.Error):
            sql(UPDATE)
    check(reader, url)


@pytest.mark.parametrize("end", ["ROLLBACK", "ROLLBACK TO SAVEPOINT s;; COMMIT"])
def test_what_is_rolled_back_has_not_been(reader: Reader, url: str, end: str) -> None:
    warm(reader)
    with plain_sql(url) as sql:
        sql(f"BEGIN;; SAVEPOINT s;; {UPDATE};; DELETE FROM bars WHERE series_id = 2")
        for query in QUERIES:
            assert reader.reads_of(*query) == 0
        sql(end)
    for query in QUERIES:
        assert reader.reads_of(*query) == 0
    check(reader, url)


def test_copies_that_go_apart(
    url: str, reader: Reader, folder: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A copy has the states of its original until one of them changes; then no two agree."""
    warm(reader)
    with ExitStack() as stack:
        if url.startswith("sqlite"):
            other = f"sqlite:///{tmp_path}/copy.db"
            with plain_sql(url) as sql:
                sql(f"VACUUM INTO '{tmp_path}/copy.db'")
        else:
            server = request.getfixturevalue("postgres_url")
            reader.store._db.close()
            other = stack.enter_context(created_database(server, urlsplit(url).path[1:]))
        for place, step in ((url, 1), (other, 2)):
            with plain_sql(place) as sql:
                sql(f"UPDATE bars SET volume = volume + {step} WHERE series_id = 1")
        for place in (url, other, url):
            with connected(place, folder) as db:
                reader.store = BarStore(db)
                check(reader, place)


def test_a_writer_between_the_check_and_the_read(
    reader: Reader, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read after a change that came in between must not be kept under the state before."""
    read_bars = snapshots.read_bars

    def interrupted(*args: Any) -> Bars:
        with plain_sql(url) as sql:
            sql(UPDATE)
        return read_bars(*args)

    monkeypatch.setattr(snapshots, "read_bars", interrupted)
    reader.read([A, B], "1m")
    monkeypatch.setattr(snapshots, "read_bars", read_bars)
    check(reader, url)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.bars"))


def _swap(path: Path) -> None:
    first, second, *_ = _files(path.parent)
    shutil.copyfile(first, second)


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "emptied": lambda path: path.write_bytes(b""),
    "a bit": lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\x77"),
    "a link": lambda path: (
        path.rename(path.with_suffix(".x")),
        path.symlink_to(path.with_suffix(".x")),
    ),
    "a directory": lambda path: (path.unlink(), path.mkdir()),
    "for all to write": lambda path: path.chmod(0o666),
    "another's content": _swap,
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_healed(name: str, reader: Reader, url: str, folder: Path) -> None:
    warm(reader)
    for path in _files(folder):
        DAMAGES[name](path)
    check(reader, url)
    if name != "a directory":
        warm(reader)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_the_directory_is_bounded(reader: Reader, url: str, folder: Path) -> None:
    with connected(url, folder, snapshot_max_mb=1) as db:
        reader.store = BarStore(db)
        reader.store.write(synthetic_bars(8_000, 2, first=9_000), source="test")
        mapped = [reader.read(A, "1m", None, f"2020-01-0{day}") for day in range(4, 10)]
        for query in (*QUERIES, ([B, A], "1m")):
            mapped.append(reader.read(*query))
            assert sum(file.stat().st_size for file in folder.iterdir()) <= 2**20
        # What was evicted while it was mapped stays readable.
        assert all(np.isfinite(bars.close.sum()) for bars in mapped)
        assert reader.reads_of([B, A], "1m") == 0
        reader.store.write(synthetic_bars(40_000, 2, first=99_000), source="test")
        check(reader, url)


def test_where_it_cannot_be_kept(reader: Reader, url: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    for place, reason in ((tmp_path / "file", "file"), (open_to_all, "only you may write to")):
        with connected(url, place) as db:
            store = BarStore(db)
            assert store.describe_snapshots().startswith("off: ")
            assert reason in store.describe_snapshots()
            assert len(store.read(A, "1m")) == ROWS


def test_it_says_why_it_is_off(reader: Reader, url: str, folder: Path) -> None:
    assert reader.store.describe_snapshots() == f"on: {folder}"
    with connected(url, folder, snapshots=False) as db:
        assert BarStore(db).describe_snapshots() == "off: switched off (snapshots)"
        assert len(BarStore(db).read(A, "1m")) == ROWS
    with jutsu_sql.connect("sqlite://") as db:
        db.migrate()
        assert BarStore(db).describe_snapshots() == "off: the database is in memory"
    with plain_sql(url) as sql:
        on = "" if url.startswith("sqlite") else " ON bars"
        sql(f"DROP TRIGGER {'renew' if on else 'bars_updated'}{on}")
    with connected(url, folder) as db:
        assert "not just the triggers that migrations make" in BarStore(db).describe_snapshots()


def test_an_attached_file_is_the_same_file(tmp_path: Path, folder: Path, monkeypatch: Any) -> None:
    url = f"sqlite:///{tmp_path}/bars.db"
    with connected(url, folder) as db:
        db.migrate()
        reader = Reader(BarStore(db), monkeypatch)
        reader.store.write(synthetic_bars(2 * ROWS, 2), source="test")
        warm(reader)
        with plain_sql(f"sqlite:///{tmp_path}/other.db") as sql:
            sql(f"ATTACH '{tmp_path}/bars.db' AS them;; {UPDATE.replace('bars', 'them.bars')}")
        check(reader, url)


def test_a_big_load_leaves_the_triggers_as_it_found_them(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/bars.db"
    with jutsu_sql.connect(url, queries=Path(__file__).parent / "sql") as db:
        db.migrate()
        before = db.run("testing.schema")
        BarStore(db).write(synthetic_bars(2 * ROWS, 2), source="test")
        assert db.run("testing.schema") == before


def test_writers_who_may_not_touch_the_versions(url: str, reader: Reader) -> None:
    """Who may write bars need have no right on what tells that they have changed."""
    if url.startswith("sqlite"):
        return  # it has no users
    warm(reader)
    with plain_sql(url) as sql:
        sql("CREATE ROLE clerk;; GRANT SELECT, UPDATE ON bars TO clerk")
        try:
            sql(f"SET ROLE clerk;; {UPDATE};; RESET ROLE")
            check(reader, url)
        finally:
            sql("DROP OWNED BY clerk;; DROP ROLE clerk")


WORKER = """
import sys
import numpy as np
import jutsu_sql
url, folder, number = sys.argv[1:]
with jutsu_sql.connect(url, snapshot_dir=folder) as db, jutsu_sql.connect(url, snapshots=False) as plain:
    store, truth = jutsu_sql.BarStore(db), jutsu_sql.BarStore(plain)
    for turn in range(15):
        bars = store.read(["BENCH000", "BENCH001"], "1m")
        # Every writer adds the same to all volumes of both series in one transaction.
        added = bars.volume - np.floor(bars.volume)
        assert len(set(added.tolist())) == 1, set(added.tolist())
        if turn % 5 == int(number):
            while True:
                try:
                    db.run("testing.raise_volumes")
                    break
                except jutsu_sql.errors.TransactionError:
                    pass  # two of them took the rows in different orders
"""


def test_many_processes_at_once(url: str, reader: Reader, folder: Path) -> None:
    with plain_sql(url) as sql:
        sql("UPDATE bars SET volume = 100")
    queries = Path(__file__).parent / "sql"
    script = WORKER.replace("snapshot_dir=folder", f"snapshot_dir=folder, queries={str(queries)!r}")
    workers = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", script, url, folder, str(number)])
        for number in range(4)
    ]
    assert [worker.wait() for worker in workers] == [0] * 4
    check(reader, url)
