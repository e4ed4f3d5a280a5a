"""SQLite on the standard library's driver: a file with many readers and one writer, or memory."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import NoneType
from typing import IO, Any, ClassVar

import numpy as np

from jutsu_sql import errors, sqlite_image
from jutsu_sql.config import Config
from jutsu_sql.dialects.base import (
    Block,
    Column,
    Statement,
    binder,
    fill,
    first_value,
    in_transaction,
    listed,
    ordered_columns,
    quote_identifier,
    row_maker,
    warn_once,
)
from jutsu_sql.dialects.checker import Checker
from jutsu_sql.dialects.sqlite_columns import ColumnsConnection, ColumnsReader, pages_dropped
from jutsu_sql.dialects.sqlite_file import DatabaseFile, identity_of
from jutsu_sql.dialects.sqlite_pool import FilePool, MemoryPool
from jutsu_sql.dialects.sqlite_turn import TURN_SUFFIX, WriteTurn
from jutsu_sql.instants import datetime_from_us, us_from_date, us_from_datetime
from jutsu_sql.interchange import doubles
from jutsu_sql.queries import Kind, Queries, Query
from jutsu_sql.ragged import Cells, Ragged, parts
from jutsu_sql.stats import PoolStats
from jutsu_sql.table_columns import Column as TableColumn
from jutsu_sql.table_columns import (
    Field,
    Holds,
    Merge,
    Scaled,
    Table,
    doubles_of_decimals,
    suggest,
)

_log = logging.getLogger("jutsu_sql")
# Versions that can lose a commit or corrupt the file when the log is reset (sqlite.org/wal.html).
_WAL_RESET_FIXED = ((3, 44, 6), (3, 50, 7), (3, 51, 3))
# A log that stays larger after a checkpoint is told of.
_LONG_LOG_BYTES = 256 * 2**20
# What a bulk query reads from.
_BATCH_TABLE = re.compile(r"\bFROM\s+batch\.(\w+)", re.IGNORECASE)
# What a declared type holds, by its first word. SQLite itself only knows affinities, so that what
# is not named here is taken by those (datatype3.html, 3.1); a STRICT table has no other names.
_HOLDS = {
    "BOOL": Holds.BOOL,
    "BOOLEAN": Holds.BOOL,
    "DATE": Holds.DATE,
    "DATETIME": Holds.TIMESTAMP,
    "TIMESTAMP": Holds.TIMESTAMP,
    "TIMESTAMPTZ": Holds.TIMESTAMPTZ,
    "NUMERIC": Holds.NUMERIC,
    "DECIMAL": Holds.NUMERIC,
    "BYTEA": Holds.BYTES,
    "ANY": Holds.ANYTHING,
}
_AFFINITIES = (
    (("INT",), Holds.INT64),
    (("CHAR", "CLOB", "TEXT"), Holds.TEXT),
    (("BLOB",), Holds.BYTES),
    (("REAL", "FLOA", "DOUB"), Holds.FLOAT64),
)
_DECLARED = re.compile(r"\s*(\w*)[^(]*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?")
# SQLite attaches ten files unless it was built otherwise, and batches stay until the transaction
# ends; the rest is for the caller.
_MAX_BATCHES = 6
# Where rows wait that were bound one by one.
_BOUND_TABLE = "temp.copy_rows"
# A commit between two looks, some microseconds apart, is rare even beside a busy writer.
_MAX_VIEW_ATTEMPTS = 100
# Tuples of this many rows, and of about this many bytes, are made and bound at a time.
_BOUND_ROWS, _BOUND_BYTES = 4_096, 2**24

_PLAIN_TYPES: frozenset[type] = frozenset((int, float, str, bytes, bool, NoneType))
_ERRORS: dict[int, type[errors.DatabaseError]] = {
    sqlite3.SQLITE_ERROR: errors.StatementError,
    sqlite3.SQLITE_BUSY: errors.DatabaseLockedError,
    sqlite3.SQLITE_LOCKED: errors.DatabaseLockedError,
    sqlite3.SQLITE_READONLY: errors.DatabaseReadOnlyError,
    sqlite3.SQLITE_INTERRUPT: errors.StatementTimeoutError,
    sqlite3.SQLITE_IOERR: errors.ConnectionFailedError,
    sqlite3.SQLITE_CORRUPT: errors.DatabaseCorruptError,
    sqlite3.SQLITE_NOTADB: errors.DatabaseCorruptError,
    sqlite3.SQLITE_FULL: errors.DatabaseFullError,
    sqlite3.SQLITE_CANTOPEN: errors.ConnectionFailedError,
    sqlite3.SQLITE_TOOBIG: errors.DataError,
    sqlite3.SQLITE_MISMATCH: errors.DataError,
    sqlite3.SQLITE_CONSTRAINT: errors.IntegrityError,
    sqlite3.SQLITE_AUTH: errors.StatementError,
}
_REMEDIES: dict[type[errors.DatabaseError], str] = {
    errors.DatabaseLockedError: "another process or connection is writing; try again, or raise"
    " lock_timeout",
    errors.DatabaseReadOnlyError: "check the permissions of the file and of its folder",
    errors.DatabaseCorruptError: "restore it from a backup, or point to the right file",
    errors.DatabaseFullError: "make room on the disk",
}


# What the driver raises, and what it lets through of a number too large for either side.
_FAILURES = (sqlite3.Error, OverflowError)


def translate(error: Exception, query_name: str | None = None) -> errors.DatabaseError:
    """The toolkit's error for one of the driver's."""
    if isinstance(error, OverflowError):
        return errors.DataError(str(error), query_name=query_name)
    # The low byte is the primary code; misuse of the driver itself carries none.
    code = getattr(error, "sqlite_errorcode", None)
    fallback = errors.StatementError if isinstance(error, sqlite3.ProgrammingError) else None
    kind = fallback or _ERRORS.get((code or 0) & 0xFF, errors.DatabaseError)
    remedy = f" ({_REMEDIES[kind]})" if kind in _REMEDIES else ""
    return kind(
        f"{error}{remedy}",
        query_name=query_name,
        sqlstate=getattr(error, "sqlite_errorname", None),
    )


class _Connection(ColumnsConnection):
    """A connection that knows whose turn it is to write, and which batches it has attached."""

    turn: WriteTurn
    batches: dict[str, tuple[Path, IO[bytes]]]
    # Reused by point lookups: making a cursor costs one 5 % of its time.
    cursor_of_one: sqlite3.Cursor


class _Spool:
    """A file of rows for a bulk query, attached while it grows."""

    def __init__(
        self,
        raw: _Connection,
        query: Query,
        table: str,
        names: Sequence[str],
        image: sqlite_image.Image,
    ) -> None:
        self.query = query
        self.rows = self.size_bytes = 0
        self._raw = raw
        self._table = table
        self._names = names
        self._image = image

    def add(self, blocks: Iterable[Block]) -> None:
        with _translated(self.query.name):
            for block in blocks:
                columns = ordered_columns(self.query, self._names, block)
                self._image.add(columns)
                self.rows += len(columns[0])
                self.size_bytes += sum(column.nbytes for column in columns)

    def load(self) -> int:
        with _translated(self.query.name):
            self._image.finish()
            return _insert_batch(self._raw, self.query, self._table)


@contextmanager
def _translated(query_name: str | None = None) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, query_name) from error
    except OSError as error:
        raise errors.DatabaseFullError(
            f"cannot write the batch to a temporary file (TMPDIR): {error.strerror}",
            query_name=query_name,
        ) from error


def _discard(path: Path, file: IO[bytes]) -> None:
    with suppress(OSError):  # on a full disk: what is not written yet is not wanted any more
        file.close()
    path.unlink(missing_ok=True)


def _batch_table(query: Query) -> str:
    source = _BATCH_TABLE.search(query.statements[0])
    if source is None:
        raise errors.QueryError(
            f"{query.name} does not select from a table of batch", query_name=query.name
        )
    return source[1]


def _insert_batch(raw: _Connection, query: Query, table: str) -> int:
    return raw.execute(_BATCH_TABLE.sub(f"FROM {table}", query.statements[0])).rowcount


class SqliteDialect:
    """A SQLite file or ``:memory:``.

    A file gets up to ``pool_size + max_overflow`` connections, any of which may write when it is
    its turn; memory is one connection, held by one thread at a time.
    """

    name: ClassVar[str] = "sqlite"
    can_write_in_parallel: ClassVar[bool] = False

    def __init__(self, config: Config, queries: Queries, *, create: bool) -> None:
        _refuse_timeouts(config)
        self._timeout_s = config.pool_timeout
        self._lock_timeout_s = config.lock_timeout or config.pool_timeout
        self._queries = queries
        self._is_memory = config.database == ":memory:"
        self._path = config.database
        self._compiled: dict[str, Statement] = {}
        queue_path = None if self._is_memory else f"{self._path}{TURN_SUFFIX}"
        self._turn = WriteTurn(self._lock_timeout_s, queue_path)
        self._has_told_of_log = False
        self._batch_templates: dict[str, tuple[bytes, list[str]]] = {}
        self._pool: FilePool[_Connection] | MemoryPool[_Connection]
        if self._is_memory:
            self._pool = MemoryPool(config, self._open)
        else:
            self._require_file(create=create)
            if weakness := _find_version_weakness(sqlite3.sqlite_version_info):
                warn_once(weakness, "jutsu_sql.versions")
            self._pool = FilePool(config, self._open)
        # What is wrong with a file shows now, not at the first query.
        self.release(self.acquire())

    def _require_file(self, *, create: bool) -> None:
        path = Path(self._path)
        if path.exists():
            return
        if not create:
            raise errors.NotMigratedError(
                f"there is no database file {path}: `jutsu-sql migrate` makes it"
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # SQLite itself would create it for the world to read.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise errors.ConnectionFailedError(
                f"cannot create the database file {path}: {error.strerror}"
            ) from error

    def _open(self) -> _Connection:
        where = ":memory:" if self._is_memory else f"{Path(self._path).absolute().as_uri()}?mode=rw"
        raw: _Connection | None = None
        try:
            identity = self._identity()
            raw = sqlite3.connect(
                where,
                uri=True,
                timeout=self._lock_timeout_s,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
                factory=_Connection,
            )
            raw.turn, raw.batches, raw.cursor_of_one = self._turn, {}, raw.cursor()
            if identity and identity == self._identity():
                raw.file = DatabaseFile(self._path, identity)
            for statement in self._queries["connection.open"].statements:
                raw.execute(statement)
            (mode,) = raw.execute(self._text("connection.journal_mode")).fetchone()
            if mode not in {"wal", "memory"}:
                # A file that may only be read keeps the journal it has.
                with suppress(sqlite3.OperationalError):
                    raw.execute(self._text("connection.use_wal")).fetchone()
        except sqlite3.Error as error:
            if raw is not None:
                raw.close()
            failure = translate(error)
            raise type(failure)(f"{self._path}: {failure}", sqlstate=failure.sqlstate) from error
        return raw

    def _identity(self) -> tuple[int, int] | None:
        if not self._is_memory:
            with suppress(OSError):  # which SQLite tells better
                return identity_of(self._path)
        return None

    def _text(self, query_name: str) -> str:
        return self._queries[query_name].render("qmark")[0]

    def acquire(self) -> _Connection:
        return self._pool.acquire()

    def release(self, raw: _Connection) -> None:
        self._pool.release(raw)

    @contextmanager
    def transaction(self, raw: _Connection) -> Iterator[None]:
        if raw.in_transaction:
            with self._ended(raw, "transaction.savepoint", "transaction.release"):
                yield
            return
        _refuse_write(raw)
        with raw.turn:
            self._run(raw, "transaction.begin")
            try:
                yield
                raw.commit()
                self._watch_log(raw)
            except BaseException as error:
                raw.rollback()
                if isinstance(error, sqlite3.Error):
                    raise translate(error) from error
                raise
            finally:
                self._detach_batches(raw)

    def _watch_log(self, raw: _Connection) -> None:
        """Tell once of a write-ahead log that grows because somebody reads for long."""
        if self._is_memory or _size_bytes(f"{self._path}-wal") <= _LONG_LOG_BYTES:
            self._has_told_of_log = False
            return
        with suppress(sqlite3.Error):  # what was written is written
            (_, pages, moved) = raw.execute(self._text("connection.checkpoint")).fetchone()
            if moved < pages and not self._has_told_of_log:
                self._has_told_of_log = True
                _log.warning(
                    "the write-ahead log of %s grows beyond %d MiB: a connection has been reading"
                    " for long, and has to end before the log can be used again",
                    self._path,
                    _LONG_LOG_BYTES >> 20,
                )

    @contextmanager
    def _ended(self, raw: _Connection, begin: str, end: str) -> Iterator[None]:
        self._run(raw, begin)
        try:
            yield
        except BaseException:
            # Some failures, a full disk among them, have rolled everything back already.
            if raw.in_transaction:
                self._run(raw, "transaction.rollback_to")
                self._run(raw, end)
            raise
        self._run(raw, end)

    def _run(self, raw: _Connection, query_name: str) -> None:
        try:
            for statement in self._queries[query_name].statements:
                raw.execute(statement)
        except sqlite3.Error as error:
            raise translate(error, query_name) from error

    @contextmanager
    def one_state(self, count: int) -> Iterator[list[_Connection]]:
        with ExitStack() as held:
            raws = []
            for _ in range(1 if self._is_memory else count):
                raw = self.acquire()
                held.callback(self.release, raw)
                raws.append(raw)
            # A database in memory may be in a transaction of this thread already.
            if not (raws[0].in_transaction or raws[0].view):
                for raw in raws:
                    held.callback(self._end_view, raw)
                with _translated():
                    self._begin_views(raws)
            yield raws

    def _begin_views(self, raws: Sequence[_Connection]) -> None:
        """Begin to read on every connection between two looks at the version of the data."""
        first, *others = raws
        for _ in range(_MAX_VIEW_ATTEMPTS):
            before = self._data_version(first)
            for raw in (*others, first):
                raw.begin_view(self._text("transaction.hold"))
            if self._data_version(first) == before:
                return
            for raw in raws:
                self._end_view(raw)
        raise errors.DatabaseLockedError("others commit too often to read one state in parallel")

    def _end_view(self, raw: _Connection) -> None:
        with pages_dropped(raw, self._queries):
            raw.end_view()

    def _data_version(self, raw: _Connection) -> Any:
        # Not by a compiled query: that takes a PRAGMA for a write, which waits for its turn.
        return raw.execute(self._text("transaction.data_version")).fetchone()

    def compile(self, query: Query) -> Statement:
        if query.kind is Kind.COLUMNS:
            statement = _compile_columns(query, self._queries)
        else:
            statement = _BY_KIND[query.kind](query)
        if query.kind is Kind.SCRIPT:
            return in_transaction(self, statement)
        return _in_turn(statement) if query.writes else statement

    def run_all(
        self, raw: _Connection, calls: Sequence[tuple[Query, Mapping[str, Any]]]
    ) -> list[Any]:
        return [self._statement(query)(raw, params) for query, params in calls]

    def _statement(self, query: Query) -> Statement:
        statement = self._compiled.get(query.name)
        if statement is None:
            statement = self._compiled[query.name] = self.compile(query)
        return statement

    def bulk_load(self, raw: _Connection, query: Query, blocks: Iterable[Block]) -> int:
        if not raw.in_transaction:
            with self.transaction(raw):
                return self.bulk_load(raw, query, blocks)
        spool = self.spool(raw, query)
        if spool is not None:
            spool.add(blocks)
            return spool.load()
        try:
            self._bind_rows(raw, query, blocks)
            rows = _insert_batch(raw, query, _BOUND_TABLE)
            raw.execute(fill(self._queries["copy.drop"]))
        except sqlite3.Error as error:
            raise translate(error, query.name) from error
        return rows

    def spool(self, raw: _Connection, query: Query) -> _Spool | None:
        if not self._has_place(raw):
            return None
        table = _batch_table(query)
        template, names = self._batch_template(table)
        with _translated(query.name):
            schema, file = self._attach(raw, template)
            return _Spool(
                raw, query, f"{schema}.{table}", names, sqlite_image.Image(file, template)
            )

    def _has_place(self, raw: _Connection) -> bool:
        """Whether one more file can be attached in this transaction."""
        return len(raw.batches) < _MAX_BATCHES and self._query(raw, "copy.encoding") == "UTF-8"

    def _bind_rows(self, raw: _Connection, query: Query, blocks: Iterable[Block]) -> None:
        """The way of a long transaction, one value at a time: a third as fast."""
        _, names = self._batch_template(_batch_table(query))
        blanks = {"staged": listed(names), "marks": ", ".join("?" * len(names))}
        raw.execute(fill(self._queries["copy.stage"], **blanks))
        insert = fill(self._queries["copy.stage_rows"], **blanks)
        for block in blocks:
            columns = ordered_columns(query, names, block)
            for start in range(0, len(columns[0]), _BOUND_ROWS):
                part = (column[start : start + _BOUND_ROWS] for column in columns)
                native = (c.view(np.int64) if c.dtype.kind == "M" else c for c in part)
                values = (column.tolist() for column in native)
                raw.executemany(insert, zip(*values, strict=True))

    def describe_table(self, raw: _Connection, name: Sequence[str]) -> Table:
        *schema, table = name
        where = {"table_name": table, "schema_name": schema[0] if schema else None}
        try:
            rows = self._query(raw, "copy.columns", **where)
        except errors.StatementError:
            rows = []  # there is no such schema
        if not rows:
            known = [row.name for row in self._query(raw, "copy.tables")]
            shown = ".".join(map(quote_identifier, name))
            raise errors.StatementError(f"there is no table {shown}{suggest(table, known)}")
        by_key = sorted((row.key_position, row.name) for row in rows if row.key_position >= 0)
        return Table(
            ".".join(map(quote_identifier, name)),
            [_field(row) for row in rows],
            [column for _, column in by_key],
        )

    def copy_into(
        self, raw: _Connection, table: Table, columns: Sequence[TableColumn], merge: Merge
    ) -> tuple[int, int]:
        cells = [_cells(column) for column in columns]
        names = [column.field.name for column in columns]
        staged = [f"c{position}" for position in range(len(names))]
        values = [name for name in names if name not in merge.keys]
        blanks = {
            "table": table.name,
            "columns": listed(names),
            "staged": listed(staged),
            "marks": ", ".join("?" * len(names)),
            "keys": listed(merge.keys),
            "stored_keys": listed(merge.keys, "stored."),
            "staged_keys": listed((staged[names.index(key)] for key in merge.keys), "given."),
            "values": listed(values),
            "stored": listed(values, "stored."),
            "given": listed(values, "excluded."),
        }
        query_name = "copy.insert" if merge.on_conflict == "error" else f"copy.{merge.on_conflict}"
        try:
            template = self._copy_template(blanks)
            if self._can_attach(raw, template, cells):
                blanks["batch"] = self._attach_cells(raw, template, cells)
                return self._merge(raw, merge, len(columns[0]), blanks)
            blanks["batch"] = self._stage_cells(raw, cells, blanks)
            counts = self._merge(raw, merge, len(columns[0]), blanks)
            raw.execute(fill(self._queries["copy.drop"]))
        except _FAILURES as error:
            raise translate(error, query_name) from error
        return counts

    def _merge(
        self, raw: _Connection, merge: Merge, rows: int, blanks: Mapping[str, str]
    ) -> tuple[int, int]:
        """Insert what is staged; gives the rows inserted and updated."""
        query_name = "copy.insert" if merge.on_conflict == "error" else f"copy.{merge.on_conflict}"
        if merge.on_conflict == "update" and not blanks["values"]:
            query_name = "copy.ignore"  # there is nothing that could differ
        stored = 0
        if query_name == "copy.update":
            (stored,) = raw.execute(fill(self._queries["copy.stored"], **blanks)).fetchone()
        changed = raw.execute(fill(self._queries[query_name], **blanks)).rowcount
        # Nobody else writes meanwhile, so that what was not stored has been inserted.
        inserted = rows - stored if query_name == "copy.update" else changed
        return inserted, changed - inserted

    def _query(self, raw: _Connection, query_name: str, **params: Any) -> Any:
        return self.compile(self._queries[query_name])(raw, params)

    def _copy_template(self, blanks: Mapping[str, str]) -> bytes:
        """The file of an empty batch."""
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as scratch:
            scratch.execute(fill(self._queries["copy.page_size"]))
            scratch.execute(fill(self._queries["copy.rows"], **blanks))
            return scratch.serialize()

    def _can_attach(self, raw: _Connection, template: bytes, cells: Sequence[Cells]) -> bool:
        """Whether a file can carry the batch: its rows, beside the files attached already."""
        if not self._has_place(raw):
            return False
        largest = sqlite_image.largest_row_bytes(len(template) // 2)
        return bool(sqlite_image.row_bytes(cells).max(initial=0) <= largest)

    def _attach_cells(self, raw: _Connection, template: bytes, cells: Sequence[Cells]) -> str:
        with _translated():
            schema, file = self._attach(raw, template)
            sqlite_image.write_cells(file, template, cells)
        return f"{quote_identifier(schema)}.copy_rows"

    def _stage_cells(
        self, raw: _Connection, cells: Sequence[Cells], blanks: Mapping[str, str]
    ) -> str:
        raw.execute(fill(self._queries["copy.stage"], **blanks))
        insert = fill(self._queries["copy.stage_rows"], **blanks)
        for part in parts(cells, _BOUND_ROWS, _BOUND_BYTES):
            raw.executemany(insert, zip(*map(_driver_values, part), strict=True))
        return _BOUND_TABLE

    def _attach(self, raw: _Connection, template: bytes) -> tuple[str, IO[bytes]]:
        """A file beside the database that holds ``template``; the engine looks again at each use.

        Nothing can be detached before the transaction ends: each file has its own name.
        """
        schema = f"batch{len(raw.batches)}"
        number, name = tempfile.mkstemp(prefix="jutsu_sql-", suffix=".db")
        file, path = os.fdopen(number, "w+b"), Path(name)
        try:
            file.write(template)
            file.flush()
            raw.execute(self._text("batch.attach"), (f"{path.as_uri()}?mode=ro", schema))
        except BaseException:
            _discard(path, file)
            raise
        raw.batches[schema] = path, file
        # The engine has it open: without a name it goes when the process does, however that
        # ends. Windows keeps the names of open files, and so this one until it is detached.
        with suppress(PermissionError):
            path.unlink()
        return schema, file

    def _detach_batches(self, raw: _Connection) -> None:
        while raw.batches:
            schema, (path, file) = raw.batches.popitem()
            raw.execute(self._text("batch.detach"), (schema,))
            _discard(path, file)

    def _batch_template(self, table: str) -> tuple[bytes, list[str]]:
        """The file of an empty batch, and its columns in order."""
        if table not in self._batch_templates:
            self._batch_templates[table] = self._make_batch_template(table)
        return self._batch_templates[table]

    def _make_batch_template(self, table: str) -> tuple[bytes, list[str]]:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as scratch:
            for statement in self._queries[f"batch.{table}"].statements:
                scratch.execute(statement)
            names = [row[1] for row in scratch.execute(self._text("batch.columns"), (table,))]
            return scratch.serialize(), names

    def batch_image(self, query: Query) -> bytes | None:
        """The file of the empty batch that a bulk query selects from, if it is one."""
        has_batch = _BATCH_TABLE.search(query.statements[0])
        return self._batch_template(_batch_table(query))[0] if has_batch else None

    def explain(
        self, raw: _Connection, query: Query, params: Mapping[str, Any], *, analyze: bool
    ) -> tuple[str, int | None]:
        if analyze:
            raise errors.StatementError(
                "SQLite plans a query and measures nothing of it: explain it without analyze",
                query_name=query.name,
            )
        statement = _compile_many(query.inside(self._text("explain.plan")))
        depths = {0: -1}
        lines = []
        for step, above, _, detail in statement(raw, params):
            depths[step] = depths[above] + 1
            lines.append(f"{'  ' * depths[step]}{detail}")
        return "\n".join(lines), None

    @contextmanager
    def checker(self) -> Iterator[Checker]:
        from jutsu_sql.dialects.sqlite_check import SqliteChecker

        raw = self.acquire()
        try:
            yield SqliteChecker(self, raw, self._queries)
        finally:
            self.release(raw)

    @contextmanager
    def migration_backend(self) -> Iterator[Any]:
        from jutsu_sql.dialects.sqlite_yoyo import SqliteBackend, memory_backend

        try:
            if self._is_memory:
                with self._memory_migration(memory_backend) as backend:
                    yield backend
            else:
                with SqliteBackend.on_file(self._path, self._lock_timeout_s) as backend:
                    yield backend
        except sqlite3.Error as error:
            raise translate(error) from error

    @contextmanager
    def _memory_migration(self, make: Callable[[sqlite3.Connection], Any]) -> Iterator[Any]:
        raw = self.acquire()
        try:
            yield make(raw)
        finally:
            self.release(raw)

    def activity(self, raw: _Connection) -> dict[str, list[dict[str, Any]]]:
        del raw
        files = [Path(f"{self._path}{suffix}") for suffix in ("", "-wal", "-shm")]
        sizes = [{"file": str(f), "bytes": f.stat().st_size} for f in files if f.exists()]
        return {"files": [] if self._is_memory else sizes}

    def describe(self) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "engine": f"SQLite {sqlite3.sqlite_version}",
            "driver": "sqlite3 (standard library)",
        }
        if self._is_memory:
            return facts
        facts["file_bytes"] = Path(self._path).stat().st_size
        facts["wal_bytes"] = _size_bytes(f"{self._path}-wal")
        facts["disk_free_bytes"] = shutil.disk_usage(Path(self._path).absolute().parent).free
        if weakness := _find_version_weakness(sqlite3.sqlite_version_info):
            facts["warning"] = weakness
        return facts

    def pool_stats(self) -> PoolStats:
        return self._pool.stats()

    def close(self) -> None:
        self._pool.close()
        self._turn.close()


def _size_bytes(path: str) -> int:
    """0 if there is no such file."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _find_version_weakness(version: tuple[int, ...]) -> str | None:
    """What is wrong with a version of the library where several connections share a file."""
    is_fixed = any(version[:2] == fixed[:2] and version >= fixed for fixed in _WAL_RESET_FIXED)
    if is_fixed or version >= max(_WAL_RESET_FIXED):
        return None
    return (
        f"SQLite {'.'.join(map(str, version))} can lose a commit when a write-ahead log is reset;"
        " 3.51.3, 3.50.7 and 3.44.6 cannot"
    )


