"""``jutsu-sql audit``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

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
    from jutsu_sql.audit import Finding

_FOUND = 3
_SHOWN = 3


@click.command()
@click.option("--symbol", "symbols", multiple=True, help="Only this symbol. Repeatable.")
@click.option("--timeframe", "timeframes", multiple=True, help="Only this timeframe. Repeatable.")
@click.option(
    "--stale-bars",
    metavar="N",
    type=click.IntRange(min=2),
    default=5,
    show_default=True,
    help="So many bars in a row with the same values are stale.",
)
@click.option(
    "--outlier-mads",
    metavar="X",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    show_default=True,
    help="So many median absolute deviations off its neighbours a price is an outlier.",
)
@click.option(
    "--tick",
    metavar="STEP",
    type=click.FloatRange(min=0, min_open=True),
    help="The step of prices.  [default: the decimals that 99 % of the bars fit into]",
)
@json_option
@database_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    symbols: Sequence[str],
    timeframes: Sequence[str],
    stale_bars: int,
    outlier_mads: float,
    tick: float | None,
    as_json: bool,
    url: str | None,
    config_path: str | None,
) -> None:
    """Look for what is wrong with stored bars, though each is valid by itself.

    Duplicate sessions, stale runs, outliers against their neighbours, bars without volume in series
    that have some, prices off tick, prices of two adjustments in one series, and sessions on
    weekends, which a wrong time zone makes. Each comes with its first bars and a remedy; nothing is
    changed. --json has up to twenty bars of each.

    \b
    Exit status:
      0  nothing was found
      3  something was

    \b
    Example:
      jutsu-sql audit
      jutsu-sql audit --symbol SPY --timeframe 1D --tick 0.01 --json
    """
    from jutsu_sql.audit import Thresholds, audit_bars

    thresholds = Thresholds(stale_bars, outlier_mads, tick)
    with open_store(url, config_path) as (db, _), progress_bar("auditing") as progress:
        found = list(audit_bars(db, symbols or None, timeframes or None, thresholds, progress))
    if as_json:
        print_json(found)
    elif found:
        _print_findings(found)
    else:
        click.echo("Nothing was found.")
    if found:
        ctx.exit(_FOUND)


def _print_findings(found: Sequence[Finding]) -> None:
    rows = [
        (f"{each.symbol} {each.timeframe}", each.kind, each.bars, each.detail) for each in found
    ]
    print_table("findings", ("series", "finding", "bars", "detail"), rows)
    click.echo()
    shown = [
        (bar.symbol, bar.timeframe, each.kind, as_ts(bar.ts, bar.timeframe), *bar[3:])
        for each in found
        for bar in each.rows[:_SHOWN]
    ]
    columns = ("symbol", "timeframe", "finding", "ts", "open", "high", "low", "close", "volume")
    print_table(f"the first {_SHOWN} of each", columns, shown)
    click.echo()
    for kind, remedy in dict.fromkeys((each.kind, each.remedy) for each in found):
        click.echo(f"{kind}: {remedy}")
