"""``jutsu-sql import``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jutsu_sql.cli.common import (
    as_ts,
    database_options,
    json_option,
    open_store,
    print_json,
    print_table,
    progress_bar,
)
from jutsu_sql.config import redact
from jutsu_sql.errors import JutsuSqlError

if TYPE_CHECKING:
    from jutsu_sql.bars import Bar, Series
    from jutsu_sql.sources import DataFile, Layout, RefusedLine

_FAILED, _REFUSED_SOME = 1, 3
_SHOWN_LINES = 20
_SHOWN_CHARS = 100
_FIRST_BARS = 3

_WRITING = ("on_conflict", "observed_at", "force", "selection")
_SHOWN_COUNTS = ("inserted", "updated", "unchanged", "kept")
_COUNTS = (
    "load_id",
    "received",
    "inserted",
    "updated",
    "unchanged",
    "kept",
    "kept_from_partial",
    "rejected",
    "skipped",
)

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class _Outcome:
    """What became of one file: ``counts`` if it was stored, ``first`` if it was only looked at.

    A file that was skipped is stored as well, by an earlier load.
    """

    file: DataFile
    symbol: str | None = None
    timeframe: str | None = None
    error: str | None = None
    layout: Layout | None = None
    counts: dict[str, int] = field(default_factory=dict)
    first: list[Bar] = field(default_factory=list)
    refused: list[RefusedLine] = field(default_factory=list)

    @property
    def is_stored(self) -> bool:
        return "load_id" in self.counts

    def name_series(self, series: Sequence[Series]) -> None:
        """The symbol, or how many there are, and the timeframe."""
        self.symbol = series[0].symbol if len(series) == 1 else f"{len(series)} symbols"
        self.timeframe = series[0].timeframe


_Import = Callable[[_Outcome, "Progress | None"], None]


def _column_map(
    _ctx: click.Context, _param: click.Parameter, given: Sequence[str]
) -> dict[str, str]:
    columns = {}
    for pair in given:
        name, equals, header = pair.partition("=")
        if not (name and equals and header):
            raise click.BadParameter(f'{pair!r} is not FIELD=NAME, as in close="Close Price"')
        columns[name.strip()] = header
    return columns


def _aware_time(_ctx: click.Context, _param: click.Parameter, given: str | None) -> datetime | None:
    if given is None:
        return None
    try:
        time = datetime.fromisoformat(given)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise click.BadParameter(
            f"{given!r} is no ISO 8601 time with its offset, such as 2024-01-02T21:00Z"
        )
    return time


@click.command()
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--symbol", help="The symbol of all the files, where they do not say it.")
@click.option("--timeframe", help="The length of a bar, where the files do not say it: 1m, 1h, 1D.")
@click.option("--tz", metavar="ZONE", help="Where the exchange is, such as America/New_York.")
@click.option("--stamp-tz", metavar="ZONE", help="The zone of times without one.  [default: --tz]")
@click.option("--calendar", metavar="NAME", help="24/7, weekdays, or an exchange's, such as XNYS.")
@click.option(
    "--stamp",
    type=click.Choice(["start", "end"]),
    help="Which side of its interval a bar is stamped with.",
)
@click.option("--as", "shape", metavar="SHAPE", help="The shape of the files; docs/importing.md.")
@click.option(
    "--column",
    "columns",
    metavar="FIELD=NAME",
    multiple=True,
    callback=_column_map,
    help="The header of time, date, open, high, low, close or volume. Repeatable.",
)
@click.option(
    "--date-format",
    metavar="FORMAT",
    help="How times are written, as for strptime; or s, ms, us, ns since 1970.",
)
@click.option(
    "--decimal", type=click.Choice([".", ","]), help="The decimal mark, where nothing tells it."
)
@click.option(
    "--on-conflict",
    type=click.Choice(["update", "ignore", "error"]),
    default="update",
    show_default=True,
    help="A bar that is stored already: replace it if it differs, leave it, or refuse the file.",
)
@click.option("--strict", is_flag=True, help="Store nothing of a file with a bad row.")
@click.option(
    "--observed-at",
    metavar="TIME",
    callback=_aware_time,
    help="When the files were taken from their source, with its offset.  [default: now]",
)
@click.option("--force", is_flag=True, help="Load a file again that is loaded already.")
@click.option(
    "--selection", is_flag=True, help="Bars that the files lack between others may exist: coverage."
)
@click.option("--dry-run", is_flag=True, help="Show what is understood; open no database.")
@json_option
@database_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    files: Sequence[Path],
    timeframe: str | None,
    dry_run: bool,
    as_json: bool,
    url: str | None,
    config_path: str | None,
    **options: Any,
) -> None:
    """Load bars from the files of any vendor.

    FILE is delimited text, JSON, Parquet, Feather, Arrow or Databento's DBN, plain or in gzip, zstd
    or zip; or a directory, or a pattern in quotes. The shape of a file is recognised from its first
    rows; any header does that names date or time, open, high, low, close, volume. --dry-run shows
    what is understood, and why. What a file does not say is asked for, and never guessed.

    Each file is one load, all or nothing. Rows that are no valid bars are refused, and listed with
    their lines; `jutsu-sql rejected` lists them again.

    A file that was loaded before, in the same way, is skipped if nothing has touched its series
    since: its rows are reported as unchanged, and those that were refused then as refused. So an
    import that was interrupted goes on where it was. A stored bar that was observed later than
    --observed-at is kept, and counted.

    --tz says where the exchange is. A daily bar lands on its session date there, whatever stamp
    the vendor gave it; an intraday bar on its UTC instant, and times without a zone are read there.

    \b
    Exit status:
      0  every row is stored now, but for those that the database has from a later observation
      3  the files are stored, but rows of them were refused
      1  a file could not be imported (the others were)

    \b
    Example:
      jutsu-sql import AAPL.csv
      jutsu-sql import downloads/ 'more/*.csv.gz' --tz America/New_York --dry-run
      jutsu-sql import prices.csv --symbol TCS --column close="Close Price" --calendar XBOM
      jutsu-sql import EURUSD.txt --as histdata --observed-at 2024-01-02T21:00Z
    """
    from jutsu_sql.calendars import open_calendar
    from jutsu_sql.instants import zone
    from jutsu_sql.sources import find_files
    from jutsu_sql.timeframe import parse_timeframe

    if timeframe is not None:
        timeframe = str(parse_timeframe(timeframe))
    for name in (options["tz"], options["stamp_tz"]):
        if name is not None:
            zone(name)
    if options["calendar"] is not None:
        open_calendar(options["calendar"])
    found, others = find_files(files)
    outcomes: list[_Outcome] = []
    try:
        options["timeframe"] = timeframe
        with _importer(url, config_path, options, dry_run=dry_run) as run:
            for file in found:
                outcome = _Outcome(file)
                with progress_bar(file.names[0].rpartition("/")[2]) as progress:
                    _import_one(run, outcome, progress)
                outcomes.append(outcome)
    finally:
        # Also when interrupted: what was stored before stays stored.
        if outcomes:
            (_print_outcomes_json if as_json else _print_outcomes)(outcomes)
    if others and not as_json:
        names = ", ".join(map(str, others))
        click.echo(f"Not files of bars by their names, or links to elsewhere: {names}")
    if any(outcome.error for outcome in outcomes):
        ctx.exit(_FAILED)
    if any(outcome.refused for outcome in outcomes):
        ctx.exit(_REFUSED_SOME)


def _import_one(run: _Import, outcome: _Outcome, progress: Progress | None) -> None:
    try:
        run(outcome, progress)
    except JutsuSqlError as error:
        outcome.error = redact(str(error))


@contextmanager
def _importer(
    url: str | None, config_path: str | None, options: dict[str, Any], *, dry_run: bool
) -> Iterator[_Import]:
    from jutsu_sql.sources import import_file, read_file, refused_lines

    strict = options.pop("strict")
    writing = {name: options.pop(name) for name in _WRITING}

    def look(outcome: _Outcome, progress: Progress | None) -> None:
        parsed = read_file(outcome.file, progress=progress, **options)
        outcome.layout = parsed.layout
        outcome.name_series(parsed.bars.series)
        outcome.counts = {"received": len(parsed.bars)}
        outcome.refused = refused_lines(parsed, strict=strict)
        outcome.first = list(parsed.bars[parsed.bars.validate().order[:_FIRST_BARS]])

    if dry_run:
        yield look
        return
    with open_store(url, config_path) as (_, store), _without_row_warnings():

        def load(outcome: _Outcome, progress: Progress | None) -> None:
            done = import_file(
                store, outcome.file, strict=strict, progress=progress, **writing, **options
            )
            outcome.layout, outcome.refused = done.layout, done.refused
            outcome.name_series(done.series)
            outcome.counts = {name: getattr(done.report, name) for name in _COUNTS}

        yield load


@contextmanager
def _without_row_warnings() -> Iterator[None]:
    """The store warns of refused rows by number; here they are listed by line."""
    logger = logging.getLogger("jutsu_sql")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _print_outcomes_json(outcomes: Sequence[_Outcome]) -> None:
    print_json({"files": [{"path": str(each.file), **_fields(each)} for each in outcomes]})


def _fields(outcome: _Outcome) -> dict[str, Any]:
    names = (each.name for each in fields(outcome) if each.name != "file")
    return {name: getattr(outcome, name) for name in names}


def _print_outcomes(outcomes: Sequence[_Outcome]) -> None:
    for outcome in outcomes:
        if outcome.layout and not outcome.is_stored:
            _print_layout(outcome)
    stored = [each for each in outcomes if each.is_stored]
    if stored:
        print_table(
            "Imported",
            ("file", "symbol", "timeframe", "rows", *_SHOWN_COUNTS, "refused"),
            [
                (
                    each.file,
                    each.symbol,
                    each.timeframe,
                    *(each.counts[name] for name in ("received", *_SHOWN_COUNTS, "rejected")),
                )
                for each in stored
            ],
        )
    for outcome in stored:
        _print_notes(outcome)
    for outcome in outcomes:
        if outcome.refused:
            _print_refused(outcome)
    for outcome in outcomes:
        if outcome.error:
            click.echo(f"Error: {outcome.error}", err=True)


def _print_notes(outcome: _Outcome) -> None:
    path, counts = outcome.file, outcome.counts
    if counts["skipped"]:
        refused = f", which refused {counts['rejected']} rows" if counts["rejected"] else ""
        click.echo(
            f"{path}: already loaded by load {counts['load_id']}{refused}; --force loads it again"
        )
    if outcome.layout and not counts["skipped"]:
        click.echo(f"{path}: {outcome.layout.why}")
        for note in outcome.layout.notes:
            click.echo(f"  {note}")
    if counts["kept"]:
        partial = counts["kept_from_partial"]
        early = f"; the file has {partial} of them from before they were over" if partial else ""
        click.echo(f"{path}: {counts['kept']} stored bars were observed later and are kept{early}")


def _print_layout(outcome: _Outcome) -> None:
    layout = outcome.layout
    assert layout is not None
    packing = f", {layout.compression}" if layout.compression else ""
    header = (
        f"{layout.header_lines} lines to the end of the header" if layout.header_lines else "none"
    )
    rows = [
        ("file", outcome.file),
        ("shape", f"{layout.shape}: {layout.why}"),
        ("rows", f"{outcome.counts['received']}, of which {len(outcome.refused)} would be refused"),
        (layout.format, f"{layout.encoding}{packing}, {layout.delimiter} between fields"),
        ("header", header),
        ("symbol", layout.symbol),
        ("timeframe", layout.timeframe),
        *((name, f"column {header!r}") for name, header in layout.columns.items()),
        ("ignored", ", ".join(map(repr, layout.ignored)) or "nothing"),
        ("numbers", layout.numbers),
        ("times", f"{layout.time_format}: {layout.stamps}"),
        ("a stamp is", layout.sessions),
        ("exchange", f"zone {layout.timezone or 'not said'}, calendar {layout.calendar or 'none'}"),
        ("adjusted", layout.adjusted),
        ("order", layout.order),
        ("first, last", f"{layout.first}, {layout.last}"),
        *(("note", note) for note in layout.notes),
    ]
    print_table("What is understood; nothing is written", ("what", "as"), rows)
    if outcome.first:
        click.echo()
        print_table(
            "The first bars",
            ("ts", "open", "high", "low", "close", "volume"),
            [(as_ts(bar.ts, bar.timeframe), *bar[3:]) for bar in outcome.first],
        )


def _print_refused(outcome: _Outcome) -> None:
    refused = outcome.refused
    click.echo(f"\n{outcome.file}: {len(refused)} rows refused")
    shown = [(each.line, each.reason, each.text[:_SHOWN_CHARS]) for each in refused[:_SHOWN_LINES]]
    print_table("Refused", ("line", "reason", "text"), shown)
    if len(refused) > len(shown):
        click.echo(f"... and {len(refused) - len(shown)} more; --json lists them all")
