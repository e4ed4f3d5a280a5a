"""``jutsu-sql series``."""

from __future__ import annotations

import click

from jutsu_sql.cli.common import (
    as_ts,
    database_options,
    json_option,
    open_store,
    print_json,
    print_table,
)


@click.command()
@json_option
@database_options
def command(as_json: bool, url: str | None, config_path: str | None) -> None:
    """List every series, with the number of its bars, the first and the last.

    \b
    Example:
      jutsu-sql series
      jutsu-sql series --json | jq '.[].symbol'
    """
    with open_store(url, config_path) as (_, store):
        stored = store.series()
    if as_json:
        print_json(stored)
        return
    rows = [
        (s.symbol, s.timeframe, s.bars, as_ts(s.first, s.timeframe), as_ts(s.last, s.timeframe))
        for s in stored
    ]
    print_table("series", ("symbol", "timeframe", "bars", "first", "last"), rows)
