"""Columns from a table's pages: what SQLite itself says of every tree, in every state of a file."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jutsu_sql.dialects.sqlite_file import DatabaseFile, identity_of
from jutsu_sql.sqlite_tree import Spans, Tree, UnreadableTreeError, read_spans

TABLE = """
    CREATE TABLE t (
        a INTEGER NOT NULL, x INTEGER NOT NULL, b INTEGER NOT NULL,
        y REAL NOT NULL, z REAL NOT NULL,
        PRIMARY KEY (a, b)
    ) STRICT, WITHOUT ROWID
"""
COLUMNS = ("a", "b", "x", "y", "z")
DTYPES = dict(zip(COLUMNS, map(np.dtype, (int, int, int, float, float)), strict=True))
INT64 = st.integers(-(2**63), 2**63 - 1)
# Every width that an integer is stored in, and both that take no bytes.
INTEGERS = (
    st.sampled_from(
        [
            sign * (2**bits + more)
            for bits in (0, 7, 8, 15, 23, 31, 47)
            for more in (-1, 0)
            for sign in (-1, 1)
        ]
    )
    | INT64
)
DOUBLES = st.sampled_from([0.0, -0.0, 1.0, -1.0, 100.25, 5e-324, 1e300, float(2**47)]) | st.floats(
    allow_nan=False, allow_infinity=True
)
ANYTHING = Spans(np.array([0]), np.array([-(2**63)]), np.array([2**63 - 1]))


class Reader:
    """A connection in the middle of a statement, and the pages of what it sees."""

    def __init__(self, path: Path) -> None:
        identity = identity_of(str(path))
        self.raw = sqlite3.connect(path, isolation_level=None)
        self.file = DatabaseFile(str(path), identity)
        self.raw.execute("SELECT count(*) FROM t").fetchall()  # the log's index is open from now on

    def read(self, spans: Spans = ANYTHING, limit: int = 10**9) -> list[Any]:
        mark = self.file.mark()
        with closing(self.raw.execute("SELECT 1 FROM sqlite_schema")):
            return self.read_seen(self.file.seen_since(mark), spans, limit)

    def read_seen(self, seen: Any, spans: Spans = ANYTHING, limit: int = 10**9) -> list[Any]:
        (root,) = self.raw.execute("SELECT rootpage FROM sqlite_schema WHERE name = 't'").fetchone()
        with self.file.pages(seen) as pages:
            return read_spans(Tree(pages, root, COLUMNS), spans, DTYPES, limit)

    def rows(self, spans: Spans = ANYTHING, limit: int = 10**9) -> list[Any]:
        found: list[Any] = []
        for span in zip(*(each.tolist() for each in spans), strict=True):
            found += self.raw.execute(
                "SELECT a, b, x, y, z FROM t WHERE a = ? AND b BETWEEN ? AND ? ORDER BY b", span
            )
        return found[:limit]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "t.db"


def make(path: Path, page_bytes: int = 512, journal: str = "wal") -> sqlite3.Connection:
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute(f"PRAGMA page_size = {page_bytes}")
    raw.execute(f"PRAGMA journal_mode = {journal}").fetchall()
    raw.execute("PRAGMA synchronous = OFF")
    raw.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
    raw.execute(TABLE)
    return raw


def fill(raw: sqlite3.Connection, rows: Any) -> None:
    raw.execute("BEGIN")
    raw.executemany("INSERT OR REPLACE INTO t (a, b, x, y, z) VALUES (?, ?, ?, ?, ?)", rows)
    raw.execute("COMMIT")


def same(columns: list[Any], rows: list[Any]) -> bool:
    types = [column.dtype for column in columns] == list(DTYPES.values())
    return types and list(zip(*(column.tolist() for column in columns), strict=True)) == rows


def series(a: int, count: int, step: int = 3) -> Iterator[tuple[Any, ...]]:
    return ((a, step * i, i * a, i / 4, float(i)) for i in range(count))


@st.composite
def spans(draw: st.DrawFn) -> Spans:
    firsts = sorted(draw(st.sets(st.integers(0, 5), min_size=1)))
    bounds = [sorted(draw(st.tuples(INTEGERS, INTEGERS))) for _ in firsts]
    return Spans(np.array(firsts), *np.array(bounds, dtype=np.int64).T)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    page_bytes=st.sampled_from([512, 1024, 65_536]),
    journal=st.sampled_from(["wal", "delete"]),
    steps=st.lists(
        st.tuples(
            st.lists(
                st.tuples(st.integers(0, 5), INTEGERS, INTEGERS, DOUBLES, DOUBLES), max_size=30
            ),
            st.integers(0, 5) | st.none(),  # a series to delete
            st.tuples(st.integers(0, 5), st.integers(0, 400)),  # and one of many rows
            st.sampled_from(["", "PASSIVE", "TRUNCATE"]),
        ),
        min_size=1,
        max_size=4,
    ),
    wanted=spans(),
    limit=st.just(10**9) | st.integers(1, 300),
)
def test_the_rows_are_those_that_sqlite_finds(
    path: Path, page_bytes: int, journal: str, steps: Any, wanted: Spans, limit: int
) -> None:
    for file in path.parent.iterdir():
        file.unlink()
    with closing(make(path, page_bytes, journal)) as writer:
        reader = Reader(path)
        for rows, dropped, (a, count), checkpoint in steps:
            fill(writer, rows)
            fill(writer, series(a, count))
            if dropped is not None:
                writer.execute("DELETE FROM t WHERE a = ?", (dropped,))
            if checkpoint:
                writer.execute(f"PRAGMA wal_checkpoint({checkpoint})").fetchall()
            assert same(reader.read(wanted, limit), reader.rows(wanted, limit))
        reader.raw.close()


def test_a_tree_of_many_pages_with_parts_of_it_in_the_log(path: Path) -> None:
    with closing(make(path)) as writer:
        for a in range(40):
            fill(writer, series(a, 500))
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        reader = Reader(path)
        # More frames than a part of the log's index has.
        for _ in range(6):
            writer.execute("UPDATE t SET y = y + 1 WHERE b % 7 = 0")
        fill(writer, series(41, 700))
        for limit in (10**9, 1, 499, 500, 501, 7_777):
            every = np.arange(45)
            wanted = Spans(every, every * 0 + 3, every * 0 + 3 * 480)
            assert same(reader.read(wanted, limit), reader.rows(wanted, limit))
        reader.raw.close()


def test_a_way_down_by_keys_that_are_not_integers_is_refused(path: Path) -> None:
    both = Spans(np.array([0, 1]), np.array([0, -30]), np.array([10**6, 10**6]))
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA page_size = 512")
        raw.execute("PRAGMA synchronous = OFF")
        raw.execute(TABLE.replace("STRICT, ", ""))
        fill(raw, series(0, 104))
        fill(raw, ((1, 3 * i - 1_180, 0, 0.0, 0.0) for i in range(60)))
        fill(raw, series(1, 100))
        reader = Reader(path)
        for i in range(30):  # the last one of them gets into an inner page, too
            raw.execute("INSERT INTO t VALUES (1, 0, ?, 0, 0)", (i - 30.5,))
            with pytest.raises(UnreadableTreeError):
                reader.read(both)
        reader.raw.close()


def test_a_reader_keeps_its_state_while_others_write_and_checkpoint(path: Path) -> None:
    with closing(make(path)) as writer:
        fill(writer, series(0, 2_000))
        for checkpoint in ("PASSIVE", "RESTART", "TRUNCATE"):
            writer.execute("UPDATE t SET z = z + 1")
            for is_copied in (False, True):
                if is_copied:
                    writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                reader = Reader(path)
                mark = reader.file.mark()
                with closing(reader.raw.execute("SELECT 1 FROM sqlite_schema")):
                    seen = reader.file.seen_since(mark)
                    expected = reader.rows()
                    writer.execute("PRAGMA busy_timeout = 0")
                    for _ in range(3):
                        writer.execute("UPDATE t SET z = z * 2, y = y - 1")
                        fill(writer, series(1, 1_000))
                        writer.execute(f"PRAGMA wal_checkpoint({checkpoint})").fetchall()
                        assert same(reader.read_seen(seen), expected)
                assert same(reader.read(), reader.rows())
                assert reader.rows() != expected
                reader.raw.close()


def test_a_reader_that_somebody_wrote_beside_is_refused(path: Path) -> None:
    with closing(make(path)) as writer:
        fill(writer, series(0, 100))
        reader = Reader(path)
        mark = reader.file.mark()
        writer.execute("DELETE FROM t WHERE b = 3")
        with closing(reader.raw.execute("SELECT 1 FROM sqlite_schema")):
            assert reader.file.seen_since(mark) is None
            with pytest.raises(UnreadableTreeError, match="somebody wrote"):
                reader.read_seen(None)
        reader.raw.close()


def test_it_opens_no_descriptor_and_loses_no_lock(path: Path) -> None:
    make(path, journal="delete").close()
    reader = Reader(path)
    fill(reader.raw, series(0, 500))
    before = os.listdir("/dev/fd")
    with closing(reader.raw.execute("SELECT 1 FROM sqlite_schema")):
        assert same(reader.read_seen(None), reader.rows())
        assert os.listdir("/dev/fd") == before
        # Another process may not write over what is read. It cannot be seen from this one.
        done = subprocess.run([sys.executable, "-c", WRITES, str(path)], check=False)
        assert done.returncode == sqlite3.SQLITE_BUSY
    reader.raw.close()


class Damaged:
    """The pages of a file, some bytes of which have changed."""

    page_bytes = usable_bytes = 512

    def __init__(self, content: bytearray) -> None:
        self._content = content

    def page(self, number: int) -> bytes:
        page = bytes(self._content[512 * (number - 1) : 512 * number])
        if number < 1 or len(page) < 512:
            raise UnreadableTreeError
        return page

    def read(self, numbers: Any, pages: Any) -> None:
        for i, number in enumerate(numbers.tolist()):
            pages[i] = np.frombuffer(self.page(number), dtype=np.uint8)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("damaged") / "t.db"
    with closing(make(path, journal="delete")) as raw:
        fill(raw, series(0, 300))
    return path.read_bytes()


@settings(max_examples=300, deadline=None)
@given(
    changes=st.lists(
        # Headers and pointers are what leads astray.
        st.tuples(
            st.integers(1, 40),
            st.integers(0, 40) | st.integers(0, 511),
            st.binary(min_size=1, max_size=2),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_damaged_pages_are_refused_or_have_rows(content: bytes, changes: Any) -> None:
    damaged = bytearray(content)
    for page, at, bytes_ in changes:
        damaged[512 * page + at : 512 * page + at + len(bytes_)] = bytes_
    try:
        columns = read_spans(Tree(Damaged(damaged), 2, COLUMNS), ANYTHING, DTYPES, 10**9)
    except UnreadableTreeError:
        return
    assert np.all(np.diff(columns[1]) > 0)


WRITES = """
import sqlite3, sys
raw = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
try:
    raw.execute("DELETE FROM t")
except sqlite3.OperationalError as error:
    sys.exit(error.sqlite_errorcode)
"""
