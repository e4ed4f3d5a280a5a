"""Bars: the columnar container, its validation, and its conversions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from jutsu_sql import interchange
from jutsu_sql.errors import BarsError
from jutsu_sql.instants import (
    MAX_US,
    MIN_US,
    Micros,
    datetime_from_us,
    us_from_times,
)
from jutsu_sql.interchange import PRICES, VALUES, Codes, Stamps
from jutsu_sql.timeframe import floor_session, parse_timeframe

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

Values = npt.NDArray[Any]


class Series(NamedTuple):
    """One symbol at one timeframe."""

    symbol: str
    timeframe: str


class Bar(NamedTuple):
    """One bar; ``ts`` is an aware UTC datetime, the values are floats (or Decimals)."""

    symbol: str
    timeframe: str
    ts: datetime
    open: Any
    high: Any
    low: Any
    close: Any
    volume: Any


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that validation refuses, as it came, and why; ``row`` counts from 0."""

    row: int
    symbol: str
    timeframe: str
    ts: datetime | None
    reason: str
    values: tuple[float, ...]

    def moved(self, rows: int) -> Rejection:
        """The same rejection, so many rows further down."""
        return replace(self, row=self.row + rows) if rows else self


@dataclass(frozen=True, slots=True)
class Validation:
    """``order``: the good rows by series, then time; ``rejections``: all the others."""

    order: npt.NDArray[np.intp]
    rejections: list[Rejection]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Bars:
    """Bars of one or many series, as columns of equal length.

    ``series_index`` (int32) says which of ``series`` each row belongs to; ``ts`` is
    ``datetime64[us]``, UTC: the start of the bar's interval, and from ``1D`` up its session date
    at 00:00. ``open``, ``high``, ``low``, ``close``, ``volume`` are float64, or object arrays of
    ``Decimal`` after :meth:`as_decimal`. Nothing is validated here: see :meth:`validate`.
    """

    series: tuple[Series, ...]
    series_index: Codes
    ts: npt.NDArray[np.datetime64]
    open: Values
    high: Values
    low: Values
    close: Values
    volume: Values

    def __post_init__(self) -> None:
        rows = {name: len(getattr(self, name)) for name in ("series_index", "ts", *VALUES)}
        if len(set(rows.values())) > 1:
            raise BarsError(f"columns differ in length: {rows}")

    @classmethod
    def from_arrays(
        cls,
        symbol: str | Sequence[str],
        timeframe: str | Sequence[str],
        ts: Any,
        open: Any,
        high: Any,
        low: Any,
        close: Any,
        volume: Any,
        *,
        tz: str | None = None,
    ) -> Bars:
        """Bars from one sequence a column; ``symbol`` and ``timeframe`` may be one value for all.

        ``ts`` is a ``datetime64`` array (UTC), or datetimes, dates or ISO 8601 strings. ``tz`` is
        where the exchange is: naive times are read there, and bars from ``1D`` up land on their
        session date there.

        Raises:
            InexactValueError: a Decimal or integer that a double would change.
            NaiveTimestampError: a time without a zone, and no ``tz``.
            BarsError: anything else that does not fit; the message names the row.
        """
        if isinstance(ts, np.ndarray) and ts.dtype.kind == "M":
            stamps = interchange.stamps_of_instants(us_from_times(ts))
        else:
            stamps = interchange.stamps_of_values(ts)
        given = dict(zip(VALUES, (open, high, low, close, volume), strict=True))
        values = {name: interchange.doubles(column, name) for name, column in given.items()}
        rows = len(stamps.wall_us)
        return cls._assemble(_encoded(symbol, rows), _encoded(timeframe, rows), stamps, values, tz)

    @classmethod
    def from_records(
        cls,
        records: Iterable[Any],
        *,
        symbol: str | None = None,
        timeframe: str | None = None,
        tz: str | None = None,
    ) -> Bars:
        """Bars from objects with attributes, or from mappings.

        Fields: ``symbol``, ``timeframe``, ``ts`` (or ``timestamp``, ``datetime``, ``date``),
        ``open``, ``high``, ``low``, ``close``, ``volume``. The arguments ``symbol`` and
        ``timeframe`` stand in for records without them. Raises as :meth:`from_arrays` does.
        """
        columns = interchange.columns_of_records(records, tuple(interchange.FIELD_NAMES))
        if not columns:
            return cls.empty()
        missing = [name for name in ("ts", *VALUES) if name not in columns]
        if missing:
            raise BarsError(f"the first record has no {', '.join(missing)}")
        return cls.from_arrays(
            _constant_or(symbol, "symbol", columns.get("symbol")),
            _constant_or(timeframe, "timeframe", columns.get("timeframe")),
            columns["ts"],
            *(columns[name] for name in VALUES),
            tz=tz,
        )

    @classmethod
    def from_arrow(
        cls,
        source: Any,
        *,
        symbol: str | None = None,
        timeframe: str | None = None,
        tz: str | None = None,
    ) -> Bars:
        """Bars from anything with ``__arrow_c_stream__``: pyarrow, pandas, polars, DuckDB.

        Columns are found by the names that :meth:`from_records` takes, in any case; others are
        ignored. Raises as :meth:`from_arrays` does.
        """
        table = interchange.arrow_table(source)
        found = {name: interchange.arrow_column(table, name) for name in interchange.FIELD_NAMES}
        missing = [name for name in ("ts", *VALUES) if found[name] is None]
        if missing:
            raise BarsError(
                f"there is no column {', '.join(missing)}; the columns are {table.column_names}"
            )
        rows = table.num_rows
        keys = []
        for name, constant in (("symbol", symbol), ("timeframe", timeframe)):
            column = found[name]
            if constant is None and column is not None:
                keys.append(interchange.encode_arrow(column, name))
            else:
                keys.append(_encoded(_constant_or(constant, name, None), rows))
        stamps, zone = interchange.stamps_of_arrow(found["ts"], tz)
        values = {name: interchange.doubles_of_arrow(found[name], name) for name in VALUES}
        return cls._assemble(keys[0], keys[1], stamps, values, zone)

    @classmethod
    def of(
        cls,
        source: Any,
        *,
        symbol: str | None = None,
        timeframe: str | None = None,
        tz: str | None = None,
    ) -> Bars:
        """Bars of whatever ``source`` is: Bars, an Arrow stream, or an iterable of records."""
        if isinstance(source, Bars):
            return source
        convert = cls.from_arrow if hasattr(source, "__arrow_c_stream__") else cls.from_records
        return convert(source, symbol=symbol, timeframe=timeframe, tz=tz)

    @classmethod
    def of_one(cls, series: Series, columns: Mapping[str, Values]) -> Bars:
        """Bars of one series, of columns with ``ts`` and the values, taken as they are."""
        codes = np.zeros(len(columns["ts"]), dtype=np.int32)
        return cls((series,), codes, columns["ts"], *(columns[name] for name in VALUES))

    @classmethod
    def empty(cls) -> Bars:
        """No bars of no series."""
        none = np.empty(0)
        return cls((), none.astype(np.int32), none.astype("M8[us]"), none, none, none, none, none)

    @classmethod
    def concat(cls, parts: Iterable[Bars]) -> Bars:
        """All rows of all parts, in their order, under one dictionary of series."""
        pieces = list(parts)
        if not pieces:
            return cls.empty()
        index: dict[Series, int] = {}
        codes = []
        for part in pieces:
            mapping = [index.setdefault(series, len(index)) for series in part.series]
            codes.append(np.array(mapping, dtype=np.int32)[part.series_index])
        columns = (
            np.concatenate([getattr(part, name) for part in pieces]) for name in ("ts", *VALUES)
        )
        return cls(tuple(index), np.concatenate(codes), *columns)

    @classmethod
    def _assemble(
        cls,
        symbols: tuple[Codes, tuple[str, ...]],
        timeframes: tuple[Codes, tuple[str, ...]],
        stamps: Stamps,
        values: dict[str, Values],
        tz: str | None,
    ) -> Bars:
        symbol_codes, symbol_names = symbols
        timeframe_codes, timeframe_names = timeframes
        parsed = [parse_timeframe(name) for name in timeframe_names]
        pairs = symbol_codes.astype(np.int64) * len(parsed) + timeframe_codes
        index: dict[Series, int] = {}
        mapping = np.zeros(len(symbol_names) * len(parsed), dtype=np.int32)
        for pair in np.flatnonzero(np.bincount(pairs)).tolist():
            which, frame = divmod(pair, len(parsed))
            series = Series(symbol_names[which], str(parsed[frame]))
            mapping[pair] = index.setdefault(series, len(index))
        if len(parsed) == 1:
            us = stamps.place(parsed[0], tz)
        else:
            us = np.empty(len(pairs), dtype=np.int64)
            for code, timeframe in enumerate(parsed):
                rows = timeframe_codes == code
                part = Stamps(
                    stamps.wall_us[rows],
                    stamps.offset_us[rows],
                    stamps.naive[rows],
                    stamps.dated[rows],
                )
                us[rows] = part.place(timeframe, tz)
        return cls(
            tuple(index),
            mapping[pairs],
            us.view("M8[us]"),
            **values,
        )

    def __len__(self) -> int:
        return len(self.ts)

    def __repr__(self) -> str:
        names = ", ".join(f"{symbol} {timeframe}" for symbol, timeframe in self.series[:3])
        more = f", ... {len(self.series)} series" if len(self.series) > 3 else ""
        span = f", {self.ts.min()} to {self.ts.max()}" if len(self) else ""
        return f"<Bars {names}{more}: {len(self)} bars{span}>"

    def __iter__(self) -> Iterator[Bar]:
        """Each bar as a :class:`Bar`, in row order."""
        times = map(datetime_from_us, self.ts.view(np.int64).tolist())
        columns = (getattr(self, name).tolist() for name in VALUES)
        for code, *rest in zip(self.series_index.tolist(), times, *columns, strict=True):
            yield Bar(*self.series[code], *rest)

    @overload
    def __getitem__(self, rows: int) -> Bar: ...
    @overload
    def __getitem__(self, rows: slice | npt.NDArray[Any]) -> Bars: ...
    def __getitem__(self, rows: int | slice | npt.NDArray[Any]) -> Bar | Bars:
        """One bar, or the Bars of a slice, a boolean mask or row numbers."""
        if isinstance(rows, (int, np.integer)):
            position = range(len(self))[rows]
            return next(iter(self[position : position + 1]))
        return Bars(
            self.series,
            self.series_index[rows],
            self.ts[rows],
            *(getattr(self, name)[rows] for name in VALUES),
        )

    def select(self, symbol: str, timeframe: str | None = None) -> Bars:
        """The rows of one symbol, at one timeframe or at all of them, in their order."""
        frame = None if timeframe is None else str(parse_timeframe(timeframe))
        wanted = [
            code
            for code, series in enumerate(self.series)
            if series.symbol == symbol and frame in (None, series.timeframe)
        ]
        return self[np.isin(self.series_index, wanted)]

    def as_decimal(self) -> Bars:
        """The same bars with ``Decimal`` values: exactly the decimals that were written."""
        return self._with_values(
            {
                name: _object_array([Decimal(repr(x)) for x in getattr(self, name).tolist()])
                for name in VALUES
            }
        )

    def as_double(self) -> Bars:
        """The same bars with float64 values; the way back from :meth:`as_decimal`.

        Raises:
            InexactValueError: a value that a double would change.
        """
        return self._with_values(
            {name: interchange.doubles(getattr(self, name), name) for name in VALUES}
        )

    def _with_values(self, values: dict[str, Values]) -> Bars:
        return Bars(self.series, self.series_index, self.ts, **values)

    def to_arrow(self) -> pa.Table:
        """A table: ``symbol``, ``timeframe`` (dictionaries), ``ts`` (us, UTC), the values."""
        import pyarrow as pa

        columns: dict[str, Any] = {}
        for position, name in enumerate(Series._fields):
            index: dict[str, int] = {}
            mapping = [index.setdefault(series[position], len(index)) for series in self.series]
            codes = np.array(mapping, dtype=np.int32)[self.series_index]
            columns[name] = pa.DictionaryArray.from_arrays(
                codes, pa.array(list(index), pa.string())
            )
        columns["ts"] = pa.array(self.ts.view(np.int64)).cast(pa.timestamp("us", "UTC"))
        for name in VALUES:
            columns[name] = pa.array(getattr(self, name))
        return pa.table(columns)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The Arrow PyCapsule interface: pandas, polars and DuckDB read bars as they are."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def to_pandas(self) -> pd.DataFrame:
        """A data frame of the columns of :meth:`to_arrow`; ``ts`` is tz-aware UTC."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame

    def to_polars(self) -> pl.DataFrame:
        """A polars data frame of the columns of :meth:`to_arrow`."""
        import polars as pl

        return pl.DataFrame(self.to_arrow())

    def content_sha256(self) -> str:
        """SHA-256 of the bars as they stand: the same rows in another order are other content.

        ``store.write(bars, content_sha256=bars.content_sha256(), ...)`` skips what is in already.
        """
        bars = self.as_double() if self.open.dtype == object else self
        digest = hashlib.sha256(json.dumps(bars.series).encode())
        digest.update(np.ascontiguousarray(bars.series_index, dtype="<i4").data)
        digest.update(np.ascontiguousarray(bars.ts.view(np.int64), dtype="<i8").data)
        for name in VALUES:
            digest.update(np.ascontiguousarray(getattr(bars, name), dtype="<f8").data)
        return digest.hexdigest()

    def validate(self) -> Validation:
        """Which rows may be stored, in key order, and why the others may not.

        A bar needs a time in years 1 to 9999 (from ``1D`` up at its session date), finite values,
        low <= open, close <= high, and volume >= 0. Prices may be negative. Of rows with one key
        that say the same, the first is good; if they differ, none is.
        """
        if self.open.dtype == object:
            return self.as_double().validate()
        us = self.ts.view(np.int64)
        low, high, volume = self.low, self.high, self.volume
        # NaN fails every comparison, and open and close lie between two finite values.
        good = (low <= self.open) & (self.open <= high) & (low <= self.close) & (self.close <= high)
        good &= (low > -np.inf) & (high < np.inf) & (volume >= 0) & (volume < np.inf)
        good &= (us >= MIN_US) & (us <= MAX_US) & ~self._off_session(us)
        reasons = {row: self._faults(row) for row in np.flatnonzero(~good).tolist()}
        order = self._key_order(us)
        if reasons:
            order = order[good[order]]
        order = self._without_repeats(us, order, reasons)
        rejections = [self._rejection(row, reasons[row]) for row in sorted(reasons)]
        return Validation(order, rejections)

    def _off_session(self, us: Micros) -> npt.NDArray[np.bool_]:
        off = np.zeros(len(us), dtype=np.bool_)
        names = np.array([series.timeframe for series in self.series], dtype=object)
        for name in set(names):
            timeframe = parse_timeframe(name)
            if timeframe.is_session:
                rows = (names == name)[self.series_index]
                off[rows] = floor_session(us[rows], timeframe) != us[rows]
        return off

    def _faults(self, row: int) -> str:
        values = {name: float(getattr(self, name)[row]) for name in VALUES}
        us = int(self.ts.view(np.int64)[row])
        faults = []
        if not MIN_US <= us <= MAX_US:
            faults.append("the time is missing or outside the years 1 to 9999")
        elif self[row : row + 1]._off_session(np.array([us])).any():
            timeframe = self.series[self.series_index[row]].timeframe
            faults.append(
                f"{datetime_from_us(us):%Y-%m-%d %H:%M:%S} UTC is no session date, which a"
                f" {timeframe} bar is stamped with: say tz= (where the exchange is)"
            )
        missing = [name for name, value in values.items() if not np.isfinite(value)]
        if missing:
            faults.append(f"{', '.join(missing)} missing or not finite")
        low, high = values["low"], values["high"]
        if high < low:
            faults.append(f"high {high!r} is below low {low!r}")
        else:
            for name in ("open", "close"):
                if values[name] < low:
                    faults.append(f"{name} {values[name]!r} is below low {low!r}")
                if values[name] > high:
                    faults.append(f"{name} {values[name]!r} is above high {high!r}")
        if values["volume"] < 0:
            faults.append(f"volume {values['volume']!r} is negative")
        return "; ".join(faults)

    def _key_order(self, us: Micros) -> npt.NDArray[np.intp]:
        code = self.series_index
        rising = (code[1:] > code[:-1]) | ((code[1:] == code[:-1]) & (us[1:] > us[:-1]))
        return np.arange(len(us)) if rising.all() else np.lexsort((us, code))

    def _without_repeats(
        self,
        us: Micros,
        order: npt.NDArray[np.intp],
        reasons: dict[int, str],
    ) -> npt.NDArray[np.intp]:
        """Take rows that share a key out of ``order``, and say why in ``reasons``."""
        code, time = self.series_index[order], us[order]
        same = (code[1:] == code[:-1]) & (time[1:] == time[:-1])
        if not same.any():
            return order
        keep = np.ones(len(order), dtype=np.bool_)
        # A group runs from the row before its first repeat to its last; lexsort is stable, so
        # its rows stand in the order in which they came.
        for start in np.flatnonzero(same & ~np.concatenate(([False], same[:-1]))).tolist():
            stop = start + 1
            while stop < len(order) and same[stop - 1]:
                stop += 1
            rows = order[start:stop].tolist()
            distinct = {tuple(float(getattr(self, name)[row]) for name in VALUES) for row in rows}
            if len(distinct) == 1:
                keep[start + 1 : stop] = False
                reasons.update((row, f"repeats row {rows[0]}") for row in rows[1:])
            else:
                keep[start:stop] = False
                for row in rows:
                    other = rows[1] if row == rows[0] else rows[0]
                    reasons[row] = f"contradicts row {other}, of the same time"
        return order[keep]

    def _rejection(self, row: int, reason: str) -> Rejection:
        us = int(self.ts.view(np.int64)[row])
        symbol, timeframe = self.series[self.series_index[row]]
        return Rejection(
            row,
            symbol,
            timeframe,
            datetime_from_us(us) if MIN_US <= us <= MAX_US else None,
            reason,
            tuple(float(getattr(self, name)[row]) for name in VALUES),
        )


def _encoded(values: str | Sequence[str], rows: int) -> tuple[Codes, tuple[str, ...]]:
    if isinstance(values, str):
        return np.zeros(rows, dtype=np.int32), (values,)
    return interchange.encode(values)


def _constant_or(
    constant: str | None, name: str, column: Sequence[str] | None
) -> str | Sequence[str]:
    if constant is not None:
        return constant
    if column is None:
        raise BarsError(f"the bars say no {name}: pass {name}=")
    return column


def _object_array(values: list[Any]) -> Values:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


__all__ = ["PRICES", "VALUES", "Bar", "Bars", "Rejection", "Series", "Validation"]
