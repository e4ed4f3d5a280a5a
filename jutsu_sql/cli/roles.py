"""``jutsu-sql roles``."""

from __future__ import annotations

from collections.abc import Sequence

import click

from jutsu_sql.cli.common import database_options, open_database, require_consent, yes_option


@click.command()
@click.argument("jobs", type=click.Choice(("migrator", "loader", "reader")), nargs=-1)
@click.option("--name", help="The role that gets the job.  [default: jutsu_JOB]")
@click.option("--apply", "is_applied", is_flag=True, help="Run the statements.")
@yes_option
@database_options
def command(
    jobs: Sequence[str],
    name: str | None,
    is_applied: bool,
    yes: bool,
    url: str | None,
    config_path: str | None,
) -> None:
    """Print the statements that give each JOB its rights, or with --apply run them.

    A reader reads bars and their history. A loader also loads, deletes and undoes. A migrator makes
    the tables, and owns them. A role that does not exist is made, for others to be members of.
    Say it again after a migration.

    \b
    Example:
      jutsu-sql roles > roles.sql
      jutsu-sql roles loader --name feed --apply --url postgresql://postgres@db.example/market
    """
    from jutsu_sql.roles import JOBS, grant, plan_grants

    if name and len(jobs) != 1:
        raise click.UsageError("--name is for one job: jutsu-sql roles reader --name NAME")
    roles = {job: name or f"jutsu_{job}" for job in jobs or JOBS}
    with open_database(url, config_path) as db:
        grants = plan_grants(db, roles)
        for statement in (text for each in grants for text in each.statements):
            click.echo(f"{statement};")
        if is_applied:
            require_consent(f"Run these on {db.config.display_url}?", yes=yes)
            grant(db, grants)