def _field(row: Any) -> Field:
    """A row of ``copy.columns``."""
    matched = _DECLARED.match(row.declared.upper())
    word, digits, scale = matched.groups() if matched else ("", None, None)
    declared = row.declared.upper()
    has_zone = word == "TIMESTAMP" and "WITH TIME ZONE" in declared
    affinity = next((h for marks, h in _AFFINITIES if any(m in declared for m in marks)), None)
    holds = Holds.TIMESTAMPTZ if has_zone else _HOLDS.get(word) or affinity or Holds.ANYTHING
    if holds is not Holds.NUMERIC or digits is None:
        digits = scale = None
    elif scale is None:
        scale = "0"
    return Field(
        name=row.name,
        holds=holds,
        declared=row.declared,
        is_nullable=bool(row.is_nullable),
        has_default=bool(row.has_default),
        is_generated=bool(row.is_generated),
        digits=None if digits is None else int(digits),
        scale=None if scale is None else int(scale),
        takes_times=holds is Holds.INT64,
        takes_nan=False,
        # ANY, and no type at all, take values as they are; an unknown name reads them.
        reads_numbers=holds is Holds.ANYTHING and word not in {"", "ANY"},
    )


def _cells(column: TableColumn) -> Cells:
    """A column as SQLite stores it: times and dates as microseconds, decimals as doubles."""
    data = column.data
    if isinstance(data, Scaled):
        data = doubles_of_decimals(data, column.field.name) if data.scale else data.unscaled
    elif column.field.holds is Holds.NUMERIC:
        data = doubles_of_decimals(data, column.field.name)
    elif isinstance(data, np.ndarray) and data.dtype.kind == "M":
        data = data.astype("M8[us]", copy=False)
    return column.cells(data)


