"""NumPy, Arrow or Python values as columns of the types that a table has: exactly, or not at all.

Values are first told apart by what they say (:func:`read_values`), then fitted to what the column
holds (:meth:`Field.fit`). A conversion is done where it loses nothing: integers of any width that
fit, integers and decimals as doubles that give them back, floats that are whole as integers,
midnights as dates. Everything else raises :class:`ColumnError` with column, row and remedy.

NULL is None, Arrow's null, a masked row, NaT, or pandas' NA. NaN is a float and no NULL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import numpy as np

from jutsu_sql.errors import ColumnError, InexactValueError
from jutsu_sql.instants import DAY_US, MAX_US, MIN_US, us_from_datetime
from jutsu_sql.interchange import doubles
from jutsu_sql.ragged import Array, Cells, Mask, Ragged

if TYPE_CHECKING:
    import pyarrow as pa

# Beyond this many decimals the codec's int64 arithmetic would overflow: see encode_scaled.
_MAX_SCALE = 16
# What PostgreSQL's numeric holds before and behind the point (manual, 8.1.2).
_MAX_WHOLE_DIGITS, _MAX_DECIMALS = 131_072, 16_383
# Unscaled integers up to here have 15 digits, which a double always gives back.
_SURE_DOUBLE = 10**15
_MISSING = {"NAType", "NaTType", "NoneType"}  # pandas' own, and None
_NUMBER = re.compile(rb"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.IGNORECASE)


class Holds(StrEnum):
    """What a column of a table holds."""

    BOOL = "bool"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    NUMERIC = "numeric"
    TEXT = "text"
    UUID = "uuid"
    BYTES = "bytes"
    DATE = "date"
    # A time on some wall's clock, and an instant.
    TIMESTAMP = "timestamp"
    TIMESTAMPTZ = "timestamptz"
    # Whatever comes, as it comes (SQLite, where a column need not have a type).
    ANYTHING = "anything"
    # A type that cannot be copied into: it may be left out, no more.
    UNKNOWN = "unknown"


class Scaled(NamedTuple):
    """Decimals ``unscaled / 10**scale``; int64, and 0 to 16."""

    unscaled: Array
    scale: int


@dataclass(frozen=True, slots=True)
class Values:
    """Values of one sort, and where there are any.

    ``sort`` is bool, int, float, decimal, text, bytes, date, or a time: ``aware`` (UTC), ``naive``,
    or ``time`` (NumPy's, which is whatever the column holds); ``null`` if there is nothing.
    Decimals are objects or :class:`Scaled`; times ``datetime64[us]``; dates ``datetime64[D]``.
    """

    sort: str
    data: Any
    valid: Mask | None = None

    def __len__(self) -> int:
        return len(self.data.unscaled if isinstance(self.data, Scaled) else self.data)

    def first(self, mask: Array) -> int | None:
        """The first row that ``mask`` marks and that has a value."""
        if self.valid is not None:
            mask = mask & self.valid
        return int(np.argmax(mask)) if mask.any() else None


@dataclass(frozen=True, slots=True)
class Column:
    """Values as a column of a table holds them.

    ``data`` has the NumPy type of the same name; text, uuids and bytes are :class:`Ragged`; numeric
    is :class:`Scaled` or an array of ``Decimal`` (or NaN).
    """

    field: Field
    data: Any
    valid: Mask | None

    def __len__(self) -> int:
        return len(Values("", self.data))

    def cells(self, data: Array | Ragged | None = None) -> Cells:
        """The column for a codec, with ``data`` in place of its own."""
        is_text = self.field.holds in {Holds.TEXT, Holds.UUID}
        return Cells(self.data if data is None else data, self.valid, is_text)

    def present(self) -> Mask:
        """Where there is a value."""
        return np.ones(len(self), np.bool_) if self.valid is None else self.valid

    def value(self, row: int) -> Any:
        """One value, for people."""
        if isinstance(self.data, Scaled):
            return Decimal(int(self.data.unscaled[row])).scaleb(-self.data.scale)
        if isinstance(self.data, Ragged):
            value = self.data.value(row)
            return value if self.field.holds is Holds.BYTES else value.decode()
        value = self.data[row]
        return value.item() if isinstance(value, np.generic) else value


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a table. ``declared`` is its type in the engine's words.

    ``digits`` and ``scale`` are what a numeric is limited to, ``scale`` also the decimals of a
    timestamp's seconds, ``length`` the characters of a text. ``takes_times``: an integer column
    stores instants as microseconds since 1970 and dates as those of 00:00 UTC (SQLite).
    ``takes_nan`` is False where the engine would make it NULL. ``reads_numbers``: the engine would
    turn text that looks like a number into one. ``type_oid`` is PostgreSQL's.
    """

    name: str
    holds: Holds
    declared: str
    is_nullable: bool = True
    has_default: bool = False
    is_generated: bool = False
    digits: int | None = None
    scale: int | None = None
    length: int | None = None
    takes_times: bool = False
    takes_nan: bool = True
    reads_numbers: bool = False
    type_oid: int = 0

    def fit(self, values: Values) -> Column:
        """Values as this column holds them.

        Raises:
            ColumnError: a value that it does not hold, or a NULL that it does not allow.
        """
        if self.holds is Holds.ANYTHING:
            holds = _NATURAL.get(values.sort, Holds.INT64)
            return replace(self, holds=holds, takes_times=True).fit(values)
        if not self.is_nullable and values.valid is not None and not values.valid.all():
            row = int(np.argmin(values.valid))
            raise self.refuse(row, "is NULL, which the column does not allow", "give it a value")
        if values.valid is not None and values.valid.all():
            values = replace(values, valid=None)
        if self.holds is Holds.UNKNOWN:
            _fit_unknown(self, values)
        if values.sort == "null":
            data: Any = Ragged(np.empty(0, np.uint8), np.zeros(len(values) + 1, np.int64))
            if self.holds not in _RAGGED:
                data = np.zeros(len(values), _DTYPES.get(self.holds, np.dtype(np.int64)))
            if self.holds is Holds.NUMERIC:
                data = Scaled(data, 0)
            return Column(self, data, np.zeros(len(values), np.bool_))
        data = _FITTERS[self.holds](self, values)
        if not self.takes_nan and isinstance(data, np.ndarray) and data.dtype.kind == "f":
            row_of_nan = values.first(np.isnan(data))
            if row_of_nan is not None:
                raise self.refuse(
                    row_of_nan,
                    "is NaN, which SQLite would store as NULL",
                    "mask it (numpy.ma.masked_invalid) if NULL is meant",
                )
        return Column(self, data, values.valid)

    def refuse(self, row: int | None, why: str, remedy: str) -> ColumnError:
        """The error for one value, or without ``row`` for all of them."""
        place = "" if row is None else f", row {row}"
        return ColumnError(f"column {self.name}{place}: {why}: {remedy}", column=self.name, row=row)

    def refuse_sort(self, values: Values, remedy: str = "") -> ColumnError:
        """The error for values of a sort that the column cannot hold."""
        shown = _SORT_NAMES.get(values.sort, values.sort)
        return self.refuse(
            None,
            f"{shown} cannot be stored as {self.declared or 'this column'}",
            remedy or f"convert them to {self.holds} first",
        )


class Table(NamedTuple):
    """A table to copy into. ``name`` is quoted; ``key`` is the primary key, in its order."""

    name: str
    fields: Sequence[Field]
    key: Sequence[str]
    is_partitioned: bool = False


class Merge(NamedTuple):
    """What becomes of a row whose ``keys`` are stored: error, ignore, or update."""

    on_conflict: str
    keys: Sequence[str]


_SORT_NAMES = {
    "int": "integers",
    "bool": "booleans",
    "float": "floats",
    "decimal": "decimals",
    "date": "dates",
    "aware": "times with a zone",
    "naive": "times without a zone",
    "time": "times",
}
# How values are stored where the table does not say; times as integers.
_NATURAL = {
    "bool": Holds.BOOL,
    "float": Holds.FLOAT64,
    "decimal": Holds.FLOAT64,
    "text": Holds.TEXT,
    "bytes": Holds.BYTES,
}
_RAGGED = {Holds.TEXT, Holds.UUID, Holds.BYTES}
_DTYPES = {
    Holds.BOOL: np.dtype(np.bool_),
    Holds.INT16: np.dtype(np.int16),
    Holds.INT32: np.dtype(np.int32),
    Holds.INT64: np.dtype(np.int64),
    Holds.FLOAT32: np.dtype(np.float32),
    Holds.FLOAT64: np.dtype(np.float64),
    Holds.DATE: np.dtype("M8[D]"),
    Holds.TIMESTAMP: np.dtype("M8[us]"),
    Holds.TIMESTAMPTZ: np.dtype("M8[us]"),
}


# --- what a column may be given -------------------------------------------------------------------


def read_values(given: Any, name: str) -> Values:
    """Values of one sort from a NumPy array, an Arrow array or a sequence.

    Raises:
        ColumnError: values of several sorts, of one that no table holds, or of several dimensions.
    """
    if hasattr(given, "__arrow_c_array__") or hasattr(given, "__arrow_c_stream__"):
        return _of_arrow(given, name)
    if isinstance(given, (str, bytes)) or not hasattr(given, "__len__"):
        raise ColumnError(f"column {name}: {given!r:.60} is one value, not a column", column=name)
    if isinstance(given, np.ma.MaskedArray):
        valid = ~np.ma.getmaskarray(given)
        nothing = np.array([None]) if given.dtype.kind == "O" else np.zeros(1, given.dtype)
        values = read_values(np.where(valid, given.data, nothing), name)
        return replace(values, valid=valid if values.valid is None else valid & values.valid)
    if not isinstance(given, np.ndarray):
        if not isinstance(given, (list, tuple)):
            given = np.asarray(given)  # a pandas Series that speaks no Arrow
        if isinstance(given, (list, tuple)) or given.dtype.kind == "O":
            return _of_objects(list(given), name)
    if given.ndim != 1:
        raise ColumnError(f"column {name} has {given.ndim} dimensions, not one", column=name)
    return _of_numpy(given, name)


def _of_numpy(array: Array, name: str) -> Values:
    kind = array.dtype.kind
    if kind == "b":
        return Values("bool", array)
    if kind in "iu":
        return Values("int", array.astype(array.dtype.newbyteorder("="), copy=False))
    if kind == "f" and array.dtype.itemsize <= 8:
        wide = np.float32 if array.dtype.itemsize < 8 else np.float64
        return Values("float", array.astype(wide, copy=False))
    if kind in "OT":
        return _of_objects(list(array), name)
    if kind in "US":
        import pyarrow as pa

        as_text = array.astype(array.dtype.newbyteorder("="))
        return _of_arrow(pa.chunked_array([pa.array(as_text)]), name)
    if kind == "M" and np.datetime_data(array.dtype)[0] != "generic":
        return _of_datetime64(array, name, "time")
    raise ColumnError(f"column {name}: no table holds {array.dtype}", column=name)


def _of_datetime64(array: Array, name: str, sort: str) -> Values:
    """Times as microseconds, or dates as days; in the range that a ``datetime`` has."""
    unit = np.datetime_data(array.dtype)[0]
    is_date = unit in {"Y", "M", "W", "D"}
    missing = np.isnat(array)
    valid = ~missing if missing.any() else None
    target = np.dtype("M8[D]" if is_date else "M8[us]")
    # Both bounds are within every unit down to microseconds; finer ones cannot reach them.
    low, high = np.datetime64(MIN_US, "us"), np.datetime64(MAX_US, "us")
    if unit not in {"ns", "ps", "fs", "as"}:
        bad = ((array < low.astype(array.dtype)) | (array > high.astype(array.dtype))) & ~missing
        if bad.any():
            row = int(np.argmax(bad))
            raise ColumnError(
                f"column {name}, row {row}: the time is not in the years 1 to 9999, which is what"
                " both engines and Python hold",
                column=name,
                row=row,
            )
    with np.errstate(all="ignore"):
        placed = np.where(missing, np.zeros(1, array.dtype), array).astype(target)
    if (cut := (placed.astype(array.dtype) != array) & ~missing).any():
        row = int(np.argmax(cut))
        raise ColumnError(
            f"column {name}, row {row}: {array[row]} has nanoseconds; the engines hold"
            " microseconds: round it (.astype('datetime64[us]'))",
            column=name,
            row=row,
        )
    return Values("date" if is_date else sort, placed, valid)


_FAMILIES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (np.bool_, "bool"),
    (Integral, "int"),
    (Decimal, "decimal"),
    (Real, "float"),
    (str, "text"),
    (UUID, "uuid"),
    (bytes, "bytes"),
    (bytearray, "bytes"),
    (memoryview, "bytes"),
    (datetime, "datetime"),
    (date, "date"),
    (np.datetime64, "datetime64"),
)


