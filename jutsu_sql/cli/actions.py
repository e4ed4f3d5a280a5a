"""``jutsu-sql actions``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from jutsu_sql.cli.common import (
    database_options,
    json_option,
    open_store,
    print_json,
    print_table,
)

_COLUMNS = ("symbol", "ex_date", "kind", "value", "observed_at", "known_from", "load_id")


@click.command()
@click.option("--symbol", help="List those of this symbol only.")
@click.option(
    "--as-of",
    metavar="TIME",
    help="List them as they were known then: a time with its offset, or a date for its end.",
)
@click.option(
    "--load",
    "path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A CSV file to load, with the columns symbol, ex_date, kind and value.",
)
@click.option(
    "--observed-at",
    metavar="TIME",
    help="When the file was taken from its source, with its offset.  [default: now]",
)
@json_option
@database_options
def command(
    symbol: str | None,
    as_of: str | None,
    path: Path | None,
    observed_at: str | None,
    as_json: bool,
    url: str | None,
    config_path: str | None,
) -> None:
    """List splits and dividends, or load them from a CSV file.

    The kind is split or dividend. The value of a split is the number of new shares for one old, as
    4, 0.1 or 4:1; that of a dividend is the amount for one share. `jutsu-sql bars --adjust` shows
    prices adjusted by them; what is stored stays raw. A file is one load, which `jutsu-sql undo`
    takes back.

    \b
    Example:
      jutsu-sql actions --load actions.csv
      jutsu-sql actions --symbol AAPL
      jutsu-sql bars AAPL 1D --adjust all
    """
    if path is None:
        if observed_at is not None:
            raise click.UsageError("--observed-at goes with --load")
        _list(symbol, as_of, as_json=as_json, url=url, config_path=config_path)
        return
    if symbol is not None or as_of is not None:
        raise click.UsageError("--load goes without --symbol and --as-of")
    from jutsu_sql.instants import datetime_from_us, us_from_bound
    from jutsu_sql.sources.actions import read_actions

    observed: datetime | None = None
    if observed_at is not None:
        observed = datetime_from_us(us_from_bound(observed_at, end=True))
    actions = read_actions(path)
    with open_store(url, config_path) as (_, store):
        report = store.write_actions(
            actions, source="csv", observed_at=observed, uri=path.absolute().as_uri()
        )
    if as_json:
        print_json(report)
    else:
        click.echo(
            f"Load {report.load_id}: {report.inserted} inserted, {report.updated} updated,"
            f" {report.unchanged} unchanged, {report.kept} kept of a later observation."
        )


def _list(
    symbol: str | None,
    as_of: str | None,
    *,
    as_json: bool,
    url: str | None,
    config_path: str | None,
) -> None:
    with open_store(url, config_path) as (_, store):
        rows = store.actions(symbol, as_of=as_of)
    if as_json:
        print_json(rows)
    else:
        shown = [tuple(getattr(row, name) for name in _COLUMNS) for row in rows]
        print_table("corporate actions", _COLUMNS, shown)
