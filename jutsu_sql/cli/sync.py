"""``jutsu-sql sync``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
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

if TYPE_CHECKING:
    from jutsu_sql.store.sync import SyncedSeries

_FAILED, _REFUSED_SOME = 1, 3
_COUNTS = (
    "received",
    "inserted",
    "updated",
    "unchanged",
    "kept",
    "rejected",
    "partial",
    "missing",
)


@click.command()
@click.option(
    "--source",
    required=True,
    metavar="NAME",
    help="yahoo, directory:PATH, or one that another package brings; docs/sync.md.",
)
@click.option(
    "--symbol",
    "symbols",
    metavar="SYMBOL",
    multiple=True,
    help="Repeatable.  [default: every symbol that is stored at the timeframe]",
)
@click.option("--timeframe", default="1D", show_default=True, help="The length of a bar.")
@click.option(
    "--start", metavar="TIME", help="The first bar.  [default: the first that is known of]"
)
@click.option("--end", metavar="TIME", help="The last bar.  [default: now]")
@click.option("--tz", metavar="ZONE", help="Where the exchange is, if the source does not know.")
@click.option("--calendar", metavar="NAME", help="24/7, weekdays, or an exchange's, such as XNYS.")
@click.option(
    "--reread",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    help="So many of the last stored bars are fetched again, for corrections.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be asked for; ask for nothing.")
@json_option
@database_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    source: str,
    symbols: Sequence[str],
    timeframe: str,
    as_json: bool,
    url: str | None,
    config_path: str | None,
    **options: Any,
) -> None:
    """Fetch the bars that are missing from a source.

    Only what has never been asked for is asked for, backward to --start and forward to --end, and
    the last stored bars again. What a source does not have is noted, and not asked for again; for
    the last three days it may still come. A bar whose interval is not over is stored, and fetched
    again the next time. Splits and dividends are stored, where the source has them.

    Each piece that comes is one load: what is in when you interrupt stays in, and the same command
    goes on there. A symbol that fails does not stop the others.

    --tz and --calendar are kept with a new series. Without a calendar nothing tells a holiday from
    a missing bar: the times that have not been asked for are then all asked for.

    \b
    Exit status:
      0  all that was asked for was answered
      3  all was answered, but rows were no valid bars: `jutsu-sql rejected` lists them
      1  a symbol failed (the others were stored)

    \b
    Example:
      jutsu-sql sync --source yahoo --symbol AAPL --symbol MSFT --start 2015-01-01
      jutsu-sql sync --source yahoo
      jutsu-sql sync --source directory:downloads --symbol ES --timeframe 1m --tz America/Chicago
    """
    with open_store(url, config_path) as (_, store), progress_bar("Fetching") as progress:
        try:
            every = store.sync(source, symbols or None, timeframe, progress=progress, **options)
        except KeyboardInterrupt:
            click.echo("Interrupted: what has come is stored, the same command goes on.", err=True)
            raise
    if as_json:
        print_json({"series": every})
    else:
        _print(every, is_plan=options["dry_run"])
    if any(each.error for each in every):
        ctx.exit(_FAILED)
    if any(each.rejected for each in every):
        ctx.exit(_REFUSED_SOME)


def _print(every: Sequence[SyncedSeries], *, is_plan: bool) -> None:
    if is_plan:
        print_table(
            "To be asked for; nothing is",
            ("symbol", "timeframe", "from", "up to"),
            [
                (each.symbol, each.timeframe, *(as_ts(bound, each.timeframe) for bound in piece))
                for each in every
                for piece in each.asked
            ],
        )
    else:
        print_table(
            "Synced",
            ("symbol", "timeframe", "from", "up to", *_COUNTS),
            [
                (
                    each.symbol,
                    each.timeframe,
                    *(as_ts(bound, each.timeframe) for bound in _ends(each)),
                    *(getattr(each, name) for name in _COUNTS),
                )
                for each in every
            ],
        )
    for each in every:
        for note in each.notes:
            click.echo(f"{each.symbol}: {note}")
        if each.error:
            click.echo(f"Error: {each.symbol}: {each.error}", err=True)


def _ends(synced: SyncedSeries) -> tuple[datetime | None, datetime | None]:
    return (synced.asked[0][0], synced.asked[-1][1]) if synced.asked else (None, None)