def _family(kind: type) -> str:
    if kind.__name__ in _MISSING:
        return "null"
    return next((name for base, name in _FAMILIES if issubclass(kind, base)), kind.__name__)


def _of_objects(rows: list[Any], name: str) -> Values:
    families = {kind: _family(kind) for kind in set(map(type, rows))}
    present = set(families.values()) - {"null"}
    valid: Mask | None = None
    if "null" in families.values():
        valid = np.fromiter((families[type(v)] != "null" for v in rows), np.bool_, len(rows))
    if not present:
        return Values("null", np.zeros(len(rows), np.int64), valid)
    # Python's own numbers mix: what a float column shows as 1 or 0.5 may be an int and a float.
    if present in ({"int", "float"}, {"int", "decimal"}):
        present = {(present - {"int"}).pop()}
    (family,) = present if len(present) == 1 else ("mixed",)
    read = _READERS.get(family)
    if read is None:
        first = families[type(next(v for v in rows if families[type(v)] != "null"))]
        odd = next(
            row
            for row, v in enumerate(rows)
            if families[type(v)] not in {"null", first if family == "mixed" else ""}
        )
        kind = type(rows[odd]).__name__
        raise ColumnError(
            f"column {name}, row {odd}: {rows[odd]!r:.60} ({kind})"
            + (f" stands among values of another sort ({first})" if family == "mixed" else "")
            + ": a column holds one sort of values, and NULLs",
            column=name,
            row=odd,
        )
    return read(rows, valid, name)