def _driver_values(column: Cells) -> Sequence[Any]:
    data = column.values
    if isinstance(data, Ragged):
        values: list[Any] = [data.value(row) for row in range(len(data))]
        if column.is_text:
            values = [value.decode() for value in values]
    else:
        values = (data.view(np.int64) if data.dtype.kind == "M" else data).tolist()
    if column.valid is None:
        return values
    return [v if there else None for v, there in zip(values, column.valid.tolist(), strict=True)]


def _refuse_timeouts(config: Config) -> None:
    for name in ("statement_timeout", "idle_in_transaction_timeout"):
        if getattr(config, name):
            raise errors.ConfigError(f"SQLite has no {name}: set lock_timeout, or leave it out")


def _refuse_write(raw: _Connection) -> None:
    if raw.view is not None:
        raise errors.DatabaseReadOnlyError("this transaction only reads: use another one to write")


def _in_turn(statement: Statement) -> Statement:
    def run(raw: _Connection, params: Mapping[str, Any]) -> Any:
        _refuse_write(raw)
        if raw.in_transaction:
            return statement(raw, params)
        with raw.turn:
            return statement(raw, params)

    return run


def _adapt(value: Any) -> Any:
    """A value as SQLite stores it: instants as microseconds, lists as JSON, exact decimals."""
    if isinstance(value, datetime):
        return us_from_datetime(value)
    if isinstance(value, date):
        return us_from_date(value)
    if isinstance(value, np.datetime64):
        return int(value.astype("M8[us]").astype(np.int64))
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Decimal):
        return float(doubles([value], "parameter")[0])
    if isinstance(value, (list, tuple)):
        return json.dumps(list(map(_adapt, value)))
    if isinstance(value, np.ndarray):
        return json.dumps(value.tolist())
    return value


