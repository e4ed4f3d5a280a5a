"""Outside formats into the store: one file, one load."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jutsu_sql.bars import Rejection
from jutsu_sql.errors import RejectedBarsError, SourceError
from jutsu_sql.sources.csv import CsvBars, CsvLayout, read_csv
from jutsu_sql.sources.text_file import Progress
from jutsu_sql.store import BarStore, LoadReport

__all__ = [
    "CsvBars",
    "CsvLayout",
    "ImportReport",
    "RefusedLine",
    "import_csv",
    "read_csv",
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
    """What one file held, what became of it, and its lines that were refused."""

    path: Path
    layout: CsvLayout
    report: LoadReport
    refused: list[RefusedLine]


def import_csv(
    store: BarStore,
    path: str | Path,
    *,
    symbol: str,
    timeframe: str,
    tz: str | None = None,
    columns: Mapping[str, str] | None = None,
    date_format: str | None = None,
    on_conflict: Literal["update", "ignore", "error"] = "update",
    strict: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Store the bars of one CSV file, as one load: all that validation accepts, or nothing.

    The file is read as :func:`read_csv` does, and written as :meth:`BarStore.write` does.

    Raises:
        SourceError: the file cannot be read, or none of its rows can be stored.
        RejectedBarsError: ``strict``, and a line is refused.
        JutsuSqlError: as the two functions above. In every case nothing was written.
    """
    parsed = read_csv(
        path,
        symbol=symbol,
        timeframe=timeframe,
        tz=tz,
        columns=columns,
        date_format=date_format,
        progress=progress,
    )
    refused = refused_lines(parsed, strict=strict)
    report = store.write(
        parsed.bars,
        source="csv",
        on_conflict=on_conflict,
        uri=parsed.path.absolute().as_uri(),
        content_sha256=parsed.content_sha256,
    )
    return ImportReport(parsed.path, parsed.layout, report, refused)


def refused_lines(parsed: CsvBars, *, strict: bool = False) -> list[RefusedLine]:
    """The lines of a file that the store will refuse.

    Raises:
        SourceError: that is every line. RejectedBarsError: with ``strict``, that is any line.
    """
    validation = parsed.bars.validate()
    rejections = validation.rejections
    texts = parsed.texts([rejection.row for rejection in rejections])
    refused = [
        RefusedLine(
            int(parsed.lines[rejection.row]),
            _reason(parsed, rejection),
            texts.get(rejection.row, ""),
        )
        for rejection in rejections
    ]
    if not len(validation.order):
        raise SourceError(f"no row can be stored: {_listed(refused)}", path=str(parsed.path))
    if strict and refused:
        raise RejectedBarsError(
            f"{parsed.path}: {len(refused)} rows refused, nothing was written: {_listed(refused)}",
            rejections=rejections,
        )
    return refused


def _reason(parsed: CsvBars, rejection: Rejection) -> str:
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
