"""``jutsu-sql check``: every query proven on both engines before it runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import click

from jutsu_sql.check.findings import Finding
from jutsu_sql.cli.common import database_options, json_option, print_json
from jutsu_sql.config import DIALECTS, redact
from jutsu_sql.errors import DatabaseError, ServerError


@click.command("check")
@click.argument("directories", type=click.Path(path_type=Path), metavar="[DIR]...", nargs=-1)
@click.option(
    "--schema",
    "schemas",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    multiple=True,
    help="Your own tables: DIR/postgresql/*.sql and DIR/sqlite/*.sql; may be repeated.",
)
@click.option("--only", type=click.Choice(DIALECTS), help="Check on one engine.")
@click.option(
    "--write-types",
    "types",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the queries' types to FILE.py, and beside DIR a lock that tells when they change.",
)
@click.option("--changed", is_flag=True, help="Check only what has changed since the lock.")
@click.option("--offline", is_flag=True, help="Only tell what has changed since the lock.")
@json_option
@database_options
def command(
    directories: Sequence[Path],
    schemas: Sequence[Path],
    only: str | None,
    types: Path | None,
    changed: bool,
    offline: bool,
    as_json: bool,
    url: str | None,
    config_path: str | None,
) -> None:
    """Prove every query below DIR on both engines.

    DIR and --schema may stand as queries and schema under [tool.jutsu-sql] in pyproject.toml;
    without any it is the toolkit's own queries.

    Each is compiled by SQLite and PostgreSQL, and what they say is compared: parameters, columns,
    types, the plans that headers promise, and the rows that examples give, under several time
    zones. The configured PostgreSQL gets a scratch database jutsu_sql_check_..., which stays for
    the next check of the same schema, beside a few older ones; without a server a throw-away one is
    started. Exit status 1 when anything is found, 2 when there is no scratch database to find it
    with.

    \b
    Example:
      jutsu-sql check
      jutsu-sql check queries --schema tables
      jutsu-sql check queries --schema tables --write-types app/queries.py
      jutsu-sql check queries --schema tables --offline
    """
    from jutsu_sql.check.lock import stale_files, write_lock
    from jutsu_sql.project import load_project
    from jutsu_sql.resources import MIGRATIONS_DIR, SQL_DIR

    if types and (only or changed or offline):
        raise click.UsageError("--write-types takes a whole check on both engines")
    project = load_project()
    directories, schemas = directories or project.queries, schemas or project.schema
    sealed = (directories, schemas) if directories else ((SQL_DIR,), (MIGRATIONS_DIR, *schemas))
    stale = stale_files(*sealed) if changed or offline else {}
    if offline:
        _end([Finding(str(path), 1, 1, "types", said, "") for path, said in stale.items()], as_json)
    if changed and not stale:
        _end([], as_json)

    from jutsu_sql.check.pack import Pack
    from jutsu_sql.check.run import check
    from jutsu_sql.check.scratch import open_scratch
    from jutsu_sql.check.types import write_types
    from jutsu_sql.config import load_config

    dialects = (only,) if only else DIALECTS
    pack = Pack(sealed[0], dialects)
    names = pack.touched_by(stale) if changed else None
    config = load_config(url, config_path=config_path)
    try:
        with open_scratch(dialects, config if config.conninfo else None, schemas) as checkers:
            findings = check(pack, checkers, names)
            if types and all(finding.is_note for finding in findings):
                write_types(pack, checkers, types)
                write_lock(*sealed, types)
    except (ServerError, DatabaseError) as error:
        raise _NotCheckedError(redact(str(error))) from error
    _end(findings, as_json)


class _NotCheckedError(click.ClickException):
    """There is no scratch database: nothing is known of the queries."""

    exit_code = 2


def _end(findings: Sequence[Finding], as_json: bool) -> NoReturn:
    if as_json:
        print_json([{**asdict(finding), "is_note": finding.is_note} for finding in findings])
    for finding in findings if not as_json else ():
        click.echo(str(finding))
    wrong = sum(not finding.is_note for finding in findings)
    notes = len(findings) - wrong
    click.echo(f"{wrong or 'no'} findings{f', {notes} notes' if notes else ''}", err=True)
    sys.exit(1 if wrong else 0)
