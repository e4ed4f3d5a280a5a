"""PostgreSQL's binary formats to and from NumPy columns, without a Python object a value.

Formats: https://www.postgresql.org/docs/current/sql-copy.html ("Binary Format") and
``array_send`` in PostgreSQL's ``src/backend/utils/adt/arrayfuncs.c``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from jutsu_sql.instants import DAY_US
from jutsu_sql.ragged import Cells, Ragged, lay, packed, parts

# The signature, no flags, no header extension.
HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
# PostgreSQL counts from 2000-01-01.
_PG_EPOCH_DAYS = 10_957
PG_EPOCH_US = _PG_EPOCH_DAYS * DAY_US
_MAX_PG_US = np.iinfo(np.int64).max - PG_EPOCH_US
_MINUS_INFINITY = np.iinfo(np.int64).min
# About half a megabyte of bars: a write's fixed cost vanishes, and the rows stay in the
# second-level cache.
_ROWS_A_WRITE = 8_192
_BYTES_A_WRITE = 2**20
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
    np.dtype("M8[D]"): np.dtype(">i4"),
}
_NULL = -1
# A numeric is base 10,000 digits behind four int16: their count, the weight of the first one, the
# sign, and how many decimals are shown (numeric_send in src/backend/utils/adt/numeric.c).
_NUMERIC_HEADER = 4
_NEGATIVE, _NAN = 0x4000, 0xC000
LSEG_ARRAY_OID = 1018
# What the elements of an array are, by the OID of the array type (pg_type.dat).
ARRAY_DTYPES = {
    1000: np.dtype("?"),
    1005: np.dtype(">i2"),
    1007: np.dtype(">i4"),
    1016: np.dtype(">i8"),
    1021: np.dtype(">f4"),
    1022: np.dtype(">f8"),
    1185: np.dtype("M8[us]"),
    LSEG_ARRAY_OID: np.dtype((">f8", (4,))),  # four doubles as one value
}


def encode(blocks: Iterable[Sequence[npt.NDArray[Any]]]) -> Iterator[bytes]:
    """Blocks of equally long columns as COPY BINARY data, header and trailer included.

    Columns are bool, int16/32/64, float32/64, ``datetime64[D]`` (``date``) or ``datetime64[us]``
    (``timestamp``, and ``timestamptz`` in UTC), of the same types in every block, in the order of
    the COPY statement's list: binary COPY applies no casts.

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
                part[f"value{position}"] = _wire_values(values)
            yield part.tobytes()
    yield TRAILER


