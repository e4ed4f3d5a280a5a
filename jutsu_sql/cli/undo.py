"""``jutsu-sql undo``."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from jutsu_sql.cli.common import (
    as_text,
    database_options,
    json_option,
    open_store,
    print_json,
    require_consent,
    yes_option,
)

_COUNTS = ("inserted", "updated", "deleted")


@click.command()
@click.argument("load", type=click.IntRange(min=1))
@yes_option
@json_option
@database_options
def command(load: int, yes: bool, as_json: bool, url: str | None, config_path: str | None) -> None:
    """Take the load with the number LOAD back: a write, a delete, or an undo.

    Bars that it changed go back to what they were, bars that it inserted go away, bars that it
    deleted come back. What later loads have written or deleted since is left alone. An undo is a
    load of its own, so it can be undone too; `jutsu-sql loads` has the numbers.

    \b
    Example:
      jutsu-sql loads -n 5
      jutsu-sql undo 17
      jutsu-sql undo 17 --yes --json
    """
    with open_store(url, config_path) as (db, store):
        row = db.run("loads.find", load_id=load)
        if row is None:
            raise click.ClickException(f"there is no load {load}: `jutsu-sql loads` lists them")
        what = _described(row)
        require_consent(f"Undo {what} in {db.config.display_url}?", yes=yes)
        report = store.undo(load)
    if as_json:
        print_json({"undone": load, **dataclasses.asdict(report)})
    else:
        click.echo(
            f"Undid {what} by load {report.load_id}: {report.restored} bars put back as they were,"
            f" {report.reinserted} brought back, {report.deleted} taken away."
        )


def _described(row: Any) -> str:
    counts = ", ".join(f"{getattr(row, f'rows_{name}')} {name}" for name in _COUNTS)
    origin = f" from {as_text(row.uri)}" if row.uri else ""
    when = f"{row.finished_at:%Y-%m-%d %H:%M:%S} UTC" if row.finished_at else "unfinished"
    return f"load {row.load_id} ({row.kind} by {as_text(row.source)}{origin}, {when}: {counts})"
