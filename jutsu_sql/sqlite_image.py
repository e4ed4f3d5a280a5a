"""NumPy columns as the image of a SQLite database, without a Python object a value.

The driver can only bind one value at a time, which costs more than the insert itself. But it can
open an image of a database from memory (``sqlite3.Connection.deserialize``), and an image whose one
table has rows of equal width is a matter of a few array operations; ``INSERT ... SELECT`` from it
then runs at the engine's own speed. Format: https://www.sqlite.org/fileformat2.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_LEAF, _INTERIOR = 13, 5
_LEAF_HEADER_BYTES, _INTERIOR_HEADER_BYTES = 8, 12
_CELL_POINTER_BYTES = 2
# Page 1 is the schema, page 2 the table's root.
_FIRST_LEAF = 3
_PAGE_COUNT_OFFSET = 28
# Rowids from here to 2**28 take four bytes as a varint, so that every cell has the same width.
_FIRST_ROWID = 2**21
_MAX_VARINT_2 = 2**14
# Stored form and serial type ("2.1. Record Format") of each NumPy type; narrower floats widen.
_STORED = {
    np.dtype(np.bool_): ("i1", 1),
    np.dtype(np.int8): ("i1", 1),
    np.dtype(np.int16): (">i2", 2),
    np.dtype(np.int32): (">i4", 4),
    np.dtype(np.int64): (">i8", 6),
    np.dtype(np.float32): (">f8", 7),
    np.dtype(np.float64): (">f8", 7),
    np.dtype("M8[us]"): (">i8", 6),
}


def encode(template: bytes, columns: Sequence[npt.NDArray[Any]]) -> bytes:
    """The image of a database whose one table holds the rows of equally long columns.

    ``template`` is such a database, its table still empty: two pages, as ``serialize()`` gives.
    Columns are bool, int8/16/32/64, float32/64 or ``datetime64[us]`` (stored as integers of
    microseconds), at least one row; a NaN is read back as NULL.

    Raises:
        TypeError: a column's type has no fixed width.
        ValueError: there are more rows or columns than such an image holds.
    """
    page_bytes = len(template) // 2
    rows = len(columns[0])
    leaf = _leaf_layout(columns, page_bytes)
    cells_a_leaf = leaf["cells"].shape[0]
    leaves = np.zeros(-(-rows // cells_a_leaf), dtype=leaf)
    _fill(leaves, columns, rows)
    if len(leaves) == 1:
        return _with_page_count(template[:page_bytes], 2) + leaves.tobytes()
    root = _root(leaves["cells"]["rowid"][:-1, -1], page_bytes)
    schema = _with_page_count(template[:page_bytes], 2 + len(leaves))
    return b"".join((schema, root, leaves.tobytes()))


def _leaf_layout(columns: Sequence[npt.NDArray[Any]], page_bytes: int) -> np.dtype[Any]:
    """One leaf page: header, cell pointers, a gap, and the cells at its end."""
    values = []
    for position, column in enumerate(columns):
        if column.dtype not in _STORED:
            raise TypeError(f"column {position}: {column.dtype} has no fixed width")
        values.append((f"value{position}", _STORED[column.dtype][0]))
    record_header = 1 + len(columns)
    payload_bytes = record_header + sum(np.dtype(stored).itemsize for _, stored in values)
    if record_header > 127 or payload_bytes >= _MAX_VARINT_2:
        raise ValueError(f"{len(columns)} columns are more than an image holds")
    cell = np.dtype(
        [
            ("payload", "u1", (1 if payload_bytes < 128 else 2,)),
            ("rowid", "u1", (4,)),
            ("header", "u1"),
            ("types", "u1", (len(columns),)),
            *values,
        ]
    )
    count = (page_bytes - _LEAF_HEADER_BYTES) // (cell.itemsize + _CELL_POINTER_BYTES)
    return np.dtype(
        {
            "names": ["kind", "count", "start", "pointers", "cells"],
            "formats": ["u1", ">u2", ">u2", (">u2", (count,)), (cell, (count,))],
            "offsets": [0, 3, 5, _LEAF_HEADER_BYTES, page_bytes - count * cell.itemsize],
            "itemsize": page_bytes,
        }
    )


def _fill(leaves: npt.NDArray[Any], columns: Sequence[npt.NDArray[Any]], rows: int) -> None:
    cells = leaves["cells"]
    cell_bytes, cells_a_leaf = cells.dtype.itemsize, cells.shape[1]
    start = leaves.dtype.itemsize - cells_a_leaf * cell_bytes
    leaves["kind"], leaves["count"], leaves["start"] = _LEAF, cells_a_leaf, start
    leaves["pointers"] = start + np.arange(cells_a_leaf) * cell_bytes
    rowids = _FIRST_ROWID + np.arange(cells.size).reshape(cells.shape)
    cells["rowid"] = _varint_4(rowids)
    payload_bytes = cell_bytes - cells.dtype["payload"].itemsize - cells.dtype["rowid"].itemsize
    is_short = cells.dtype["payload"].itemsize == 1
    cells["payload"] = (
        payload_bytes if is_short else (payload_bytes >> 7 | 128, payload_bytes & 127)
    )
    cells["header"] = 1 + len(columns)
    cells["types"] = [_STORED[column.dtype][1] for column in columns]
    full, rest = divmod(rows, cells_a_leaf)
    for position, column in enumerate(columns):
        source = column.view(np.int64) if column.dtype.kind == "M" else column
        target = cells[f"value{position}"]
        target[:full] = source[: full * cells_a_leaf].reshape(full, cells_a_leaf)
        if rest:
            target[full, -rest:] = source[full * cells_a_leaf :]
    if rest:
        # A page is filled from its end.
        unused = cells_a_leaf - rest
        leaves["count"][full] = rest
        leaves["start"][full] += unused * cell_bytes
        leaves["pointers"][full] += unused * cell_bytes
        leaves["pointers"][full, rest:] = 0


def _root(last_rowids: npt.NDArray[Any], page_bytes: int) -> bytes:
    """The interior page that finds each leaf by the last rowid of the one before."""
    count = len(last_rowids)
    cell = np.dtype([("child", ">u4"), ("rowid", "u1", (4,))])
    start = page_bytes - count * cell.itemsize
    if start < _INTERIOR_HEADER_BYTES + count * _CELL_POINTER_BYTES:
        raise ValueError(f"{count + 1} pages are more than an image holds: use smaller blocks")
    cells = np.zeros(count, dtype=cell)
    cells["child"] = _FIRST_LEAF + np.arange(count)
    cells["rowid"] = last_rowids
    page = bytearray(start)
    page[0] = _INTERIOR
    page[3:5] = count.to_bytes(2, "big")
    page[5:7] = start.to_bytes(2, "big")
    page[8:12] = (_FIRST_LEAF + count).to_bytes(4, "big")
    pointers = (start + np.arange(count) * cell.itemsize).astype(">u2").tobytes()
    page[_INTERIOR_HEADER_BYTES : _INTERIOR_HEADER_BYTES + len(pointers)] = pointers
    return bytes(page) + cells.tobytes()


def _varint_4(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Big-endian groups of seven bits, all but the last with the high bit set."""
    groups: npt.NDArray[Any] = values[..., np.newaxis] >> np.array([21, 14, 7, 0]) & 127
    groups |= np.array([128, 128, 128, 0])
    return groups


def _with_page_count(schema: bytes, pages: int) -> bytes:
    behind = _PAGE_COUNT_OFFSET + 4
    return schema[:_PAGE_COUNT_OFFSET] + pages.to_bytes(4, "big") + schema[behind:]
