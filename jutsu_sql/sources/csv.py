"""Bars from a CSV file with a header line, plain or gzip, whatever its columns are called.

pyarrow parses; what is added here is that nothing gets lost on the way. Every row of the file is
a row of the bars, a bad one too: a value that cannot be read is NaN and a time NaT, so that the
store's own validation refuses and counts it, and every refusal can name its line.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from jutsu_sql.bars import VALUES, Bars, Series
from jutsu_sql.errors import BarsError, NaiveTimestampError
from jutsu_sql.instants import zone
from jutsu_sql.interchange import PRICES, Doubles
from jutsu_sql.sources.text_file import Block, Progress, TextFile
from jutsu_sql.sources.times import Placed, place, read_times
from jutsu_sql.timeframe import parse_timeframe

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
# Only what cannot mean anything else: Adj Close is no close, and Volume USD no volume.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "stamp": ("timestamp", "datetime", "date time", "ts"),
    "date": ("date",),
    "time": ("time",),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close",),
    "volume": ("volume", "vol"),
    "symbol": ("symbol", "ticker"),
}
# What a user's column map may name; `time` is the whole stamp, or what `date` lacks.
FIELDS = ("time", "date", *VALUES)
_NUMBER = r"(?i)^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf|infinity)$"
_EXACT_DIGITS = 15
_SHOWN_CHARS = 40
_MAX_HEADER_CHARS = 2**16


@dataclass(frozen=True, slots=True)
class CsvLayout:
    """What was understood of a file, for people to check.

    ``columns`` maps each field to the header it is taken from, ``first`` and ``last`` are the
    times of the first and last row as they are written.
    """

    delimiter: str
    encoding: str
    compression: str | None
    columns: dict[str, str]
    ignored: tuple[str, ...]
    time_format: str
    stamps: str
    first: str | None
    last: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CsvBars:
    """Every data row of a file, in file order.

    ``lines`` (int64) is each row's line in the file, from 1; ``faults`` says, by row, why one
    could not be read.
    """

    bars: Bars
    lines: npt.NDArray[np.int64]
    faults: dict[int, str] = field(repr=False)
    layout: CsvLayout
    path: Path
    content_sha256: str

    def texts(self, rows: Collection[int]) -> dict[int, str]:
        """Some rows as they are written; the file is read again for them."""
        row_of = {int(self.lines[row]): row for row in rows}
        return {row_of[line]: text for line, text in TextFile(self.path).texts(row_of).items()}


def read_csv(
    path: str | Path,
    *,
    symbol: str,
    timeframe: str,
    tz: str | None = None,
    columns: Mapping[str, str] | None = None,
    date_format: str | None = None,
    progress: Progress | None = None,
) -> CsvBars:
    """The bars of one series in a CSV file.

    Columns are found by their header in any case: ``date`` and ``time`` (or ``timestamp``,
    ``datetime``), ``open``, ``high``, ``low``, ``close``, ``volume``; ``columns`` maps such a
    field to another header, as ``{"close": "Last"}``. Without a volume column volumes are 0.
    ``tz`` is where the exchange is: times without a zone are read there, and bars from ``1D`` up
    land on their session date there. ``date_format`` is a ``strptime`` format (or ``s``, ``ms``,
    ``us``, ``ns`` since 1970), for times that are not understood without. ``progress`` is called
    with the bytes read and the bytes there are.

    Raises:
        SourceError: the file cannot be read, or not be understood as a whole.
        NaiveTimestampError: its times have no zone, and there is no ``tz``.
        BarsError: the timeframe is none. ConfigError: the time zone is none.
    """
    frame = parse_timeframe(timeframe)
    if tz is not None:
        zone(tz)
    source = TextFile(path, progress)
    rows = _Rows(source, columns or {})
    rows.read()
    try:
        times = read_times(rows.times(), date_format)
        placed = place(times, frame, tz)
    except NaiveTimestampError as error:
        raise NaiveTimestampError(f"{source.path}: {error}") from error
    except BarsError as error:
        raise source.error(str(error)) from error
    values = rows.values()
    rows.add_faults(placed)
    bars = Bars(
        (Series(symbol, str(frame)),),
        np.zeros(len(placed.us), dtype=np.int32),
        placed.us.view("M8[us]"),
        **values,
    )
    header = rows.header
    layout = CsvLayout(
        delimiter=_DELIMITERS[header.delimiter],
        encoding="UTF-8 with a byte order mark" if source.has_bom else "UTF-8",
        compression=source.compression,
        columns=header.named,
        ignored=header.ignored,
        time_format=times.format,
        stamps=placed.kind,
        first=times.texts[0].as_py(),
        last=times.texts[-1].as_py(),
        notes=() if "volume" in header.columns else ("no volume column: volumes are 0",),
    )
    return CsvBars(bars, rows.lines(), rows.faults, layout, source.path, source.content_sha256)


@dataclass(frozen=True, slots=True)
class _Header:
    """The header line: ``columns`` maps each field that is there to a position among ``names``."""

    line: int
    delimiter: str
    names: tuple[str, ...]
    columns: dict[str, int]

    @property
    def named(self) -> dict[str, str]:
        return {name: self.names[at] for name, at in self.columns.items() if name != "symbol"}

    @property
    def ignored(self) -> tuple[str, ...]:
        used = {at for name, at in self.columns.items() if name != "symbol"}
        return tuple(name for at, name in enumerate(self.names) if at not in used)


class _Rows:
    """The rows of one file, gathered block by block."""

    header: _Header

    def __init__(self, source: TextFile, column_map: Mapping[str, str]) -> None:
        self._source = source
        self._column_map = column_map
        self._lines: list[npt.NDArray[np.int64]] = []
        self._times: list[Any] = []
        self._values: dict[str, list[Doubles]] = {name: [] for name in VALUES}
        self._symbol: str | None = None
        self._count = 0
        self.faults: dict[int, str] = {}

    def read(self) -> None:
        """Read the whole file."""
        has_header = False
        for block in self._source.blocks():
            filled = block.filled
            if not has_header and len(filled):
                self.header = _read_header(self._source, block, int(filled[0]), self._column_map)
                has_header, filled = True, filled[1:]
            if len(filled):
                self._add(block, filled)
        if not has_header:
            raise self._source.error("the file is empty")
        if not self._count:
            raise self._source.error("there is a header, but no data rows", line=self.header.line)

    def lines(self) -> npt.NDArray[np.int64]:
        """The line of each row, from 1."""
        return np.concatenate(self._lines)

    def times(self) -> Any:
        """The time of each row as it is written; null where there is none."""
        return pa.chunked_array(self._times, pa.string())

    def values(self) -> dict[str, Doubles]:
        """The prices and volumes; the parts that they are joined from are let go."""
        return {name: np.concatenate(self._values.pop(name)) for name in VALUES}

    def add_faults(self, placed: Placed) -> None:
        """Add what is wrong with the times, unless the row as a whole is broken."""
        for row, reason in placed.faults.items():
            self._add_fault(row, reason)

    def _add_fault(self, row: int, reason: str) -> None:
        self.faults[row] = f"{self.faults[row]}; {reason}" if row in self.faults else reason

    def _add(self, block: Block, filled: npt.NDArray[np.int64]) -> None:
        table, broken = self._parse(block, filled)
        keep = np.ones(len(filled), dtype=np.bool_)
        keep[[at for at, reason in broken.items() if reason is None]] = False
        good = np.ones(len(filled), dtype=np.bool_)
        good[list(broken)] = False
        good = good[keep]
        row_of = self._count + np.cumsum(keep) - 1
        for at, reason in broken.items():
            if reason is not None:
                self.faults[int(row_of[at])] = reason
        self._lines.append(block.first_line + filled[keep])
        if broken:
            # A null index gives a null: the broken rows take their places again.
            table = table.take(pa.array(np.cumsum(good) - 1, mask=~good))
        self._add_values(table)
        self._count += len(good)

    def _add_values(self, table: Any) -> None:
        columns = self.header.columns
        for name in VALUES:
            if name not in columns:
                self._values[name].append(np.zeros(table.num_rows))
                continue
            numbers, faults = _doubles(_one_array(table[str(columns[name])]), name)
            self._values[name].append(numbers)
            for row, reason in faults.items():
                self._add_fault(self._count + row, reason)
        parts = [
            _one_array(table[str(columns[name])]) for name in ("date", "time") if name in columns
        ]
        joined = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, " ")
        self._times.append(joined)
        if "symbol" in columns:
            self._require_one_symbol(table[str(columns["symbol"])])

    def _require_one_symbol(self, column: Any) -> None:
        for name in column.unique().drop_null().to_pylist():
            self._symbol = self._symbol or name
            if name != self._symbol:
                raise self._source.error(
                    f"bars of several symbols ({self._symbol}, {name}, ...):"
                    " a file is one series here, so split it"
                )

    def _parse(
        self, block: Block, filled: npt.NDArray[np.int64]
    ) -> tuple[Any, dict[int, str | None]]:
        """The sound rows as strings, and by place among the filled lines what the others lack."""
        data = block.data[block.starts[filled[0]] :]
        unclosed: list[int] = []
        if b'"' in data:
            data, unclosed = _without_unclosed(block, filled)
        header = self.header
        broken: dict[int, str | None] = {}

        def on_broken(row: Any) -> str:
            reason = f"{row.actual_columns} fields where the header has {row.expected_columns}"
            broken[row.number - 1] = reason if row.text.strip() else None
            return "skip"

        wanted = [str(at) for at in sorted(set(header.columns.values()))]
        table = pa_csv.read_csv(
            pa.BufferReader(data),
            read_options=pa_csv.ReadOptions(
                # One block on one thread: only so does pyarrow number the broken rows.
                use_threads=False,
                block_size=len(data) + 1,
                column_names=[str(at) for at in range(len(header.names))],
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=header.delimiter, invalid_row_handler=on_broken
            ),
            convert_options=pa_csv.ConvertOptions(
                include_columns=wanted,
                column_types=dict.fromkeys(wanted, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
                check_utf8=False,
            ),
        )
        broken.update(dict.fromkeys(unclosed, "a quoted field does not end on its line"))
        if table.num_rows + len(broken) != len(filled):
            raise self._source.error(
                "the quotes do not match somewhere in these"
                f" {len(filled)} lines: the rows cannot be told apart",
                line=block.first_line + int(filled[0]),
            )
        return table, broken


def _without_unclosed(block: Block, filled: npt.NDArray[np.int64]) -> tuple[bytes, list[int]]:
    """The lines with an odd number of quotes made single fields, so that they swallow no others."""
    starts, ends = block.starts[filled].tolist(), block.ends[filled].tolist()
    lines = [block.data[start:end] for start, end in zip(starts, ends, strict=True)]
    unclosed = [at for at, line in enumerate(lines) if line.count(b'"') % 2]
    for at in unclosed:
        lines[at] = b"-"
    return b"\n".join(lines), unclosed


def _one_array(column: Any) -> Any:
    array = column.combine_chunks()
    return array if isinstance(array, pa.Array) else pa.array([], pa.string())


def _doubles(texts: Any, name: str) -> tuple[Doubles, dict[int, str]]:
    """Decimal texts as doubles, NaN for what is no number or more than a double carries."""
    faults: dict[int, str] = {}
    try:
        numbers = texts.cast(pa.float64())
    except pa.ArrowInvalid:
        texts = pc.ascii_trim_whitespace(texts)
        is_number = pc.match_substring_regex(texts, _NUMBER)
        for row in np.flatnonzero(pc.invert(is_number).fill_null(False).to_numpy(False)).tolist():
            if text := texts[row].as_py():
                faults[row] = f"{name} {_shown(text)!r} is no number"
        texts = pc.if_else(is_number, texts, None)
        numbers = texts.cast(pa.float64())
    for row in _inexact_rows(texts, numbers):
        faults[row] = f"{name} {_shown(texts[row].as_py())} has more digits than a double carries"
    doubles = np.array(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)
    doubles[list(faults)] = np.nan
    return doubles, faults


def _inexact_rows(texts: Any, numbers: Any) -> Iterator[int]:
    """The rows whose text a double does not give back."""
    # A text of 15 characters has at most 15 digits, and those survive, unless an exponent takes
    # them out of range.
    is_suspect = pc.or_(
        pc.greater(pc.binary_length(texts), _EXACT_DIGITS),
        pc.or_(pc.match_substring(texts, "e"), pc.match_substring(texts, "E")),
    )
    suspects = np.flatnonzero(is_suspect.fill_null(False).to_numpy(zero_copy_only=False))
    if not len(suspects):
        return
    texts, numbers = texts.take(suspects), numbers.take(suspects)
    # What a program wrote is mostly what a program shows again; Python looks at the rest.
    shown = numbers.cast(pa.string())
    differs = pc.not_equal(pc.utf8_rtrim(texts, "0"), pc.utf8_rtrim(shown, "0"))
    for at in np.flatnonzero(differs.to_numpy(zero_copy_only=False)).tolist():
        number = numbers[at].as_py()
        if np.isfinite(number) and Decimal(repr(number)) != Decimal(texts[at].as_py()):
            yield int(suspects[at])


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "..."


def _read_header(
    source: TextFile, block: Block, index: int, column_map: Mapping[str, str]
) -> _Header:
    line = block.first_line + index
    text = block.line(index)
    if len(text) > _MAX_HEADER_CHARS:
        raise source.error(
            "the header is longer than 64 KiB: this is no CSV file of bars", line=line
        )
    delimiter = max(_DELIMITERS, key=lambda each: len(_cells(text, each)))
    names = tuple(_cells(text, delimiter))
    try:
        columns = _find_columns(names, column_map)
    except BarsError as error:
        raise source.error(str(error), line=line) from None
    return _Header(line, delimiter, names, columns)


def _cells(text: str, delimiter: str) -> list[str]:
    cells = next(csv.reader([text], delimiter=delimiter, skipinitialspace=True), [])
    return [cell.strip().strip("\"'").strip() for cell in cells]


def _find_columns(names: Sequence[str], column_map: Mapping[str, str]) -> dict[str, int]:
    """Where each field is: by the user's map, else by its name.

    Raises:
        BarsError: a column is missing, or two could be it; the message gives the remedy.
    """
    columns = _mapped_columns(names, column_map)
    plain = [_plain(name) for name in names]
    is_header = columns or any(name in known for name in plain for known in _NAMES.values())
    if not is_header and sum(map(_is_number, names)) > 1:
        raise BarsError(
            "this looks like data, not like a header: put a line such as"
            " date,open,high,low,close,volume above it"
        )
    has_time = "time" in columns or "date" in columns
    wanted = [name for name in _NAMES if name not in columns]
    if has_time:
        wanted = [name for name in wanted if name not in {"stamp", "date", "time"}]
    for name in wanted:
        found = [at for at, each in enumerate(plain) if each in _NAMES[name]]
        if len(found) > 1:
            raise _ambiguous(name if name != "stamp" else "time", [names[at] for at in found])
        if found:
            columns[name] = found[0]
    if "stamp" in columns:
        others = [columns[name] for name in ("date", "time") if name in columns]
        if others:
            raise _ambiguous("time", [names[at] for at in (columns["stamp"], *others)])
        columns["time"] = columns.pop("stamp")
    missing = [name for name in PRICES if name not in columns]
    if "time" not in columns and "date" not in columns:
        missing.insert(0, "time")
    if missing:
        raise BarsError(
            f"no column {', '.join(missing)} among {', '.join(map(repr, names))}:"
            f" say which it is, as in --column {missing[0]}=NAME"
        )
    return columns


def _mapped_columns(names: Sequence[str], column_map: Mapping[str, str]) -> dict[str, int]:
    columns: dict[str, int] = {}
    plain = [_plain(name) for name in names]
    for given, header in column_map.items():
        name = "time" if given.lower() in {*_NAMES["stamp"], "time"} else given.lower()
        if name not in FIELDS:
            raise BarsError(f"there is no field {given!r}; the fields are {', '.join(FIELDS)}")
        found = [at for at, each in enumerate(names) if each == header.strip()]
        found = found or [at for at, each in enumerate(plain) if each == _plain(header)]
        if not found:
            near = get_close_matches(header, names, 1, cutoff=0.5)
            hint = (
                f"did you mean {near[0]!r}?" if near else f"there are {', '.join(map(repr, names))}"
            )
            raise BarsError(f"there is no column {header!r}; {hint}")
        if len(found) > 1:
            raise BarsError(f"there are {len(found)} columns {header!r}: rename one")
        columns[name] = found[0]
    return columns


def _ambiguous(name: str, candidates: Sequence[str]) -> BarsError:
    return BarsError(
        f"{' and '.join(map(repr, candidates))} could each be the {name}:"
        f' say which, as in --column {name}="{candidates[-1]}"'
    )


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", " ", name.strip().strip("<>").strip().lower())


def _is_number(text: str) -> bool:
    return re.fullmatch(_NUMBER, text) is not None


__all__ = ["FIELDS", "CsvBars", "CsvLayout", "read_csv"]
