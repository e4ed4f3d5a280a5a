"""``jutsu-sql copy``."""

from __future__ import annotations

from collections import Counter

import click

from jutsu_sql.cli.common import json_option, print_json, print_table, progress_bar

_DIFFERS = 3
_COLUMNS = ("symbol", "timeframe", "bars", "inserted", "updated", "deleted", "kept", "extra")


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--delete", is_flag=True, help="Delete bars that only TO has, of copied series.")
@json_option
@click.pass_context
def command(ctx: click.Context, source: str, target: str, delete: bool, as_json: bool) -> None:
    """Copy the bars of the database with the URL FROM to the one with the URL TO, of any engine.

    Copied are the current bars, the series with their time zones and calendars, and splits and
    dividends. Not copied is the ledger: replaced versions, loads and refused rows. An empty TO is
    migrated first.

    Each series is one load in TO. It is compared by the number of its bars and the SHA-256 of their
    columns, and read back when it was written; what is the same already is left alone, so that the
    same command goes on with a copy that was interrupted. What TO has from a later observation is
    kept. Bars that only TO has stay, without --delete; a series that only TO has always does.

    \b
    Exit status:
      0  every series of FROM is the same in TO
      3  a series differs: TO has bars of later observations, or bars that FROM has not
      1  it failed; what was done by then stays

    \b
    Example:
      jutsu-sql copy sqlite:///market.db postgresql://user@host/market
      jutsu-sql copy postgresql://user@host/market sqlite:///market.db --delete --json
    """
    from jutsu_sql.database import connect
    from jutsu_sql.database_copy import copy_actions, copy_claims, copy_database

    with connect(source, create=False) as from_db, connect(target) as to_db:
        if not to_db.applied_migrations():
            to_db.migrate()
        with progress_bar("copying") as progress:
            copies = copy_database(from_db, to_db, delete=delete, progress=progress)
        actions = copy_actions(from_db, to_db)
        claims = copy_claims(from_db, to_db)
        shown_target = to_db.config.display_url
    if as_json:
        print_json({"series": copies, "actions": actions, "claims": claims})
    else:
        touched = [each for each in copies if each.state != "same"]
        if touched:
            rows = [
                (*(getattr(each, name) for name in _COLUMNS), each.state, each.sha256[:12])
                for each in touched
            ]
            print_table("series", (*_COLUMNS, "state", "sha256"), rows)
        counts = Counter(each.state for each in copies)
        said = ", ".join(f"{counts[state]} {state}" for state in ("copied", "same", "differs"))
        bars = sum(each.bars for each in copies)
        click.echo(f"{len(copies)} series of {bars} bars in {shown_target}: {said}.")
        if actions is not None:
            done = actions.inserted + actions.updated
            click.echo(f"{done} corporate actions were copied, {actions.kept} kept.")
        if claims:
            click.echo(f"What sources were asked for was copied of {claims} series.")
        click.echo("The ledger was not copied: loads, replaced versions and refused rows stay.")
    if any(each.state == "differs" for each in copies) or (actions and actions.kept):
        ctx.exit(_DIFFERS)
