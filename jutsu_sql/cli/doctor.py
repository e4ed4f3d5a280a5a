"""``jutsu-sql doctor``."""

from __future__ import annotations

import sys

import click

from jutsu_sql.cli.common import database_options, json_option, print_json, print_table

_STATUS = {"ok": 0, "info": 0, "warning": 1, "error": 2}


@click.command()
@click.option("--deep", is_flag=True, help="Also read tables, keys and the file whole.")
@click.option("--all", "show_all", is_flag=True, help="Also print the checks that found nothing.")
@json_option
@database_options
def command(
    deep: bool, show_all: bool, as_json: bool, url: str | None, config_path: str | None
) -> None:
    """Look for what is wrong with the configuration and the database, and say what to do.

    Nothing is changed. Exit status as monitoring systems take it: 0 all is well, 1 warnings,
    2 errors, a database that cannot be reached among them. What is only worth knowing (info), a
    check that this role may not run among it, counts as well. --json prints every check.

    \b
    Example:
      jutsu-sql doctor
      jutsu-sql doctor --deep --json --url postgresql://app@db.example/market
    """
    from jutsu_sql.doctor import examine

    findings = examine(url, config_path=config_path, deep=deep)
    if as_json:
        print_json(findings)
    else:
        shown = [finding for finding in findings if show_all or finding.severity != "ok"]
        print_table("doctor", ("check", "severity", "found", "what to do"), shown)
        wrong = sum(_STATUS[finding.severity] > 0 for finding in findings)
        click.echo(f"{len(findings)} checks, {wrong or 'nothing'} wrong", err=True)
    sys.exit(max(_STATUS[finding.severity] for finding in findings))
