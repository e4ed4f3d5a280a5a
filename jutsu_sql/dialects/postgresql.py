"""PostgreSQL on psycopg and its pool: binary results, binary COPY, arrays as columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import date, datetime
from decimal import Decimal
from math import ceil
from operator import attrgetter
from types import NoneType
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import numpy as np
import psycopg
from psycopg.pq import TransactionStatus, version_pretty

from jutsu_sql import copy_binary, errors
from jutsu_sql.config import Config
from jutsu_sql.dialects.base import (
    Block,
    Column,
    Statement,
    binder,
    column_of,
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
from jutsu_sql.dialects.postgresql_pool import Connection, PostgresqlPool
from jutsu_sql.dialects.postgresql_servers import Servers
from jutsu_sql.instants import datetime_from_us, us_from_date, us_from_datetime
from jutsu_sql.queries import Kind, Queries, Query
from jutsu_sql.ragged import Cells, Ragged
from jutsu_sql.stats import PoolStats
from jutsu_sql.table_columns import Column as TableColumn
from jutsu_sql.table_columns import Field, Holds, Merge, Scaled, Table, suggest
from jutsu_sql.tls import find_tls_weakness

V = TypeVar("V")

_TIMESTAMPTZ_OID = 1184
# bool, int2, int4, int8, float4, float8, timestamptz: what copy_binary decodes arrays of.
_ELEMENT_OIDS = {16, 20, 21, 23, 700, 701, _TIMESTAMPTZ_OID}
_COPY_COLUMNS = re.compile(r"COPY\s+\S+\s*\(([^)]*)\)", re.IGNORECASE)
# What the columns of a table hold, by the OID of their type (pg_type.dat). What is sent as text is
# read as text by the type's own input function.
_HOLDS = {
    16: Holds.BOOL,
    17: Holds.BYTES,
    20: Holds.INT64,
    21: Holds.INT16,
    23: Holds.INT32,
    700: Holds.FLOAT32,
    701: Holds.FLOAT64,
    1082: Holds.DATE,
    1114: Holds.TIMESTAMP,
    1184: Holds.TIMESTAMPTZ,
    1700: Holds.NUMERIC,
    2950: Holds.UUID,
    **dict.fromkeys((19, 25, 114, 142, 1042, 1043, 3802), Holds.TEXT),
}
_QUERY_ID = re.compile(r"^\s*Query Identifier: (-?\d+)", re.MULTILINE)
_JSONB_OID = 3802
_JSONB_VERSION = 1
# json and xml have no equality.
_COMPARED_AS_TEXT = {114, 142}
_VARIABLE_HEADER_BYTES = 4

_PLAIN_TYPES: frozenset[type] = frozenset((int, float, str, bytes, bool, NoneType, Decimal, list))
_Executor = Callable[[Connection, Mapping[str, Any]], psycopg.Cursor[Any]]
_Fetch = Callable[[psycopg.Cursor[Any]], Any]
# By SQLSTATE, whole or by its class (postgresql.org/docs/current/errcodes-appendix.html).
_ERRORS: dict[str, type[errors.DatabaseError]] = {
    "08": errors.ConnectionFailedError,
    "0A": errors.StatementError,
    "22": errors.DataError,
    "23": errors.IntegrityError,
    "25006": errors.DatabaseReadOnlyError,
    "25P03": errors.ConnectionFailedError,
    "25P04": errors.StatementTimeoutError,
    "26": errors.StatementError,
    "28": errors.ConnectionFailedError,
    "3D": errors.ConnectionFailedError,
    "3F": errors.StatementError,
    "40001": errors.TransactionError,
    "40P01": errors.TransactionError,
    "42": errors.StatementError,
    "53100": errors.DatabaseFullError,
    "53300": errors.ConnectionFailedError,
    "55P03": errors.DatabaseLockedError,
    "57014": errors.StatementTimeoutError,
    "57P": errors.ConnectionFailedError,
    "XX001": errors.DatabaseCorruptError,
    "XX002": errors.DatabaseCorruptError,
}
# Where trying again helps, or does not, unlike with most of the kind. A standby may be promoted; a
# password stays wrong.
_RETRYABLE = {"25006": True, "28": False, "3D": False, "57P04": False}
_REMEDIES: dict[type[errors.DatabaseError], str] = {
    errors.DatabaseReadOnlyError: "the transaction only reads, the server is a standby, or"
    " default_transaction_read_only is on: use another transaction, the primary, or turn it off",
    errors.DatabaseFullError: "make room on the server's disk",
    errors.TransactionError: "nothing was written: run the whole transaction again",
}


def translate(error: psycopg.Error, query_name: str | None = None) -> errors.DatabaseError:
    """The toolkit's error for one of the driver's."""
    state = error.sqlstate
    if state is None:
        kind: type[errors.DatabaseError] = errors.StatementError
        # Answers that fit no question come from a pooler that has lost its server.
        if isinstance(error, (psycopg.OperationalError, psycopg.InternalError)):
            kind = errors.ConnectionFailedError
        elif isinstance(error, psycopg.DataError):
            kind = errors.DataError
    else:
        kind = _by_state(_ERRORS, state) or errors.DatabaseError
    remedy = f" ({_REMEDIES[kind]})" if kind in _REMEDIES else ""
    return kind(
        f"{str(error).strip()}{remedy}",
        query_name=query_name,
        sqlstate=state,
        retryable=None if state is None else _by_state(_RETRYABLE, state),
    )


def _by_state(table: Mapping[str, V], state: str) -> V | None:
    """What a table has for an SQLSTATE, or for the class that it belongs to."""
    found = (table[state[:length]] for length in (5, 3, 2) if state[:length] in table)
    return next(found, None)


@contextmanager
def _reading(raw: Connection) -> Iterator[None]:
    """A transaction that only reads. The driver begins it together with the first query, which
    decides what state all of them see."""
    try:
        raw.isolation_level, raw.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
        raw.autocommit = False
        yield
    finally:
        # What cannot be ended is not used again.
        with ExitStack() as unusable, suppress(psycopg.Error):
            unusable.callback(raw.close)
            # At a ROLLBACK the driver would forget what it has prepared.
            raw.commit()
            raw.autocommit, raw.isolation_level, raw.read_only = True, None, None
            unusable.pop_all()


class PostgresqlDialect:
    """A PostgreSQL server behind a pool of ``pool_size`` connections, and an overflow that is
    closed again when idle."""

    name: ClassVar[str] = "postgresql"
    can_write_in_parallel: ClassVar[bool] = True

    def __init__(self, config: Config, queries: Queries, *, create: bool) -> None:
        del create  # a server's databases are made by its administrator
        self._queries = queries
        self._halves: dict[str, tuple[_Executor, _Fetch]] = {}
        self._servers = Servers(config.conninfo, self._place_of)
        self._open_script = queries["connection.open"].statements
        self._limits = _limits(config, queries["connection.limit"])
        if weakness := find_tls_weakness(config.conninfo):
            warn_once(": ".join(weakness))
        self._pool = PostgresqlPool(config, self._servers, self._configure)
        # What is wrong with the server or the password shows now, not at the first query.
        raw = self.acquire()
        try:
            self._version = str(self._run(raw, "connection.version"))
        finally:
            self.release(raw)

    def _configure(self, raw: Connection) -> None:
        for statement in self._open_script:
            raw.execute(statement.encode())
        for text, values in self._limits:
            raw.execute(text, values)

    def _place_of(self, raw: psycopg.Connection[Any]) -> tuple[int, int]:
        row = raw.execute(self._queries["server.position"].statements[0].encode()).fetchone()
        system_identifier, timeline, *_ = row or (0, 0)
        return system_identifier, timeline

    def acquire(self) -> Connection:
        return self._pool.acquire()

    def release(self, raw: Connection) -> None:
        self._pool.release(raw)

    @contextmanager
    def transaction(self, raw: Connection) -> Iterator[None]:
        is_outermost = raw.info.transaction_status == TransactionStatus.IDLE
        commits = False
        try:
            with raw.transaction():
                yield
                if is_outermost and raw.info.transaction_status == TransactionStatus.INERROR:
                    # The server would answer this COMMIT with a silent ROLLBACK.
                    raise errors.DatabaseError(
                        "a statement of this transaction failed and its error was caught, so that"
                        " nothing can be written: wrap what may fail in tx.transaction()"
                    )
                commits = is_outermost and not raw.closed
        except psycopg.Error as error:
            # An error that the server sends leaves the connection open, and nothing written.
            if commits and raw.closed:
                raise errors.OutcomeUnknownError(
                    f"the connection was lost at COMMIT, which may have happened: {error}".strip(),
                    sqlstate=error.sqlstate,
                ) from error
            raise translate(error) from error

    @contextmanager
    def one_state(self, count: int) -> Iterator[list[Connection]]:
        share = self._queries["transaction.import"]
        with ExitStack() as held:
            raws, state = [], ""
            for _ in range(count):
                raw = self.acquire()
                held.callback(self.release, raw)
                held.enter_context(_reading(raw))
                if state:
                    try:
                        raw.execute(fill(share, state=state).encode())
                    except psycopg.Error as error:
                        raise translate(error) from error
                elif count > 1:
                    state = self._run(raw, "transaction.export")
                raws.append(raw)
            yield raws

    def compile(self, query: Query) -> Statement:
        if query.kind is Kind.COLUMNS:
            return _compile_columns(query, self._queries)
        statement = _BY_KIND[query.kind](query)
        return in_transaction(self, statement) if query.kind is Kind.SCRIPT else statement

    def run_all(
        self, raw: Connection, calls: Sequence[tuple[Query, Mapping[str, Any]]]
    ) -> list[Any]:
        sent: list[tuple[_Fetch, psycopg.Cursor[Any]]] = []
        raw.sent_at_once = len(calls)
        try:
            with raw.pipeline():
                for query, params in calls:
                    execute, fetch = self._halves_of(query)
                    sent.append((fetch, execute(raw, params)))
            return [fetch(cursor) for fetch, cursor in sent]
        except psycopg.Error as error:
            raise translate(error, ", ".join({query.name: None for query, _ in calls})) from error
        finally:
            raw.sent_at_once = 1

    def _halves_of(self, query: Query) -> tuple[_Executor, _Fetch]:
        """A query in two: to send it, and to take what came back."""
        halves = self._halves.get(query.name)
        if halves is None:
            halves = self._halves[query.name] = _executor(query), _FETCHES[query.kind]()
        return halves

    def bulk_load(self, raw: Connection, query: Query, blocks: Iterable[Block]) -> int:
        text = query.statements[0]
        listed = _COPY_COLUMNS.match(text)
        if listed is None:
            raise errors.QueryError(
                f"{query.name} is no COPY table (columns) FROM STDIN", query_name=query.name
            )
        names = [name.strip() for name in listed[1].split(",")]
        columns = (ordered_columns(query, names, block) for block in blocks)
        return _copy(raw, text, copy_binary.encode(columns), query.name)

    def spool(self, raw: Connection, query: Query) -> None:
        """A COPY of many batches is no faster than one of each."""

    def describe_table(self, raw: Connection, name: Sequence[str]) -> Table:
        quoted = ".".join(map(quote_identifier, name))
        rows = self._run(raw, "copy.columns", table_name=quoted)
        if not rows:
            known = [row.name for row in self._run(raw, "copy.tables")]
            raise errors.StatementError(
                f"there is no table {quoted}{suggest('.'.join(name), known)}"
            )
        by_key = sorted((row for row in rows if row.key_position >= 0), key=_key_position)
        return Table(
            quoted,
            [_field(row) for row in rows],
            [row.name for row in by_key],
            is_partitioned=rows[0].is_partitioned,
        )

    def copy_into(
        self, raw: Connection, table: Table, columns: Sequence[TableColumn], merge: Merge
    ) -> tuple[int, int]:
        if raw.info.encoding != "utf-8":
            self._run(raw, "copy.encoding")
        names = [column.field.name for column in columns]
        blanks = {"table": table.name, "columns": listed(names)}
        cells = [_cells(column) for column in columns]
        if merge.on_conflict == "error":
            return self._copy_cells(raw, "copy.insert", blanks, cells), 0
        values = [column.field for column in columns if column.field.name not in merge.keys]
        blanks |= {
            "keys": listed(merge.keys),
            "stored_keys": listed(merge.keys, "stored."),
            "earlier_keys": listed(merge.keys, "earlier."),
            "values": listed(field.name for field in values),
            "given": listed((field.name for field in values), "excluded."),
            "stored_as_compared": _compared(values, "stored."),
            "given_as_compared": _compared(values, "excluded."),
        }
        self._execute(raw, "copy.stage", blanks)
        self._copy_cells(raw, "copy.load", blanks, cells)
        query_name = f"copy.{merge.on_conflict}" if values else "copy.ignore"
        if query_name == "copy.update" and table.is_partitioned:
            query_name = "copy.update_partitioned"
        counts = self._execute(raw, query_name, blanks).fetchone()
        self._execute(raw, "copy.drop", blanks)
        inserted, updated = counts or (0, 0)
        return inserted, updated

    def _run(self, raw: Connection, query_name: str, **params: Any) -> Any:
        return self.compile(self._queries[query_name])(raw, params)

    def _execute(
        self, raw: Connection, query_name: str, blanks: Mapping[str, str]
    ) -> psycopg.Cursor[Any]:
        try:
            text = fill(self._queries[query_name], **blanks)
            # Each table has its own text, and a stage is new each time: nothing to keep prepared.
            return raw.execute(text.encode(), prepare=False)
        except psycopg.Error as error:
            raise translate(error, query_name) from error

    def _copy_cells(
        self,
        raw: Connection,
        query_name: str,
        blanks: Mapping[str, str],
        columns: Sequence[Cells],
    ) -> int:
        text = fill(self._queries[query_name], **blanks)
        return _copy(raw, text, copy_binary.encode_cells(columns), query_name)

    def explain(
        self, raw: Connection, query: Query, params: Mapping[str, Any], *, analyze: bool
    ) -> tuple[str, int | None]:
        template = self._queries["explain.analyze" if analyze else "explain.plan"]
        statement = _compile_many(query.inside(template.statements[0]))
        with raw.transaction(force_rollback=True):
            plan = "\n".join(line for (line,) in statement(raw, params))
        query_id = _QUERY_ID.search(plan)
        return plan, int(query_id[1]) if query_id else None

    @contextmanager
    def checker(self) -> Iterator[Checker]:
        from jutsu_sql.dialects.postgresql_check import PostgresqlChecker

        raw = self.acquire()
        # What the driver prepares by itself would be forgotten with what the check prepares.
        threshold, raw.prepare_threshold = raw.prepare_threshold, None
        try:
            yield PostgresqlChecker(self, raw, self._queries)
        finally:
            raw.prepare_threshold = threshold
            self.release(raw)

    @contextmanager
    def migration_backend(self) -> Iterator[Any]:
        from jutsu_sql.dialects.postgresql_yoyo import PostgresqlBackend

        try:
            with PostgresqlBackend.on_server(self._servers.conninfo) as backend:
                yield backend
        except psycopg.Error as error:
            raise translate(error) from error

    def activity(self, raw: Connection) -> dict[str, list[dict[str, Any]]]:
        from jutsu_sql.dialects.postgresql_activity import activity

        try:
            return activity(raw, self._queries, lambda name: self._run(raw, name))
        except psycopg.Error as error:
            raise translate(error, "server.statements") from error

    def describe(self) -> dict[str, Any]:
        return {
            "engine": f"PostgreSQL {self._version}",
            "driver": f"psycopg {psycopg.__version__}",
            "libpq": version_pretty(psycopg.pq.version()),
        }

    def pool_stats(self) -> PoolStats:
        return self._pool.stats()

    def close(self) -> None:
        self._pool.close()


def _copy(raw: Connection, text: str, blocks: Iterable[bytes], query_name: str) -> int:
    is_sent = False
    try:
        with raw.cursor() as cursor:
            with cursor.copy(text.encode()) as copy:
                for block in blocks:
                    copy.write(block)
                is_sent = True
            return cursor.rowcount
    except (psycopg.Error, ValueError) as error:
        # What a pooler says of a server that it lost is no answer to a COPY, or one too many, of
        # which psycopg can take but one.
        is_lost = isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None
        if is_lost or (is_sent and isinstance(error, ValueError)):
            raise errors.ConnectionFailedError(str(error), query_name=query_name) from error
        if isinstance(error, psycopg.Error):
            raise translate(error, query_name) from error
        raise


def _limits(config: Config, limit: Query) -> list[tuple[bytes, Sequence[str]]]:
    """A statement for each timeout that is set; what is not is left to the server and the role."""
    seconds = {
        "statement_timeout": config.statement_timeout,
        "lock_timeout": config.lock_timeout,
        "idle_in_transaction_session_timeout": config.idle_in_transaction_timeout,
    }
    text = limit.render("numbered")[0].encode()
    return [(text, (name, f"{ceil(s * 1000)}ms")) for name, s in seconds.items() if s]


def _key_position(row: Any) -> int:
    position: int = row.key_position
    return position


def _field(row: Any) -> Field:
    """A row of ``copy.columns``; ``modifier`` is the type's, -1 without (format_type.c)."""
    oid, modifier = row.type_oid, row.modifier
    holds = Holds.TEXT if row.is_enum else _HOLDS.get(oid)
    digits = scale = length = None
    if modifier >= 0:
        if holds is Holds.NUMERIC:
            digits = (modifier - _VARIABLE_HEADER_BYTES) >> 16 & 0xFFFF
            scale = ((modifier - _VARIABLE_HEADER_BYTES & 0x7FF) ^ 1024) - 1024
        elif holds in {Holds.TIMESTAMP, Holds.TIMESTAMPTZ}:
            scale = modifier
        elif holds is Holds.TEXT:
            length = modifier - _VARIABLE_HEADER_BYTES
    return Field(
        name=row.name,
        holds=holds or Holds.UNKNOWN,
        declared=row.declared,
        is_nullable=row.is_nullable,
        has_default=row.has_default,
        is_generated=row.is_generated,
        digits=digits,
        scale=scale,
        length=length,
        type_oid=oid,
    )