def _filled(rows: list[Any], valid: Mask | None, filler: Any) -> list[Any]:
    if valid is None:
        return rows
    return [v if is_valid else filler for v, is_valid in zip(rows, valid.tolist(), strict=True)]


def _objects(values: Sequence[Any]) -> Array:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _bools_of(rows: list[Any], valid: Mask | None, name: str) -> Values:
    del name
    return Values("bool", np.array(_filled(rows, valid, False), dtype=np.bool_), valid)


def _ints_of(rows: list[Any], valid: Mask | None, name: str) -> Values:
    del name
    filled = _filled(rows, valid, 0)
    try:
        return Values("int", np.array(filled, dtype=np.int64), valid)
    except OverflowError:
        return Values("decimal", _objects([Decimal(int(v)) for v in filled]), valid)


def _floats_of(rows: list[Any], valid: Mask | None, name: str) -> Values:
    return Values("float", _exact_doubles(_filled(rows, valid, 0.0), name), valid)


def _decimals_of(rows: list[Any], valid: Mask | None, name: str) -> Values:
    filled = _filled(rows, valid, Decimal(0))
    decimals = [v if isinstance(v, Decimal) else Decimal(int(v)) for v in filled]
    for row, value in enumerate(decimals):
        if value.is_infinite():
            raise ColumnError(
                f"column {name}, row {row}: a decimal is finite, or NaN", column=name, row=row
            )
    return Values("decimal", _objects(decimals), valid)


