"""PostgreSQL's binary formats to and from NumPy columns, without a Python object a value.

Formats: https://www.postgresql.org/docs/current/sql-copy.html ("Binary Format") and
``array_send`` in PostgreSQL's ``src/backend/utils/adt/arrayfuncs.c``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from jutsu_sql.instants import DAY_US

# The signature, no flags, no header extension.
HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
# PostgreSQL counts from 2000-01-01.
PG_EPOCH_US = 10_957 * DAY_US
# About half a megabyte of bars: a write's fixed cost vanishes, and the rows stay in the
# second-level cache.
_ROWS_A_WRITE = 8_192
# ndim, flags, element type, dimension, lower bound: five int32.
_ARRAY_HEADER_BYTES = 20

# Wire types of the NumPy types that have one; text and numeric have no fixed width.
_WIRE = {
    np.dtype(np.bool_): np.dtype("?"),
    np.dtype(np.int16): np.dtype(">i2"),
    np.dtype(np.int32): np.dtype(">i4"),
    np.dtype(np.int64): np.dtype(">i8"),
    np.dtype(np.float32): np.dtype(">f4"),
    np.dtype(np.float64): np.dtype(">f8"),
    np.dtype("M8[us]"): np.dtype(">i8"),
}
# What the elements of an array are, by the OID of the array type (pg_type.dat).
ARRAY_DTYPES = {
    1000: np.dtype("?"),
    1005: np.dtype(">i2"),
    1007: np.dtype(">i4"),
    1016: np.dtype(">i8"),
    1021: np.dtype(">f4"),
    1022: np.dtype(">f8"),
    1185: np.dtype("M8[us]"),
}


def encode(blocks: Iterable[Sequence[npt.NDArray[Any]]]) -> Iterator[bytes]:
    """Blocks of equally long columns as COPY BINARY data, header and trailer included.

    Columns are bool, int16/32/64, float32/64 or ``datetime64[us]`` (``timestamptz``, UTC), of the
    same types in every block, in the order of the COPY statement's list: binary COPY applies no
    casts.

    Raises:
        TypeError: a column's type has no fixed width on the wire.
    """
    layout: Any = None
    yield HEADER
    for columns in blocks:
        if layout is None:
            layout = np.tile(_row_layout(columns), _ROWS_A_WRITE)
        rows = len(columns[0])
        for start in range(0, rows, _ROWS_A_WRITE):
            part = layout[: min(_ROWS_A_WRITE, rows - start)]
            for position, column in enumerate(columns):
                values = column[start : start + len(part)]
                if values.dtype.kind == "M":
                    values = values.view(np.int64) - PG_EPOCH_US
                part[f"value{position}"] = values
            yield part.tobytes()
    yield TRAILER


def _row_layout(columns: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """One packed row, its field count and lengths filled in; the values are still to come."""
    fields: list[tuple[str, Any]] = [("count", ">i2")]
    for position, column in enumerate(columns):
        if column.dtype not in _WIRE:
            raise TypeError(f"column {position}: {column.dtype} has no fixed width on the wire")
        fields += [(f"length{position}", ">i4"), (f"value{position}", _WIRE[column.dtype])]
    row = np.zeros(1, dtype=np.dtype(fields))
    row["count"] = len(columns)
    for position in range(len(columns)):
        row[f"length{position}"] = row[f"value{position}"].itemsize
    return row


def empty_array(array_oid: int) -> npt.NDArray[Any]:
    """A column of no rows of an array's element type."""
    return np.empty(0, dtype=ARRAY_DTYPES[array_oid].newbyteorder("="))


def decode_array(data: bytes | memoryview, array_oid: int) -> npt.NDArray[Any]:
    """A one-dimensional binary array without NULLs, as a native column.

    ``timestamptz`` becomes ``datetime64[us]``, UTC.

    Raises:
        ValueError: the array has NULLs or several dimensions.
    """
    dimensions, has_null = np.frombuffer(data, dtype=">i4", count=2).tolist()
    dtype = ARRAY_DTYPES[array_oid]
    if dimensions == 0:
        return empty_array(array_oid)
    if has_null or dimensions != 1:
        raise ValueError("the array has NULLs or several dimensions")
    wire = np.dtype(">i8") if dtype.kind == "M" else dtype
    elements = np.frombuffer(
        data, dtype=np.dtype([("length", ">i4"), ("value", wire)]), offset=_ARRAY_HEADER_BYTES
    )
    values = elements["value"].astype(wire.newbyteorder("="))
    if dtype.kind == "M":
        return (values + PG_EPOCH_US).view(dtype)
    return values
