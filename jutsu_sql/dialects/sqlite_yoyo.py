"""yoyo's SQLite backend, made fit to run inside another program.

yoyo's own opens the file as an unescaped URI with a shared cache, and replaces the process-wide
datetime adapter of :mod:`sqlite3` for good. This one does neither.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import unquote

from yoyo.backends.core.sqlite3 import SQLiteBackend
from yoyo.migrations import default_migration_table

_DEFAULT_TIMEOUT_S = 30.0


class _Target(NamedTuple):
    """Stands where yoyo keeps its parsed URI."""

    database: str
    timeout_s: float


class SqliteBackend(SQLiteBackend):  # type: ignore[misc]
    """On a file, by yoyo's URI (scheme ``jutsu+sqlite``) or by :meth:`on_file`."""

    @classmethod
    def on_file(cls, path: str, timeout_s: float) -> Self:
        backend = cls(_Target(path, timeout_s), default_migration_table)
        backend.init_database()
        return backend

    def connect(self, dburi: Any) -> sqlite3.Connection:
        is_uri = not isinstance(dburi, _Target)
        path = Path(unquote(dburi.database) if is_uri else dburi.database)
        with suppress(FileExistsError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600, exist_ok=False)
        return sqlite3.connect(
            path,
            timeout=_DEFAULT_TIMEOUT_S if is_uri else dburi.timeout_s,
            isolation_level=None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def execute(self, sql: str, params: Any = None) -> Any:
        """Bind times as text, as yoyo's adapter would."""
        if params:
            params = {
                name: value.isoformat() if isinstance(value, datetime) else value
                for name, value in params.items()
            }
        return super().execute(sql, params)


def memory_backend(connection: sqlite3.Connection) -> SqliteBackend:
    """A backend whose every copy is the one connection that an in-memory database has."""

    class MemoryBackend(SqliteBackend):
        def connect(self, _dburi: Any) -> sqlite3.Connection:
            return connection

        def __exit__(self, *_: object) -> None:
            """Leave the connection open: closing it would lose the database."""

    backend = MemoryBackend(_Target(":memory:", _DEFAULT_TIMEOUT_S), default_migration_table)
    backend.init_database()
    return backend
