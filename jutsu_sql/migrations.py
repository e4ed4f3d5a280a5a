"""Schema migrations: yoyo, called from Python.

A bare ``yoyo apply`` with the shipped ``yoyo.ini`` does the same from a shell.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from jutsu_sql.errors import MigrationError, NewerSchemaError, NotMigratedError
from jutsu_sql.queries import Queries
from jutsu_sql.resources import MIGRATIONS_DIR

if TYPE_CHECKING:
    from yoyo.migrations import MigrationList

_LOCK_TIMEOUT_S = 10


class MigrationStatus(NamedTuple):
    """One migration: whether the database has it, and whether this version ships it."""

    migration_id: str
    is_applied: bool
    is_shipped: bool


def shipped(dialect: str) -> list[str]:
    """The ids of the migrations that this version ships for a dialect, oldest first."""
    return sorted(
        path.stem
        for path in (MIGRATIONS_DIR / dialect).glob("*.sql")
        if not path.name.endswith(".rollback.sql")
    )


def toolkits(ids: Iterable[str], dialect: str) -> list[str]:
    """Those of some migration ids that this toolkit gives: ``sqlite-0001-bars``.

    What else yoyo has noted in a database is its owner's, who keeps tables of their own there.
    """
    return [each for each in ids if re.match(rf"{dialect}-\d{{4}}-", each)]


def require_current(applied: Iterable[str], dialect: str) -> None:
    """Refuse a database that lacks a migration, or has one of a newer version.

    Raises:
        NotMigratedError: with the remedy.
        NewerSchemaError: with the ids that are not known here.
    """
    found, wanted = set(toolkits(applied, dialect)), shipped(dialect)
    if newer := sorted(found.difference(wanted)):
        raise NewerSchemaError(
            f"the database was migrated by a newer version (it has {', '.join(newer)}):"
            " upgrade jutsu_sql"
        )
    if missing := [name for name in wanted if name not in found]:
        raise NotMigratedError(
            f"the database lacks {', '.join(missing)}: run `jutsu-sql migrate` or db.migrate()"
        )


def migration_status(applied: Iterable[str], dialect: str) -> list[MigrationStatus]:
    """Every migration of the toolkit that is shipped or applied, oldest first."""
    found, wanted = set(toolkits(applied, dialect)), shipped(dialect)
    return [
        MigrationStatus(name, name in found, name in wanted) for name in sorted({*found, *wanted})
    ]


def pending_sql(applied: Iterable[str], dialect: str) -> dict[str, str]:
    """The text of each migration that :meth:`Migrator.apply` would run, by id."""
    found = set(applied)
    return {
        name: (MIGRATIONS_DIR / dialect / f"{name}.sql").read_text(encoding="utf-8")
        for name in shipped(dialect)
        if name not in found
    }


class Migrator:
    """The migrations of one database. ``backend`` is a yoyo backend on it."""

    def __init__(self, backend: Any, queries: Queries) -> None:
        self._backend = backend
        self._dialect = queries.dialect
        self._applied_text = queries["schema.applied"].statements[0]
        self._probe_text = queries["schema.probe_write"].statements[0]

    def apply(self) -> list[str]:
        """Apply what is pending; gives the ids.

        Raises:
            NewerSchemaError: the database has migrations of a newer version.
            MigrationError: another process is migrating, or a migration failed and was undone.
        """
        with self._locked():
            pending = self._backend.to_apply(self._read())
            with _explained("apply", pending):
                self._backend.apply_migrations(pending)
        return [migration.id for migration in pending]

    def rollback(self) -> list[str]:
        """Roll every migration back, newest first, and all data with them; gives the ids."""
        with self._locked():
            done = self._backend.to_rollback(self._read())
            with _explained("roll back", done):
                self._backend.rollback_migrations(done)
        return [migration.id for migration in done]

    def _read(self) -> MigrationList:
        from yoyo import read_migrations

        directory = MIGRATIONS_DIR / self._dialect
        migrations = read_migrations(glob.escape(str(directory)))
        if not migrations:  # yoyo says nothing of a directory that is not there
            raise MigrationError(f"there are no migrations in {directory}")
        with suppress(NotMigratedError):  # which is what the migrations are for
            require_current(self._applied(), self._dialect)
        return migrations

    def _applied(self) -> set[str]:
        self._backend.ensure_internal_schema_updated()
        return {row[0] for row in self._backend.execute(self._applied_text).fetchall()}

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from yoyo.exceptions import LockTimeout

        # yoyo takes any failure to write for somebody's lock, and hides one that it met before.
        backend = self._backend
        if backend.lock_table not in backend.list_tables():
            backend.execute(backend.format_sql(backend.create_lock_table_sql))
        backend.execute(self._probe_text)
        try:
            with self._backend.lock(timeout=_LOCK_TIMEOUT_S):
                yield
        except LockTimeout as error:
            raise MigrationError(
                "another process is migrating this database, or was killed while it did:"
                " `yoyo break-lock` removes the lock"
            ) from error


@contextmanager
def _explained(verb: str, migrations: MigrationList) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        names = ", ".join(migration.id for migration in migrations)
        raise MigrationError(f"cannot {verb} {names}: {error}") from error
