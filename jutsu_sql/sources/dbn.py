"""Databento's binary encoding of OHLCV bars (DBN, versions 1 to 3) as a table.

The layout is that of Databento's documentation of DBN: ``DBN``, a version, the length of the
metadata, the metadata, and records of 56 bytes with prices in units of 1e-9.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from jutsu_sql.errors import BarsError

_OHLCV = np.dtype(
    [
        ("length", "u1"),
        ("rtype", "u1"),
        ("publisher_id", "<u2"),
        ("instrument_id", "<u4"),
        ("ts_event", "<u8"),
        ("open", "<i8"),
        ("high", "<i8"),
        ("low", "<i8"),
        ("close", "<i8"),
        ("volume", "<u8"),
    ]
)
_RTYPES = range(32, 37)
_PREFIX_BYTES = 8
_METADATA_BYTES = 100
_V1_SYMBOL_BYTES = 22
_AT_SYMBOL_LENGTH = 16 + 2 + 8 + 8 + 8 + 1 + 1 + 1


def dbn_table(data: bytes) -> Any:
    """The columns of Databento's CSV, as texts, with the raw symbols of the metadata.

    Raises:
        BarsError: the file is cut off, or holds records that are no bars.
    """
    try:
        version, length = data[3], struct.unpack_from("<I", data, 4)[0]
        symbols = _symbols(data[_PREFIX_BYTES : _PREFIX_BYTES + length], version)
    except (struct.error, IndexError, ValueError) as error:
        raise BarsError(f"the metadata of this DBN file cannot be read: {error}") from error
    body = memoryview(data)[_PREFIX_BYTES + length :]
    if len(body) % _OHLCV.itemsize or (len(body) and body[0] * 4 != _OHLCV.itemsize):
        raise BarsError("this DBN file holds no bars of a schema ohlcv, or is cut off")
    records = np.frombuffer(body, dtype=_OHLCV)
    if not np.isin(records["rtype"], list(_RTYPES)).all():
        raise BarsError("this DBN file holds records that are no bars: take a schema ohlcv")
    columns = {
        name: pa.array(records[name].copy()).cast(pa.string())
        for name in (_OHLCV.names or ())
        if name != "length"
    }
    ids = records["instrument_id"].tolist()
    columns["symbol"] = pa.array([symbols.get(each, str(each)) for each in ids], pa.string())
    order = ("ts_event", "rtype", "publisher_id", "instrument_id", "open", "high", "low", "close")
    return pa.table({name: columns[name] for name in (*order, "volume", "symbol")})


def _symbols(metadata: bytes, version: int) -> dict[int, str]:
    """The raw symbol of each instrument id, where it has just one."""
    width = _V1_SYMBOL_BYTES
    if version > 1:
        (width,) = struct.unpack_from("<H", metadata, _AT_SYMBOL_LENGTH)
    at = _METADATA_BYTES
    (definition,) = struct.unpack_from("<I", metadata, at)
    at += 4 + definition
    for _ in ("symbols", "partial", "not found"):
        (count,) = struct.unpack_from("<I", metadata, at)
        at += 4 + count * width
    names: dict[int, set[str]] = {}
    for name, number in _mappings(metadata, at, width):
        names.setdefault(number, set()).add(name)
    return {number: each.pop() for number, each in names.items() if len(each) == 1}


def _mappings(metadata: bytes, at: int, width: int) -> Iterator[tuple[str, int]]:
    (count,) = struct.unpack_from("<I", metadata, at)
    at += 4
    for _ in range(count):
        name = _text(metadata, at, width)
        (intervals,) = struct.unpack_from("<I", metadata, at + width)
        at += width + 4
        for _ in range(intervals):
            number = _text(metadata, at + 8, width)
            if number.isdigit():
                yield name, int(number)
            at += 8 + width


def _text(data: bytes, at: int, width: int) -> str:
    return data[at : at + width].split(b"\0", 1)[0].decode()


__all__ = ["dbn_table"]