def _bound(query: Query) -> tuple[str, Callable[[Mapping[str, Any]], Sequence[Any]]]:
    text, names = query.render("qmark")
    return text, binder(query, names, _PLAIN_TYPES, _adapt)


def _row_maker(cursor: sqlite3.Cursor, query: Query) -> Callable[[Iterable[Any]], Any]:
    """A function from the driver's tuples to rows, with datetimes where the header says so."""
    columns = [column[0] for column in cursor.description]
    instants = [i for i, name in enumerate(columns) if name in query.timestamps]
    make = row_maker(columns)
    if not instants:
        return make

    def make_with_instants(row: Iterable[Any]) -> Any:
        values = list(row)
        for position in instants:
            if values[position] is not None:
                values[position] = datetime_from_us(values[position])
        return make(values)

    return make_with_instants


# The statements below are flat, and look at the columns of their result once: every call that a
# point lookup makes costs it 1 % of its 5 us.


def _compile_one(query: Query) -> Statement:
    text, bind = _bound(query)
    make: Callable[[Iterable[Any]], Any] | None = None

    def one(raw: _Connection, params: Mapping[str, Any]) -> Any:
        nonlocal make
        try:
            cursor = raw.cursor_of_one.execute(text, bind(params))
            row = cursor.fetchone()
            if row is None:
                return None
            if cursor.fetchone() is not None:
                # A statement with rows left would keep its view of the database open.
                raw.cursor_of_one = raw.cursor()
            if make is None:
                make = _row_maker(cursor, query)
            return make(row)
        except _FAILURES as error:
            raise translate(error, query.name) from error

    return one