def _texts_of(rows: list[Any], valid: Mask | None, name: str) -> Values:
    import pyarrow as pa

    try:
        array = pa.array(map(str, _filled(rows, valid, "")), pa.large_string(), size=len(rows))
    except UnicodeEncodeError as error:
        row = next(i for i, v in enumerate(rows) if valid is None or valid[i] if not _is_utf8(v))
        raise ColumnError(
            f"column {name}, row {row}: {rows[row]!r:.60} has half a surrogate pair, which no"
            " database stores: clean the text (.encode('utf-8', 'replace'))",
            column=name,
            row=row,
        ) from error
    return Values("text", _ragged_of(array), valid)


def _is_utf8(text: Any) -> bool:
    try:
        str(text).encode()
    except UnicodeEncodeError:
        return False
    return True


def _bytes_of(rows: list[Any], valid: Mask | None, name: str) -> Values:
    import pyarrow as pa

    del name
    filled = list(map(bytes, _filled(rows, valid, b"")))
    return Values("bytes", _ragged_of(pa.array(filled, pa.large_binary())), valid)


def _datetimes_of(rows: list[Any], valid: Mask | None, name: str) -> Values:
    places = range(len(rows)) if valid is None else np.flatnonzero(valid).tolist()
    sorts = {row: "naive" if rows[row].tzinfo is None else "aware" for row in places}
    if len(set(sorts.values())) > 1:
        first = next(iter(sorts.values()))
        odd = next(row for row, sort in sorts.items() if sort != first)
        raise ColumnError(
            f"column {name}, row {odd}: {rows[odd]} is {sorts[odd]}, those before it {first}:"
            " give all of them a time zone, or none",
            column=name,
            row=odd,
        )
    us = np.zeros(len(rows), dtype=np.int64)
    for row, sort in sorts.items():
        moment = rows[row]
        if getattr(moment, "nanosecond", 0):
            raise ColumnError(
                f"column {name}, row {row}: {moment} has nanoseconds; the engines hold"
                " microseconds: round it",
                column=name,
                row=row,
            )
        us[row] = us_from_datetime(moment if sort == "aware" else moment.replace(tzinfo=UTC))
    return Values(next(iter(sorts.values())), us.view("M8[us]"), valid)


