"""NumPy columns from the pages of a table's b-tree, without a step of SQLite for each row.

For tables WITHOUT ROWID whose key is two integers and whose other columns are numbers, such as
``bars``. What looks otherwise is an :class:`UnreadableTreeError`: then ask SQLite, which knows all
of its format, and says what is wrong with a file. Format:
https://www.sqlite.org/fileformat2.html, "1.6. B-tree Pages" and "2.1. Record Format".
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from jutsu_sql.ragged import overlapping

_LEAF, _INTERIOR = 10, 2
_LEAF_HEADER_BYTES, _INTERIOR_HEADER_BYTES = 8, 12
_COUNT_AT, _RIGHT_CHILD_AT = 3, 8
_CHILD_BYTES, _POINTER_BYTES = 4, 2
_MAX_HEIGHT = 20
# Up to here a row is on one page, however small that is (480 usable bytes), and its length, that of
# its header and each type are a byte.
_MAX_ROW_BYTES = (480 - 12) * 64 // 255 - 23
_CELL_BYTES = 1 + _MAX_ROW_BYTES
# How many bytes the value of a serial type takes; what is no number adds up to no row.
_SIZES = (_CELL_BYTES, 1, 2, 3, 4, 6, 8, 8, 0, 0, *[_CELL_BYTES] * 246)
_WIDTHS = np.array(_SIZES, dtype=np.uint8)
_INT64, _DOUBLE, _ZERO, _ONE = 6, 7, 8, 9
_KEY_SIZES = (*_SIZES[:_DOUBLE], _CELL_BYTES, *_SIZES[_ZERO:])
# Leaves of 4 KiB that are read at a time: with what is made of them they stay in the caches.
_LEAVES_AT_ONCE = 256
_KEPT_PAGES = 64

Array = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
_INT = np.dtype(np.int64)
_Key = tuple[int, int]
# A leaf's number, and the row that follows it as a cell: rows are in inner pages, too, each between
# two children. Nothing follows the last leaf of all.
_Leaf = tuple[int, bytes]


class UnreadableTreeError(Exception):
    """Pages are not as they are read here, which does not say that they are wrong."""


class Pages(Protocol):
    """The pages of a file; behind ``usable_bytes`` they are not the tables'."""

    page_bytes: int
    usable_bytes: int

    def page(self, number: int) -> bytes:
        """One of them."""

    def read(self, numbers: Ints, pages: Bytes) -> None:
        """Fill ``pages``, of shape (n, ``page_bytes``), with those of these numbers."""


class Tree(NamedTuple):
    """A table: its root page, and its columns as its rows have them, the key first."""

    pages: Pages
    root: int
    columns: tuple[str, ...]


class Spans(NamedTuple):
    """Ranges of keys, ascending: all that begin with ``firsts[i]`` and go on from ``starts[i]`` to
    ``ends[i]``, both inclusive."""

    firsts: Ints
    starts: Ints
    ends: Ints


def read_spans(
    tree: Tree, spans: Spans, dtypes: Mapping[str, np.dtype[Any]], limit: int
) -> list[Array]:
    """The first ``limit`` rows in order of the key: a column of int64 or float64 for each name.

    Raises:
        UnreadableTreeError: the pages are not as they are read here.
    """
    wanted = [(tree.columns.index(name), dtype) for name, dtype in dtypes.items()]
    blocks: list[list[Array]] = [[np.empty(0, dtype) for dtype in dtypes.values()]]
    rows, last = 0, (-1, 0)
    leaves = _leaves(tree, spans)
    while rows < limit and (some := list(islice(leaves, _LEAVES_AT_ONCE))):
        found = _rows_of(tree, some)
        kept = found.within(spans)
        last = _last_of_ascending(last, found.keys[0][kept], found.keys[1][kept])
        blocks.append([found.column(position, dtype)[kept] for position, dtype in wanted])
        rows += len(blocks[-1][0])
    return [np.concatenate(column)[:limit] for column in zip(*blocks, strict=True)]


def _leaves(tree: Tree, spans: Spans) -> Iterator[_Leaf]:
    """The leaves that may have rows of the spans, in order."""
    pages, last = tree.pages, None
    height = _height(pages, tree.root)

    @lru_cache(_KEPT_PAGES)  # of spans that follow each other
    def inner_page(number: int) -> _InnerPage:
        return _InnerPage(pages.page(number), pages.usable_bytes)

    def below(page: _Leaf, height: int, start: _Key, end: _Key) -> Iterator[_Leaf]:
        number, follower = page
        children = inner_page(number).children(start, end, follower)
        if height == 1:
            yield from children
            return
        for child in children:
            yield from below(child, height - 1, start, end)

    root = tree.root, b""
    if not height:
        yield root
        return
    for first, start, end in zip(*(each.tolist() for each in spans), strict=True):
        for leaf in below(root, height, (first, start), (first, end)):
            # Where one span ends, the next may begin.
            if leaf != last:
                yield leaf
            last = leaf


