"""``jutsu-sql loads``."""

from __future__ import annotations

from typing import Any

import click

from jutsu_sql.cli.common import (
    database_options,
    json_option,
    open_store,
    print_json,
    print_table,
)

_COUNTS = ("received", "inserted", "updated", "unchanged", "kept", "rejected", "deleted")


@click.command()
@click.option(
    "-n",
    "n",
    metavar="N",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How many.",
)
@json_option
@database_options
def command(n: int, as_json: bool, url: str | None, config_path: str | None) -> None:
    """List the last loads, newest first: every write, delete and undo, and what it did in rows.

    What a load did is known from the time it was finished: `jutsu-sql bars --as-of` that time
    shows the bars as this load left them. A load over several connections that is under way, or
    whose writer is gone, is unfinished. --json has all that is noted of a load.

    \b
    Example:
      jutsu-sql loads -n 5
      jutsu-sql loads --json | jq '.[0].load_id'
    """
    with open_store(url, config_path) as (_, store):
        rows = store.loads(n)
    if as_json:
        print_json(rows)
        return
    shown = [
        (
            row.load_id,
            row.kind,
            row.source,
            row.finished_at or "unfinished",
            *_counts(row),
            row.uri,
        )
        for row in rows
    ]
    print_table("loads", ("load", "kind", "source", "finished", *_COUNTS, "uri"), shown)


def _counts(row: Any) -> list[int]:
    return [getattr(row, f"rows_{name}") for name in _COUNTS]