def _dates_of(rows: list[Any], valid: Mask | None, name: str) -> Values:
    del name
    days = [v.toordinal() - 719_163 for v in _filled(rows, valid, date(1970, 1, 1))]
    return Values("date", np.array(days, dtype=np.int64).view("M8[D]"), valid)


def _datetime64s_of(rows: list[Any], valid: Mask | None, name: str) -> Values:
    filled = [np.datetime64("NaT", "us") if v is None else v for v in rows]
    values = _of_numpy(np.array(filled), name)
    return values if valid is None else replace(values, valid=valid & _valid(values))


def _valid(values: Values) -> Mask:
    return np.ones(len(values), np.bool_) if values.valid is None else values.valid


_READERS: dict[str, Callable[[list[Any], Mask | None, str], Values]] = {
    "bool": _bools_of,
    "int": _ints_of,
    "float": _floats_of,
    "decimal": _decimals_of,
    "text": _texts_of,
    "uuid": _texts_of,
    "bytes": _bytes_of,
    "datetime": _datetimes_of,
    "date": _dates_of,
    "datetime64": _datetime64s_of,
}


def _exact_doubles(values: Any, name: str) -> Array:
    try:
        return doubles(values, name)
    except InexactValueError as error:
        raise ColumnError(str(error), column=name, row=error.row) from error


def _of_arrow(given: Any, name: str) -> Values:
    array = _plain_arrow(given)
    valid = array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else None
    kind = str(array.type)
    for pattern, read in _ARROW_READERS:
        if re.match(pattern, kind):
            return read(array, valid, name)
    raise ColumnError(f"column {name}: no table holds Arrow's {kind}", column=name)


def _plain_arrow(given: Any) -> pa.Array:
    """One array without chunks, dictionaries, runs and extensions."""
    import pyarrow as pa
    import pyarrow.compute as pc

    chunked = given if isinstance(given, pa.ChunkedArray) else None
    if chunked is None:
        has_stream = hasattr(given, "__arrow_c_stream__")
        chunked = pa.chunked_array(given) if has_stream else pa.chunked_array([pa.array(given)])
    if isinstance(chunked.type, pa.BaseExtensionType):
        chunked = chunked.cast(chunked.type.storage_type)
    if pa.types.is_dictionary(chunked.type):
        chunked = chunked.cast(chunked.type.value_type)
    if pa.types.is_run_end_encoded(chunked.type):
        chunked = pc.run_end_decode(chunked)
    array = chunked.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks else pa.array([], chunked.type)
    return array


def _of_arrow_nulls(array: pa.Array, valid: Mask | None, name: str) -> Values:
    del name
    none = np.zeros(len(array), np.bool_)
    return Values("null", np.zeros(len(array), np.int64), none if valid is None else valid)


def _of_arrow_bools(array: pa.Array, valid: Mask | None, name: str) -> Values:
    del name
    return Values("bool", array.fill_null(False).to_numpy(zero_copy_only=False), valid)


def _of_arrow_ints(array: pa.Array, valid: Mask | None, name: str) -> Values:
    del name
    return Values("int", array.fill_null(0).to_numpy(), valid)


def _of_arrow_floats(array: pa.Array, valid: Mask | None, name: str) -> Values:
    import pyarrow as pa

    del name
    wide = array.cast(pa.float32()) if pa.types.is_float16(array.type) else array
    return Values("float", wide.fill_null(0.0).to_numpy(), valid)


def _of_arrow_texts(array: pa.Array, valid: Mask | None, name: str) -> Values:
    import pyarrow as pa

    del name
    text = array.cast(pa.large_string())
    return Values("text", _ragged_of(text if valid is None else text.fill_null("")), valid)


def _of_arrow_bytes(array: pa.Array, valid: Mask | None, name: str) -> Values:
    import pyarrow as pa

    del name
    blob = array.cast(pa.large_binary())
    return Values("bytes", _ragged_of(blob if valid is None else blob.fill_null(b"")), valid)


def _of_arrow_times(array: pa.Array, valid: Mask | None, name: str) -> Values:
    import pyarrow as pa

    is_date = pa.types.is_date(array.type)
    if is_date:
        numbers, unit, sort = array.cast(pa.date32()).view(pa.int32()), "D", "date"
    else:
        numbers, unit = array.view(pa.int64()), array.type.unit
        sort = "naive" if array.type.tz is None else "aware"
    stamps = numbers.fill_null(0).to_numpy().astype(np.int64).view(f"M8[{unit}]")
    values = _of_datetime64(stamps, name, sort)
    return replace(values, valid=valid)


