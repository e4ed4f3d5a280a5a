"""``jutsu-sql stats``."""

from __future__ import annotations

import time
from typing import Any

import click

from jutsu_sql.cli.common import (
    database_options,
    json_option,
    open_database,
    print_json,
    print_table,
)

_TEXT_WIDTH = 60


@click.command()
@click.option(
    "--watch",
    "every_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1),
    help="Show it again every so many seconds, until interrupted.",
)
@json_option
@database_options
def command(every_s: float | None, as_json: bool, url: str | None, config_path: str | None) -> None:
    """Show what the database engine is doing, whoever asked it to.

    PostgreSQL: the sessions in this database by application and state, the largest tables, and,
    if the extension pg_stat_statements is there, the costliest statements, with the name of the
    query where it is one of ours. SQLite: the size of its files. What a process has counted
    only that process knows: db.stats() there, as JSON or for Prometheus.

    \b
    Example:
      jutsu-sql stats
      jutsu-sql stats --watch 2
      jutsu-sql stats --json
    """
    with open_database(url, config_path) as db:
        while True:
            _show(db.activity(), as_json=as_json)
            if every_s is None:
                return
            time.sleep(every_s)
            if not as_json:
                click.clear()


def _show(activity: dict[str, list[dict[str, Any]]], *, as_json: bool) -> None:
    if as_json:
        print_json(activity)
        return
    for number, (title, rows) in enumerate(activity.items()):
        if number:
            click.echo()
        columns = list(rows[0]) if rows else []
        print_table(title, columns, [[_shown(row[name]) for name in columns] for row in rows])


def _shown(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    return value if not isinstance(value, str) else value[:_TEXT_WIDTH]
