"""``jutsu-sql delete``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from jutsu_sql.cli.common import (
    database_options,
    json_option,
    open_store,
    print_json,
    print_table,
    require_consent,
    yes_option,
)

if TYPE_CHECKING:
    from jutsu_sql.store import BarStore


class _Part(NamedTuple):
    """What goes of one series."""

    symbol: str
    timeframe: str
    bars: int


@click.command()
@click.option("--symbol", help="Only this symbol.")
@click.option("--timeframe", help="Only this timeframe.")
@click.option("--start", metavar="WHEN", help="Only from this date, or time with its offset.")
@click.option("--end", metavar="WHEN", help="Only to this one; a bare date is its whole day.")
@click.option("--everything", is_flag=True, help="All bars of all series.")
@click.option("--dry-run", is_flag=True, help="Count what would go, by series; delete nothing.")
@yes_option
@json_option
@database_options
def command(
    symbol: str | None,
    timeframe: str | None,
    start: str | None,
    end: str | None,
    everything: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    url: str | None,
    config_path: str | None,
) -> None:
    """Delete the bars that all the filters match, in one transaction.

    \b
    Example:
      jutsu-sql delete --symbol AAPL --timeframe 1D --end 2019-12-31 --dry-run
      jutsu-sql delete --symbol AAPL --timeframe 1D --end 2019-12-31
    """
    filters = (symbol, timeframe, start, end)
    if everything == any(value is not None for value in filters):
        raise click.UsageError("give a filter, or --everything without one")
    with open_store(url, config_path) as (db, store):
        parts = _count(store, *filters)
        bars = sum(part.bars for part in parts)
        if dry_run:
            _print_plan(parts, bars, as_json=as_json)
            return
        report = None
        if bars:
            where = f"{bars} bars of {len(parts)} series in {db.config.display_url}"
            require_consent(f"Delete {where}?", yes=yes)
            report = store.delete(*filters, everything=everything, source="jutsu-sql delete")
    if as_json:
        print_json(report or {"load_id": None, "deleted": 0})
    else:
        click.echo(f"Deleted {report.deleted} bars." if report else "No bar matches.")


def _count(
    store: BarStore, symbol: str | None, timeframe: str | None, start: str | None, end: str | None
) -> list[_Part]:
    from jutsu_sql.timeframe import parse_timeframe

    frame = None if timeframe is None else str(parse_timeframe(timeframe))
    parts = []
    for series in store.series():
        if symbol in (None, series.symbol) and frame in (None, series.timeframe):
            is_whole = start is None and end is None
            bars = (
                series.bars
                if is_whole
                else len(store.read(series.symbol, series.timeframe, start, end))
            )
            parts.append(_Part(series.symbol, series.timeframe, bars))
    return [part for part in parts if part.bars]


def _print_plan(parts: list[_Part], bars: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"would_delete": bars, "series": parts})
        return
    if parts:
        print_table("to delete", _Part._fields, parts)
    click.echo(f"Would delete {bars} bars of {len(parts)} series.")
