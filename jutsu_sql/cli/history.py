"""``jutsu-sql history``."""

from __future__ import annotations

import click

from jutsu_sql.cli.bars import explain_unknown
from jutsu_sql.cli.common import (
    database_options,
    json_option,
    open_store,
    print_json,
    print_table,
)


@click.command()
@click.argument("symbol")
@click.argument("timeframe")
@click.argument("ts")
@json_option
@database_options
def command(
    symbol: str, timeframe: str, ts: str, as_json: bool, url: str | None, config_path: str | None
) -> None:
    """Show every version of the bar at TS, oldest first.

    TS is a date, or a time with its offset. Each version has the load that brought it, when it was
    observed, and from when until when it was what the database said; the current one has no end,
    and a bar that was deleted has no current one.

    \b
    Example:
      jutsu-sql history AAPL 1D 2024-01-02
      jutsu-sql history AAPL 1h 2024-01-02T14:30-05:00 --json
    """
    from jutsu_sql.timeframe import parse_timeframe

    frame = str(parse_timeframe(timeframe))
    with open_store(url, config_path) as (db, store):
        versions = store.history(symbol, frame, ts)
        if not versions and db.run("series.find", symbol=symbol, timeframe=frame) is None:
            raise click.ClickException(explain_unknown(db, symbol, timeframe))
    if as_json:
        print_json(versions)
    elif versions:
        columns = versions[0]._fields
        names = ["load" if name == "load_id" else name for name in columns]
        print_table(f"{symbol} {frame} {ts}", names, versions)
    else:
        click.echo(f"There has been no bar of {symbol} {frame} at {ts}.")
