"""Outside formats into the store: one file, one load."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

import pyarrow as pa

from jutsu_sql.bars import Rejection, Series
from jutsu_sql.errors import RejectedBarsError, SourceError
from jutsu_sql.sources.data_file import DataFile, Progress, find_files
from jutsu_sql.sources.read import FileBars, Layout, parse_file, read_file
from jutsu_sql.sources.reading import raw_stamps
from jutsu_sql.store import BarStore, LoadReport

__all__ = [
    "DataFile",
    "FileBars",
    "ImportReport",
    "Layout",
    "RefusedLine",
    "find_files",
    "import_file",
    "raw_stamps",
    "read_file",
    "refused_lines",
]

_SHOWN_LINES = 5


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line of a file that is no bar to store, why, and how it is written."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What one file held, what became of it, and its lines that were refused.

    If ``report.skipped``, the load ``report.load_id`` stored this file before, and nothing was done
    now: its rows count as ``unchanged`` but for those that were refused then, and ``refused`` lists
    these. ``report.rejections`` is then empty.
    """

    file: DataFile
    layout: Layout
    series: tuple[Series, ...]
    report: LoadReport
    refused: list[RefusedLine]


def import_file(
    store: BarStore,
    path: str | Path | DataFile,
    *,
    symbol: str | None = None,
    timeframe: str | None = None,
    tz: str | None = None,
    stamp_tz: str | None = None,
    calendar: str | None = None,
    stamp: Literal["start", "end"] | None = None,
    shape: str | None = None,
    columns: Mapping[str, str] | None = None,
    date_format: str | None = None,
    decimal: str | None = None,
    on_conflict: Literal["update", "ignore", "error"] = "update",
    strict: bool = False,
    observed_at: datetime | None = None,
    force: bool = False,
    selection: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Store the bars of one file, as one load: all that validation accepts, or nothing.

    The file is read as :func:`read_file` does, and written as :meth:`BarStore.write` does. Where
    neither ``tz`` nor ``calendar`` is given, a series that is stored already has its own. Lines
    that are refused are kept in ``rejected_bars``, with their number as the position and their text
    as ``raw``. A file that was loaded before, by the same arguments, and whose series nothing has
    touched since is skipped, unless ``force``; with ``on_conflict="error"`` it is never skipped.

    What a file lacks between the first and the last bar of a series, its source does not have, as
    :meth:`BarStore.coverage` tells, unless the file is a ``selection``.

    Raises:
        SourceError: the file cannot be read, or none of its rows can be stored.
        RejectedBarsError: ``strict``, and a line is refused.
        JutsuSqlError: as the two functions above. In every case nothing was written.
    """
    parsing = {
        "symbol": symbol,
        "timeframe": timeframe,
        "tz": tz,
        "shape": shape,
        "columns": columns,
        "date_format": date_format,
        "decimal": decimal,
    }
    unplaced = parse_file(path, progress=progress, **parsing)  # type: ignore[arg-type]
    if tz is None and calendar is None:
        tz, calendar = store.origin(*unplaced.series[0])
    parsed = unplaced.place(tz=tz, stamp_tz=stamp_tz, calendar=calendar, stamp=stamp)
    # Its texts and stamps take as much as the bars.
    del unplaced
    pa.default_memory_pool().release_unused()
    if strict:
        refused_lines(parsed, strict=True)
    refused: dict[int, RefusedLine] = {}

    def describe(rejection: Rejection) -> tuple[int, str, str]:
        # All at once, when the first is asked for: the file is read again for them. If they are all
        # that the file has, this raises, and the load does not happen.
        if not refused:
            refused.update(_refused_rows(parsed))
        each = refused[rejection.row]
        return each.line, each.reason, each.text

    report = store.write(
        parsed.bars,
        source=parsed.layout.shape,
        on_conflict=on_conflict,
        observed_at=observed_at,
        uri=parsed.file.uri,
        content_sha256=_content(parsed, on_conflict),
        # Whoever wants an error for stored bars has not asked whether this file brought them.
        force=force or on_conflict == "error",
        describe=describe,
        timezone=parsed.layout.timezone,
        calendar=parsed.layout.calendar,
        reading=parsed.reading,
        asked=None if selection else "span",
    )
    if not report.skipped:
        return ImportReport(
            parsed.file, parsed.layout, parsed.bars.series, report, list(refused.values())
        )
    before = [
        RefusedLine(row.position, row.reason, row.raw) for row in store.rejected(report.load_id)
    ]
    rows = len(parsed.bars)
    report = replace(report, received=rows, unchanged=rows - len(before), rejected=len(before))
    return ImportReport(parsed.file, parsed.layout, parsed.bars.series, report, before)


def _content(parsed: FileBars, on_conflict: str) -> str:
    """The hash of what a file says, which is more than its bytes.

    The same bytes as another symbol, in another zone or by other columns are other bars, and what
    ``"ignore"`` left alone ``"update"`` may replace.
    """
    layout = parsed.layout
    meaning = (
        parsed.content_sha256,
        parsed.bars.series,
        parsed.reading,
        sorted(layout.columns.items()),
        layout.numbers,
        on_conflict,
    )
    return hashlib.sha256(json.dumps(meaning).encode()).hexdigest()


def refused_lines(parsed: FileBars, *, strict: bool = False) -> list[RefusedLine]:
    """The lines of a file that the store will refuse.

    Raises:
        SourceError: that is every line. RejectedBarsError: with ``strict``, that is any line.
    """
    return list(_refused_rows(parsed, strict=strict).values())


def _refused_rows(parsed: FileBars, *, strict: bool = False) -> dict[int, RefusedLine]:
    """Those lines by row: of one line there may be several, side by side."""
    validation = parsed.bars.validate()
    rejections = validation.rejections
    texts = parsed.texts([rejection.row for rejection in rejections])
    refused = {
        rejection.row: RefusedLine(
            int(parsed.lines[rejection.row]),
            _reason(parsed, rejection),
            texts.get(rejection.row, ""),
        )
        for rejection in rejections
    }
    if not len(validation.order):
        raise SourceError(
            f"no row can be stored: {_listed(refused.values())}", path=str(parsed.file)
        )
    if strict and refused:
        raise RejectedBarsError(
            f"{parsed.file}: {len(refused)} rows refused, nothing was written:"
            f" {_listed(refused.values())}",
            rejections=rejections,
        )
    return refused


def _reason(parsed: FileBars, rejection: Rejection) -> str:
    if rejection.row in parsed.faults:
        return parsed.faults[rejection.row]
    # Validation counts rows; whoever has the file open in an editor counts lines.
    return re.sub(
        r"\brow (\d+)", lambda match: f"line {parsed.lines[int(match[1])]}", rejection.reason
    )


def _listed(refused: Iterable[RefusedLine]) -> str:
    lines = [f"line {each.line}: {each.reason}" for each in refused]
    more = len(lines) - _SHOWN_LINES
    return "; ".join(lines[:_SHOWN_LINES]) + (f"; and {more} more" if more > 0 else "")