def _height(pages: Pages, root: int) -> int:
    """How many inner pages are above each leaf."""
    number = root
    for height in range(_MAX_HEIGHT):
        page = pages.page(number)
        if page[0] == _LEAF:
            return height
        number = _number(page, _RIGHT_CHILD_AT, _CHILD_BYTES)
    raise UnreadableTreeError("there is no leaf")


class _InnerPage:
    """The children of an inner page, and the rows between them."""

    def __init__(self, page: bytes, usable_bytes: int) -> None:
        count = _number(page, _COUNT_AT, 2)
        pointers_end = _INTERIOR_HEADER_BYTES + count * _POINTER_BYTES
        if page[0] != _INTERIOR or pointers_end > usable_bytes:
            raise UnreadableTreeError("a page is no inner one")
        pointers = struct.unpack_from(f">{count}H", page, _INTERIOR_HEADER_BYTES)
        # A row begins with its length, that of its header, and the types of its key.
        if count and not pointers_end <= min(pointers) <= max(pointers) < usable_bytes - 8:
            raise UnreadableTreeError("a cell is not where cells are")
        self._page = page
        self._rows_at = [pointer + _CHILD_BYTES for pointer in pointers]

    def children(self, start: _Key, end: _Key, follower: bytes) -> list[_Leaf]:
        """Those that may have keys of a range; ``follower`` is the row behind the last of all."""
        page, count = self._page, len(self._rows_at)
        # The row that follows a child has a greater key than any of its rows.
        first = bisect_left(range(count), start, key=self._key)
        last = first
        if first < count and self._key(first) < end:
            last = bisect_left(range(count), end, first + 1, key=self._key)
        found = [
            (
                _number(page, row_at - _CHILD_BYTES, _CHILD_BYTES),
                page[row_at : row_at + _CELL_BYTES],
            )
            for row_at in self._rows_at[first : last + 1]
        ]
        if last == count:
            found.append((_number(page, _RIGHT_CHILD_AT, _CHILD_BYTES), follower))
        return found

    def _key(self, i: int) -> _Key:
        page, at = self._page, self._rows_at[i]
        start, first, second = at + 1 + page[at + 1], page[at + 2], page[at + 3]
        middle = start + _KEY_SIZES[first]
        end = middle + _KEY_SIZES[second]
        if page[at] > _MAX_ROW_BYTES or end > at + 1 + page[at]:
            raise UnreadableTreeError("a key is not two integers")
        return (
            int.from_bytes(page[start:middle], "big", signed=True) + (first == _ONE),
            int.from_bytes(page[middle:end], "big", signed=True) + (second == _ONE),
        )


def _number(page: bytes, at: int, size: int) -> int:
    return int.from_bytes(page[at : at + size], "big")


def _rows_of(tree: Tree, leaves: Sequence[_Leaf]) -> _Rows:
    """The rows of leaves and those that follow each, in order."""
    count, page_bytes = len(leaves), tree.pages.page_bytes
    end = count * page_bytes
    # The rows that follow stand behind the pages; the rest is room to take bytes beyond a row.
    data = np.zeros(end + (count + 1) * _CELL_BYTES, dtype=np.uint8)
    pages = data[:end].reshape(count, page_bytes)
    tree.pages.read(np.array([number for number, _ in leaves]), pages)
    followers = b"".join(row.ljust(_CELL_BYTES, b"\0") for _, row in leaves if row)
    data[end : end + len(followers)] = np.frombuffer(followers, dtype=np.uint8)
    counts = _in_pages(pages, _COUNT_AT, 1)[:, 0]
    most = int(counts.max())
    pointers_end = _LEAF_HEADER_BYTES + most * _POINTER_BYTES
    if np.any(pages[:, 0] != _LEAF) or pointers_end > tree.pages.usable_bytes:
        raise UnreadableTreeError("a page is no leaf")
    # Where each row is, page by page, and in one column more the one that follows.
    every = np.arange(count)
    places = np.zeros((count, most + 1), dtype=np.int64)
    places[:, :most] = _in_pages(pages, _LEAF_HEADER_BYTES, most)
    places[every, counts] = 0
    counts += 1
    is_row = np.arange(most + 1) < counts[:, np.newaxis]
    if np.any(places >= tree.pages.usable_bytes, where=is_row):
        raise UnreadableTreeError("a row begins behind its page")
    places += page_bytes * every[:, np.newaxis]
    places[every, counts - 1] = end + _CELL_BYTES * every
    at = places[is_row]
    at = at if leaves[-1][1] else at[:-1]
    if np.any((at & (page_bytes - 1)) + data[at] >= tree.pages.usable_bytes, where=at < end):
        raise UnreadableTreeError("a row ends behind its page")
    return _Rows(data, at, len(tree.columns))