def _of_arrow_decimals(array: pa.Array, valid: Mask | None, name: str) -> Values:
    import pyarrow as pa

    scale = array.type.scale
    if 0 <= scale <= _MAX_SCALE and not pa.types.is_decimal256(array.type):
        if not pa.types.is_decimal128(array.type):
            array = array.cast(pa.decimal128(38, scale))
        words = np.frombuffer(array.buffers()[1], dtype="<i8") if len(array) else np.empty(0, "<i8")
        words = words[2 * array.offset :][: 2 * len(array)].reshape(-1, 2)
        low, high = words[:, 0], words[:, 1]
        fits = high == low >> 63
        if valid is not None:
            low, fits = np.where(valid, low, 0), fits | ~valid
        if fits.all():
            return Values("decimal", Scaled(low.astype(np.int64), scale), valid)
    return _decimals_of(array.to_pylist(), valid, name)


# By how Arrow writes the type.
_ARROW_READERS: tuple[tuple[str, Callable[[Any, Mask | None, str], Values]], ...] = (
    ("null$", _of_arrow_nulls),
    ("bool$", _of_arrow_bools),
    (r"u?int(8|16|32|64)$", _of_arrow_ints),
    ("(halffloat|float|double)$", _of_arrow_floats),
    (r"decimal\d+\(", _of_arrow_decimals),
    ("(large_)?string(_view)?$", _of_arrow_texts),
    ("(fixed_size_|large_)?binary", _of_arrow_bytes),
    (r"date(32|64)\[|timestamp\[", _of_arrow_times),
)


def _ragged_of(array: pa.Array) -> Ragged:
    """The bytes of a large string or binary array without nulls; none is copied."""
    if not len(array):
        return Ragged(np.empty(0, np.uint8), np.zeros(1, np.int64))
    _, offsets_buffer, data = array.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int64)[array.offset :][: len(array) + 1]
    return Ragged(np.frombuffer(data or b"", np.uint8), offsets)


# --- what a column holds --------------------------------------------------------------------------


def _fit_bool(field: Field, values: Values) -> Any:
    if values.sort != "bool":
        raise field.refuse_sort(values)
    return values.data


def _fit_int(field: Field, values: Values) -> Any:
    if field.takes_times and values.sort in {"aware", "time", "date"}:
        return values.data.astype("M8[us]").view(np.int64)
    if field.takes_times and values.sort == "naive":
        raise field.refuse_sort(values, "an integer column holds instants: give them a time zone")
    if values.sort == "decimal":
        values = replace(values, sort="int", data=_whole(field, values))
    if values.sort not in {"int", "bool", "float"}:
        raise field.refuse_sort(values)
    dtype = _DTYPES[field.holds]
    data = values.data
    if values.sort == "bool":
        return data.astype(dtype)
    limits: np.iinfo[Any] = np.iinfo(dtype)
    if values.sort == "float":
        row = values.first(~(np.isfinite(data) & (np.trunc(data) == data)))
        if row is not None:
            raise field.refuse(row, f"{data[row]} is no integer", "round it, or mask what is NULL")
        # The largest integer is no double, the one after it is.
        beyond = (data < float(limits.min)) | (data >= float(limits.max) + 1.0)
        if dtype.itemsize < 8:
            beyond |= data > limits.max
    elif data.dtype.kind == "u":
        beyond = data > np.uint64(limits.max)
    else:
        beyond = (data < limits.min) | (data > limits.max)
    row = values.first(beyond)
    if row is not None:
        raise field.refuse(
            row, f"{data[row]} does not fit {field.declared}", "widen the column, or mend the value"
        )
    if values.sort == "float":
        data = np.where(_valid(values), data, 0.0)
    return data.astype(dtype, copy=False)


def _whole(field: Field, values: Values) -> Array:
    """Decimals as int64; fails where one is none."""
    for row, value in enumerate(_decimals(values)):
        if value.is_nan() or value != value.to_integral_value():
            raise field.refuse(row, f"{value} is no integer", "round it, or widen the column")
        if not -(2**63) <= value < 2**63:
            raise field.refuse(row, f"{value} does not fit {field.declared}", "use numeric")
    return np.array(list(map(int, _decimals(values))), dtype=np.int64)


def _decimals(values: Values) -> Sequence[Decimal]:
    if isinstance(values.data, Scaled):
        return [Decimal(v).scaleb(-values.data.scale) for v in values.data.unscaled.tolist()]
    decimals: Sequence[Decimal] = values.data
    return decimals


