"""yoyo's PostgreSQL backend on psycopg 3, by URI or by any libpq connection string."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import psycopg
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.migrations import default_migration_table


class _Target(NamedTuple):
    """Stands where yoyo keeps its parsed URI, which cannot say all that libpq understands."""

    conninfo: str
    database: str = ""


class PostgresqlBackend(PostgresqlPsycopgBackend):  # type: ignore[misc]
    """On a server, by yoyo's URI (scheme ``jutsu+postgresql``) or by :meth:`on_server`."""

    @classmethod
    def on_server(cls, conninfo: str) -> Self:
        backend = cls(_Target(conninfo), default_migration_table)
        backend.init_database()
        return backend

    def connect(self, dburi: Any) -> psycopg.Connection[Any]:
        if isinstance(dburi, _Target):
            return psycopg.connect(dburi.conninfo, autocommit=True)
        connection: psycopg.Connection[Any] = super().connect(dburi)
        return connection
