"""A database: run named queries, transactions and bulk loads on either engine."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from jutsu_sql.config import Config, load_config
from jutsu_sql.copy_into import CopyReport, OnConflict, copy_into
from jutsu_sql.dialects.base import Block, Dialect, Statement, name_blanks
from jutsu_sql.dialects.checker import Checker
from jutsu_sql.errors import NotMigratedError
from jutsu_sql.migrations import Migrator, require_current
from jutsu_sql.queries import Queries, Query
from jutsu_sql.resources import SQL_DIR
from jutsu_sql.topics import Topics

_statement_log = logging.getLogger("jutsu_sql.sql")
# One use of a named query: its name, and its parameters.
Call = tuple[str, Mapping[str, Any]]


def connect(
    url: str | None = None,
    *,
    config: Config | None = None,
    config_path: str | Path | None = None,
    queries: str | Path | Sequence[str | Path] = (),
    create: bool = True,
    **settings: Any,
) -> Database:
    """Open the database that the arguments or the configuration name.

    Without ``url`` and ``config``: ``DATABASE_URL``, ``DATABASE_TYPE`` and its companions,
    ``.env``, ``config.yaml``, else SQLite at ``data/market_data.db``; see
    :func:`jutsu_sql.load_config`, which also takes the ``settings`` (``pool_size``,
    ``max_overflow``, ``pool_timeout``, ``pool_recycle``, ``echo``, ``snapshots``,
    ``snapshot_dir``, ``snapshot_max_mb``, and in seconds ``statement_timeout``, ``lock_timeout``,
    ``idle_in_transaction_timeout``). ``queries`` are directories of the caller's own ``.sql``
    files. ``create`` lets a missing SQLite file be made, readable by its owner only.

    Raises:
        ConfigError: the configuration is incomplete or contradictory.
        QuerySyntaxError: a ``.sql`` file cannot be understood.
        DatabaseError: the database cannot be opened; never another one instead.
    """
    config = config or load_config(url, config_path=config_path, **settings)
    own = [queries] if isinstance(queries, (str, Path)) else queries
    return Database(config, [Path(directory) for directory in own], create=create)


class Database:
    """One database and its connections; safe to share between threads.

    Use it as a context manager, or :meth:`close` it. ``q`` has the named queries as attributes:
    ``db.q.bars.latest(series_id=1, n=20)`` is ``db.run("bars.latest", series_id=1, n=20)``.
    """

    def __init__(
        self, config: Config, queries: Sequence[Path] = (), *, create: bool = True
    ) -> None:
        self.config = config
        self.queries = Queries.load(SQL_DIR, *queries, dialect=config.dialect)
        self._dialect = _DIALECTS[config.dialect](config, self.queries, create=create)
        self._statements = _Statements(self._dialect, self.queries, echo=config.echo)
        self.q = Topics(self.run, self.queries)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Database {self.config.display_url}>"

    @property
    def can_write_in_parallel(self) -> bool:
        """Whether several connections may write at the same time; SQLite has one writer."""
        return self._dialect.can_write_in_parallel

    def run(self, name: str, /, **params: Any) -> Any:
        """Run a named query on a pooled connection, as a transaction of its own.

        What comes back depends on the query's kind. ``one``: a named tuple, or None. ``many``: a
        list of them. ``value``: the first column of the first row, or None. ``exec``: the number of
        rows. ``columns``: a dict of NumPy columns. ``script``: None.

        Raises:
            QueryNotFoundError: there is no such query; the message has the nearest names.
            QueryParameterError: a parameter is missing, unknown or misspelt.
            DatabaseError: what the engine refused, with the driver's error as its cause.
        """
        statement = self._statements[name]
        raw = self._dialect.acquire()
        try:
            return statement(raw, params)
        finally:
            self._dialect.release(raw)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Pin one connection, for a hot loop: no checkout a call. One thread at a time."""
        raw = self._dialect.acquire()
        try:
            yield Connection(raw, self._dialect, self.queries, self._statements)
        finally:
            self._dialect.release(raw)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction on one connection: all of it, or on any exception none of it.

        Raises:
            OutcomeUnknownError: the connection was lost at COMMIT: all of it, or none.
        """
        with self.connection() as connection, connection.transaction():
            yield connection

    @contextmanager
    def read_transaction(self) -> Iterator[Connection]:
        """Several queries on one connection that all see one state, that of the first of them.

        Others may write meanwhile; a write in it is refused (``DatabaseReadOnlyError``). A
        database in memory has one connection: until the end, its thread has it to read from.
        """
        with self.one_state(1) as (connection,):
            yield connection

    @contextmanager
    def one_state(self, count: int) -> Iterator[list[Connection]]:
        """A :meth:`read_transaction` over several connections: one for each of ``count`` threads.

        A database in memory has a single one, whatever the ``count``.
        """
        with self._dialect.one_state(count) as raws:
            yield [Connection(raw, self._dialect, self.queries, self._statements) for raw in raws]

    def copy_into(
        self,
        table: str | Sequence[str],
        columns: Any,
        *,
        on_conflict: OnConflict = "error",
        keys: Sequence[str] | None = None,
    ) -> CopyReport:
        """Write columns to any table at the engine's bulk speed: all of them or none.

        ``table`` is its name or ``schema.table``, as stored and unquoted; a tuple of the parts if
        one holds a dot. ``columns`` maps names to equally long NumPy arrays, Arrow arrays or
        sequences, or is anything with ``__arrow_c_stream__``, which is read whole.

        A column takes what it holds without loss: integers and floats of any width that fit,
        booleans, text, bytes, dates, decimals. Times: NumPy's ``datetime64`` is whatever the
        column is, UTC in one with a time zone; aware and naive times, Python's or Arrow's, fit
        columns with and without one. SQLite stores times and dates as microseconds since 1970,
        decimals as doubles that give them back. NULL is None, an Arrow null, a masked row or NaT;
        NaN is a value, which SQLite does not have and so refuses.

        ``on_conflict`` says what becomes of a row whose ``keys`` (else the primary key) are
        stored: ``error``, ``ignore``, or ``update``, which replaces the given columns where one
        differs. Returns the number of ``rows``, ``inserted``, ``updated`` and ``unchanged``.

        Raises:
            ColumnError: before anything is written: an unknown or missing column, a value that
                the column would change or refuse, the same key twice, a NULL in a key.
            StatementError: no such table, or no unique index on ``keys``.
            IntegrityError: a constraint, or with ``error`` a stored key.
        """
        with self.connection() as connection:
            return connection.copy_into(table, columns, on_conflict=on_conflict, keys=keys)

    def migrate(self) -> list[str]:
        """Bring the schema up to this version; gives the ids of the migrations applied.

        Raises:
            MigrationError: another process is migrating, a migration failed and was undone, or
                (:class:`NewerSchemaError`) the schema is newer than this version.
        """
        with suppress(NotMigratedError):
            require_current(self.applied_migrations(), self.config.dialect)
            return []  # and a reader of a current database needs no right to write
        with self.migrator() as migrator:
            return migrator.apply()

    def applied_migrations(self) -> list[str]:
        """The ids of the migrations that the database has; nothing is written to find out."""
        if not self.run("schema.is_migrated"):
            return []
        return [row.migration_id for row in self.run("schema.applied")]

    @contextmanager
    def migrator(self) -> Iterator[Migrator]:
        """The migrations of this database, one by one."""
        with self._dialect.migration_backend() as backend:
            yield Migrator(backend, self.queries)

    @contextmanager
    def checker(self) -> Iterator[Checker]:
        """What the engine can tell of queries, for :mod:`jutsu_sql.check`."""
        with self._dialect.checker() as checker:
            yield checker

    def describe(self) -> dict[str, Any]:
        """The engine, its versions and the pool, for people."""
        return {
            "database": self.config.display_url,
            "configured_by": self.config.source,
            **self._dialect.describe(),
        }

    def close(self) -> None:
        """Close every connection. Waits a bounded time for those in use."""
        self._dialect.close()


class Connection:
    """A pinned connection: the same calls as :class:`Database`, without a checkout each.

    Not for several threads at once, nor for use after its ``with`` block.
    """

    __slots__ = ("_dialect", "_queries", "_raw", "_statements", "_topics")

    def __init__(
        self, raw: Any, dialect: Dialect, queries: Queries, statements: _Statements
    ) -> None:
        self._raw = raw
        self._dialect = dialect
        self._queries = queries
        self._statements = statements
        self._topics: Topics | None = None

    @property
    def q(self) -> Topics:
        """The named queries as attributes, see :class:`Database`."""
        if self._topics is None:
            self._topics = Topics(self.run, self._queries)
        return self._topics

    def run(self, name: str, /, **params: Any) -> Any:
        """Run a named query here; see :meth:`Database.run`."""
        return self._statements[name](self._raw, params)

    def run_named(self, name: str, /, **names: str) -> None:
        """Run a script whose blanks ``{...}`` are names of roles or tables, which are quoted."""
        self._dialect.compile(name_blanks(self._queries[name], **names))(self._raw, {})

    def run_all(self, calls: Iterable[Call]) -> list[Any]:
        """What several queries give, each by its name and parameters, in their order.

        They cost one round trip on PostgreSQL, so none can depend on what another gives. For any
        kind but ``script``. If one fails, those after it are not run.
        """
        return self._dialect.run_all(
            self._raw, [(self._queries[name], params) for name, params in calls]
        )

    def bulk_load(self, name: str, blocks: Iterable[Block]) -> int:
        """Insert blocks of NumPy columns by a bulk query; gives the number of rows.

        The query is a ``COPY ... FROM STDIN (FORMAT binary)`` on PostgreSQL and a one-row
        ``INSERT ... VALUES`` on SQLite. The columns of a block stand in its order; instants are
        ``datetime64[us]``, UTC. Call it inside a transaction.
        """
        return self._dialect.bulk_load(self._raw, self._queries[name], blocks)

    def copy_into(
        self,
        table: str | Sequence[str],
        columns: Any,
        *,
        on_conflict: OnConflict = "error",
        keys: Sequence[str] | None = None,
    ) -> CopyReport:
        """Write columns to any table, inside a transaction as a savepoint of it.

        See :meth:`Database.copy_into`.
        """
        return copy_into(
            self._dialect, self._raw, table, columns, on_conflict=on_conflict, keys=keys
        )

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction, or inside one a savepoint: all of it, or on any exception none of it."""
        with self._dialect.transaction(self._raw):
            yield self


