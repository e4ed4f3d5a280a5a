"""Column files: there and back, and any damage is found."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jutsu_sql.column_file import (
    ColumnFileError,
    Columns,
    file_bytes,
    map_columns,
    write_columns,
)


def content_of(rows: list[int], seed: int = 0) -> Columns:
    random = np.random.default_rng(seed)
    total = sum(rows)
    columns = {name: random.random(total) for name in ("open", "high", "low", "close", "volume")}
    columns["ts"] = random.integers(-(2**50), 2**50, total).view("M8[us]")
    columns["series_index"] = np.repeat(np.arange(len(rows), dtype=np.int32), rows)
    states = [random.bytes(16) for _ in rows]
    return Columns(states, rows, -5, 2**60, columns)


def written(content: Columns) -> bytes:
    file = io.BytesIO()
    write_columns(file, content)
    return file.getvalue()


def mapped(path: Path, data: bytes) -> Columns:
    path.write_bytes(data)
    with path.open("rb") as file:
        return map_columns(file.fileno(), verify=True)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("columns") / "a.bars"


@given(st.lists(st.integers(0, 40), max_size=6), st.integers(0, 99))
def test_there_and_back(path: Path, rows: list[int], seed: int) -> None:
    content = content_of(rows, seed)
    data = written(content)
    assert len(data) == file_bytes(len(rows), sum(rows))
    back = mapped(path, data)
    assert (back.states, back.rows) == (content.states, rows)
    assert (back.first_us, back.last_us) == (-5, 2**60)
    for name, column in content.columns.items():
        assert back.columns[name].dtype == column.dtype
        assert back.columns[name].tobytes() == column.tobytes()
        assert back.columns[name].ctypes.data % 64 == 0 or not sum(rows)
        assert not back.columns[name].flags.writeable


DATA = written(content_of([30, 0, 12]))


@given(st.integers(0, len(DATA) * 8 - 1))
def test_any_flipped_bit_is_found(path: Path, bit: int) -> None:
    data = bytearray(DATA)
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ColumnFileError):
        mapped(path, bytes(data))


@given(st.integers(0, len(DATA) - 1))
def test_any_truncation_is_found(path: Path, length: int) -> None:
    with pytest.raises(ColumnFileError):
        mapped(path, DATA[:length])


@given(st.binary(min_size=1, max_size=200))
def test_anything_else_is_refused(path: Path, data: bytes) -> None:
    for other in (data, DATA + data, DATA[:48] + data):
        with pytest.raises(ColumnFileError):
            mapped(path, other)
