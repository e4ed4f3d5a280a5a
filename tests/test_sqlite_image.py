"""Images of databases against the engine itself."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jutsu_sql import sqlite_image

Columns = list[np.ndarray[Any, Any]]
TYPES = ["?", "i1", "i2", "i4", "i8", "f4", "f8", "M8[us]"]


def template(width: int, page_bytes: int) -> bytes:
    with closing(sqlite3.connect(":memory:")) as scratch:
        scratch.execute(f"PRAGMA page_size = {page_bytes}")
        scratch.execute(f"CREATE TABLE t ({', '.join(f'c{i}' for i in range(width))})")
        return scratch.serialize()


def write(file: io.BytesIO, empty: bytes, blocks: list[Columns]) -> None:
    image = sqlite_image.Image(file, empty)
    for block in blocks:
        image.add(block)
    image.finish()


@contextmanager
def written(empty: bytes, blocks: list[Columns]) -> Iterator[sqlite3.Connection]:
    file = io.BytesIO()
    write(file, empty, blocks)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(file.getvalue())
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        yield connection


def native(column: np.ndarray[Any, Any]) -> list[Any]:
    values = column.view(np.int64) if column.dtype.kind == "M" else column
    return [None if np.isnan(value) else value for value in values.tolist()]


@st.composite
def tables(draw: st.DrawFn) -> Columns:
    kinds = draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=30))
    rows = draw(st.integers(1, 400))
    seed = draw(st.integers(0, 2**32 - 1))
    # Few drawn values, spread over many rows: what matters is widths, pages and edges.
    columns = [draw(hnp.arrays(kind, min(rows, 20))) for kind in kinds]
    picks = np.random.default_rng(seed).integers(0, min(rows, 20), rows)
    return [column[picks] for column in columns]


@settings(max_examples=60, deadline=None)
@given(
    columns=tables(),
    page_bytes=st.sampled_from([512, 4096, 32768]),
    block_rows=st.sampled_from([1, 7, 100, 1000]),
)
def test_the_engine_finds_a_sound_database_with_every_value(
    columns: Columns, page_bytes: int, block_rows: int
) -> None:
    starts = range(0, len(columns[0]), block_rows)
    blocks = [[column[start : start + block_rows] for column in columns] for start in starts]
    with written(template(len(columns), page_bytes), blocks) as connection:
        rows = connection.execute("SELECT * FROM t").fetchall()
    expected = [native(column) for column in columns]
    assert [list(column) for column in zip(*rows, strict=True)] == expected


@pytest.mark.parametrize("page_bytes", [512, 32768])
@pytest.mark.parametrize("rows", [1, 6, 7, 439, 440, 441, 880, 881, 65_536, 150_001])
def test_every_depth_of_tree_and_edge_of_page(rows: int, page_bytes: int) -> None:
    columns = [np.arange(rows, dtype=np.int32), np.arange(rows) * 0.5, *[np.ones(rows)] * 6]
    with written(template(8, page_bytes), [columns]) as connection:
        found = connection.execute("SELECT count(*), sum(c0), sum(c1), min(c0), max(c0) FROM t")
        total = rows * (rows - 1) // 2
        assert found.fetchone() == (rows, total, total / 2, 0, rows - 1)


def test_no_rows() -> None:
    with written(template(1, 512), []) as connection:
        assert connection.execute("SELECT * FROM t").fetchall() == []


def test_what_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(columns: Columns) -> None:
        write(io.BytesIO(), template(len(columns), 512), [columns])

    with pytest.raises(TypeError, match="column 0: object has no fixed width"):
        refuse([np.array(["x"], dtype=object)])
    with pytest.raises(ValueError, match="200 columns are more"):
        refuse([np.arange(1)] * 200)
    monkeypatch.setattr(sqlite_image, "_END_ROWID", sqlite_image.FIRST_ROWID + 100)
    with pytest.raises(ValueError, match="more than 100 rows"):
        refuse([np.arange(101)])


NUMBERS = st.one_of(
    st.sampled_from([0, 1, 2**63 - 1, -(2**63), 0.0, -0.0, 1.0, float("inf")]),
    *(st.integers(-(2**bits), 2**bits - 1) for bits in (7, 15, 23, 31, 47, 63)),
    st.floats(allow_nan=False),
)


def grown(rows: list[tuple[Any, ...]], page_bytes: int, *, again: bool) -> bytes:
    """A table that the engine has filled, behind one row more; ``again``: for the second time."""
    names = ", ".join(f"c{i}" for i in range(len(rows[0])))
    marks = ", ".join("?" * len(rows[0]))
    with closing(sqlite3.connect(":memory:")) as scratch:
        scratch.execute(f"PRAGMA page_size = {page_bytes}")
        scratch.execute("PRAGMA secure_delete = ON")
        scratch.execute(f"CREATE TABLE t ({names})")
        for _ in range(1 + again):
            scratch.execute("DELETE FROM t")
            first = f"INSERT INTO t (rowid, {names}) VALUES ({sqlite_image.FIRST_ROWID}, {marks})"
            scratch.execute(first, rows[0])
            scratch.executemany(f"INSERT INTO t VALUES ({marks})", rows)
        scratch.commit()
        return scratch.serialize()


@settings(max_examples=100, deadline=None)
@given(
    data=st.data(),
    width=st.integers(1, 20),
    repeats=st.integers(1, 400),
    page_bytes=st.sampled_from([512, 4096, 65536]),
    again=st.booleans(),
)
def test_read_gives_what_the_engine_has_stored(
    data: st.DataObject, width: int, repeats: int, page_bytes: int, again: bool
) -> None:
    row = data.draw(st.tuples(*[NUMBERS] * width))
    sign = data.draw(st.sampled_from([1, -1]))
    # Other values of the same widths: floats, and integers whose lowest bits do not matter.
    rows = [row, tuple(sign * v if isinstance(v, float) else v for v in row)] * repeats
    columns = sqlite_image.read(grown(rows, page_bytes, again=again))
    assert columns is not None
    assert [column.tolist() for column in columns] == [list(c) for c in zip(*rows, strict=True)]
    assert [c.dtype for c in columns] == [
        np.dtype(np.float64 if isinstance(v, float) else np.int64) for v in row
    ]


@settings(max_examples=100, deadline=None)
@given(
    rows=st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.tuples(
                *[NUMBERS | st.none() | st.text(max_size=70) | st.binary(max_size=70)] * width
            ),
            min_size=1,
            max_size=60,
        )
    ),
    again=st.booleans(),
)
def test_read_gives_nothing_rather_than_something_wrong(
    rows: list[tuple[Any, ...]], again: bool
) -> None:
    columns = sqlite_image.read(grown(rows, 512, again=again))
    if columns is not None:
        assert [column.tolist() for column in columns] == [list(c) for c in zip(*rows, strict=True)]


@given(value=NUMBERS.filter(lambda value: isinstance(value, int)))
def test_the_bytes_of_an_integer_are_those_of_its_cell(value: int) -> None:
    image = grown([(value,)], 512, again=False)
    payload = image[1024 - (2 + sqlite_image.stored_bytes(value)) : 1024]
    assert payload[0] == 2  # a header of two bytes, and so the payload starts where it should
