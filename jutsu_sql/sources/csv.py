"""The rows of a delimited text, with or without a header, whatever its columns are called.

pyarrow parses; what is added here is that nothing gets lost on the way. Lines keep their numbers,
and a line that cannot be divided becomes a row that says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

from jutsu_sql.bars import VALUES
from jutsu_sql.errors import BarsError
from jutsu_sql.exported_csv import COLUMNS, unguard_symbols
from jutsu_sql.sources.data_file import DataFile
from jutsu_sql.sources.numbers import decimal_mark
from jutsu_sql.sources.recognise import HEAD_LINES, Recognised, cells_of, recognise
from jutsu_sql.sources.rows import Rows, one_array
from jutsu_sql.sources.text_file import Block, TextFile

_MAX_HEADER_CHARS = 2**16
# What a vendor writes below its rows is words; the rest of a row that was cut off is none.
_FOOTER = re.compile(r"[A-Za-z]{2}\S*\s+\S*[A-Za-z]{2}")
_SAMPLE_LINES = 1000


@dataclass(frozen=True, slots=True)
class Text:
    """The rows of a text, and what stands around them."""

    rows: Rows
    footer: str | None


def read_text(
    file: DataFile,
    text: TextFile,
    column_map: Mapping[str, str],
    shape_name: str | None,
    decimal: str | None,
) -> Text:
    """Every row of a text.

    Raises:
        SourceError: it cannot be read, or not be understood as a whole.
    """
    rows: Rows | None = None
    last_line = ""
    for block in text.blocks():
        filled = block.filled
        if not len(filled):
            continue
        if rows is None:
            recognised = _recognised(file, block, filled, column_map, shape_name)
            rows = Rows(recognised, decimal or _decimal(file, recognised, block, filled))
            filled = filled[recognised.header_lines :]
        if len(filled):
            _add(file, rows, block, filled)
            last_line = block.line(int(filled[-1]))
    if rows is None:
        raise file.error("the file is empty")
    footer = _footer(rows, last_line)
    if footer is not None:
        rows.drop_last()
    if not rows.count:
        raise file.error("there is a header, but no data rows", line=rows.recognised.header_lines)
    return Text(rows, footer)


def _recognised(
    file: DataFile,
    block: Block,
    filled: npt.NDArray[np.int64],
    column_map: Mapping[str, str],
    shape_name: str | None,
) -> Recognised:
    lines = [block.line(index) for index in filled[:HEAD_LINES].tolist()]
    first = block.first_line + int(filled[0])
    if len(lines[0]) > _MAX_HEADER_CHARS:
        raise file.error("the header is longer than 64 KiB: this is no CSV of bars", line=first)
    try:
        return recognise(lines, file.names, column_map, shape_name)
    except BarsError as error:
        raise file.error(str(error), line=first) from None


def _decimal(
    file: DataFile, recognised: Recognised, block: Block, filled: npt.NDArray[np.int64]
) -> str:
    places = [at for name, at in recognised.columns.items() if name in VALUES]
    sample = filled[recognised.header_lines :][:_SAMPLE_LINES].tolist()
    rows = [cells_of(block.line(index), recognised.delimiter) for index in sample]
    try:
        return decimal_mark(row[at] for row in rows for at in places if at < len(row))
    except BarsError as error:
        raise file.error(str(error)) from None


def _footer(rows: Rows, last_line: str) -> str | None:
    """The last line, if it is words in a single cell."""
    cells = cells_of(last_line, rows.recognised.delimiter)
    is_one = len([cell for cell in cells if cell]) == 1 < len(rows.recognised.names)
    is_broken = rows.count - 1 in rows.faults and not rows.recognised.beside
    if rows.count > 1 and is_one and is_broken and _FOOTER.search(last_line):
        return last_line
    return None


def _add(file: DataFile, rows: Rows, block: Block, filled: npt.NDArray[np.int64]) -> None:
    table, broken = _parse(file, rows.recognised, block, filled)
    keep = np.ones(len(filled), dtype=np.bool_)
    keep[[at for at, reason in broken.items() if reason is None]] = False
    good = np.ones(len(filled), dtype=np.bool_)
    good[list(broken)] = False
    good = good[keep]
    place_of = np.cumsum(keep) - 1
    reasons = {int(place_of[at]): text for at, text in broken.items() if text is not None}
    if broken:
        # A null index gives a null: the broken rows take their places again.
        table = table.take(pa.array(np.cumsum(good) - 1, mask=~good))
    lines = block.first_line + filled[keep]
    if rows.recognised.beside:
        _add_beside(rows, table, lines, reasons)
        return
    rows.faults.update({rows.count + place: text for place, text in reasons.items()})
    columns = {name: one_array(table[str(at)]) for name, at in rows.recognised.columns.items()}
    if rows.recognised.names == COLUMNS:
        columns["symbol"] = unguard_symbols(columns["symbol"])
    rows.add(columns, lines)


def _add_beside(
    rows: Rows, table: Any, lines: npt.NDArray[np.int64], reasons: Mapping[int, str]
) -> None:
    """The rows of each symbol that stands beside others.

    Where only the others have a bar its cells are empty: no row. A line that says nothing of any
    symbol is a row of the first one, to be refused.
    """
    cells = {
        symbol: {name: one_array(table[str(at)]) for name, at in places.items()}
        for symbol, places in rows.recognised.beside.items()
    }
    filled = np.array(
        [
            np.any([columns[name].is_valid() for name in VALUES if name in columns], axis=0)
            for columns in cells.values()
        ]
    )
    filled[0] |= ~filled.any(axis=0)
    for (symbol, columns), has_row in zip(cells.items(), filled, strict=True):
        places = np.flatnonzero(has_row)
        for row, place in enumerate(places.tolist(), rows.count):
            if place in reasons:
                rows.faults[row] = reasons[place]
        taken = {name: column.take(pa.array(places)) for name, column in columns.items()}
        rows.add({**taken, "symbol": pa.repeat(symbol, len(places))}, lines[places])


def _parse(
    file: DataFile, recognised: Recognised, block: Block, filled: npt.NDArray[np.int64]
) -> tuple[Any, dict[int, str | None]]:
    """The sound rows as strings, and by place among the filled lines what the others lack."""
    data = block.data[block.starts[filled[0]] :]
    unclosed: list[int] = []
    if b'"' in data:
        data, unclosed = _without_unclosed(block, filled)
    broken: dict[int, str | None] = {}
    what = "the header has" if recognised.header_lines else "there should be"

    def on_broken(row: Any) -> str:
        reason = f"{row.actual_columns} fields where {what} {row.expected_columns}"
        broken[row.number - 1] = reason if row.text.strip() else None
        return "skip"

    wanted = [str(at) for at in sorted(recognised.places)]
    table = pa_csv.read_csv(
        pa.BufferReader(data),
        read_options=pa_csv.ReadOptions(
            # One block on one thread: only so does pyarrow number the broken rows.
            use_threads=False,
            block_size=len(data) + 1,
            column_names=[str(at) for at in range(len(recognised.names))],
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=recognised.delimiter, invalid_row_handler=on_broken
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
        raise file.error(
            f"the quotes do not match somewhere in these {len(filled)} lines: the rows cannot be"
            " told apart",
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


__all__ = ["Text", "read_text"]
