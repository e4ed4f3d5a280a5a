"""NumPy columns to and from a SQLite database file, without a Python object a value.

The driver can only bind one value at a time, which costs more than the insert itself. But a file
whose one table has rows of equal width is a matter of a few array operations, rows of unequal
width of a few more, and ``INSERT ... SELECT`` from it, attached, runs at the engine's own speed.
The other way, a result that is written to a table in memory is read from the table's pages.
Format: https://www.sqlite.org/fileformat2.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from jutsu_sql.ragged import Cells, Ragged, lay, packed, parts

_LEAF, _INTERIOR = 13, 5
_LEAF_HEADER_BYTES, _INTERIOR_HEADER_BYTES = 8, 12
_CELL_POINTER_BYTES = 2
# Page 1 is the schema, page 2 the root of the table.
_FIRST_LEAF = 3
_PAGE_SIZE_OFFSET = 16
_CHANGE_COUNTER_OFFSET, _PAGE_COUNT_OFFSET, _VERSION_VALID_FOR_OFFSET = 24, 28, 92
# Rowids from here on take four bytes as a varint, so that every cell has the same width.
FIRST_ROWID, _END_ROWID = 2**21, 2**28
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
# What a serial type holds: an integer of three or six bytes comes in two parts.
_HELD: dict[int, Any] = {
    1: "i1",
    2: ">i2",
    3: [("high", "i1"), ("low", ">u2")],
    4: ">i4",
    5: [("high", ">i2"), ("low", ">u4")],
    6: ">i8",
    7: ">f8",
    8: "V0",
    9: "V0",
}
_CONSTANTS = {8: 0, 9: 1}

# A row that is larger would have to be continued on pages of its own ("1.5. B-tree Pages").
_UNCONTINUED_BYTES = 35
_BLOB, _TEXT = 12, 13
_ROWS_A_PART, _BYTES_A_PART = 65_536, 2**22

Column = npt.NDArray[Any]


class Image:
    """A database in ``file`` whose one table grows by blocks of columns, until it is finished.

    ``template`` is such a database with its table still empty: two pages, as ``serialize()`` gives
    them. For each page the number of its last row is kept in memory.
    """

    def __init__(self, file: IO[bytes], template: bytes) -> None:
        file.seek(0)
        file.write(template)
        self._file = file
        self._page_bytes = len(template) // 2
        self._leaf: np.dtype[Any] | None = None
        self._next_rowid = FIRST_ROWID
        self._last_rowids = [np.empty(0, dtype=np.int64)]

    def add(self, columns: Sequence[Column]) -> None:
        """More rows: equally long columns, of the same types in every block.

        Types are bool, int8/16/32/64, float32/64 or ``datetime64[us]`` (integers of microseconds);
        a NaN is read back as NULL.

        Raises:
            TypeError: a column's type has no fixed width.
            ValueError: there are more rows or columns than such a file holds.
        """
        self._leaf = self._leaf or _leaf_layout(columns, self._page_bytes)
        leaves = _leaves(self._leaf, columns, self._next_rowid)
        self._file.write(leaves.tobytes())
        a_leaf = leaves["cells"].shape[1]
        self._last_rowids.append(self._next_rowid - 1 + a_leaf * np.arange(1, len(leaves) + 1))
        self._next_rowid += leaves["cells"].size

    def finish(self) -> None:
        """Make it a whole database."""
        _write_tree(self._file, self._page_bytes, np.concatenate(self._last_rowids))


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
            f"more than {_END_ROWID - FIRST_ROWID:,} rows are more than an image holds"
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


def read(image: bytes) -> list[Column] | None:
    """The columns of a database whose one filled table has numbers only, as wide in every row.

    ``image`` is as ``serialize()`` gives it, of a database with ``secure_delete``. The table was
    filled in the order of its rowids from ``FIRST_ROWID`` on; the first row is left out. Columns
    are int64 or float64. None, if a row has text, a blob or NULL, or not the widths of the first.
    """
    page_bytes = page_bytes_of(image)
    pages = np.frombuffer(image, dtype=np.uint8).reshape(-1, page_bytes)
    # Page 1 begins with the file's own name, which no leaf does; pages that are free are zeroed. A
    # table that only grows has each leaf as full as the first, but for the last one.
    found = np.flatnonzero((pages[:, 0] == _LEAF) & pages[:, 3:5].any(axis=1))
    is_run = found[-1] - found[0] + 1 == len(found)
    leaves = pages[found[0] : found[-1] + 1] if is_run else pages[found]
    order = np.argsort(_first_rowids(leaves))
    if np.any(order[1:] < order[:-1]):
        leaves = leaves[order]
    counts = leaves[:, 3:5].copy().view(">u2")[:, 0].astype(np.int64)
    a_leaf, rows = int(counts[0]), int(counts.sum())
    pointers_end = _LEAF_HEADER_BYTES + a_leaf * _CELL_POINTER_BYTES
    pointers = leaves[:, _LEAF_HEADER_BYTES:pointers_end].copy().view(">u2")
    cell = _cell_like(leaves[0, pointers[0, 0] :])
    if cell is None or pointers_end + a_leaf * cell.itemsize > page_bytes:
        return None
    # The cells of a page stand at its end, the last one first.
    starts = page_bytes - cell.itemsize * np.arange(1, a_leaf + 1)
    cells = leaves[:, starts[-1] :].view(cell)[:, ::-1]
    alike = pointers == starts
    for name in cell["header"].names or ():
        words = cells["header"][name]
        alike &= words == words[0, 0]
    expected = FIRST_ROWID + a_leaf * np.arange(len(leaves))
    if not alike.ravel()[:rows].all() or np.any(_first_rowids(leaves) != expected):
        return None
    kinds = cells["header"][0, 0].tobytes()[1:]
    columns = (_native(cells[f"value{i}"], kind) for i, kind in enumerate(kinds))
    return [column.reshape(-1)[1:rows] for column in columns]


def page_bytes_of(header: bytes) -> int:
    """How large a database's pages are, as its first bytes say."""
    size = int.from_bytes(header[_PAGE_SIZE_OFFSET : _PAGE_SIZE_OFFSET + 2], "big")
    return 65_536 if size == 1 else size


