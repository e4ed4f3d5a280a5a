"""``jutsu-sql migrate``."""

from __future__ import annotations

from contextlib import suppress

import click

from jutsu_sql.cli.common import (
    database_options,
    json_option,
    open_database,
    print_json,
    print_table,
    require_consent,
    yes_option,
)


@click.command()
@click.option("--status", is_flag=True, help="List the migrations; exit 1 unless all is current.")
@click.option("--dry-run", is_flag=True, help="Print the SQL that would run; change nothing.")
@click.option("--rollback", is_flag=True, help="Take the whole schema back, all bars with it.")
@yes_option
@json_option
@database_options
def command(
    status: bool,
    dry_run: bool,
    rollback: bool,
    yes: bool,
    as_json: bool,
    url: str | None,
    config_path: str | None,
) -> None:
    """Bring the schema of the database up to this version.

    A SQLite file that does not exist is made, readable by its owner only. --status says of each
    migration whether it is applied, pending, or unknown (to this version: a newer one applied it).

    \b
    Example:
      jutsu-sql migrate --dry-run
      jutsu-sql migrate
      jutsu-sql migrate --status --url postgresql://app@db.example/market
    """
    if status + dry_run + rollback > 1:
        raise click.UsageError("--status, --dry-run and --rollback exclude each other")
    if status:
        _show_status(url, config_path, as_json=as_json)
    elif dry_run:
        _show_pending(url, config_path, as_json=as_json)
    elif rollback:
        _roll_back(url, config_path, yes=yes, as_json=as_json)
    else:
        _apply(url, config_path, as_json=as_json)


def _apply(url: str | None, config_path: str | None, *, as_json: bool) -> None:
    with open_database(url, config_path, create=True) as db:
        applied = db.migrate()
        where = db.config.display_url
    if as_json:
        print_json({"applied": applied})
    else:
        done = f"Applied {', '.join(applied)}" if applied else "Nothing to apply"
        click.echo(f"{done}: {where} is current.")


def _roll_back(url: str | None, config_path: str | None, *, yes: bool, as_json: bool) -> None:
    with open_database(url, config_path) as db:
        where = db.config.display_url
        require_consent(f"Take back the schema of {where}, and delete all its bars?", yes=yes)
        with db.migrator() as migrator:
            rolled_back = migrator.rollback()
    if as_json:
        print_json({"rolled_back": rolled_back})
    else:
        done = f"Rolled back {', '.join(rolled_back)}" if rolled_back else "Nothing to roll back"
        click.echo(f"{done}: {where} has no schema.")


def _show_status(url: str | None, config_path: str | None, *, as_json: bool) -> None:
    from jutsu_sql.migrations import migration_status

    dialect, applied = _read_applied(url, config_path)
    states = [
        (row.migration_id, _state(row.is_applied, row.is_shipped))
        for row in migration_status(applied, dialect)
    ]
    is_current = {state for _, state in states} == {"applied"}
    if as_json:
        migrations = [{"migration": name, "state": state} for name, state in states]
        print_json({"is_current": is_current, "migrations": migrations})
    else:
        print_table("migrations", ("migration", "state"), states)
    if not is_current:
        click.get_current_context().exit(1)


def _state(is_applied: bool, is_shipped: bool) -> str:
    if not is_shipped:
        return "unknown"
    return "applied" if is_applied else "pending"


def _show_pending(url: str | None, config_path: str | None, *, as_json: bool) -> None:
    from jutsu_sql.errors import NotMigratedError
    from jutsu_sql.migrations import pending_sql, require_current

    dialect, applied = _read_applied(url, config_path)
    with suppress(NotMigratedError):  # a newer schema is what is no place to apply anything
        require_current(applied, dialect)
    pending = pending_sql(applied, dialect)
    if as_json:
        print_json({"pending": [{"migration": name, "sql": pending[name]} for name in pending]})
    else:
        texts = [f"-- migration {name}\n\n{text}" for name, text in pending.items()]
        click.echo("\n".join(texts) or "-- Nothing to apply: the schema is current.")


def _read_applied(url: str | None, config_path: str | None) -> tuple[str, list[str]]:
    """The dialect, and what the database has applied: nothing, if there is no file yet."""
    from jutsu_sql.config import load_config
    from jutsu_sql.database import connect
    from jutsu_sql.errors import NotMigratedError

    config = load_config(url, config_path=config_path)
    with suppress(NotMigratedError), connect(config=config, create=False) as db:
        return config.dialect, db.applied_migrations()
    return config.dialect, []
