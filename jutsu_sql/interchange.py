"""Outside formats into plain columns, and back: records, NumPy, Arrow.

Nothing here knows what a bar may look like; that is :mod:`jutsu_sql.bars`. What it guards is
exactness: a value becomes a double only if the double gives the same decimal back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from jutsu_sql.errors import BarsError, InexactValueError, NaiveTimestampError
from jutsu_sql.instants import (
    DAY_US,
    Micros,
    datetime_from_us,
    us_from_date,
    us_from_datetime,
    utc_from_local,
)
from jutsu_sql.timeframe import Timeframe, floor_session, session_start

if TYPE_CHECKING:
    import pyarrow as pa

Doubles = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]

PRICES = ("open", "high", "low", "close")
VALUES = (*PRICES, "volume")
# What people call the columns, lower-cased; the first spelling that is there is taken.
FIELD_NAMES: Mapping[str, tuple[str, ...]] = {
    "symbol": ("symbol", "ticker"),
    "timeframe": ("timeframe", "interval"),
    "ts": ("ts", "timestamp", "datetime", "date", "time"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close",),
    "volume": ("volume",),
}
_EXACT_INTEGER = 2**53
# What a write costs by itself, some ms, is lost in that of so many rows.
_JOINED_ROWS = 262_144


@dataclass(frozen=True, slots=True)
class Stamps:
    """Times as they came: wall-clock microseconds, and each one's offset from UTC if it has one.

    ``naive`` marks the rows without a time zone, whose ``offset_us`` is 0 and means nothing;
    ``dated`` those that are plain dates.
    """

    wall_us: Micros
    offset_us: Micros
    naive: npt.NDArray[np.bool_]
    dated: npt.NDArray[np.bool_]

    def place(self, timeframe: Timeframe, tz: str | None) -> Micros:
        """UTC microseconds of bars of one timeframe: instants, or session dates from ``1D`` up.

        Raises:
            NaiveTimestampError: a naive time, and no ``tz`` to read it in.
            BarsError: a plain date for an intraday bar, or a wall-clock time that names no
                single instant in ``tz``.
        """
        if tz is None and self.naive.any():
            row = int(np.argmax(self.naive))
            moment = datetime_from_us(int(self.wall_us[row])).replace(tzinfo=None)
            raise NaiveTimestampError(
                f"row {row}: {moment} has no time zone: pass aware times, or say tz="
                " (where the exchange is, such as America/New_York)"
            )
        if timeframe.is_session:
            return self._sessions(timeframe, tz)
        if self.dated.any():
            row = int(np.argmax(self.dated))
            day = datetime_from_us(int(self.wall_us[row])).date()
            raise BarsError(f"row {row}: the date {day} alone cannot stamp a {timeframe} bar")
        us = self.wall_us - self.offset_us
        if tz is not None and self.naive.any():
            placed, unclear = utc_from_local(self.wall_us[self.naive], tz)
            if unclear.any():
                row = int(np.flatnonzero(self.naive)[np.argmax(unclear)])
                moment = datetime_from_us(int(self.wall_us[row])).replace(tzinfo=None)
                raise BarsError(
                    f"row {row}: the clocks of {tz} skip or repeat {moment}: pass an aware time"
                )
            us[self.naive] = placed
        return us

    def _sessions(self, timeframe: Timeframe, tz: str | None) -> Micros:
        us = self.wall_us - self.offset_us
        if tz is not None:
            dates = floor_session(self.wall_us, timeframe)
            instants = ~(self.naive | self.dated)
            dates[instants] = session_start(us[instants], timeframe, tz)
            return dates
        # A stamp in its own zone says its own date. One in UTC does so only at midnight; any
        # other is left off its date, for validation to refuse.
        clear = self.dated | (self.offset_us != 0) | (us % DAY_US == 0)
        return np.where(clear, floor_session(self.wall_us, timeframe), us)


def stamps_of_instants(us: Micros) -> Stamps:
    """Stamps that are all UTC instants."""
    none = np.zeros(len(us), dtype=np.bool_)
    return Stamps(us, np.zeros(len(us), dtype=np.int64), none, none)


def stamps_of_local(local_us: Micros, *, dated: bool) -> Stamps:
    """Stamps that are all wall-clock times without a zone, or all plain dates."""
    rows = len(local_us)
    return Stamps(
        local_us,
        np.zeros(rows, dtype=np.int64),
        np.full(rows, not dated),
        np.full(rows, dated),
    )


def stamps_of_values(values: Sequence[Any]) -> Stamps:
    """Stamps of datetimes (aware or naive), dates, ISO 8601 strings or ``numpy.datetime64``."""
    rows = len(values)
    wall, offset = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64)
    naive, dated = np.zeros(rows, dtype=np.bool_), np.zeros(rows, dtype=np.bool_)
    for row, given in enumerate(values):
        value = given
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                raise BarsError(f"row {row}: {value!r} is no ISO 8601 time") from None
        if isinstance(value, datetime):
            if value.tzinfo is None:
                naive[row] = True
                wall[row] = us_from_datetime(value.replace(tzinfo=UTC))
                continue
            us = us_from_datetime(value)
            shift = value.utcoffset()
            offset[row] = 0 if shift is None else int(shift.total_seconds() * 1_000_000)
            wall[row] = us + offset[row]
        elif isinstance(value, date):
            dated[row] = True
            wall[row] = us_from_date(value)
        elif isinstance(value, np.datetime64):
            wall[row] = value.astype("M8[us]").astype(np.int64)
        else:
            raise BarsError(f"row {row}: {value!r} ({type(value).__name__}) is no time")
    return Stamps(wall, offset, naive, dated)


def doubles(values: Any, column: str) -> Doubles:
    """One column as doubles: floats as they are, integers and decimals if they survive it.

    A double carries every decimal of up to 15 significant digits there and back, and some longer
    ones. ``None`` becomes NaN, which validation refuses.

    Raises:
        InexactValueError: a value that a double would change.
        BarsError: a value that is no number.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiu":
        if values.dtype.kind in "iu":
            _require_exact_integers(values, column)
        return np.ascontiguousarray(values, dtype=np.float64)
    rows = list(values)
    kinds = set(map(type, rows))
    try:
        is_plain = kinds <= {float, int, Decimal}
        converted = list(map(float if is_plain else _float, rows))
    except (TypeError, ValueError, OverflowError) as error:
        row = next(row for row, value in enumerate(rows) if not _is_number(value))
        raise BarsError(f"row {row}: {column} {rows[row]!r} is no number") from error
    if kinds - {float, type(None)}:
        # Decimal(repr(x)) is the decimal that a double shows, and so what a reader gets back.
        shown = map(Decimal, map(repr, converted))
        for row, (given, got) in enumerate(zip(rows, shown, strict=True)):
            if got != given and got.is_finite() and not isinstance(given, (float, np.floating)):
                raise _inexact(given, got, column, row)
    return np.array(converted, dtype=np.float64)