def _wire_values(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.dtype.kind != "M":
        return values
    epoch = _PG_EPOCH_DAYS if values.dtype == np.dtype("M8[D]") else PG_EPOCH_US
    since: npt.NDArray[Any] = values.view(np.int64) - epoch
    return since


def encode_cells(columns: Sequence[Cells]) -> Iterator[bytes]:
    """Equally long columns, of any width and with NULLs, as COPY BINARY data; see :func:`encode`.

    Ragged values are sent as they are: text as UTF-8, anything else as its type's binary form.
    """
    if all(column.is_fixed for column in columns):
        yield from encode([[column.values for column in columns]])  # type: ignore[misc]
        return
    yield HEADER
    for part in parts(columns, _ROWS_A_WRITE, _BYTES_A_WRITE):
        yield _encode_part(part)
    yield TRAILER


def _encode_part(columns: Sequence[Cells]) -> bytes:
    rows = len(columns[0])
    pieces: list[npt.NDArray[Any] | Ragged] = []
    # What has one width in every row gathers here, until a value that has not follows.
    run: list[tuple[Any, npt.NDArray[Any] | int]] = [(">i2", len(columns))]
    widths = np.zeros(rows, dtype=np.int64)
    for position, column in enumerate(columns):
        values = column.values
        if isinstance(values, Ragged):
            item: np.dtype[Any] = np.dtype(np.uint8)
        elif values.dtype in _WIRE:
            item = _WIRE[values.dtype]
            values = _wire_values(values)
        else:
            raise TypeError(f"column {position}: {values.dtype} has no fixed width on the wire")
        if column.is_fixed:
            run += [(">i4", item.itemsize), (item, values)]  # type: ignore[list-item]
            continue
        lengths = column.widths(item.itemsize)
        shown = lengths if column.valid is None else np.where(column.valid, lengths, _NULL)
        pieces += [
            _packed_run([*run, (">i4", shown)], rows),
            values if isinstance(values, Ragged) else packed(values, column.valid, item),  # type: ignore[arg-type]
        ]
        widths += lengths
        run = []
    if run:
        pieces.append(_packed_run(run, rows))
    widths += sum(piece.dtype.itemsize for piece in pieces if not isinstance(piece, Ragged))
    ends = np.cumsum(widths)
    buffer = np.empty(ends[-1], dtype=np.uint8)
    lay(buffer, ends - widths, pieces)
    return buffer.tobytes()


def _packed_run(run: Sequence[tuple[Any, Any]], rows: int) -> npt.NDArray[Any]:
    packed_rows = np.empty(rows, dtype=[(f"f{i}", wire) for i, (wire, _) in enumerate(run)])
    for position, (_, values) in enumerate(run):
        packed_rows[f"f{position}"] = values
    return packed_rows


def encode_scaled(unscaled: npt.NDArray[np.int64], scale: int) -> Ragged:
    """``unscaled / 10**scale`` as binary numerics; ``scale`` is 0 to 16."""
    size = np.abs(unscaled).view(np.uint64)  # the smallest int64 has no positive twin
    power = np.uint64(10**scale)
    fraction_groups = -(-scale // 4)
    whole, fraction = size // power, size % power * np.uint64(10 ** (fraction_groups * 4 - scale))
    # Five groups hold every int64.
    groups = [whole // np.uint64(10**e) % np.uint64(10_000) for e in (16, 12, 8, 4, 0)]
    groups += [
        fraction // np.uint64(10 ** (4 * i)) % np.uint64(10_000)
        for i in reversed(range(fraction_groups))
    ]
    count = len(groups)
    digits = np.stack(groups, axis=1)
    is_set = digits != 0
    is_zero = ~is_set.any(axis=1)
    first = np.where(is_zero, 0, np.argmax(is_set, axis=1))
    end = np.where(is_zero, 0, count - np.argmax(is_set[:, ::-1], axis=1))
    table = np.empty((len(unscaled), _NUMERIC_HEADER + count), dtype=">i2")
    table[:, 0] = end - first
    table[:, 1] = np.where(is_zero, 0, 4 - first)
    table[:, 2] = np.where(unscaled < 0, _NEGATIVE, 0)
    table[:, 3] = scale
    table[:, _NUMERIC_HEADER:] = digits
    place = np.arange(count)
    sent = np.ones(table.shape, dtype=np.bool_)
    sent[:, _NUMERIC_HEADER:] = (place >= first[:, np.newaxis]) & (place < end[:, np.newaxis])
    offsets = np.zeros(len(unscaled) + 1, dtype=np.int64)
    np.cumsum(2 * sent.sum(axis=1), out=offsets[1:])
    return Ragged(table[sent].view(np.uint8), offsets)


def encode_numeric(value: Decimal) -> bytes:
    """One decimal, or NaN, as a binary numeric."""
    if value.is_nan():
        return struct.pack(">hhHh", 0, 0, _NAN, 0)
    sign, figures, exponent = value.as_tuple()
    scale = max(-int(exponent), 0)
    text = "".join(map(str, figures)) + "0" * max(int(exponent), 0)
    text = text.rjust(scale, "0")
    whole, fraction = text[: len(text) - scale], text[len(text) - scale :]
    whole = whole.rjust(-(-len(whole) // 4) * 4, "0")
    text = whole + fraction.ljust(-(-scale // 4) * 4, "0")
    groups = [int(text[i : i + 4]) for i in range(0, len(text), 4)]
    weight = len(whole) // 4 - 1
    while groups and groups[0] == 0:
        del groups[0]
        weight -= 1
    while groups and groups[-1] == 0:
        del groups[-1]
    if not groups:
        sign = weight = 0
    header = (len(groups), weight, _NEGATIVE if sign else 0, scale)
    return struct.pack(f">hhHh{len(groups)}h", *header, *groups)


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
    """A column of no rows of an array's element type; (4, 0) of ``lseg``."""
    dtype = ARRAY_DTYPES[array_oid]
    return np.empty((*dtype.shape, 0), dtype=dtype.base.newbyteorder("="))


def decode_array(data: bytes | memoryview, array_oid: int) -> npt.NDArray[Any]:
    """A one-dimensional binary array without NULLs, as a native column.

    ``timestamptz`` becomes ``datetime64[us]``, UTC; ``lseg`` four columns of float64, (4, rows).

    Raises:
        ValueError: the array has NULLs, several dimensions or infinite times.
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
    values = elements["value"].T.astype(wire.base.newbyteorder("="), order="C")
    if dtype.kind == "M":
        if values.max() > _MAX_PG_US or values.min() == _MINUS_INFINITY:
            raise ValueError("the array has times that datetime64 has not")
        values += PG_EPOCH_US
        return values.view(dtype)
    return values
