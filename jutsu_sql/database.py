"""A database: run named queries, transactions and bulk loads on either engine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self, TypeVar

from jutsu_sql.config import Config, load_config
from jutsu_sql.copy_into import CopyReport, OnConflict, copy_into
from jutsu_sql.dialects.base import Block, Dialect, Spool, Statement, name_blanks
from jutsu_sql.dialects.checker import Checker
from jutsu_sql.errors import (
    ConnectionFailedError,
    DatabaseError,
    NotMigratedError,
    OutcomeUnknownError,
    QueryError,
)
from jutsu_sql.migrations import Migrator, require_current
from jutsu_sql.queries import Kind, LiveQueries, Queries, Query
from jutsu_sql.replicas import Position, Replica, Replicas
from jutsu_sql.resources import SQL_DIR
from jutsu_sql.retry import Retry
from jutsu_sql.stats import Stats
from jutsu_sql.telemetry import Telemetry, size_of
from jutsu_sql.topics import Topics

T = TypeVar("T")

_statement_log = logging.getLogger("jutsu_sql.sql")
# One use of a named query: its name, and its parameters.
Call = tuple[str, Mapping[str, Any]]
# How long a read waits for a replica at most, before it goes to the primary.
_REPLICA_TIMEOUT_S = 2.0


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
    ``max_overflow``, ``pool_timeout``, ``pool_recycle``, ``pool_pre_ping``, ``retry_timeout``,
    ``replicas``, ``replica_max_lag``, ``prepared_statements``, ``echo``, ``reload_queries``,
    ``telemetry``, ``otel``, ``slow_query_ms``, ``slow_query_params``, ``slow_query_plan``,
    ``snapshots``, ``snapshot_dir``, ``snapshot_max_mb``, and in seconds ``statement_timeout``,
    ``lock_timeout``, ``idle_in_transaction_timeout``). ``queries`` are directories of the caller's
    own ``.sql`` files. ``create`` lets a missing SQLite file be made, readable by its owner only.

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
        compiled: type[_Statements]
        if config.reload_queries:
            self.queries: Queries = LiveQueries(SQL_DIR, queries, dialect=config.dialect)
            compiled = _LiveStatements
        else:
            self.queries = Queries.load(SQL_DIR, *queries, dialect=config.dialect)
            compiled = _Statements
        self._dialect = _DIALECTS[config.dialect](config, self.queries, create=create)
        self._telemetry = Telemetry(config, self._dialect)
        self._statements = compiled(self._dialect, self.queries, self._telemetry, echo=config.echo)
        self._retry = Retry(config.retry_timeout)
        self._replicas = self._replicas_of(queries) if config.replicas else None
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

        One that surely only reads is run again, up to ``retry_timeout``, if its connection is lost
        or it is sacrificed to another transaction; for one that writes there is :meth:`transact`.

        What comes back depends on the query's kind. ``one``: a named tuple, or None. ``many``: a
        list of them. ``value``: the first column of the first row, or None. ``exec``: the number of
        rows. ``columns``: a dict of NumPy columns. ``script``: None.

        Raises:
            QueryNotFoundError: there is no such query; the message has the nearest names.
            QueryParameterError: a parameter is missing, unknown or misspelt.
            OutcomeUnknownError: the connection was lost while a query ran that may write.
            DatabaseError: what the engine refused, with the driver's error as its cause.
        """
        start_s = monotonic()
        try:
            return self._run_once(name, params)
        except DatabaseError as error:
            if self.queries[name].writes:
                raise
            return self._retry.run_again(lambda: self._run_once(name, params), error, start_s)

    def _run_once(self, name: str, params: Mapping[str, Any]) -> Any:
        statement = self._statements[name]
        raw = self._dialect.acquire()
        try:
            return statement(raw, params)
        except ConnectionFailedError as error:
            query = self.queries[name]
            # What the server refuses has a state; a script is a transaction, which says more.
            if not query.writes or error.sqlstate or query.kind is Kind.SCRIPT:
                raise
            raise OutcomeUnknownError(
                f"the connection was lost while {name} ran, which may have happened: {error}",
                query_name=name,
            ) from error
        finally:
            self._dialect.release(raw)
            if self._replicas is not None and self.queries[name].writes:
                self._replicas.note_write()

    def retry(self, work: Callable[[], T]) -> T:
        """What ``work`` gives; it is called again from its start after a fault that passes.

        That is a lost connection, a deadlock or a serialization failure; also, at most twice, a
        lock that was not to be had or a server that is no primary (yet). No try begins later than
        ``retry_timeout`` after the first. A COMMIT whose outcome is unknown is not tried again:
        ``work`` must be whole transactions, begun in it, that may be repeated when they failed.
        """
        return self._retry.run(work)

    def transact(self, work: Callable[[Connection], T]) -> T:
        """What ``work(tx)`` gives in a transaction; again from its start as in :meth:`retry`.

        What it does beside ``tx`` is not undone between tries.

        Raises:
            OutcomeUnknownError: the connection was lost at COMMIT: all of it, or none.
        """

        def try_once() -> T:
            with self.transaction() as tx:
                return work(tx)

        return self.retry(try_once)

    def read(self, work: Callable[[Database], T]) -> T:
        """What ``work(source)`` gives; ``source`` is a replica that may answer, else this database.

        A replica is asked if it is at most ``replica_max_lag`` seconds old and has whatever was
        written through this object. It is only read from; if it fails, ``work`` is called again
        with another one, as in :meth:`retry`.
        """
        return self.retry(lambda: self._read_once(work))

    def _read_once(self, work: Callable[[Database], T]) -> T:
        source = self.for_reads()
        try:
            return work(source)
        except DatabaseError as error:
            if self._replicas is not None and source is not self:
                # Whom one server refuses, another may let in.
                error.retryable |= isinstance(error, ConnectionFailedError)
                if error.retryable:
                    self._replicas.note_failure(source, error)
            raise

    def for_reads(self) -> Database:
        """A replica that may answer now, else this database; see :meth:`read`."""
        chosen = None if self._replicas is None else self._replicas.choose()
        return self if chosen is None else chosen

    def run_columns(self, name: str, /, **params: Any) -> dict[str, Any]:
        """Run a named query that gives rows, whatever its kind, for a dict of NumPy columns.

        Times are ``datetime64[us]``, UTC. A column with NULLs, or of text, is one of objects. All
        rows are there, also those that kind ``one`` leaves. Raises what :meth:`run` does.
        """
        statement = self._dialect.compile(replace(self.queries[name], kind=Kind.COLUMNS))
        raw = self._dialect.acquire()
        try:
            columns: dict[str, Any] = statement(raw, params)
            return columns
        finally:
            self._dialect.release(raw)

    def explain(self, name: str, params: Mapping[str, Any], *, analyze: bool = False) -> str:
        """The engine's plan for a named query, as lines for people.

        With ``analyze`` PostgreSQL runs it in a transaction that is rolled back, and tells what
        each step took: nothing is changed but what no rollback restores, a sequence's number.

        Raises:
            QueryError: there is no such query, its parameters are wrong, or it is a script.
            StatementError: the engine has no plan of it; ``analyze`` on SQLite.
        """
        query = self.queries[name]
        if query.kind is Kind.SCRIPT:
            raise QueryError(f"{name} is a script, which has no plan", query_name=name)
        raw = self._dialect.acquire()
        try:
            return self._dialect.explain(raw, query, params, analyze=analyze)[0]
        finally:
            self._dialect.release(raw)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Pin one connection, for a hot loop: no checkout a call. One thread at a time."""
        raw = self._dialect.acquire()
        try:
            yield self._pinned(raw)
        finally:
            self._dialect.release(raw)
            if self._replicas is not None:
                self._replicas.note_write()

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
            yield [self._pinned(raw) for raw in raws]

    def _pinned(self, raw: Any) -> Connection:
        return Connection(raw, self._dialect, self.queries, self._statements, self._telemetry)

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
        pool = self._dialect.pool_stats()
        return {
            "database": self.config.display_url,
            "configured_by": self.config.source,
            **self._dialect.describe(),
            "pool_max": pool.limit,
            "pool_open": pool.size,
            "pool_available": pool.size - pool.in_use,
        }

    def stats(self) -> Stats:
        """What this object has done so far: per query, its bulk loads, its pool, its replicas.

        It has ``to_dict()``, ``to_json()`` and ``to_prometheus()``. Only this process is counted,
        and only what went through this object; :meth:`activity` is what the engine itself tells.
        """
        stats = self._telemetry.stats()
        return stats if self._replicas is None else replace(stats, replicas=self._replicas.stats())

    def activity(self) -> dict[str, list[dict[str, Any]]]:
        """What the engine tells of its work and size, whoever caused it: rows by what they are of.

        PostgreSQL: ``sessions``, ``tables``, and with ``pg_stat_statements`` the costliest
        ``statements``, with the names of those that are named queries. SQLite: its ``files``.
        """
        with self.connection() as connection:
            return self._dialect.activity(connection._raw)

    def close(self) -> None:
        """Close every connection; one that is in use is closed when its thread gives it back."""
        self._dialect.close()
        if self._replicas is not None:
            self._replicas.close(Database.close)

    def _replicas_of(self, queries: Sequence[Path]) -> Replicas[Database]:
        def replica_of(config: Config) -> Replica[Database]:
            # It is opened when a read wants it, which then has no time to wait for it.
            waits_s = min(self.config.pool_timeout, _REPLICA_TIMEOUT_S)
            own = replace(
                self.config,
                database=config.database,
                conninfo=config.conninfo,
                source=config.source,
                pool_timeout=waits_s,
                retry_timeout=0.0,
                replicas=(),
            )
            open_it = partial(Database, own, queries, create=False)
            return Replica(own.display_url, open_it, _position_of)

        replicas = [replica_of(config) for config in self.config.replicas]
        return Replicas(replicas, partial(_position_of, self), self.config.replica_max_lag)


def _position_of(db: Database) -> Position:
    found = db._run_once("server.position", {})
    return Position(found.timeline, found.lsn)


class Connection:
    """A pinned connection: the same calls as :class:`Database`, without a checkout each.

    Not for several threads at once, nor for use after its ``with`` block.
    """

    __slots__ = ("_dialect", "_queries", "_raw", "_statements", "_telemetry", "_topics")

    def __init__(
        self,
        raw: Any,
        dialect: Dialect,
        queries: Queries,
        statements: _Statements,
        telemetry: Telemetry,
    ) -> None:
        self._raw = raw
        self._dialect = dialect
        self._queries = queries
        self._statements = statements
        self._telemetry = telemetry
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
        queries = [(self._queries[name], params) for name, params in calls]
        return self._telemetry.watch_all(
            [query for query, _ in queries], lambda: self._dialect.run_all(self._raw, queries)
        )

    def bulk_load(self, name: str, blocks: Iterable[Block]) -> int:
        """Insert blocks of NumPy columns by a bulk query; gives the number of rows.

        The query is a ``COPY ... FROM STDIN (FORMAT binary)`` on PostgreSQL and a one-row
        ``INSERT ... VALUES`` on SQLite. The columns of a block stand in its order; instants are
        ``datetime64[us]``, UTC. Call it inside a transaction.
        """
        with self._telemetry.bulk(name) as load:
            load.rows = self._dialect.bulk_load(self._raw, self._queries[name], load.weigh(blocks))
            return load.rows

    def spool(self, name: str) -> Spool | None:
        """Where blocks for a bulk query gather, to be loaded later in the transaction.

        None if the engine gains nothing by that, or has no place: then :meth:`bulk_load` them.
        """
        return self._dialect.spool(self._raw, self._queries[name])

    def load_spool(self, spool: Spool) -> int:
        """Insert what has gathered; gives the number of rows."""
        with self._telemetry.bulk(spool.query.name) as load:
            load.size_bytes = spool.size_bytes
            load.rows = spool.load()
            return load.rows

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
        name = table if isinstance(table, str) else ".".join(table)
        with self._telemetry.bulk(f"copy_into {name}") as load:
            load.size_bytes = size_of(columns)
            report = copy_into(
                self._dialect, self._raw, table, columns, on_conflict=on_conflict, keys=keys
            )
            load.rows = report.rows
            return report

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction, or inside one a savepoint: all of it, or on any exception none of it."""
        with self._dialect.transaction(self._raw):
            yield self


class _Statements(dict[str, Statement]):
    """Compiled queries by name, each compiled when first asked for."""

    def __init__(
        self, dialect: Dialect, queries: Queries, telemetry: Telemetry, *, echo: bool
    ) -> None:
        super().__init__()
        self._echo = echo
        if echo:
            _statement_log.setLevel(logging.INFO)
            if not _statement_log.hasHandlers():
                _statement_log.addHandler(logging.StreamHandler())
        self._dialect = dialect
        self._queries = queries
        self._telemetry = telemetry

    def __missing__(self, name: str) -> Statement:
        query = self._queries[name]
        statement = self._telemetry.watch(query, self._dialect.compile(query))
        if self._echo:
            statement = _echoed(query, statement)
        self[name] = statement
        return statement


class _LiveStatements(_Statements):
    """Compiled again when a query has changed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._made_from: dict[str, Query] = {}

    def __getitem__(self, name: str) -> Statement:
        query = self._queries[name]
        if self._made_from.get(name) is not query:
            self._made_from[name] = query
            self.pop(name, None)
        return super().__getitem__(name)


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