def _first_rowids(leaves: Column) -> npt.NDArray[np.int64]:
    at = leaves[:, _LEAF_HEADER_BYTES : _LEAF_HEADER_BYTES + 2].copy().view(">u2").astype(np.int64)
    every = np.arange(len(leaves))
    at[:, 0] += np.where(leaves[every, at[:, 0]] < _END_VARINT_1, 1, 2)
    groups = leaves[every[:, np.newaxis], at + np.arange(4)] & 127
    rowids: npt.NDArray[np.int64] = groups.astype(np.int64) @ (1 << np.array([21, 14, 7, 0]))
    return rowids


def _cell_like(cell: Column) -> np.dtype[Any] | None:
    """The layout of a cell, if it is a row of numbers."""
    payload_varint = 1 if cell[0] < _END_VARINT_1 else 2
    header_at = payload_varint + 4
    kinds = cell[header_at + 1 : header_at + int(cell[header_at])].tolist()
    if not _HELD.keys() >= set(kinds):
        return None
    layout = np.dtype(
        [
            ("payload", "u1", (payload_varint,)),
            ("rowid", "u1", (4,)),
            ("header", _words(1 + len(kinds))),
            *((f"value{i}", _HELD[kind]) for i, kind in enumerate(kinds)),
        ]
    )
    return layout if layout.itemsize == len(cell) else None


def _words(size: int) -> list[tuple[str, str]]:
    """So many bytes in words as large as they get: fewer to compare."""
    words, at = [], 0
    for word in (8, 4, 2, 1):
        while size - at >= word:
            words.append((f"word{at}", f"u{word}"))
            at += word
    return words


def _native(values: Column, kind: int) -> Column:
    """Stored values of one serial type as int64 or float64."""
    if kind in _CONSTANTS:
        return np.full(values.shape, _CONSTANTS[kind], dtype=np.int64)
    if values.dtype.names:
        low = values["low"]
        joined: Column = values["high"].astype(np.int64) << 8 * low.dtype.itemsize | low
        return joined
    return values.astype(np.float64 if values.dtype.kind == "f" else np.int64)