def _compared(fields: Iterable[Field], qualifier: str) -> str:
    return ", ".join(
        listed([field.name], qualifier, "::text" if field.type_oid in _COMPARED_AS_TEXT else "")
        for field in fields
    )


def _cells(column: TableColumn) -> Cells:
    """A column in the form that binary COPY takes."""
    data = column.data
    if isinstance(data, Scaled):
        data = copy_binary.encode_scaled(*data)
    elif column.field.holds is Holds.NUMERIC:
        data = _joined([copy_binary.encode_numeric(value) for value in data])
    elif column.field.holds is Holds.UUID:
        present = column.present().tolist()
        values = [UUID(column.value(i)).bytes if there else b"" for i, there in enumerate(present)]
        data = _joined(values)
    elif column.field.type_oid == _JSONB_OID:
        present = column.present()
        versioned = np.insert(data.data, data.offsets[:-1][present], _JSONB_VERSION)
        added = np.concatenate([[0], np.cumsum(present)])
        data = Ragged(versioned, data.offsets + added)
    if isinstance(data, Ragged) and column.valid is not None:
        data = data.emptied(column.valid)
    return column.cells(data)


def _joined(values: Sequence[bytes]) -> Ragged:
    offsets = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, values), np.int64, len(values)), out=offsets[1:])
    return Ragged(np.frombuffer(b"".join(values), np.uint8), offsets)