def _float(value: Any) -> float:
    if isinstance(value, (str, bytes)):
        raise TypeError("text is not a number")  # though float() would read it
    return float("nan") if value is None else float(value)


def _is_number(value: Any) -> bool:
    try:
        _float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _require_exact_integers(values: npt.NDArray[Any], column: str) -> None:
    large = (values > _EXACT_INTEGER) | (values < -_EXACT_INTEGER)
    for row in np.flatnonzero(large).tolist():
        if int(float(values[row])) != int(values[row]):
            raise _inexact(int(values[row]), Decimal(repr(float(values[row]))), column, row)


def _inexact(given: object, got: object, column: str, row: int) -> InexactValueError:
    return InexactValueError(
        f"row {row}: {column} {given} has more digits than a double carries (it would become"
        f" {got}): round it to 15 significant digits",
        row=row,
        column=column,
    )


def encode(values: Iterable[str]) -> tuple[Codes, tuple[str, ...]]:
    """Dictionary-encode: one code a row, and the distinct values in order of appearance."""
    index: dict[str, int] = {}
    codes = np.fromiter((index.setdefault(value, len(index)) for value in values), dtype=np.int32)
    return codes, tuple(index)


def columns_of_records(records: Iterable[Any], wanted: Sequence[str]) -> dict[str, Sequence[Any]]:
    """The wanted fields of objects with attributes, or of mappings, as one sequence each.

    A field is looked for under every name of :data:`FIELD_NAMES`, in the first record; those that
    are not there are left out.

    Raises:
        BarsError: a later record lacks a field that the first one has.
    """
    rows = records if isinstance(records, Sequence) else list(records)
    if not rows:
        return {}
    first = rows[0]
    is_mapping = isinstance(first, Mapping)

    def has(name: str) -> bool:
        return name in first if is_mapping else hasattr(first, name)

    found = {
        field: name
        for field in wanted
        if (name := next(filter(has, FIELD_NAMES[field]), None)) is not None
    }
    if not found:
        return {}
    pick: Callable[[Any], Any] = (itemgetter if is_mapping else attrgetter)(*found.values())
    try:
        picked = list(map(pick, rows))
    except (KeyError, AttributeError, TypeError) as error:
        row = next(row for row, record in enumerate(rows) if not _can(pick, record))
        raise BarsError(f"row {row}: {type(rows[row]).__name__} lacks a field: {error}") from error
    columns = zip(*picked, strict=True) if len(found) > 1 else [picked]
    return dict(zip(found, columns, strict=True))


