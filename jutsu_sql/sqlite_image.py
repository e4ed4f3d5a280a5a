"""NumPy columns as a SQLite database file, without a Python object a value.

The driver can only bind one value at a time, which costs more than the insert itself. But a file
whose one table has rows of equal width is a matter of a few array operations, and
``INSERT ... SELECT`` from it, attached, runs at the engine's own speed.
Format: https://www.sqlite.org/fileformat2.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

_LEAF, _INTERIOR = 13, 5
_LEAF_HEADER_BYTES, _INTERIOR_HEADER_BYTES = 8, 12
_CELL_POINTER_BYTES = 2
# Page 1 is the schema, page 2 the root of the table.
_FIRST_LEAF = 3
_PAGE_COUNT_OFFSET = 28
# Rowids from here on take four bytes as a varint, so that every cell has the same width.
_FIRST_ROWID, _END_ROWID = 2**21, 2**28
_END_VARINT_1, _END_VARINT_2 = 2**7, 2**14
_POINTER_CELL = np.dtype([("child", ">u4"), ("rowid", "u1", (4,))])
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

Column = npt.NDArray[Any]


def write(file: IO[bytes], template: bytes, blocks: Iterable[Sequence[Column]]) -> int:
    """Write a database whose one table holds the rows of some blocks; gives their number.

    ``template`` is such a database with its table still empty: two pages, as ``serialize()`` gives
    them. A block is equally long columns, of the same types in every block: bool, int8/16/32/64,
    float32/64 or ``datetime64[us]`` (integers of microseconds); a NaN is read back as NULL. One
    block at a time is in memory, and for each page the number of its last row.

    Raises:
        TypeError: a column's type has no fixed width.
        ValueError: there are more rows or columns than such a file holds.
    """
    page_bytes = len(template) // 2
    file.write(template)
    next_rowid, rows, leaf, last_rowids = _FIRST_ROWID, 0, None, [np.empty(0, dtype=np.int64)]
    for columns in blocks:
        leaf = leaf or _leaf_layout(columns, page_bytes)
        leaves = _leaves(leaf, columns, next_rowid)
        file.write(leaves.tobytes())
        a_leaf = leaves["cells"].shape[1]
        last_rowids.append(next_rowid - 1 + a_leaf * np.arange(1, len(leaves) + 1))
        next_rowid += leaves["cells"].size
        rows += len(columns[0])
    _write_tree(file, page_bytes, np.concatenate(last_rowids))
    return rows


def _leaf_layout(columns: Sequence[Column], page_bytes: int) -> np.dtype[Any]:
    """One leaf page: header, cell pointers, a gap, and the cells at its end."""
    values = []
    for position, column in enumerate(columns):
        if column.dtype not in _STORED:
            raise TypeError(f"column {position}: {column.dtype} has no fixed width")
        values.append((f"value{position}", _STORED[column.dtype][0]))
    header_bytes = 1 + len(columns)
    payload_bytes = header_bytes + sum(np.dtype(stored).itemsize for _, stored in values)
    if header_bytes >= _END_VARINT_1 or payload_bytes >= _END_VARINT_2:
        raise ValueError(f"{len(columns)} columns are more than an image holds")
    cell = np.dtype(
        [
            ("payload", "u1", (1 if payload_bytes < _END_VARINT_1 else 2,)),
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


def _leaves(leaf: np.dtype[Any], columns: Sequence[Column], first_rowid: int) -> Column:
    rows, a_leaf = len(columns[0]), leaf["cells"].shape[0]
    full, rest = divmod(rows, a_leaf)
    leaves = np.zeros(full + (rest > 0), dtype=leaf)
    cells = leaves["cells"]
    if first_rowid + cells.size > _END_ROWID:
        raise ValueError(
            f"more than {_END_ROWID - _FIRST_ROWID:,} rows are more than an image holds"
        )
    cell = cells.dtype
    start = leaf.itemsize - a_leaf * cell.itemsize
    leaves["kind"], leaves["count"], leaves["start"] = _LEAF, a_leaf, start
    leaves["pointers"] = start + np.arange(a_leaf) * cell.itemsize
    payload_bytes = cell.itemsize - cell["payload"].itemsize - cell["rowid"].itemsize
    is_short = cell["payload"].itemsize == 1
    cells["payload"] = (
        payload_bytes if is_short else (payload_bytes >> 7 | 128, payload_bytes & 127)
    )
    cells["rowid"] = _varint_4(first_rowid + np.arange(cells.size).reshape(cells.shape))
    cells["header"] = 1 + len(columns)
    cells["types"] = [_STORED[column.dtype][1] for column in columns]
    for position, column in enumerate(columns):
        source = column.view(np.int64) if column.dtype.kind == "M" else column
        target = cells[f"value{position}"]
        target[:full] = source[: full * a_leaf].reshape(full, a_leaf)
        if rest:
            target[full, -rest:] = source[full * a_leaf :]
    if rest:
        # A page is filled from its end.
        unused = a_leaf - rest
        leaves["count"][full] = rest
        leaves["start"][full] += unused * cell.itemsize
        leaves["pointers"][full] += unused * cell.itemsize
        leaves["pointers"][full, rest:] = 0
    return leaves


def _write_tree(file: IO[bytes], page_bytes: int, last_rowids: Column) -> None:
    """The pages above the leaves, level by level, and the root into its place."""
    children = _FIRST_LEAF + np.arange(len(last_rowids))
    a_page = (page_bytes - _INTERIOR_HEADER_BYTES) // (
        _POINTER_CELL.itemsize + _CELL_POINTER_BYTES
    ) + 1
    next_page = _FIRST_LEAF + len(children)
    while len(children) > a_page:
        # Even shares, so that no page is left with one child: an interior page has a cell at least.
        groups = np.array_split(np.arange(len(children)), -(-len(children) // a_page))
        for group in groups:
            file.write(_interior(children[group], last_rowids[group], page_bytes))
        last_rowids = last_rowids[[group[-1] for group in groups]]
        children = next_page + np.arange(len(groups))
        next_page += len(groups)
    if len(children) == 1:
        # A single leaf is its own root; the page that it was on stays unused at the end.
        file.seek((_FIRST_LEAF - 1) * page_bytes)
        root = file.read(page_bytes)
        file.truncate((_FIRST_LEAF - 1) * page_bytes)
        next_page -= 1
    elif len(children):
        root = _interior(children, last_rowids, page_bytes)
    else:
        return
    file.seek(page_bytes)
    file.write(root)
    file.seek(_PAGE_COUNT_OFFSET)
    file.write((next_page - 1).to_bytes(4, "big"))


def _interior(children: Column, last_rowids: Column, page_bytes: int) -> bytes:
    """A page that finds each child by its last rowid; the last child needs none."""
    count = len(children) - 1
    cells = np.zeros(count, dtype=_POINTER_CELL)
    cells["child"] = children[:-1]
    cells["rowid"] = _varint_4(last_rowids[:-1])
    start = page_bytes - cells.nbytes
    pointers = (start + np.arange(count) * _POINTER_CELL.itemsize).astype(">u2").tobytes()
    header = b"".join(
        (
            _INTERIOR.to_bytes(1, "big"),
            bytes(2),
            count.to_bytes(2, "big"),
            start.to_bytes(2, "big"),
            bytes(1),
            int(children[-1]).to_bytes(4, "big"),
        )
    )
    return (header + pointers).ljust(start, b"\0") + cells.tobytes()


def _varint_4(values: Column) -> Column:
    """Big-endian groups of seven bits, all but the last with the high bit set."""
    groups: Column = values[..., np.newaxis] >> np.array([21, 14, 7, 0]) & 127
    groups |= np.array([128, 128, 128, 0])
    return groups
