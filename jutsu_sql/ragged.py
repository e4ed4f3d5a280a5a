"""Columns of bytes, and rows of unequal width laid out from columns, all rows at once.

Both engines' bulk formats are rows, one value behind the other. A row is cut into pieces that
have one width in every row, and pieces that have their own in each; a piece is laid for all rows
in a few array operations, so that no Python object stands for a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
Offsets = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

# Above this mean width a copy of each value is faster than an index of each byte (and the index,
# eight times as large as the text, would not stay small).
_INDEXED_BYTES = 48


@dataclass(frozen=True, slots=True)
class Ragged:
    """Byte strings end to end: row ``i`` is ``data[offsets[i]:offsets[i + 1]]`` (uint8, int64)."""

    data: Bytes
    offsets: Offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Offsets:
        return np.diff(self.offsets)

    def __getitem__(self, rows: slice) -> Ragged:
        start, stop, _ = rows.indices(len(self))
        return Ragged(self.data, self.offsets[start : stop + 1])

    def emptied(self, valid: Mask) -> Ragged:
        """The same, with no bytes in the rows that are not ``valid``."""
        lengths = self.lengths
        kept = np.repeat(valid, lengths)
        offsets = np.zeros(len(self) + 1, dtype=np.int64)
        np.cumsum(np.where(valid, lengths, 0), out=offsets[1:])
        return Ragged(self.data[self.offsets[0] : self.offsets[-1]][kept], offsets)

    def value(self, row: int) -> bytes:
        """One row."""
        return self.data[self.offsets[row] : self.offsets[row + 1]].tobytes()


@dataclass(frozen=True, slots=True)
class Cells:
    """A column on its way to an engine: ``valid`` is None, or False where there is NULL.

    ``is_text`` says that ragged values are UTF-8 text and no blobs.
    """

    values: Array | Ragged
    valid: Mask | None = None
    is_text: bool = False

    @property
    def is_fixed(self) -> bool:
        """Whether every row has the same width: no text, no blobs, no NULLs."""
        return self.valid is None and not isinstance(self.values, Ragged)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice) -> Cells:
        valid = None if self.valid is None else self.valid[rows]
        return Cells(self.values[rows], valid, self.is_text)

    def widths(self, item_bytes: int) -> Offsets:
        """Each value's bytes; a value that is not ragged has ``item_bytes``, and NULL none."""
        if isinstance(self.values, Ragged):
            widths = self.values.lengths
        else:
            widths = np.full(len(self), item_bytes, dtype=np.int64)
        return widths if self.valid is None else np.where(self.valid, widths, 0)


def parts(columns: Sequence[Cells], max_rows: int, max_bytes: int) -> Iterator[list[Cells]]:
    """Equally long columns in parts of so many rows and, but for a larger row, ragged bytes."""
    rows = len(columns[0])
    ragged = [column.values.offsets for column in columns if isinstance(column.values, Ragged)]
    ends = np.sum([offsets - offsets[0] for offsets in ragged], axis=0) if ragged else None
    start = 0
    while start < rows:
        stop = min(start + max_rows, rows)
        if ends is not None:
            fitting = int(np.searchsorted(ends, ends[start] + max_bytes, side="right")) - 1
            stop = max(start + 1, min(stop, fitting))
        yield [column[start:stop] for column in columns]
        start = stop


def packed(values: Array, valid: Mask, dtype: np.dtype[Any]) -> Ragged:
    """Values of one width as bytes of ``dtype``, those that are NULL left out."""
    data = np.ascontiguousarray(values[valid].astype(dtype)).view(np.uint8)
    offsets = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(valid, out=offsets[1:])
    offsets *= dtype.itemsize
    return Ragged(data, offsets)


def lay(buffer: Bytes, starts: Offsets, pieces: Sequence[Array | Ragged]) -> None:
    """Write rows into ``buffer``, the pieces of row ``i`` one behind the other from ``starts[i]``.

    A piece is ragged, or an array with one item a row, which is written as it lies in memory.
    """
    at = starts.copy()
    for piece in pieces:
        if isinstance(piece, Ragged):
            _lay_ragged(buffer, at, piece)
            at += piece.lengths
            continue
        item = np.dtype((np.void, piece.dtype.itemsize))
        overlapping(buffer, item)[at] = piece.view(item)
        at += item.itemsize


def overlapping(data: Bytes, dtype: npt.DTypeLike) -> Array:
    """A view of every place where an item may stand: they overlap, and none is aligned."""
    item = np.dtype(dtype)
    return np.ndarray(len(data) - item.itemsize + 1, item, data.data, strides=(1,))


def _lay_ragged(buffer: Bytes, at: Offsets, piece: Ragged) -> None:
    rows, lengths = len(piece), piece.lengths
    first, last = piece.offsets[0], piece.offsets[-1]
    if last - first > _INDEXED_BYTES * rows:
        source, target = piece.data.data, buffer.data
        places = zip(
            at.tolist(), piece.offsets[:-1].tolist(), piece.offsets[1:].tolist(), strict=True
        )
        for place, start, end in places:
            target[place : place + end - start] = source[start:end]
        return
    index = np.repeat(at - piece.offsets[:-1], lengths)
    index += np.arange(first, last)
    buffer[index] = piece.data[first:last]