def _can(pick: Callable[[Any], Any], record: Any) -> bool:
    try:
        pick(record)
    except (KeyError, AttributeError, TypeError):
        return False
    return True


def arrow_table(source: Any) -> pa.Table:
    """Anything that has ``__arrow_c_stream__`` as a table: pyarrow, pandas, polars, DuckDB."""
    import pyarrow as pa

    return pa.table(source)


def joined_batches(parts: Iterable[Any]) -> Iterator[pa.Table]:
    """Arrow data of any sizes as tables of some hundred thousand rows, of one part at least."""
    import pyarrow as pa

    held: list[pa.Table] = []
    for part in parts:
        held.append(arrow_table(part))
        if sum(table.num_rows for table in held) >= _JOINED_ROWS:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def arrow_column(table: pa.Table, field: str) -> pa.ChunkedArray | None:
    """The column that holds ``field``, under any of its names in any case."""
    by_name = {name.lower(): index for index, name in reversed(list(enumerate(table.column_names)))}
    index = next((by_name[name] for name in FIELD_NAMES[field] if name in by_name), None)
    return None if index is None else table.column(index)


def stamps_of_arrow(column: pa.ChunkedArray, tz: str | None) -> tuple[Stamps, str | None]:
    """Stamps of a timestamp, date or string column, and the zone that it says it is in.

    Raises:
        BarsError: a type that is no time, a null, or nanoseconds that microseconds would cut.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        raise BarsError(f"row {row}: the time is missing")
    if pa.types.is_date(column.type):
        return stamps_of_local(_int64(column.cast(pa.timestamp("us"))), dated=True), tz
    if not pa.types.is_timestamp(column.type):
        return stamps_of_values(column.to_pylist()), tz
    try:
        us = _int64(column.cast(pa.timestamp("us", column.type.tz)))
    except pa.ArrowInvalid as error:
        fine = _int64(pc.cast(column, pa.int64()))
        row = int(np.argmax(fine % 1000 != 0))
        raise BarsError(f"row {row}: the time has nanoseconds; bars hold microseconds") from error
    if column.type.tz is None:
        return stamps_of_local(us, dated=False), tz
    is_utc = column.type.tz.upper() in {"UTC", "+00:00", "Z", "ETC/UTC"}
    return stamps_of_instants(us), tz or (None if is_utc else column.type.tz)


def _int64(column: pa.ChunkedArray) -> Micros:
    import pyarrow as pa

    return np.asarray(column.cast(pa.int64()).combine_chunks().to_numpy(zero_copy_only=False))


def doubles_of_arrow(column: pa.ChunkedArray, name: str) -> Doubles:
    """A numeric column as doubles; nulls become NaN. See :func:`doubles`."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_integer(kind) and column.null_count == 0:
        return doubles(column.to_numpy(), name)
    if pa.types.is_floating(kind):
        return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return doubles(column.to_pylist(), name)
    raise BarsError(f"column {name} is {kind}, not a number")


def encode_arrow(column: pa.ChunkedArray, name: str) -> tuple[Codes, tuple[str, ...]]:
    """Dictionary-encode a text column, keeping the codes that it may have already."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    encoded = column.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        if not encoded.num_chunks:
            return np.empty(0, dtype=np.int32), ()
        encoded = encoded.chunk(0)
    if encoded.null_count:
        row = int(np.argmax(encoded.is_null().to_numpy(zero_copy_only=False)))
        raise BarsError(f"row {row}: {name} is missing")
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    return codes, tuple(map(str, encoded.dictionary.to_pylist()))
