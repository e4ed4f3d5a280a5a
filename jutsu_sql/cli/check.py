"""``jutsu-sql check``: every query proven on both engines before it runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jutsu_sql.cli.common import database_options, json_option, print_json
from jutsu_sql.queries import DIALECTS

if TYPE_CHECKING:
    from jutsu_sql.check import Finding


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
@json_option
@database_options
def command(
    directories: Sequence[Path],
    schemas: Sequence[Path],
    only: str | None,
    as_json: bool,
    url: str | None,
    config_path: str | None,
) -> None:
    """Prove every query below DIR, or of the toolkit's own, on both engines.

    Each is compiled by SQLite and PostgreSQL, and what they say is compared: parameters, columns,
    types, the plans that headers promise, and the rows that examples give, under several time
    zones. The configured PostgreSQL gets a scratch database of its own, jutsu_sql_check; without
    one a throw-away server is started. Exit status 1 when anything is found.

    \b
    Example:
      jutsu-sql check
      jutsu-sql check queries --schema tables
    """
    from jutsu_sql.check import Pack, check, open_scratch
    from jutsu_sql.config import load_config
    from jutsu_sql.resources import SQL_DIR

    dialects = (only,) if only else DIALECTS
    pack = Pack(directories or [SQL_DIR], dialects)
    config = load_config(url, config_path=config_path)
    with open_scratch(dialects, config if config.conninfo else None, schemas) as checkers:
        findings = check(pack, checkers)
    _report(findings, len(pack.entries), as_json=as_json)
    if any(not finding.is_note for finding in findings):
        sys.exit(1)


def _report(findings: Sequence[Finding], queries: int, *, as_json: bool) -> None:
    if as_json:
        print_json([{**asdict(finding), "is_note": finding.is_note} for finding in findings])
        return
    for finding in findings:
        click.echo(str(finding))
    wrong = sum(not finding.is_note for finding in findings)
    click.echo(f"{queries} queries, {wrong} findings, {len(findings) - wrong} notes", err=True)
