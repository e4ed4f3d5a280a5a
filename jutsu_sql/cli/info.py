"""``jutsu-sql info``."""

from __future__ import annotations

import platform
from typing import Any

import click

from jutsu_sql import __version__
from jutsu_sql.cli.common import database_options, json_option, print_json, print_table


@click.command()
@json_option
@database_options
def command(as_json: bool, url: str | None, config_path: str | None) -> None:
    """Show the database, its versions, its pool, its schema, and where its settings come from.

    A database that has not been migrated is shown as such, and is no failure.

    \b
    Example:
      jutsu-sql info
      jutsu-sql info --json --url sqlite:///market.db
    """
    from jutsu_sql.config import load_config
    from jutsu_sql.database import connect
    from jutsu_sql.errors import MigrationError
    from jutsu_sql.store import BarStore

    config = load_config(url, config_path=config_path)
    facts: dict[str, Any] = {
        "jutsu_sql": __version__,
        "python": platform.python_version(),
        "database": config.display_url,
        "configured_by": config.source,
        "pool_size": config.pool_size,
        "max_overflow": config.max_overflow,
        "pool_timeout": config.pool_timeout,
        "pool_recycle": config.pool_recycle,
    }
    try:
        with connect(config=config, create=False) as db:
            facts |= db.describe()
            snapshots = BarStore(db).describe_snapshots()
        facts |= {"schema": "current", "snapshots": snapshots}
    except MigrationError as error:
        facts |= {"schema": str(error)}
    if as_json:
        print_json(facts)
    else:
        print_table("jutsu-sql", ("what", "value"), list(facts.items()))