class _Statements(dict[str, Statement]):
    """Compiled queries by name, each compiled when first asked for."""

    def __init__(self, dialect: Dialect, queries: Queries, *, echo: bool) -> None:
        super().__init__()
        self._echo = echo
        if echo:
            _statement_log.setLevel(logging.INFO)
            if not _statement_log.hasHandlers():
                _statement_log.addHandler(logging.StreamHandler())
        self._dialect = dialect
        self._queries = queries

    def __missing__(self, name: str) -> Statement:
        query = self._queries[name]
        statement = self._dialect.compile(query)
        if self._echo:
            statement = _echoed(query, statement)
        self[name] = statement
        return statement


def _echoed(query: Query, statement: Statement) -> Statement:
    text = ";\n".join(query.statements)

    def run(raw: Any, params: Mapping[str, Any]) -> Any:
        _statement_log.info("%s\n%s", query.name, text)
        return statement(raw, params)

    return run


def _sqlite(*args: Any, **kwargs: Any) -> Dialect:
    from jutsu_sql.dialects.sqlite import SqliteDialect

    return SqliteDialect(*args, **kwargs)


def _postgresql(*args: Any, **kwargs: Any) -> Dialect:
    from jutsu_sql.dialects.postgresql import PostgresqlDialect

    return PostgresqlDialect(*args, **kwargs)


# An engine's driver is imported when that engine is used.
_DIALECTS = {"sqlite": _sqlite, "postgresql": _postgresql}