def stored_bytes(value: int) -> int:
    """How many bytes an integer takes ("2.1. Record Format")."""
    if value in (0, 1):
        return 0
    bits = (value if value >= 0 else ~value).bit_length() + 1
    return next(size for size in (1, 2, 3, 4, 6, 8) if bits <= 8 * size)


def largest_row_bytes(page_bytes: int) -> int:
    """What a row's header and values may take in a file of such pages."""
    return page_bytes - _UNCONTINUED_BYTES


def row_bytes(columns: Sequence[Cells]) -> npt.NDArray[np.int64]:
    """What the header and the values of each row take."""
    header_bytes = _varint_bytes(_header_bytes(columns)) + _header_bytes(columns)
    total = np.full(len(columns[0]), header_bytes, dtype=np.int64)
    for column in columns:
        total += column.widths(_item(column).itemsize)
    return total


def write_cells(file: IO[bytes], template: bytes, columns: Sequence[Cells]) -> int:
    """Write a database whose one table holds columns of any width; gives the number of rows.

    See :class:`Image`, which is faster where every column is of fixed width. NULLs are NULL.

    Raises:
        TypeError: a column's type has no stored form.
        ValueError: there are more rows or columns than such a file holds, or a row is larger
            than :func:`largest_row_bytes`.
    """
    page_bytes = len(template) // 2
    rows = len(columns[0])
    if all(column.is_fixed for column in columns):
        image = Image(file, template)
        for block in parts(columns, _ROWS_A_PART, _BYTES_A_PART):
            image.add([column.values for column in block])  # type: ignore[misc]
        image.finish()
        return rows
    if FIRST_ROWID + rows > _END_ROWID:
        raise ValueError(
            f"more than {_END_ROWID - FIRST_ROWID:,} rows are more than an image holds"
        )
    file.seek(0)
    file.write(template)
    next_rowid, last_rowids = FIRST_ROWID, [np.empty(0, dtype=np.int64)]
    for part in parts(columns, _ROWS_A_PART, _BYTES_A_PART):
        pages, ends = _ragged_leaves(part, page_bytes, next_rowid)
        file.write(pages.data)
        last_rowids.append(next_rowid - 1 + ends)
        next_rowid += len(part[0])
    _write_tree(file, page_bytes, np.concatenate(last_rowids))
    return rows


def _item(column: Cells) -> np.dtype[Any]:
    if isinstance(column.values, Ragged):
        return np.dtype(np.uint8)
    if column.values.dtype not in _STORED:
        raise TypeError(f"{column.values.dtype} has no stored form")
    return np.dtype(_STORED[column.values.dtype][0])


def _header_bytes(columns: Sequence[Cells]) -> int:
    """The serial types of a row: three bytes each for text and blobs, else one."""
    return sum(3 if isinstance(column.values, Ragged) else 1 for column in columns)


def _varint_bytes(header_bytes: int) -> int:
    """How many bytes say the length of a header, which counts them too."""
    if header_bytes + 2 >= _END_VARINT_2:
        raise ValueError("these are more columns than an image holds")
    return 1 if header_bytes + 1 < _END_VARINT_1 else 2


