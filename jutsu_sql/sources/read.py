"""One file into bars: what it is, where its bars stand in time, and all that is odd about it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from jutsu_sql.bars import Bars, Series
from jutsu_sql.calendars import open_calendar
from jutsu_sql.errors import BarsError, NaiveTimestampError
from jutsu_sql.instants import zone
from jutsu_sql.sources.csv import read_text
from jutsu_sql.sources.data_file import DataFile, Progress
from jutsu_sql.sources.findings import (
    gaps_of,
    oddities,
    order_of,
    require_gaps,
    timeframe_of_gaps,
)
from jutsu_sql.sources.reading import describe_reading
from jutsu_sql.sources.recognise import DELIMITERS, Recognised, Told, told_by_name
from jutsu_sql.sources.rows import Rows
from jutsu_sql.sources.sessions import NAT, Clock, Placed, place
from jutsu_sql.sources.shapes import PLAIN
from jutsu_sql.sources.tables import read_table, row_text, table_format
from jutsu_sql.sources.text_file import TextFile
from jutsu_sql.sources.times import Times, read_times, times_of_arrow
from jutsu_sql.timeframe import Timeframe, parse_timeframe

_HEAD_BYTES = 64
_METATRADER = re.compile(r"(MN|[MHDW])(\d*)")
_METATRADER_UNITS = {"M": "m", "H": "h", "D": "D", "W": "W", "MN": "M"}


@dataclass(frozen=True, slots=True)
class Layout:
    """What was understood of a file, and why, for people to check.

    ``columns`` maps each field to the header it is taken from, ``first`` and ``last`` are the
    times of the first and last row as they are written.
    """

    shape: str
    why: str
    format: str
    delimiter: str
    encoding: str
    compression: str | None
    header_lines: int
    columns: dict[str, str]
    ignored: tuple[str, ...]
    numbers: str
    symbol: str
    timeframe: str
    time_format: str
    stamps: str
    sessions: str
    timezone: str | None
    calendar: str | None
    adjusted: str
    order: str
    first: str | None
    last: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FileBars:
    """Every data row of a file, in file order.

    ``lines`` (int64) is each row's line in the file, or its row in a table, from 1; ``faults``
    says, by row, why one could not be read. ``reading`` is how stamps became times, for
    :func:`jutsu_sql.sources.raw_stamps`.
    """

    bars: Bars
    lines: npt.NDArray[np.int64]
    faults: dict[int, str] = field(repr=False)
    layout: Layout
    file: DataFile
    content_sha256: str
    reading: str = field(repr=False)

    def texts(self, rows: Collection[int]) -> dict[int, str]:
        """Some rows as they are written; the file is read again for them."""
        if not rows:
            return {}
        with self.file.open() as data:
            head = data.read(_HEAD_BYTES)
            if found := table_format(head):
                content = head + data.read_all(found.most_bytes)
                return {row: row_text(content, found.read, row) for row in rows}
        line_of = {row: int(self.lines[row]) for row in rows}
        with self.file.open() as data:
            texts = TextFile(self.file, data).texts(set(line_of.values()))
        return {row: texts[line] for row, line in line_of.items()}


@dataclass(frozen=True, slots=True)
class Parsed:
    """The columns of a file, before anybody knows where its bars stand in time."""

    file: DataFile
    rows: Rows
    times: Times
    codes: npt.NDArray[np.int32]
    series: tuple[Series, ...]
    timeframe: Timeframe
    facts: dict[str, Any]

    def place(
        self,
        *,
        tz: str | None = None,
        stamp_tz: str | None = None,
        calendar: str | None = None,
        stamp: str | None = None,
    ) -> FileBars:
        """The bars, their stamps read as :func:`read_file` says."""
        shape = self.rows.recognised.shape
        clock = Clock(
            tz or shape.tz,
            stamp_tz or shape.stamp_tz,
            open_calendar(calendar) if calendar else _calendar(shape.calendar),
            stamp or (None if shape is PLAIN else shape.stamp),
        )
        try:
            placed = place(self.times, self.timeframe, clock)
        except NaiveTimestampError as error:
            raise NaiveTimestampError(f"{self.file}: {error}") from error
        except BarsError as error:
            raise self.file.error(str(error)) from error
        return self._bars(placed, clock)

    def _bars(self, placed: Placed, clock: Clock) -> FileBars:
        rows, times = self.rows, self.times
        for row, reason in placed.faults.items():
            rows.add_fault(row, reason)
        order = order_of(*self._known(placed.us))
        bars = Bars(
            self.series, np.maximum(self.codes, 0), placed.us.view("M8[us]"), **rows.values()
        )
        recognised, shape = rows.recognised, rows.recognised.shape
        notes = [*shape.notes, *placed.notes, *self.facts.pop("notes")]
        if "volume" not in recognised.columns:
            notes.append("no volume column: volumes are 0")
        if rows.missing_volumes:
            notes.append(f"{rows.missing_volumes} volumes are written as none: they are 0")
        layout = Layout(
            shape=shape.name,
            why=recognised.why,
            header_lines=recognised.header_lines,
            columns=_shown_columns(recognised),
            ignored=recognised.ignored,
            time_format=times.format,
            stamps=placed.kind,
            sessions=placed.rule,
            timezone=clock.place_tz,
            calendar=clock.calendar.name if clock.calendar else None,
            adjusted=shape.adjusted,
            order=order,
            first=times.texts[0].as_py(),
            last=times.texts[-1].as_py(),
            notes=(*notes, *oddities(bars, self.timeframe)),
            **{key: text for key, text in self.facts.items() if key != "content_sha256"},
        )
        good = np.flatnonzero(placed.us != NAT) if rows.faults else slice(None)
        reading = describe_reading(
            placed.us[good],
            times.stamps.wall_us[good],
            shape=shape.name,
            time_format=times.format,
            sessions=placed.rule,
            timezone=clock.place_tz,
            stamp_timezone=clock.naive_tz if times.stamps.naive.any() else None,
            calendar=layout.calendar,
            adjusted=shape.adjusted,
        )
        return FileBars(
            bars,
            rows.lines(),
            rows.faults,
            layout,
            self.file,
            self.facts["content_sha256"],
            reading,
        )

    def _known(self, us: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Any]:
        good = us != NAT
        return (us, self.codes) if good.all() else (us[good], self.codes[good])


def read_file(
    path: str | Path | DataFile,
    *,
    symbol: str | None = None,
    timeframe: str | None = None,
    tz: str | None = None,
    stamp_tz: str | None = None,
    calendar: str | None = None,
    stamp: str | None = None,
    shape: str | None = None,
    columns: Mapping[str, str] | None = None,
    date_format: str | None = None,
    decimal: str | None = None,
    progress: Progress | None = None,
) -> FileBars:
    """The bars of a file: delimited text, JSON, Parquet, Feather, Arrow or Databento's DBN.

    The shape (:data:`jutsu_sql.sources.shapes.SHAPES`) is recognised from the first rows, unless
    ``shape`` names it. Any other header does whose columns are called, in any case and order,
    ``date`` and ``time`` (or ``timestamp``, ``datetime``), ``open``, ``high``, ``low``, ``close``,
    ``volume``; ``columns`` maps such a field to another header, as ``{"close": "Last"}``. Without a
    volume column volumes are 0.

    ``symbol`` and ``timeframe`` are needed only where neither a column, the name of the file nor
    the distances between rows tell. ``tz`` is where the exchange is: times without a zone are read
    there (or in ``stamp_tz``), and bars from ``1D`` up land on their session date there.
    ``calendar`` (``24/7``, ``weekdays``, or a name of exchange_calendars) tells which dates have
    sessions, ``stamp`` whether the ``start`` or the ``end`` of an interval is stamped.
    ``date_format`` is a ``strptime`` format (or ``s``, ``ms``, ``us``, ``ns`` since 1970),
    ``decimal`` the decimal mark, for what is not understood without. ``progress`` is called with
    the bytes read and the bytes there are.

    Raises:
        SourceError: the file cannot be read, not be understood as a whole, or in several ways.
        NaiveTimestampError: its times have no zone, and there is no ``tz``.
        BarsError: the timeframe is none. ConfigError: the time zone or the calendar is none.
    """
    parsed = parse_file(
        path,
        symbol=symbol,
        timeframe=timeframe,
        tz=tz,
        shape=shape,
        columns=columns,
        date_format=date_format,
        decimal=decimal,
        progress=progress,
    )
    return parsed.place(tz=tz, stamp_tz=stamp_tz, calendar=calendar, stamp=stamp)


def parse_file(
    path: str | Path | DataFile,
    *,
    symbol: str | None = None,
    timeframe: str | None = None,
    tz: str | None = None,
    shape: str | None = None,
    columns: Mapping[str, str] | None = None,
    date_format: str | None = None,
    decimal: str | None = None,
    progress: Progress | None = None,
) -> Parsed:
    """The columns of a file, its series and its timeframe; see :func:`read_file`."""
    frame = parse_timeframe(timeframe) if timeframe else None
    if tz is not None:
        zone(tz)
    file = path if isinstance(path, DataFile) else DataFile.at(path)
    rows, facts, said = _rows(file, columns or {}, shape, decimal, progress)
    recognised = rows.recognised
    told = told_by_name(recognised.shape, file.names)
    times = _times(file, rows, told, date_format)
    symbols, why_symbol = _symbols(file, rows, told, symbol, said or recognised.symbol)
    codes = rows.codes()
    if symbol or len(symbols) == 1:
        codes[:] = 0
    for row in np.flatnonzero(codes < 0).tolist():
        rows.add_fault(row, "the symbol is missing")
    frame, why_frame = _timeframe(file, rows, told, times, codes, frame)
    series = tuple(Series(each, str(frame)) for each in symbols)
    facts |= {
        "symbol": f"{', '.join(symbols[:5])}{', ...' if len(symbols) > 5 else ''}: {why_symbol}",
        "timeframe": f"{frame}: {why_frame}",
    }
    return Parsed(file, rows, times, codes, series, frame, facts)


def _rows(
    file: DataFile,
    column_map: Mapping[str, str],
    shape_name: str | None,
    decimal: str | None,
    progress: Progress | None,
) -> tuple[Rows, dict[str, Any], str | None]:
    with file.open(progress) as data:
        head = data.read(_HEAD_BYTES)
        if found := table_format(head):
            content = head + data.read_all(found.most_bytes)
            rows, symbol, notes = read_table(file, content, found.read, column_map, shape_name)
            facts: dict[str, Any] = {
                "format": found.name,
                "delimiter": "none",
                "encoding": "binary" if found.name != "JSON" else "UTF-8",
                "numbers": "as they are",
                "notes": notes,
            }
        else:
            data.put_back(head)
            text = TextFile(file, data)
            read = read_text(file, text, column_map, shape_name, decimal)
            rows, symbol = read.rows, None
            above = [f"above the header: {line}" for line in rows.recognised.above]
            below = [f"below the rows: {read.footer}"] if read.footer else []
            facts = {
                "format": "text",
                "delimiter": DELIMITERS[rows.recognised.delimiter],
                "encoding": "UTF-8 with a byte order mark" if text.has_bom else "UTF-8",
                "numbers": "decimal comma" if rows.decimal == "," else "decimal point",
                "notes": (*above, *below),
            }
        facts |= {"compression": data.compression, "content_sha256": data.content_sha256}
    # What parsing took is not needed again, and the columns are still to come.
    pa.default_memory_pool().release_unused()
    return rows, facts, symbol


def _times(file: DataFile, rows: Rows, told: Told, date_format: str | None) -> Times:
    shape = rows.recognised.shape
    hints: dict[str, Any] = {"month_first": shape.month_first, "units": shape.units}
    first = rows.first_time
    is_clock = isinstance(first, str) and first.isdigit() and len(first) <= len("86400000")
    if told.date and is_clock:
        hints["day"] = date.fromisoformat(told.date)
    try:
        read = read_times if isinstance(first, str) else times_of_arrow
        return read(rows.times(), date_format, **hints)
    except BarsError as error:
        raise file.error(str(error)) from error


def _symbols(
    file: DataFile, rows: Rows, told: Told, given: str | None, said: str | None
) -> tuple[list[str], str]:
    symbols = list(rows.symbols)
    has_names = bool(rows.recognised.beside) or "symbol" in rows.recognised.columns
    if given and len(symbols) > 1 and has_names:
        raise file.error(
            f"bars of several symbols ({symbols[0]}, {symbols[1]}, ...): leave --symbol out, and"
            " each is a series of its own"
        )
    if given:
        return [given], "as told"
    if symbols and has_names:
        name = rows.recognised.named.get("symbol")
        return symbols, f"by the column {name!r}" if name else "side by side, as the header names"
    if said:
        return [said], "by the file's content"
    if len(symbols) > 1:
        raise file.error(
            f"bars of {len(symbols)} instruments ({symbols[0]}, {symbols[1]}, ...) without a column"
            " of symbols: fetch the file again with symbols mapped"
        )
    if told.symbol:
        return [told.symbol], "by the name of the file"
    raise file.error("neither a column nor the file's name is a symbol: say --symbol")


def _timeframe(
    file: DataFile,
    rows: Rows,
    told: Told,
    times: Times,
    codes: npt.NDArray[np.int32],
    given: Timeframe | None,
) -> tuple[Timeframe, str]:
    stamps = times.stamps
    good = slice(None) if times.valid.all() else np.flatnonzero(times.valid)
    gaps = gaps_of((stamps.wall_us - stamps.offset_us)[good], codes[good])
    shape = rows.recognised.shape
    frame, why = given, "as told"
    if frame is None and rows.timeframes:
        if len(rows.timeframes) > 1:
            names = ", ".join(sorted(rows.timeframes))
            raise file.error(f"bars of several timeframes ({names}) in one file: split it")
        frame, why = _named_timeframe(shape.timeframes, *rows.timeframes), "by a column"
    if frame is None and told.timeframe:
        frame = _named_timeframe(shape.timeframes, told.timeframe)
        why = "by the name of the file"
    if frame is None and shape.timeframe:
        frame, why = parse_timeframe(shape.timeframe), f"as all files of {shape.name}"
    try:
        if frame is None:
            return timeframe_of_gaps(gaps), "by the distances between rows"
        require_gaps(gaps, frame, why)
    except BarsError as error:
        raise file.error(str(error)) from error
    return frame, why


def _named_timeframe(names: Mapping[str, str], name: str) -> Timeframe | None:
    """The timeframe of a vendor's name for it: ``5``, ``M5``, ``5min``; None if it is none."""
    if name in names:
        return parse_timeframe(names[name])
    if name.isdigit():
        return parse_timeframe(f"{name}m")
    if match := _METATRADER.fullmatch(name):
        return parse_timeframe(f"{match[2] or 1}{_METATRADER_UNITS[match[1]]}")
    try:
        return parse_timeframe(name)
    except BarsError:
        return None


def _calendar(name: str | None) -> Any:
    return open_calendar(name) if name else None


def _shown_columns(recognised: Recognised) -> dict[str, str]:
    hidden = {"symbol", "timeframe", "instrument"}
    return {name: header for name, header in recognised.named.items() if name not in hidden}


__all__ = ["FileBars", "Layout", "Parsed", "parse_file", "read_file"]
