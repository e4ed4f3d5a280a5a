"""PostgreSQL's side of ``jutsu-sql check``: everything happens in transactions that roll back.

A statement that the server plans is prepared, which resolves every name and type and runs nothing.
Of other statements that would only parse, so those are run, but for what a rollback does not undo.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import psycopg
from psycopg.pq import DiagnosticField, ExecStatus

from jutsu_sql.copy_binary import LSEG_ARRAY_OID
from jutsu_sql.dialects.base import fill
from jutsu_sql.dialects.checker import (
    UNKNOWN,
    Access,
    Description,
    Plan,
    RefusedError,
    ResultColumn,
    Type,
    place_of,
)
from jutsu_sql.errors import JutsuSqlError
from jutsu_sql.queries import Queries, Query, Token, tokens_of

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from jutsu_sql.dialects.postgresql import PostgresqlDialect

# By pg_type.typname, else by its category (manual, 53.64).
_WORDS = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), "int"),
    **dict.fromkeys(("float4", "float8"), "float"),
    "numeric": "decimal",
    "bool": "bool",
    "bytea": "bytes",
    "timestamptz": "instant",
    "timestamp": "timestamp",
    "date": "date",
    "uuid": "uuid",
}
_DOUBLES = Type("float", is_array=True, declared="_float8")
_CATEGORIES = {"S": "text", "E": "text"}
# The server analyses these when it prepares them; and of these there is nothing but to parse.
_PREPARED = re.compile(
    r"(?i)SELECT|VALUES|TABLE|WITH|INSERT|UPDATE|DELETE|MERGE|EXPLAIN|DECLARE|CALL|\("
)
_PARSED = re.compile(
    r"(?i)BEGIN|START|COMMIT|END|ROLLBACK|ABORT|SAVEPOINT|RELEASE|PREPARE|DEALLOCATE|DISCARD"
)
_NOT_IN_A_TRANSACTION = b"25001"
# What can make a column NULL that is NOT NULL in its table.
_NULLING = {"LEFT", "RIGHT", "FULL", "ROLLUP", "CUBE", "SETS"}
_QUOTED = re.compile(r'"([^"]+)"')
_CAST_COLUMN = re.compile(r"\((?:\w+\.)?(\w+)\)::[\w ]+ (?:=|<=?|>=?|~~)")


# What a statement of another check on the same database can do to one of ours, for milliseconds.
_BUSY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)
_PATIENCE_S, _PAUSE_S = 3.0, 0.05

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _patient(ask: Callable[_P, _R]) -> Callable[_P, _R]:
    """Ask again while another check is in the way: that is no fault of the query."""

    @wraps(ask)
    def asked(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return ask(*args, **kwargs)
            except JutsuSqlError as error:
                if not isinstance(error.__cause__, _BUSY) or time.monotonic() > until:
                    raise
            time.sleep(_PAUSE_S)

    return asked


class PostgresqlChecker:
    """On one connection to a database that nobody else writes."""

    def __init__(
        self, dialect: PostgresqlDialect, raw: psycopg.Connection[Any], queries: Queries
    ) -> None:
        self._dialect = dialect
        self._raw = raw
        self._queries = queries
        self._own("check.discourage")

    # Looked at when all tables are there.

    @cached_property
    def _types(self) -> dict[int, Any]:
        return {row.type_oid: row for row in self._own("check.types")}

    @cached_property
    def _stored(self) -> dict[tuple[int, int], Any]:
        rows = self._own("check.stored_columns")
        return {(row.table_oid, row.position): row for row in rows}

    @cached_property
    def _indexed(self) -> set[str]:
        return {row.name for row in self._stored.values() if row.is_indexed}

    def _own(self, name: str, **params: Any) -> Any:
        return self._dialect.compile(self._queries[name])(self._raw, params)

    def _filled(self, name: str, **blanks: str) -> bytes:
        return fill(self._queries[name], **blanks).encode()

    def apply(self, script: Query) -> None:
        self._dialect.compile(script)(self._raw, {})

    @_patient
    def describe(self, query: Query, before: Sequence[Query]) -> Description:
        first = tokens_of(query.statements[0], "postgresql")[0].text
        if len(query.statements) == 1 and _PREPARED.fullmatch(first):
            with self._behind(before):
                return self._prepare(query)
        with self._taken_back(before):
            said = [self._run(query, number) for number in range(len(query.statements))]
        return Description({}, (), said[0] if len(said) == 1 else "")

    @_patient
    def plan(self, query: Query, before: Sequence[Query]) -> Plan | None:
        text, names = query.render("numbered")
        first = tokens_of(text, "postgresql")[0].text
        if not _PREPARED.fullmatch(first) or first.upper() in {"EXPLAIN", "DECLARE", "CALL"}:
            return None
        values = f"({', '.join(['NULL'] * len(names))})" if names else ""
        try:
            with self._behind(before):
                self._raw.execute(self._filled("check.prepare", statement=text))
                explain = self._filled("check.explain", values=values)
                ((tree,),) = self._raw.execute(explain).fetchall()
        except psycopg.Error as error:  # of a constant, say, that is worked out beforehand
            raise RefusedError(str(error.diag.message_primary), query, 0, 0) from error
        finally:
            self._own("check.forget")
        return _plan(tree[0]["Plan"], self._indexed)

    @_patient
    def run(
        self,
        query: Query,
        before: Sequence[Query],
        params: Mapping[str, Any],
        time_zones: Sequence[str],
    ) -> Mapping[str, Any]:
        statement, given = self._dialect.compile(query), {}
        with self._taken_back(before):
            for time_zone in time_zones:
                self._own("check.time_zone", time_zone=time_zone)
                given[f"postgresql in {time_zone}"] = statement(self._raw, params)
        return given

    def _behind(self, before: Sequence[Query]) -> AbstractContextManager[None]:
        """For what changes nothing by itself: a transaction is two round trips more."""
        return self._taken_back(before) if before else nullcontext()

    @contextmanager
    def _taken_back(self, before: Sequence[Query]) -> Iterator[None]:
        with self._raw.transaction(force_rollback=True):
            for script in before:
                for number in range(len(script.statements)):
                    self._run(script, number)
            yield

    def _prepare(self, query: Query) -> Description:
        text, names = query.render("numbered")
        pgconn = self._raw.pgconn
        self._succeeded(query, 0, pgconn.prepare(b"", text.encode()))
        result = pgconn.describe_prepared(b"")
        types = [self._type(result.param_type(i)) for i in range(result.nparams)]
        words = {token.text.upper() for token in tokens_of(text, "postgresql")}
        columns = [
            column
            for i in range(result.nfields)
            for column in self._columns(result, i, can_be_nulled=bool(words & _NULLING))
        ]
        return Description(dict(zip(names, types, strict=True)), tuple(columns))

    def _columns(self, result: PGresult, at: int, *, can_be_nulled: bool) -> Iterator[ResultColumn]:
        """A column of a result, or those that the dialect makes of an array of line segments."""
        name = (result.fname(at) or b"").decode()
        oid = result.ftype(at)
        if oid == LSEG_ARRAY_OID:
            yield from (ResultColumn(part, _DOUBLES) for part in name.split(", "))
            return
        stored = self._stored.get((result.ftable(at), result.ftablecol(at)))
        is_nullable = None if stored is None or can_be_nulled else not stored.is_not_null
        yield ResultColumn(name, self._type(oid), is_nullable)

    def _type(self, oid: int) -> Type:
        row = self._types.get(oid)
        if row is None:
            return UNKNOWN
        if row.base_oid:
            return self._type(row.base_oid)._replace(declared=row.name)
        if row.element_oid:
            return Type(self._type(row.element_oid).word, is_array=True, declared=row.name)
        word = _WORDS.get(row.name) or _CATEGORIES.get(row.category, "any")
        return Type(word, declared=row.name)

    def _run(self, query: Query, number: int) -> str:
        """Run a statement that takes no parameters; or say why not."""
        text = query.statements[number]
        tokens = tokens_of(text, "postgresql")
        first = tokens[0].text.upper()
        if first == "DO":
            return self._compile_block(query, number, tokens)
        if first == "COPY":
            return self._copy(query, number, tokens)
        if _PARSED.fullmatch(first):
            self._succeeded(query, number, self._raw.pgconn.prepare(b"", text.encode()))
            return f"{first} outlives a transaction, so it was only parsed"
        result = self._raw.pgconn.exec_params(text.encode(), None)
        if result.error_field(DiagnosticField.SQLSTATE) == _NOT_IN_A_TRANSACTION:
            return f"{first} cannot be taken back, so it was only parsed"
        self._succeeded(query, number, result)
        return ""

    def _compile_block(self, query: Query, number: int, tokens: Sequence[Token]) -> str:
        words = [token.text.upper() for token in tokens]
        if "LANGUAGE" in words and words[words.index("LANGUAGE") + 1] != "PLPGSQL":
            return "only blocks of PL/pgSQL can be compiled without running them"
        body = next(token for token in tokens if token.kind in {"dollars", "text", "escaped"})
        made = self._raw.pgconn.exec_(self._filled("check.function", body=body.text))
        self._succeeded(query, number, made, inside=body)
        return "a DO block is compiled, not run: the names in it are not looked up"

    def _copy(self, query: Query, number: int, tokens: Sequence[Token]) -> str:
        words = {token.text.upper() for token in tokens}
        if not words & {"STDIN", "STDOUT"}:
            return "a COPY by the server itself is not run"
        pgconn = self._raw.pgconn
        result = pgconn.exec_(query.statements[number].encode())
        if result.status == ExecStatus.COPY_IN:
            # An error, which aborts the transaction: that is rolled back anyway.
            pgconn.put_copy_end(b"checked")
        elif result.status == ExecStatus.COPY_OUT:
            while pgconn.get_copy_data(0)[0] > 0:
                pass
        else:
            self._succeeded(query, number, result)
        while pgconn.get_result():
            pass
        return ""

    def _succeeded(
        self, query: Query, number: int, result: PGresult, inside: Token | None = None
    ) -> None:
        if result.status in {ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK}:
            return
        error = psycopg.errors.error_from_result(result, encoding=self._raw.info.encoding)
        diagnosis = error.diag
        text = query.statements[number]
        if inside is not None:
            offset = inside.start
        elif diagnosis.statement_position is None:
            named = _QUOTED.search(diagnosis.message_primary or "")
            offset = place_of(named[1], tokens_of(text, "postgresql")) if named else 0
        else:
            offset = int(diagnosis.statement_position) - 1
            if len(query.statements) == 1:
                offset = query.unrendered(offset, "numbered")
        hint = f" ({diagnosis.message_hint})" if diagnosis.message_hint else ""
        raise RefusedError(f"{diagnosis.message_primary}{hint}", query, number, offset) from error


def _plan(root: dict[str, Any], indexed: Set[str]) -> Plan:
    accesses, casts, lines = [], [], []
    nodes = [(root, 0, root.get("Relation Name", ""))]
    while nodes:
        node, depth, above = nodes.pop()
        table = node.get("Relation Name", above)
        condition = node.get("Index Cond") or node.get("TID Cond") or ""
        filters = " ".join(str(node.get(f"{kind} Filter", "")) for kind in ("Join", "One-Time"))
        filters = f"{node.get('Filter', '')} {filters}"
        casts += [name for name in _CAST_COLUMN.findall(filters) if name in indexed]
        if "Relation Name" in node and node["Node Type"] != "Bitmap Heap Scan":
            if node["Node Type"] != "ModifyTable":
                accesses.append(Access(table, bool(condition)))
        elif node["Node Type"] == "Bitmap Index Scan":
            accesses.append(Access(above, bool(condition)))
        said = [node["Node Type"], node.get("Index Name", ""), node.get("Relation Name", "")]
        lines.append("  " * depth + " ".join(filter(None, [*said, condition, filters.strip()])))
        nodes += [(child, depth + 1, table) for child in reversed(node.get("Plans", []))]
    return Plan(tuple(accesses), tuple(casts), "\n".join(lines))