def _ragged_leaves(
    columns: Sequence[Cells], page_bytes: int, first_rowid: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Leaf pages of rows of unequal width, and for each page the number of rows up to its end."""
    payload = row_bytes(columns)
    if payload.max() > largest_row_bytes(page_bytes):
        raise ValueError(f"row {np.argmax(payload)} is larger than a page")
    rows, cell_bytes = len(payload), payload + 7  # the payload's length and the rowid
    ends = _page_breaks(cell_bytes, page_bytes)
    counts = np.diff(ends, prepend=0)
    page = np.repeat(np.arange(len(ends)), counts)
    cell_ends = np.cumsum(cell_bytes)
    # The cells of a page stand at its end.
    starts_in_page = cell_ends - cell_bytes - (cell_ends[ends - 1])[page] + page_bytes
    pages = np.zeros(len(ends) * page_bytes, dtype=np.uint8)
    lay(pages, page * page_bytes + starts_in_page, _cell_pieces(columns, payload, first_rowid))
    firsts = ends - counts
    head = np.zeros(len(ends), dtype=[("kind", "u1"), ("", ">u2"), ("count", ">u2"), ("at", ">u2")])
    head["kind"], head["count"], head["at"] = _LEAF, counts, starts_in_page[firsts]
    lay(pages, np.arange(len(ends)) * page_bytes, [head])
    place = np.arange(rows) - firsts[page]
    pointers_at = page * page_bytes + _LEAF_HEADER_BYTES + _CELL_POINTER_BYTES * place
    lay(pages, pointers_at, [starts_in_page.astype(">u2")])
    return pages, ends


def _page_breaks(cell_bytes: Column, page_bytes: int) -> npt.NDArray[np.int64]:
    """The row after the last of each page, every page as full as it gets."""
    totals = np.cumsum(cell_bytes + _CELL_POINTER_BYTES)
    room, used = page_bytes - _LEAF_HEADER_BYTES, 0
    ends: list[int] = []
    while not ends or ends[-1] < len(totals):
        ends.append(int(np.searchsorted(totals, used + room, side="right")))
        used = int(totals[ends[-1] - 1])
    return np.array(ends, dtype=np.int64)


def _cell_pieces(
    columns: Sequence[Cells], payload: Column, first_rowid: int
) -> list[Column | Ragged]:
    header_bytes = _header_bytes(columns)
    varint = _varint_bytes(header_bytes)
    fields: list[tuple[Any, ...]] = [("payload", "u1", 3), ("rowid", "u1", 4), ("h", "u1", varint)]
    fields += [
        (f"t{i}", "u1", 3 if isinstance(column.values, Ragged) else 1)
        for i, column in enumerate(columns)
    ]
    head = np.empty(len(payload), dtype=fields)
    head["payload"] = _varint_3(payload)
    head["rowid"] = _varint_4(first_rowid + np.arange(len(payload)))
    total = header_bytes + varint
    head["h"] = total if varint == 1 else (total >> 7 | 128, total & 127)
    pieces: list[Column | Ragged] = [head]
    run: list[tuple[np.dtype[Any], Column]] = []
    for i, column in enumerate(columns):
        values, valid, item = column.values, column.valid, _item(column)
        if isinstance(values, Ragged):
            kinds = 2 * values.lengths + (_TEXT if column.is_text else _BLOB)
            head[f"t{i}"] = _varint_3(kinds if valid is None else np.where(valid, kinds, 0))
        else:
            kind = _STORED[values.dtype][1]
            head[f"t{i}"] = kind if valid is None else np.where(valid, kind, 0)[:, np.newaxis]
            values = values.view(np.int64) if values.dtype.kind == "M" else values
            if valid is None:
                run.append((item, values))
                continue
            values = packed(values, valid, item)
        if run:
            pieces.append(_stacked(run))
            run = []
        pieces.append(values)
    if run:
        pieces.append(_stacked(run))
    return pieces


def _stacked(run: Sequence[tuple[np.dtype[Any], Column]]) -> Column:
    rows = np.empty(len(run[0][1]), dtype=[(f"v{i}", item) for i, (item, _) in enumerate(run)])
    for i, (_, values) in enumerate(run):
        rows[f"v{i}"] = values
    return rows


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
    file.seek(_CHANGE_COUNTER_OFFSET)
    counter = int.from_bytes(file.read(4), "big") + 1
    for offset, value in (
        (_CHANGE_COUNTER_OFFSET, counter),
        (_PAGE_COUNT_OFFSET, next_page - 1),
        (_VERSION_VALID_FOR_OFFSET, counter),
    ):
        file.seek(offset)
        file.write(value.to_bytes(4, "big"))
    file.flush()


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


def _varint_3(values: Column) -> Column:
    """The same with three groups, however small the value: readers take leading zeros."""
    groups: Column = values[..., np.newaxis] >> np.array([14, 7, 0]) & 127
    groups |= np.array([128, 128, 0])
    return groups
