"""The first lines of a file: how its cells are divided, which shape it has, and what each means."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import PurePosixPath

from jutsu_sql.bars import VALUES
from jutsu_sql.errors import BarsError
from jutsu_sql.interchange import PRICES
from jutsu_sql.sources.numbers import is_number
from jutsu_sql.sources.shapes import PLAIN, SHAPES, Shape

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
# A header, three lines of it at most, stands among the first of these.
HEAD_LINES = 50
_LINES_ABOVE = 10
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
    "timeframe": ("timeframe",),
}
# What a user's column map may name; `time` is the whole stamp, or what `date` lacks.
FIELDS = ("time", "date", *VALUES)
# EURUSD__1h.csv, or histdata__EURUSD__1m.csv: what else would be said by options.
_TOLD = re.compile(
    r"(?:(?P<shape>[a-z][a-z0-9-]*?)[^/_]*__)?(?P<symbol>[^/]+?)__(?P<timeframe>\w+)"
)
# A file of this name can only be meant for one symbol: AAPL.csv, BRK-B.csv, 000001.SZ.csv.
_SYMBOL = r"\^?[A-Z0-9]+(?:[.=-][A-Z0-9]+)*"
_SYMBOL_AND_TIMEFRAME = re.compile(
    rf"(?P<symbol>{_SYMBOL})[-_](?P<timeframe>\d+(?:s|m|min|h|d|D|w|W|M)|[MHDW]\d+|MN1?|[Dd]aily"
    r"|[Ww]eekly|[Mm]onthly|[Hh]ourly)"
)


@dataclass(frozen=True, slots=True)
class Told:
    """What the name of a file says."""

    symbol: str | None = None
    timeframe: str | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Recognised:
    """What the first lines say: ``columns`` maps each field to a place among ``names``.

    ``header_lines`` counts the lines to the end of the header, ``above`` are those before it.
    ``beside`` has the columns of each symbol where bars of several stand side by side.
    """

    shape: Shape
    why: str
    delimiter: str
    names: tuple[str, ...]
    columns: dict[str, int]
    header_lines: int
    above: tuple[str, ...] = ()
    symbol: str | None = None
    beside: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def places(self) -> set[int]:
        """Where anything stands that is read."""
        return {at for each in (self.columns, *self.beside.values()) for at in each.values()}

    @property
    def named(self) -> dict[str, str]:
        """The header of each field."""
        return {name: self.names[at] for name, at in self.columns.items()}

    @property
    def ignored(self) -> tuple[str, ...]:
        return tuple(name for at, name in enumerate(self.names) if at not in self.places)


def recognise(
    lines: Sequence[str],
    file_names: Sequence[str],
    column_map: Mapping[str, str],
    shape_name: str | None = None,
) -> Recognised:
    """What the first lines of a text, without the empty ones, are.

    Raises:
        BarsError: nothing fits, several shapes do, or a column is missing.
    """
    delimiter = _delimiter(lines)
    rows = [cells_of(line, delimiter) for line in lines]
    return recognise_rows(rows, file_names, column_map, shape_name, delimiter, lines)


def recognise_rows(
    rows: Sequence[Sequence[str]],
    file_names: Sequence[str],
    column_map: Mapping[str, str],
    shape_name: str | None = None,
    delimiter: str = "",
    lines: Sequence[str] = (),
) -> Recognised:
    """As :func:`recognise`, of cells."""
    if shape_name is not None and shape_name not in SHAPES:
        near = get_close_matches(shape_name, SHAPES, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(SHAPES)}"
        raise BarsError(f"there is no shape {shape_name!r}; {hint}")
    wanted = [each for name in SHAPES if shape_name in (None, name) for each in SHAPES[name]]
    for at in range(min(len(rows), _LINES_ABOVE)):
        above = tuple(lines[:at])
        fitting = [
            each
            for each in wanted
            if each.header and _fits_header(each, rows, at, file_names, above)
        ]
        if fitting and not column_map:
            shape = _choose(fitting, file_names)
            return _with_header(shape, rows, at, column_map, delimiter, above)
        if shape_name in (None, PLAIN.name) and _is_plain_header(rows[at], column_map):
            return _with_header(PLAIN, rows, at, column_map, delimiter, above)
        if fitting:
            shape = _choose(fitting, file_names)
            return _with_header(shape, rows, at, column_map, delimiter, above)
    headless = [each for each in wanted if each.names and _fits_cells(each, rows, file_names)]
    if headless:
        return _without_header(_choose(headless, file_names), rows, delimiter)
    if shape_name not in (None, PLAIN.name):
        raise BarsError(f"this does not look like {shape_name}: {_expected(SHAPES[shape_name])}")
    if sum(map(is_number, rows[0])) > 1:
        raise BarsError(
            "this looks like data, not like a header, and in no order that is known here: put a"
            " line such as date,open,high,low,close,volume above it"
        )
    return _with_header(PLAIN, rows, 0, column_map, delimiter, ())


def cells_of(line: str, delimiter: str) -> list[str]:
    """The cells of one line, without quotes and the blanks around."""
    cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    return [cell.strip().strip("\"'").strip() for cell in cells]


def told_by_name(shape: Shape, file_names: Sequence[str]) -> Told:
    """Symbol, timeframe and date, as far as the names of a file say them.

    The shape's own names come first, then ``SYMBOL__TIMEFRAME``, ``SYMBOL_TIMEFRAME`` and a name
    that looks like a symbol.
    """
    found: dict[str, str] = {}
    for name in file_names:
        said: dict[str, str] = {}
        if shape.file and (match := re.search(shape.file, name)):
            said = {key: text for key, text in match.groupdict().items() if text}
            said = said if "symbol" not in said else {**said, "symbol": _upper(said["symbol"])}
        found = {**said, **found}
    stem = _stem(file_names[-1])
    general = _TOLD.fullmatch(stem) or _SYMBOL_AND_TIMEFRAME.fullmatch(stem)
    if general:
        found = {"symbol": general["symbol"], "timeframe": general["timeframe"], **found}
    elif re.fullmatch(_SYMBOL, stem):
        found.setdefault("symbol", stem)
    return Told(found.get("symbol"), found.get("timeframe"), found.get("date"))


def _stem(name: str) -> str:
    return re.sub(
        r"\.(?:csv|tsv|txt|json|parquet|feather|arrow|dbn)$",
        "",
        PurePosixPath(name).name,
        flags=re.I,
    )


def _upper(symbol: str) -> str:
    return symbol.upper().replace("_", ".") if symbol == symbol.lower() else symbol


def _delimiter(lines: Sequence[str]) -> str:
    """The delimiter that divides most lines into one and the same number of cells."""

    def cells(delimiter: str) -> int:
        counts = Counter(len(cells_of(line, delimiter)) for line in lines)
        return max((width - 1) * times for width, times in counts.items())

    # A comma may be the decimal mark, and divide as well as the delimiter does.
    best = max(reversed(DELIMITERS), key=cells)
    return best if cells(best) else ","


def _fits_header(
    shape: Shape,
    rows: Sequence[Sequence[str]],
    at: int,
    file_names: Sequence[str],
    above: Sequence[str],
) -> bool:
    if not shape.required <= {plain(name) for name in rows[at]}:
        return False
    below = rows[at + 1 : at + 1 + len(shape.below)]
    firsts = [plain(row[0]) if row else "" for row in below]
    if len(firsts) < len(shape.below) or not all(map(re.fullmatch, shape.below, firsts)):
        return False
    if shape.prices:
        names = [plain(name) for name in rows[at]]
        places = [names.index(name) for name in PRICES]
        if not _are_prices(shape, rows[at + 1 :], places):
            return False
    backed = _by_file(shape, file_names) or _is_told(shape, file_names)
    return not shape.by_file or backed or _by_banner(shape, above)


def _fits_cells(shape: Shape, rows: Sequence[Sequence[str]], file_names: Sequence[str]) -> bool:
    names = shape.names.split()
    whole = [row for row in rows if len(row) == len(names)]
    if 2 * len(whole) < len(rows) or (shape.by_file and not _by_file(shape, file_names)):
        return False
    places = [names.index(name) for name in PRICES]
    firsts = sum(bool(re.fullmatch(shape.first, row[0])) for row in whole)
    numbers = sum(all(map(is_number, (row[at] for at in places))) for row in whole)
    return 2 * min(firsts, numbers) > len(whole) and (
        not shape.prices or _are_prices(shape, whole, places)
    )


def _are_prices(shape: Shape, rows: Iterable[Sequence[str]], places: Sequence[int]) -> bool:
    cells = [row[at] for row in rows for at in places if at < len(row) and row[at]]
    cells = [cell for cell in cells if cell not in shape.missing]
    return bool(cells) and all(re.fullmatch(shape.prices, cell) for cell in cells)


def _by_file(shape: Shape, file_names: Sequence[str]) -> bool:
    return bool(shape.file) and any(re.search(shape.file, name) for name in file_names)


def _by_banner(shape: Shape, above: Sequence[str]) -> bool:
    return bool(shape.banner) and any(re.search(shape.banner, line, re.I) for line in above)


def _choose(fitting: Sequence[Shape], file_names: Sequence[str]) -> Shape:
    """The one shape that says most of those that fit.

    Raises:
        BarsError: several of different vendors say as much.
    """
    best = [
        each for each in fitting if not any(each.required < other.required for other in fitting)
    ]
    for evidence in (_is_told, _is_in_folder, _by_file):
        backed = [each for each in best if evidence(each, file_names)]
        best = backed or best
    names = dict.fromkeys(each.name for each in best)
    if len(names) > 1:
        first = {name: next(each for each in best if each.name == name) for name in names}
        options = "; ".join(
            f"--as {name} ({each.title}{''.join(', ' + note for note in each.notes)})"
            for name, each in first.items()
        )
        raise BarsError(f"{len(names)} shapes fit, and nothing in the file tells which: {options}")
    return max(best, key=lambda each: len(each.required))


def _is_told(shape: Shape, file_names: Sequence[str]) -> bool:
    match = _TOLD.fullmatch(_stem(file_names[-1]))
    prefix = PurePosixPath(file_names[-1]).name.split("__")[0]
    return (
        bool(match)
        and (prefix == shape.name or prefix.startswith(f"{shape.name}-"))
        and not any(prefix.startswith(name) and len(name) > len(shape.name) for name in SHAPES)
    )


def _is_in_folder(shape: Shape, file_names: Sequence[str]) -> bool:
    return bool(shape.folder) and any(
        re.fullmatch(shape.folder, part)
        for name in file_names
        for part in PurePosixPath(name).parts[:-1]
    )


def _is_plain_header(row: Sequence[str], column_map: Mapping[str, str]) -> bool:
    names = [plain(name) for name in row]
    known = sum(any(name in names for name in spellings) for spellings in _NAMES.values())
    mapped = [header for header in column_map.values() if plain(header) in names]
    return bool(mapped) or known > 1


def _with_header(
    shape: Shape,
    rows: Sequence[Sequence[str]],
    at: int,
    column_map: Mapping[str, str],
    delimiter: str,
    above: tuple[str, ...],
) -> Recognised:
    names = tuple(rows[at])
    symbols = list(dict.fromkeys(filter(None, rows[at + 1][1:]))) if shape.below else []
    beside = {
        each: find_columns(_names_of(each, names, rows[at + 1]), column_map, shape)
        for each in symbols
    }
    columns = beside[symbols[0]] if symbols else find_columns(names, column_map, shape)
    lines = at + 1 + len(shape.below)
    where = f"line {at + 1}" if at else "the first line"
    why = f"the header, {where}, names {', '.join(names[i] for i in sorted(columns.values()))}"
    if shape.name != PLAIN.name:
        why = f"{shape.title}: its columns stand in the header, {where}"
    if len(symbols) > 1:
        return Recognised(shape, why, delimiter, names, columns, lines, above, beside=beside)
    symbol = symbols[0] if symbols else None
    return Recognised(shape, why, delimiter, names, columns, lines, above, symbol)


def _names_of(symbol: str, names: Sequence[str], symbols: Sequence[str]) -> list[str]:
    """The header without the columns of other symbols, where each stands above its symbol."""
    return [
        name if not at or symbols[at : at + 1] == [symbol] else "" for at, name in enumerate(names)
    ]


def _without_header(shape: Shape, rows: Sequence[Sequence[str]], delimiter: str) -> Recognised:
    names = tuple(shape.names.split())
    fields = {"time", "date", *VALUES}
    columns = {name: at for at, name in enumerate(names) if name in fields}
    why = f"{shape.title}: no header, {len(names)} cells, the first as {rows[0][0]!r}"
    return Recognised(shape, why, delimiter, names, columns, 0)


def _expected(shapes: Iterable[Shape]) -> str:
    kinds = [
        f"a header with {', '.join(each.header.split('|'))}"
        if each.header
        else f"no header, and cells for {', '.join(each.names.split())}"
        for each in shapes
    ]
    return "that has " + ", or ".join(kinds)


def find_columns(
    names: Sequence[str], column_map: Mapping[str, str], shape: Shape
) -> dict[str, int]:
    """Where each field is: by the user's map, the shape's, or its name.

    Raises:
        BarsError: a column is missing, or two could be it; the message gives the remedy.
    """
    columns = _mapped_columns(names, column_map)
    plain_names = [plain(name) for name in names]
    for name, pattern in shape.columns.items():
        found = [at for at, each in enumerate(plain_names) if re.fullmatch(pattern, each)]
        if found and name not in columns and not ("date" in columns and name == "time"):
            columns[name] = found[0]
    has_time = "time" in columns or "date" in columns
    wanted = [name for name in _NAMES if name not in columns]
    if has_time:
        wanted = [name for name in wanted if name not in {"stamp", "date", "time"}]
    for name in wanted:
        found = [at for at, each in enumerate(plain_names) if each in _NAMES[name]]
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
            f"no column {', '.join(missing)} among {', '.join(map(repr, names)):.500}:"
            f" say which it is, as in --column {missing[0]}=NAME"
        )
    return columns


def _mapped_columns(names: Sequence[str], column_map: Mapping[str, str]) -> dict[str, int]:
    columns: dict[str, int] = {}
    plain_names = [plain(name) for name in names]
    for given, header in column_map.items():
        name = "time" if given.lower() in {*_NAMES["stamp"], "time"} else given.lower()
        if name not in FIELDS:
            raise BarsError(f"there is no field {given!r}; the fields are {', '.join(FIELDS)}")
        found = [at for at, each in enumerate(names) if each == header.strip()]
        found = found or [at for at, each in enumerate(plain_names) if each == plain(header)]
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


def plain(name: str) -> str:
    """A header as it is compared: ``<TICK_VOL>`` is ``tick vol``."""
    return re.sub(r"[\s_]+", " ", name.strip().strip("<>").strip().lower())


__all__ = [
    "DELIMITERS",
    "FIELDS",
    "HEAD_LINES",
    "Recognised",
    "Told",
    "cells_of",
    "plain",
    "recognise",
    "recognise_rows",
    "told_by_name",
]
