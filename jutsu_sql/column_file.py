"""Bars as a file of columns: written once, checked, and mapped into memory.

Little-endian, version 1. ``parts`` and each column start at a multiple of 64 bytes; what is left
between them is zero::

    header   8s magic "JUTSUBAR", u4 version, u4 CRC-32 of all that follows it, i8 number of series,
             i8 number of rows, i8 first and i8 last microsecond (UTC, inclusive) that it covers
    parts    a record for each series: 16s the state of its bars, i8 the number of its rows
    columns  i4 series_index, i8 ts (microseconds since 1970, UTC), f8 open, high, low, close and
             volume
"""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import IO, Any

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any]

STATE_BYTES = 16
_MAGIC = b"JUTSUBAR"
_VERSION = 1
_START = struct.Struct("<8sII")
_COUNTS = struct.Struct("<qqqq")
_PART = np.dtype([("state", f"V{STATE_BYTES}"), ("rows", "<i8")])
_COLUMNS = {
    "series_index": np.dtype("<i4"),
    "ts": np.dtype("<M8[us]"),
    **dict.fromkeys(("open", "high", "low", "close", "volume"), np.dtype("<f8")),
}
_ALIGNMENT_BYTES = 64


class ColumnFileError(ValueError):
    """Not a column file of this version, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The bars of some series, one series after the other, from ``first_us`` to ``last_us``.

    ``states`` (16 bytes each) and ``rows`` are by series; ``columns`` are by name: ``series_index``
    (int32), ``ts`` (``datetime64[us]``), ``open``, ``high``, ``low``, ``close``, ``volume``
    (float64).
    """

    states: Sequence[bytes]
    rows: Sequence[int]
    first_us: int
    last_us: int
    columns: Mapping[str, Column]


def file_bytes(series: int, rows: int) -> int:
    """The size of the file of so many series with so many rows in all."""
    return _offsets(series, rows)[-1]


def write_columns(file: IO[bytes], content: Columns) -> None:
    """Write a file from its start; the columns have equal length."""
    series, rows = len(content.states), len(content.columns["ts"])
    parts = np.zeros(series, _PART)
    parts["rows"] = content.rows
    parts["state"] = np.frombuffer(b"".join(content.states), parts.dtype["state"])
    counts = _COUNTS.pack(series, rows, content.first_us, content.last_us)
    arrays = [parts, *(np.ascontiguousarray(content.columns[n], t) for n, t in _COLUMNS.items())]
    offsets = _offsets(series, rows)
    file.write(bytes(_START.size) + counts)
    crc, position = zlib.crc32(counts), _START.size + _COUNTS.size
    for array, offset in zip(arrays, offsets[:-1], strict=True):
        for data in (bytes(offset - position), array.view(np.uint8).data):
            file.write(data)
            crc = zlib.crc32(data, crc)
        position = offset + array.nbytes
    file.seek(0)
    file.write(_START.pack(_MAGIC, _VERSION, crc))


def map_columns(descriptor: int, *, verify: bool) -> Columns:
    """Map an open file; the arrays are read-only and hold the mapping, not the descriptor.

    ``verify`` compares the checksum, which reads all of it.

    Raises:
        ColumnFileError: it is not one, of another version, of the wrong size, or damaged.
        OSError: it cannot be mapped.
    """
    try:
        data = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    except ValueError as error:  # it is empty
        raise ColumnFileError(str(error)) from error
    if len(data) < _START.size + _COUNTS.size:
        raise ColumnFileError("too short")
    magic, version, crc = _START.unpack_from(data)
    if (magic, version) != (_MAGIC, _VERSION):
        raise ColumnFileError("not a column file of this version")
    series, rows, first_us, last_us = _COUNTS.unpack_from(data, _START.size)
    if series < 0 or rows < 0 or file_bytes(series, rows) != len(data):
        raise ColumnFileError("wrong size")
    with memoryview(data)[_START.size :] as checked:
        if verify and zlib.crc32(checked) != crc:
            raise ColumnFileError("damaged")
    offsets = _offsets(series, rows)
    parts = np.frombuffer(data, _PART, series, offsets[0])
    return Columns(
        [state.tobytes() for state in parts["state"]],
        parts["rows"].tolist(),
        first_us,
        last_us,
        {
            name: np.frombuffer(data, dtype, rows, offset)
            for (name, dtype), offset in zip(_COLUMNS.items(), offsets[1:], strict=False)
        },
    )


def _offsets(series: int, rows: int) -> list[int]:
    """Where the parts and each column start; and the size of the file, which ends unpadded."""
    sizes = [series * _PART.itemsize, *(rows * dtype.itemsize for dtype in _COLUMNS.values())]
    start = _aligned(_START.size + _COUNTS.size)
    *starts, last = accumulate(sizes[:-1], lambda at, size: _aligned(at + size), initial=start)
    return [*starts, last, last + sizes[-1]]


def _aligned(position: int) -> int:
    return -(-position // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES
