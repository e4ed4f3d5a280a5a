"""``jutsu-sql rejected``."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from typing import Any

import click

from jutsu_sql.cli.common import database_options, open_store, print_json, print_table

_VALUES = ("open", "high", "low", "close", "volume")


@click.command()
@click.argument("load", type=click.IntRange(min=1), required=False)
@click.option("--symbol", help="Only this symbol.")
@click.option("--timeframe", help="Only this timeframe.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="csv is for mending, see above.",
)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
@database_options
def command(
    load: int | None,
    symbol: str | None,
    timeframe: str | None,
    form: str,
    url: str | None,
    config_path: str | None,
) -> None:
    """Print the rows that validation refused, of the load with the number LOAD or of all loads.

    Each has its position (the line in a file, or the row in what a program passed, from 0), the
    reason, and the raw text: the line itself, or the values as JSON.

    --format csv writes rows of values as bars, to be mended in an editor and imported again; an
    import takes one series, which --symbol and --timeframe choose. Lines of a file are not in it,
    as only their file knows its columns: mend them there and import the file again, the rows that
    are stored already will be unchanged.

    \b
    Example:
      jutsu-sql rejected 17
      jutsu-sql rejected 17 --symbol AAPL --timeframe 1h --format csv > fix.csv
      jutsu-sql import fix.csv --symbol AAPL --timeframe 1h
    """
    from jutsu_sql.timeframe import parse_timeframe

    frame = None if timeframe is None else str(parse_timeframe(timeframe))
    with open_store(url, config_path) as (db, store):
        if load is not None and db.run("loads.find", load_id=load) is None:
            raise click.ClickException(f"there is no load {load}: `jutsu-sql loads` lists them")
        rows = store.rejected(load)
    rows = [row for row in rows if symbol in (None, row.symbol) and frame in (None, row.timeframe)]
    _PRINTERS[form](rows)


def _print_table(rows: list[Any]) -> None:
    columns = ("load", "position", "symbol", "timeframe", "ts", "reason", "raw")
    print_table("refused rows", columns, rows)


def _print_csv(rows: list[Any]) -> None:
    mendable = [(row, values) for row in rows if (values := _values(row.raw))]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("symbol", "timeframe", "ts", *_VALUES))
    for row, values in mendable:
        ts = row.ts.isoformat() if row.ts else ""
        writer.writerow((row.symbol, row.timeframe, ts, *values))
    if lines := len(rows) - len(mendable):
        click.echo(
            f"Warning: {lines} refused lines of files are left out: mend them in their files,"
            " which `jutsu-sql loads` names",
            err=True,
        )
    series = {(row.symbol, row.timeframe) for row, _ in mendable}
    if len(series) > 1:
        click.echo(
            f"Warning: these are rows of {len(series)} series, and an import takes one:"
            " --symbol and --timeframe choose it",
            err=True,
        )


def _values(raw: str) -> list[str] | None:
    """The values of a row that no file had; None for the line of a file."""
    try:
        values = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or set(values) != set(_VALUES):
        return None
    return [str(values[name]) for name in _VALUES]


_PRINTERS: dict[str, Callable[[list[Any]], None]] = {
    "table": _print_table,
    "csv": _print_csv,
    "json": print_json,
}