class _Rows:
    """Rows that begin at ``at`` in ``data``, and their keys, if they are of so many numbers."""

    def __init__(self, data: Bytes, at: Ints, columns: int) -> None:
        lengths = data[at]
        if np.any(lengths > _MAX_ROW_BYTES):
            raise UnreadableTreeError("a row is longer than those of numbers")
        # A value is taken as the eight bytes that it begins with.
        width = 1 + int(lengths.max(initial=1 + columns)) + 8
        cells = overlapping(data, f"V{width}")[at].view(np.uint8).reshape(-1, width)
        values_at = 2 + columns
        types = np.ascontiguousarray(cells[:, 2:values_at].T)
        widths = _WIDTHS.take(types)
        starts = np.full((columns + 1, len(at)), values_at, dtype=np.uint16)
        for position in range(columns):
            np.add(starts[position], widths[position], out=starts[position + 1])
        row_ends = 1 + lengths.astype(np.uint16)
        if np.any(cells[:, 1] != 1 + columns) or np.any(starts[columns] != row_ends):
            raise UnreadableTreeError("a row is not one of numbers")
        self.cells, self._types, self._starts = cells, types, starts
        self.keys = self.column(0, _INT), self.column(1, _INT)

    def column(self, position: int, dtype: np.dtype[Any]) -> Array:
        """One column: int64, or float64 with the whole numbers that SQLite keeps as integers."""
        types, starts = self._types[position], self._starts[position]
        # Most rows have the widest of everything before, and their values one behind the other.
        start = int(starts.max(initial=0))
        words = self.cells[:, start : start + 8].view(">i8")[:, 0].astype(np.int64)
        if len(odd := np.flatnonzero(starts != start)):
            at = odd * self.cells.shape[1] + starts[odd]
            words[odd] = overlapping(self.cells.reshape(-1), ">i8")[at]
        if dtype.kind == "f":
            values = words.view(np.float64)
            if len(whole := np.flatnonzero(types != _DOUBLE)):
                values[whole] = _integers(words[whole], types[whole])
            return values
        if np.any(types == _DOUBLE):
            raise UnreadableTreeError("a column of integers has a fraction")
        return _integers(words, types)

    def within(self, spans: Spans) -> slice | Ints:
        """Which of them are of the spans."""
        first = _places_of(self.keys, spans.firsts, spans.starts, "left")
        stop = _places_of(self.keys, spans.firsts, spans.ends, "right")
        found = np.flatnonzero(_covered(first, stop, len(self.cells)))
        if len(found) and found[-1] - found[0] + 1 == len(found):
            return slice(found[0], found[-1] + 1)
        return found


def _last_of_ascending(before: _Key, firsts: Ints, seconds: Ints) -> _Key:
    """The last of keys that ascend from the one before them."""
    firsts, seconds = np.append(before[0], firsts), np.append(before[1], seconds)
    is_next = (firsts[1:] == firsts[:-1]) & (seconds[1:] > seconds[:-1])
    if not np.all(is_next | (firsts[1:] > firsts[:-1])):
        raise UnreadableTreeError("keys do not ascend")
    return int(firsts[-1]), int(seconds[-1])


def _in_pages(pages: Bytes, at: int, count: int) -> Ints:
    """So many numbers of two bytes of each page, from one place on."""
    return np.ascontiguousarray(pages[:, at : at + 2 * count]).view(">u2").astype(np.int64)


def _integers(words: Ints, types: Bytes) -> Ints:
    """Integers of up to eight bytes, which are the first ones of their words."""
    if np.all(types == _INT64):
        return words
    unused_bits = 64 - 8 * _WIDTHS.take(types).astype(np.int64)
    return np.where(types >= _ZERO, types == _ONE, words >> unused_bits)


def _places_of(keys: tuple[Ints, Ints], firsts: Ints, seconds: Ints, side: Any) -> Ints:
    """Where each of the keys would be put."""
    low = keys[0].searchsorted(firsts, "left")
    high = keys[0].searchsorted(firsts, "right")
    for i in np.flatnonzero(low < high):
        low[i] += keys[1][low[i] : high[i]].searchsorted(seconds[i], side)
    return low


def _covered(first: Ints, stop: Ints, count: int) -> npt.NDArray[np.bool_]:
    """Which of so many places are in a range of those from ``first`` up to ``stop``."""
    steps = np.zeros(count + 1, dtype=np.int64)
    np.add.at(steps, np.minimum(first, count), 1)
    np.add.at(steps, np.minimum(stop, count), -1)
    return np.cumsum(steps[:-1]) > 0