def _fit_float(field: Field, values: Values) -> Any:
    if values.sort == "decimal":
        data = doubles_of_decimals(values.data, field.name)
    elif values.sort == "bool" or values.sort not in {"int", "float"}:
        raise field.refuse_sort(values)
    else:
        data = values.data
        if values.sort == "int":
            data = _exact_doubles(data, field.name)
    if field.holds is Holds.FLOAT64:
        return data.astype(np.float64, copy=False)
    with np.errstate(over="ignore"):
        narrow = data.astype(np.float32)
    row = values.first((narrow != data) & ~np.isnan(data))
    if row is not None:
        raise field.refuse(
            row,
            f"{data[row]} would become {narrow[row]}",
            "widen the column to double precision, or round with .astype('float32')",
        )
    return narrow


def doubles_of_decimals(data: Scaled | Array, name: str) -> Array:
    """Numeric data as doubles that give the same decimals back.

    Raises:
        ColumnError: one that a double would change.
    """
    if not isinstance(data, Scaled):
        return _exact_doubles(list(data), name)
    if (np.abs(data.unscaled).view(np.uint64) < _SURE_DOUBLE).all():
        # One correctly rounded division of two exact doubles.
        quotient: Array = data.unscaled / float(10**data.scale)
        return quotient
    return _exact_doubles(list(_decimals(Values("decimal", data))), name)


def _fit_numeric(field: Field, values: Values) -> Any:
    data: Any
    if values.sort == "int":
        data = values.data
        is_wide = data.dtype == np.uint64 and (data > np.uint64(2**63 - 1)).any()
        if not is_wide:
            data = Scaled(data.astype(np.int64, copy=False), 0)
        else:
            data = _objects([Decimal(v) for v in data.tolist()])
    elif values.sort == "float":
        row = values.first(np.isinf(values.data))
        if row is not None:
            raise field.refuse(row, f"{values.data[row]} is no decimal", "mask it if NULL is meant")
        # The decimal that the float shows: repr of a float32 has its own, fewer digits.
        shown = map(str, values.data.tolist() if values.data.dtype == np.float64 else values.data)
        data = _objects(list(map(Decimal, shown)))
    elif values.sort == "decimal":
        data = values.data
    else:
        raise field.refuse_sort(values)
    if isinstance(data, Scaled):
        return _limited(field, values, data)
    for row in np.flatnonzero(_valid(values)).tolist():
        _check_decimal(field, row, data[row])
    return data


def _limited(field: Field, values: Values, data: Scaled) -> Scaled:
    if field.digits is None or field.scale is None:
        return data
    unscaled, scale = data
    # A negative scale, and one so large that no int64 reaches it, is checked value by value.
    if not 0 <= field.scale <= _MAX_SCALE:
        for place, value in enumerate(_decimals(Values("decimal", data))):
            _check_decimal(field, place, value)
        return data
    if scale > field.scale:
        power = 10 ** (scale - field.scale)
        row = values.first(unscaled % power != 0)
        if row is not None:
            raise _too_fine(field, row, Decimal(int(unscaled[row])).scaleb(-scale))
        unscaled, scale = unscaled // power, field.scale
    whole_digits = field.digits - field.scale
    if whole_digits + scale < 19:
        limit = 10 ** max(whole_digits + scale, 0)
        row = values.first((unscaled >= limit) | (unscaled <= -limit))
        if row is not None:
            raise _too_large(field, row, Decimal(int(unscaled[row])).scaleb(-scale))
    return Scaled(unscaled, scale)


def _check_decimal(field: Field, row: int, value: Decimal) -> None:
    if value.is_nan() or not value:
        if value.is_nan() and not field.takes_nan:
            raise field.refuse(
                row, "is NaN, which SQLite does not hold", "mask it if NULL is meant"
            )
        return
    _, figures, exponent = value.as_tuple()
    places = -int(exponent)
    whole_digits = value.adjusted() + 1
    if whole_digits > _MAX_WHOLE_DIGITS or places > _MAX_DECIMALS:
        raise field.refuse(row, "the decimal is beyond what numeric holds", "round it")
    if field.digits is None or field.scale is None:
        return
    if places > field.scale and any(figures[len(figures) - (places - field.scale) :]):
        raise _too_fine(field, row, value)
    if whole_digits > field.digits - field.scale:
        raise _too_large(field, row, value)


def _too_fine(field: Field, row: int, value: Decimal) -> ColumnError:
    return field.refuse(
        row, f"{value} has more than the {field.scale} decimals of {field.declared}", "round it"
    )


def _too_large(field: Field, row: int, value: Decimal) -> ColumnError:
    return field.refuse(row, f"{value} does not fit {field.declared}", "widen the column")


