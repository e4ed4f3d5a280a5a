"""``jutsu-sql bars``."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

import click

from jutsu_sql.cli.common import (
    as_ts,
    database_options,
    format_options,
    open_store,
    print_json,
    print_table,
)
from jutsu_sql.exported_csv import COLUMNS, guard_symbol

if TYPE_CHECKING:
    from jutsu_sql.bars import Bars
    from jutsu_sql.database import Database


@click.command()
@click.argument("symbol")
@click.argument("timeframe")
@click.option("--start", metavar="WHEN", help="The first date, or time with its offset.")
@click.option("--end", metavar="WHEN", help="The last one; a bare date is its whole day, in UTC.")
@click.option("--last", metavar="N", type=click.IntRange(min=1), help="Only the last N bars.")
@click.option(
    "--warmup", metavar="N", type=click.IntRange(min=1), help="And the last N bars before --start."
)
@click.option(
    "--as-of",
    metavar="TIME",
    help="As they were known then: a time with its offset, or a date for its end.",
)
@click.option(
    "--adjust",
    type=click.Choice(["splits", "all"]),
    help="Across splits, or across dividends as well; see `jutsu-sql actions`.",
)
@format_options("table", "csv", "json")
@database_options
def command(
    symbol: str,
    timeframe: str,
    start: str | None,
    end: str | None,
    last: int | None,
    warmup: int | None,
    as_of: str | None,
    adjust: Literal["splits", "all"] | None,
    form: str,
    url: str | None,
    config_path: str | None,
) -> None:
    """Print the bars of one series, oldest first.

    Times are UTC; from 1D up they are session dates. In CSV every number has the fewest digits
    that give the same double back, so that a volume of 123 is written 123.0. A series that is
    stored but has no bar in the range prints no bar; one that is not stored is an error.

    With --as-of no later load counts: corrections, deletes and undos that came after that time are
    not seen. `jutsu-sql loads` tells when each load was finished.

    \b
    Example:
      jutsu-sql bars AAPL 1D --last 5
      jutsu-sql bars AAPL 1h --start 2024-01-02 --end 2024-01-31 --format csv > aapl.csv
      jutsu-sql bars AAPL 1D --start 2024-01-02 --warmup 200
      jutsu-sql bars AAPL 1D --last 5 --as-of 2024-03-01T16:00-05:00
    """
    if last is not None and start is not None:
        raise click.UsageError("--last counts back from --end, so it goes without --start")
    if warmup is not None and start is None:
        raise click.UsageError("--warmup counts back from --start: say --start")
    with open_store(url, config_path) as (db, store):
        if last is not None and as_of is None and adjust is None:
            bars = store.latest(symbol, timeframe, last, end=end)
        else:
            bars = store.read(
                symbol, timeframe, start, end, warmup=warmup or 0, as_of=as_of, adjust=adjust
            )
            bars = bars[-last:] if last else bars
        if not bars.series:
            raise click.ClickException(explain_unknown(db, symbol, timeframe))
    PRINTERS[form](bars)


def explain_unknown(db: Database, symbol: str, timeframe: str) -> str:
    """That a series is not stored, and what the user may have meant."""
    stored = db.run("series.matching", symbol=None, timeframe=None)
    of_symbol = [series.timeframe for series in stored if series.symbol == symbol]
    near = get_close_matches(symbol, {series.symbol for series in stored}, 3)
    if of_symbol:
        hint = f"{symbol} is stored at {', '.join(of_symbol)}"
    elif near:
        hint = f"did you mean {' or '.join(near)}?"
    else:
        hint = "`jutsu-sql series` lists what is stored" if stored else "nothing is stored yet"
    return f"there are no bars of {symbol} at {timeframe}: {hint}"


def _print_table(bars: Bars) -> None:
    if len(bars):
        rows = [(as_ts(bar.ts, bar.timeframe), *bar[3:]) for bar in bars]
        ((symbol, timeframe),) = bars.series
        print_table(f"{symbol} {timeframe}", ("ts", "open", "high", "low", "close", "volume"), rows)


def _print_csv(bars: Bars) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(
        (guard_symbol(bar.symbol), bar.timeframe, bar.ts.isoformat(), *bar[3:]) for bar in bars
    )


def _print_json(bars: Bars) -> None:
    print_json(list(bars))


PRINTERS: dict[str, Callable[[Bars], None]] = {
    "table": _print_table,
    "csv": _print_csv,
    "json": _print_json,
}