def _compile_many(query: Query) -> Statement:
    text, bind = _bound(query)
    make: Callable[[Iterable[Any]], Any] | None = None

    def many(raw: _Connection, params: Mapping[str, Any]) -> list[Any]:
        nonlocal make
        try:
            cursor = raw.execute(text, bind(params))
            rows = cursor.fetchall()
            if make is None:
                make = _row_maker(cursor, query)
            return list(map(make, rows))
        except _FAILURES as error:
            raise translate(error, query.name) from error

    return many


def _compile_exec(query: Query) -> Statement:
    text, bind = _bound(query)

    def run(raw: _Connection, params: Mapping[str, Any]) -> int:
        try:
            return raw.execute(text, bind(params)).rowcount
        except _FAILURES as error:
            raise translate(error, query.name) from error

    return run


def _compile_columns(query: Query, queries: Queries) -> Statement:
    _, bind = _bound(query)
    read = ColumnsReader(query, queries)

    def columns(raw: _Connection, params: Mapping[str, Any]) -> dict[str, Column]:
        try:
            return read(raw, bind(params))
        except _FAILURES as error:
            raise translate(error, query.name) from error

    return columns


def _compile_script(query: Query) -> Statement:
    bind = binder(query, (), _PLAIN_TYPES, _adapt)

    def script(raw: _Connection, params: Mapping[str, Any]) -> None:
        bind(params)
        try:
            for statement in query.statements:
                raw.execute(statement)
        except _FAILURES as error:
            raise translate(error, query.name) from error

    return script


_BY_KIND: Mapping[Kind, Callable[[Query], Statement]] = {
    Kind.ONE: _compile_one,
    Kind.MANY: _compile_many,
    Kind.VALUE: lambda query: first_value(_compile_one(query)),
    Kind.EXEC: _compile_exec,
    Kind.SCRIPT: _compile_script,
}
