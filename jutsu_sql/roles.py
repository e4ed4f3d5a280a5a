"""The least rights that reading, loading and migrating take, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from jutsu_sql.database import Database
from jutsu_sql.dialects.base import name_blanks
from jutsu_sql.errors import StatementError
from jutsu_sql.migrations import require_current

__all__ = ["JOBS", "Grant", "grant", "plan_grants"]

# By job: the scripts of sql/roles for it. A loader reads as well.
JOBS = {"migrator": ("migrator",), "loader": ("reader", "loader"), "reader": ("reader",)}


class Grant(NamedTuple):
    """One script, the names in its blanks, and its statements with those names quoted."""

    query_name: str
    names: Mapping[str, str]
    statements: tuple[str, ...]


def plan_grants(db: Database, roles: Mapping[str, str]) -> list[Grant]:
    """What gives each job of ``roles`` to the role of that name; one that is missing is made.

    Raises:
        StatementError: the engine has no roles.
        MigrationError: there is nothing to read or load yet; a migrator needs no tables.
    """
    if "roles.place" not in db.queries:
        raise StatementError(
            f"{db.config.display_url} has no roles: the permissions of the file are the rights"
        )
    if roles.keys() - {"migrator"}:
        require_current(db.applied_migrations(), db.config.dialect)
    place = db.run("roles.place")._asdict()
    grants = []
    for job, role in roles.items():
        scripts = list(JOBS[job])
        if not db.run("roles.exists", role=role):
            scripts.insert(0, "create")
        if job == "migrator" and db.run("schema.is_migrated"):
            scripts.append("owner")
        names = {"role": role, **place}
        for script in scripts:
            query = db.queries[f"roles.{script}"]
            grants.append(Grant(query.name, names, name_blanks(query, **names).statements))
    return grants


def grant(db: Database, grants: list[Grant]) -> None:
    """Run what was planned, all of it or nothing; takes the rights to give them."""
    with db.transaction() as tx:
        for each in grants:
            tx.run_named(each.query_name, **each.names)
