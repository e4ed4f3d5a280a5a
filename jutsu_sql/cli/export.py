"""``jutsu-sql export``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Literal

import click

from jutsu_sql.cli.common import (
    database_options,
    json_option,
    open_store,
    print_json,
    progress_bar,
)


@click.command()
@click.argument("target", metavar="FILE|DIR|-")
@click.option("--symbol", "symbols", multiple=True, help="Only this symbol. Repeatable.")
@click.option("--timeframe", "timeframes", multiple=True, help="Only this timeframe. Repeatable.")
@click.option("--start", metavar="WHEN", help="The first date, or time with its offset.")
@click.option("--end", metavar="WHEN", help="The last one; a bare date is its whole day, in UTC.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "parquet", "feather"]),
    help="[default: by the suffix of the file, else csv]",
)
@click.option("--tz", metavar="ZONE", help="Of intraday times in CSV.  [default: UTC]")
@click.option("--partition", is_flag=True, help="Make a directory with a file for each series.")
@json_option
@database_options
def command(
    target: str,
    symbols: Sequence[str],
    timeframes: Sequence[str],
    start: str | None,
    end: str | None,
    form: Literal["csv", "parquet", "feather"] | None,
    tz: str | None,
    partition: bool,
    as_json: bool,
    url: str | None,
    config_path: str | None,
) -> None:
    """Write bars, of all series or of some, to a file, a directory or the standard output (-).

    All bars are of one state of the database. A file is put in its place when it is whole, and then
    replaces one that is there; a directory has to be new. In CSV, every number gives the same
    double back, times are UTC (or of --tz, with their offset), and from 1D up they are session
    dates. A symbol in CSV that a spreadsheet would take for a formula gets an apostrophe in front,
    which is said, and taken off by `jutsu-sql import`. Files in --partition have their symbol and
    timeframe in the names of their directories, percent-encoded, as DuckDB, pandas and polars read
    them.

    \b
    Example:
      jutsu-sql export bars.parquet
      jutsu-sql export spy.csv --symbol SPY --timeframe 1m --tz America/New_York
      jutsu-sql export bars --format parquet --partition
      jutsu-sql export - --symbol SPY --timeframe 1D | gzip > spy.csv.gz
    """
    from jutsu_sql.exports import export_bars

    is_stdout = target == "-"
    if is_stdout and as_json:
        raise click.UsageError("--json needs the standard output, which the bars go to")
    if is_stdout and form not in {None, "csv"} and sys.stdout.isatty():
        raise click.UsageError(f"{form} is not for a terminal: give a file, or a pipe")
    with open_store(url, config_path) as (_, store), progress_bar("exporting") as progress:
        report = export_bars(
            store,
            target,
            form=form,
            symbol=symbols or None,
            timeframe=timeframes or None,
            start=start,
            end=end,
            tz=tz,
            partition=partition,
            progress=progress,
        )
    if report.guarded:
        click.echo(
            "Note: an apostrophe stands in front of what a spreadsheet would take for a formula:"
            f" {', '.join(report.guarded)}",
            err=True,
        )
    if as_json:
        print_json(report)
    else:
        done = f"Exported {report.bars} bars of {report.series} series to {target}."
        click.echo(done, err=is_stdout)