def _adapt(value: Any) -> Any:
    """A value that psycopg dumps rightly: no naive time, no NumPy time."""
    if isinstance(value, datetime):
        us_from_datetime(value)  # refuses a naive one, which the server would read in its own zone
    elif isinstance(value, np.datetime64):
        return datetime_from_us(int(value.astype("M8[us]").astype(np.int64)))
    elif isinstance(value, np.ndarray):
        return value.tolist()
    return value


def _instant(value: Any) -> Any:
    if isinstance(value, int):
        return datetime_from_us(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime_from_us(us_from_date(value))
    return value


def _executor(
    query: Query, *, for_one: bool = False, around: Callable[[str], str] = str
) -> _Executor:
    """``around`` makes another text of the query's own, with the same parameters."""
    text, names = query.render("numbered")
    text = around(text)
    bind = binder(query, names, _PLAIN_TYPES, _adapt)
    instants = [i for i, name in enumerate(names) if name in query.timestamps]
    # The driver caches what it parsed by these bytes, and asks for a literal type of text.
    encoded = text.encode()

    def execute(raw: Connection, params: Mapping[str, Any]) -> psycopg.Cursor[Any]:
        values = bind(params)
        if instants:
            values = list(values)
            for position in instants:
                values[position] = _instant(values[position])
        if for_one:
            return raw.cursor_of_one.execute(encoded, values or None)
        return raw.execute(encoded, values or None, binary=True)

    return execute


def _row_reader() -> Callable[[psycopg.Cursor[Any], Sequence[Any]], Any]:
    """A function from the driver's tuples to rows; the columns are looked at once."""
    make: Callable[[Iterable[Any]], Any] | None = None

    def read(cursor: psycopg.Cursor[Any], row: Sequence[Any]) -> Any:
        nonlocal make
        if make is None:
            make = row_maker([column.name for column in cursor.description or ()])
        return make(row)

    return read


def _compile_one(query: Query) -> Statement:
    execute, read = _executor(query, for_one=True), _row_reader()

    def one(raw: Connection, params: Mapping[str, Any]) -> Any:
        try:
            cursor = execute(raw, params)
            row = cursor.fetchone()
        except psycopg.Error as error:
            raise translate(error, query.name) from error
        return row if row is None else read(cursor, row)

    return one


def _compile_many(query: Query) -> Statement:
    execute, fetch = _executor(query), _fetch_many()

    def many(raw: Connection, params: Mapping[str, Any]) -> Any:
        try:
            return fetch(execute(raw, params))
        except psycopg.Error as error:
            raise translate(error, query.name) from error

    return many


def _compile_exec(query: Query) -> Statement:
    execute = _executor(query)

    def run(raw: Connection, params: Mapping[str, Any]) -> int:
        try:
            return execute(raw, params).rowcount
        except psycopg.Error as error:
            raise translate(error, query.name) from error

    return run


def _compile_columns(query: Query, queries: Queries) -> Statement:
    execute: _Executor | None = _executor(query) if query.writes else None
    names: list[str] | None = None

    def columns(raw: Connection, params: Mapping[str, Any]) -> dict[str, Column]:
        nonlocal execute, names
        try:
            if execute is None:
                describe, arrays = queries["columns.describe"], queries["columns.arrays"]
                described = _executor(query, around=lambda rows: fill(describe, rows=rows))
                found = described(raw, params).description or ()
                if found and all(column.type_code in _ELEMENT_OIDS for column in found):
                    names = [column.name for column in found]
                    blanks = _arrays(names)
                    execute = _executor(
                        query, around=lambda rows: fill(arrays, rows=rows, **blanks)
                    )
                else:
                    execute = _executor(query)
            cursor = execute(raw, params)
            return _columns_of(cursor) if names is None else _widened(_columns_of(cursor), names)
        except psycopg.Error as error:
            raise translate(error, query.name) from error

    return columns


def _arrays(names: Sequence[str]) -> dict[str, str]:
    """The blanks of a query's rows as arrays: places, because names may be there twice."""
    places = [f"c{position}" for position in range(len(names))]
    arrays = ", ".join(f"array_agg({place}) AS {place}" for place in places)
    return {"places": ", ".join(places), "arrays": arrays}


def _widened(arrays: dict[str, Column], names: Sequence[str]) -> dict[str, Column]:
    """Arrays as the columns that rows of the driver make."""
    wide = {"i": np.int64, "f": np.float64}
    return {
        name: column.astype(wide.get(column.dtype.kind, column.dtype), copy=False)
        for name, column in zip(names, arrays.values(), strict=True)
    }


def _value_of(cursor: psycopg.Cursor[Any]) -> Any:
    row = cursor.fetchone()
    return row if row is None else row[0]


def _columns_of(cursor: psycopg.Cursor[Any]) -> dict[str, Column]:
    """One row of arrays, decoded without a Python object a value; or any rows, the slower way."""
    result, described = cursor.pgresult, cursor.description or []
    types = [column.type_code for column in described]
    if result is None:
        return {}
    is_arrays = result.ntuples == 1 and bool(types)
    if is_arrays and copy_binary.ARRAY_DTYPES.keys() >= set(types):
        columns: dict[str, Column] = {}
        for position, column in enumerate(described):
            data = result.get_value(0, position)
            try:
                values = (
                    copy_binary.empty_array(types[position])
                    if data is None
                    else copy_binary.decode_array(data, types[position])
                )
            except ValueError:
                break
            if values.ndim > 1:
                columns |= zip(column.name.split(", "), values, strict=True)
            else:
                columns[column.name] = values
        else:
            return columns
    rows = cursor.fetchall()
    if is_arrays and rows and all(isinstance(value, list) for value in rows[0]):
        parts = rows[0]
    else:
        parts = list(zip(*rows, strict=True)) or [()] * len(described)
    return {
        column.name: _column_of(part, column.type_code)
        for column, part in zip(described, parts, strict=True)
    }


def _column_of(values: Sequence[Any], type_oid: int) -> Column:
    if type_oid == _TIMESTAMPTZ_OID and None not in values:
        return np.fromiter(map(us_from_datetime, values), np.int64, len(values)).view("M8[us]")
    return column_of(values)


def _compile_script(query: Query) -> Statement:
    bind = binder(query, (), _PLAIN_TYPES, _adapt)

    def script(raw: Connection, params: Mapping[str, Any]) -> None:
        bind(params)
        try:
            for statement in query.statements:
                raw.execute(statement.encode())
        except psycopg.Error as error:
            raise translate(error, query.name) from error

    return script


def _fetch_one() -> _Fetch:
    read = _row_reader()

    def fetch(cursor: psycopg.Cursor[Any]) -> Any:
        row = cursor.fetchone()
        return row if row is None else read(cursor, row)

    return fetch


def _fetch_many() -> _Fetch:
    read = _row_reader()
    return lambda cursor: [read(cursor, row) for row in cursor.fetchall()]


# What a query's answer becomes where sending it and taking the answer are two steps.
_FETCHES: Mapping[Kind, Callable[[], _Fetch]] = {
    Kind.ONE: _fetch_one,
    Kind.MANY: _fetch_many,
    Kind.VALUE: lambda: _value_of,
    Kind.EXEC: lambda: attrgetter("rowcount"),
    Kind.COLUMNS: lambda: _columns_of,
}

_BY_KIND: Mapping[Kind, Callable[[Query], Statement]] = {
    Kind.ONE: _compile_one,
    Kind.MANY: _compile_many,
    Kind.VALUE: lambda query: first_value(_compile_one(query)),
    Kind.EXEC: _compile_exec,
    Kind.SCRIPT: _compile_script,
}