def _fit_text(field: Field, values: Values) -> Any:
    if values.sort != "text":
        raise field.refuse_sort(values)
    text: Ragged = values.data
    first, last = text.offsets[0], text.offsets[-1]
    data = text.data[first:last]
    if len(data) and not data.all():
        place = first + int(np.argmin(data != 0))
        row = int(np.searchsorted(text.offsets, place, side="right")) - 1
        raise field.refuse(
            row,
            "the text has a NUL character, which PostgreSQL does not store",
            "take it out, or use a column of bytes",
        )
    if field.length is not None and (text.lengths > field.length).any():
        starts = np.zeros(len(data) + 1, dtype=np.int64)
        np.cumsum(data & 0xC0 != 0x80, out=starts[1:])  # every byte that continues no character
        characters = np.diff(starts[text.offsets - first])
        row_found = values.first(characters > field.length)
        if row_found is not None:
            raise field.refuse(
                row_found,
                f"{characters[row_found]} characters do not fit {field.declared}",
                "shorten the text, or widen the column",
            )
    if field.reads_numbers:
        for place in np.flatnonzero(_valid(values)).tolist():
            row = int(place)
            if _NUMBER.fullmatch(text.value(row)):
                raise field.refuse(
                    row,
                    f"SQLite would store {text.value(row).decode()!r} as a number in a column"
                    f" declared {field.declared}",
                    "declare the column TEXT",
                )
    return text


def _fit_uuid(field: Field, values: Values) -> Any:
    """The text form: what becomes of it is the engine's."""
    if values.sort != "text":
        raise field.refuse_sort(values)
    for row in np.flatnonzero(_valid(values)).tolist():
        try:
            UUID(values.data.value(row).decode())
        except ValueError:
            raise field.refuse(
                row, f"{values.data.value(row).decode()!r:.60} is no UUID", "mend the value"
            ) from None
    return values.data


def _fit_bytes(field: Field, values: Values) -> Any:
    if values.sort != "bytes":
        raise field.refuse_sort(values)
    return values.data


def _fit_date(field: Field, values: Values) -> Any:
    if values.sort == "date":
        return values.data
    if values.sort not in {"time", "naive"}:
        raise field.refuse_sort(values, "take their date in some time zone first")
    row = values.first(values.data.view(np.int64) % DAY_US != 0)
    if row is not None:
        raise field.refuse(
            row, f"{values.data[row]} is not midnight", "cut it (.astype('datetime64[D]'))"
        )
    return values.data.astype("M8[D]")


def _fit_timestamp(field: Field, values: Values) -> Any:
    if values.sort not in {"time", "naive", "date"}:
        raise field.refuse_sort(
            values, "the column has no time zone: make it timestamptz, or drop the values' zone"
        )
    return _rounded(field, values)


def _fit_timestamptz(field: Field, values: Values) -> Any:
    if values.sort not in {"time", "aware"}:
        raise field.refuse_sort(
            values, "say which instants they are: give them a time zone (NumPy's are taken as UTC)"
        )
    return _rounded(field, values)


def _rounded(field: Field, values: Values) -> Any:
    data = values.data.astype("M8[us]", copy=False)
    if field.scale is not None and field.scale < 6:
        row = values.first(data.view(np.int64) % 10 ** (6 - field.scale) != 0)
        if row is not None:
            raise field.refuse(
                row, f"{data[row]} is finer than {field.declared}", "round it, or widen the column"
            )
    return data


def _fit_unknown(field: Field, values: Values) -> Any:
    del values
    raise field.refuse(
        None, f"{field.declared} cannot be copied into", "copy text elsewhere, and cast it in SQL"
    )


def suggest(name: str, names: Iterable[str]) -> str:
    """What was meant by a name that is none of ``names``, to be put behind a message."""
    near = get_close_matches(name, list(names), 3, 0.5)
    return f": did you mean {' or '.join(near)}?" if near else ""


_FITTERS: dict[Holds, Callable[[Field, Values], Any]] = {
    Holds.BOOL: _fit_bool,
    Holds.INT16: _fit_int,
    Holds.INT32: _fit_int,
    Holds.INT64: _fit_int,
    Holds.FLOAT32: _fit_float,
    Holds.FLOAT64: _fit_float,
    Holds.NUMERIC: _fit_numeric,
    Holds.TEXT: _fit_text,
    Holds.UUID: _fit_uuid,
    Holds.BYTES: _fit_bytes,
    Holds.DATE: _fit_date,
    Holds.TIMESTAMP: _fit_timestamp,
    Holds.TIMESTAMPTZ: _fit_timestamptz,
    Holds.UNKNOWN: _fit_unknown,
}
