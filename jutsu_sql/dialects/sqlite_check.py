"""SQLite's side of ``jutsu-sql check``: each query meets its own copy of the scratch database."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jutsu_sql.dialects.base import fill
from jutsu_sql.dialects.checker import (
    Access,
    Description,
    Plan,
    RefusedError,
    ResultColumn,
    Type,
    place_of,
)
from jutsu_sql.queries import Queries, Query, Token, tokens_of

if TYPE_CHECKING:
    from jutsu_sql.dialects.sqlite import SqliteDialect, _Connection

_READS = {"SELECT", "VALUES"}
_VERBS = {*_READS, "INSERT", "UPDATE", "DELETE", "REPLACE"}
# What a script may do to the copy so that its next statement finds what it needs.
_EXECUTED = {*_VERBS, "WITH", "CREATE", "DROP", "ALTER"}
# A declared type by its affinity (datatype3.html, 3.1).
_WORDS = (
    (("INT",), "int"),
    (("CHAR", "CLOB", "TEXT"), "text"),
    (("BLOB",), "bytes"),
    (("REAL", "FLOA", "DOUB"), "float"),
)
_NAMED_IN_ERROR = re.compile(
    r"no such (?:column|table|function|index|view|module|collation sequence): (?P<missing>.+)"
    r"|ambiguous column name: (?P<ambiguous>.+)"
    r"|has no column named (?P<lacking>.+)"
    r"|(?:to|of aggregate:|of window function:?) (?:function )?(?P<function>\w+)\(\)"
    r'|unrecognized token: "(?P<unread>.+)"'
)
_VIEW = "jutsu_sql_check"
_QUOTES = '"`[]'
# What can make a column NULL that is NOT NULL in its table, or not be of that table.
_NOT_AS_STORED = {"LEFT", "RIGHT", "FULL", "UNION", "INTERSECT", "EXCEPT", "WITH", "VALUES"}
_NEAR = re.compile(r'near "(.+)": syntax error')
_DETAIL = re.compile(r"(SCAN|SEARCH) (\S+)(?: USING .*\((.*)\))?")


class SqliteChecker:
    """On copies of one database."""

    def __init__(self, dialect: SqliteDialect, raw: _Connection, queries: Queries) -> None:
        self._dialect = dialect
        self._raw = raw
        self._queries = queries

    @cached_property
    def _image(self) -> bytes:
        return self._raw.serialize()

    def apply(self, script: Query) -> None:
        self._dialect.compile(script)(self._raw, {})

    def describe(self, query: Query, before: Sequence[Query]) -> Description:
        with self._copy(query, before) as copy:
            if len(query.statements) > 1:
                self._run_script(copy, query)
                return Description({}, ())
            text, names = query.render("qmark")
            program = self._explain(copy, query, 0, text, len(names))
            gives_rows = any(row[1] == "ResultRow" for row in program)
            columns: tuple[ResultColumn, ...] | None = ()
            if gives_rows or _is_explain(text):
                columns = self._columns(copy, query, text)
            return Description(_param_types(query), columns)

    def plan(self, query: Query, before: Sequence[Query]) -> Plan | None:
        text, names = query.render("qmark")
        tokens = tokens_of(text, "sqlite")
        if _verb(tokens) is None:
            return None
        with self._copy(query, before) as copy:
            explain = fill(self._queries["explain.plan"], statement=text)
            details = [row[3] for row in copy.execute(explain, [None] * len(names))]
        return Plan(tuple(_accesses(details, tokens)), (), "\n".join(details))

    def run(
        self,
        query: Query,
        before: Sequence[Query],
        params: Mapping[str, Any],
        time_zones: Sequence[str],
    ) -> Mapping[str, Any]:
        del time_zones  # the engine has none
        with self._dialect.transaction(self._raw):
            try:
                for script in before:
                    self._run_script(self._raw, script)
                return {"sqlite": self._dialect.compile(query)(self._raw, params)}
            finally:
                self._raw.rollback()

    @contextmanager
    def _copy(self, query: Query, before: Sequence[Query]) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
            copy.deserialize(self._image)
            if batch := self._dialect.batch_image(query):
                copy.execute(
                    self._queries["batch.attach"].render("qmark")[0], (":memory:", "batch")
                )
                copy.deserialize(batch, name="batch")
            for script in before:
                self._run_script(copy, script)
            yield copy

    def _run_script(self, copy: sqlite3.Connection, script: Query) -> None:
        for number, text in enumerate(script.statements):
            self._explain(copy, script, number, text)
            if tokens_of(text, "sqlite")[0].text.upper() in _EXECUTED:
                copy.execute(text)

    def _explain(
        self, copy: sqlite3.Connection, query: Query, number: int, text: str, params: int = 0
    ) -> list[Any]:
        explain = fill(self._queries["check.explain"], statement=text)
        if _is_explain(text):
            explain = text  # which runs nothing either
        try:
            return copy.execute(explain, [None] * params).fetchall()
        except sqlite3.Error as error:
            offset = self._offset(copy, str(error), text)
            if len(query.statements) == 1:
                offset = query.unrendered(offset, "qmark")
            raise RefusedError(str(error), query, number, offset) from error

    def _offset(self, copy: sqlite3.Connection, message: str, text: str) -> int:
        """Where the fault is that a message names: the driver does not say."""
        if near := _NEAR.search(message):
            return self._offset_near(copy, near[1], text)
        if message == "incomplete input":
            return len(text)
        if named := _NAMED_IN_ERROR.search(message):
            return place_of(str(named[named.lastgroup or 0]), tokens_of(text, "sqlite"))
        return 0

    def _offset_near(self, copy: sqlite3.Connection, name: str, text: str) -> int:
        """The occurrence up to which the text alone fails in the same way."""
        for place in re.finditer(re.escape(name), text):
            begun = text[: place.end()]
            explain = fill(self._queries["check.explain"], statement=begun)
            try:
                copy.execute(explain, [None] * begun.count("?"))
            except sqlite3.Error as error:
                if _NEAR.search(str(error)):
                    return place.start()
        return 0

    def _columns(
        self, copy: sqlite3.Connection, query: Query, text: str
    ) -> tuple[ResultColumn, ...] | None:
        """The columns of a result; the engine tells those of a query by a view of it."""
        tokens = tokens_of(text, "sqlite")
        verb = _verb(tokens)
        if verb is None:
            return None  # of a PRAGMA, say, or an EXPLAIN
        if verb.text.upper() not in _READS:
            text = self._returned(text, tokens, verb)
            tokens = tokens_of(text, "sqlite")
        for token in reversed(tokens):
            if token.kind == "native":  # a view takes no parameters
                text = f"{text[: token.start]}NULL{text[token.end :]}"
        try:
            copy.execute(fill(self._queries["check.view"], view=_VIEW, statement=text))
        except sqlite3.Error:
            return None  # there is no such view, though there is such a statement
        rows = copy.execute(self._queries["check.columns"].render("qmark")[0], (_VIEW,)).fetchall()
        nullable = self._nullable(copy, tokens)
        if len(nullable) != len(rows):  # a star, say
            nullable = [None] * len(rows)
        return tuple(
            ResultColumn(name, _type(declared, query, name), is_nullable)
            for (name, declared), is_nullable in zip(rows, nullable, strict=True)
        )

    def _nullable(self, copy: sqlite3.Connection, tokens: Sequence[Token]) -> list[bool | None]:
        """Whether each column of a query can be NULL, where it is one of a table as it is."""
        selected, rest = _select_list(tokens)
        if _NOT_AS_STORED & {token.text.upper() for token in tokens}:
            return [None] * len(selected)
        tables = _tables(rest)
        stored = {table: self._stored(copy, table) for table in tables.values()}
        nullable: list[bool | None] = []
        for qualifier, name in selected:
            places = [tables.get(qualifier, "")] if qualifier else list(stored)
            found = [stored[table][name] for table in places if name in stored.get(table, {})]
            nullable.append(found[0] if len(found) == 1 else None)
        return nullable

    def _stored(self, copy: sqlite3.Connection, table: str) -> dict[str, bool]:
        """The columns of a table, and whether they can be NULL; none if there is no such table."""
        text, params = self._queries["copy.columns"].render("qmark")
        given = {"table_name": table.strip(_QUOTES), "schema_name": None}
        columns = copy.execute(text, [given[name] for name in params]).fetchall()
        keys = sum(position >= 0 for *_, position in columns)
        return {
            # The rowid by another name is never NULL, though nothing says so.
            name: bool(is_nullable)
            and not (position == 0 and keys == 1 and declared.upper() == "INTEGER")
            for name, declared, is_nullable, *_, position in columns
        }

    def _returned(self, text: str, tokens: Sequence[Token], verb: Token) -> str:
        words = [token.text.upper() for token in tokens]
        start = tokens.index(verb)
        if words[start] == "UPDATE":
            at = start + (3 if words[start + 1] == "OR" else 1)
        else:
            at = words.index("INTO" if "INTO" in words[start:] else "FROM", start) + 1
        end = at + (3 if words[at + 1] == "." else 1)
        end += 2 if words[end] == "AS" else 0
        table = text[tokens[at].start : tokens[end - 1].end]
        last = len(words) - 1 - words[::-1].index("RETURNING")
        returned = text[tokens[last].end :]
        return fill(self._queries["check.returning"], returned=returned, table=table)


def _is_explain(text: str) -> bool:
    return tokens_of(text, "sqlite")[0].text.upper() == "EXPLAIN"


def _verb(tokens: Sequence[Token]) -> Token | None:
    """What a statement does, behind its common table expressions."""
    if tokens[0].text.upper() not in {*_VERBS, "WITH"}:
        return None
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.kind == "word" and token.text.upper() in _VERBS:
            return token
    return None


def _type(declared: str, query: Query, name: str) -> Type:
    upper = declared.upper()
    word = next((word for marks, word in _WORDS if any(mark in upper for mark in marks)), "any")
    if name in query.timestamps and word in {"int", "any"}:
        word = "instant"
    return Type(word, declared=declared)


def _param_types(query: Query) -> dict[str, Type]:
    """The types that parameters are cast to: the engine itself takes any value for any of them."""
    casts = query.casts("sqlite")
    return {name: _type(casts.get(name, ""), query, name) for name in query.params}


def _tables(tokens: Sequence[Token]) -> dict[str, str]:
    """The tables that a statement names, by their aliases and names."""
    texts = [*(token.text for token in tokens), "", "", ""]
    tables: dict[str, str] = {}
    for word, table, alias, behind in zip(*(texts[i:] for i in range(4)), strict=False):
        if word.upper() in {"FROM", "JOIN", "INTO", "UPDATE"}:
            tables[table] = table
        if word.upper() in {"FROM", "JOIN", "INTO", "UPDATE", ","}:
            tables.setdefault(behind if alias.upper() == "AS" else alias, table)
    return tables


def _select_list(tokens: Sequence[Token]) -> tuple[list[tuple[str, str]], list[Token]]:
    """What a SELECT gives, as qualifier and name (both empty for an expression); and the rest,
    without what stands in parentheses."""
    outer, depth = [], 0
    for token in tokens:
        depth -= token.text == ")"
        if depth == 0:
            outer.append(token)
        depth += token.text == "("
    texts = [token.text.upper() for token in outer]
    end = texts.index("FROM") if "FROM" in texts else len(outer)
    items: list[list[str]] = [[]]
    for token in outer[2 if texts[1:2] in (["DISTINCT"], ["ALL"]) else 1 : end]:
        if token.text == ",":
            items.append([])
        else:
            items[-1].append(token.text.strip(_QUOTES))
    return [_column_of(item) for item in items], outer[end:]


def _column_of(item: Sequence[str]) -> tuple[str, str]:
    if len(item) > 1 and item[-2].upper() == "AS":
        item = item[:-2]
    if len(item) == 3 and item[1] == ".":
        return item[0], item[2]
    return ("", item[0]) if len(item) == 1 else ("", "")


def _accesses(details: Sequence[str], tokens: Sequence[Token]) -> Iterator[Access]:
    """The tables of a query plan, which calls them by their aliases."""
    tables = _tables(tokens)
    for detail in details:
        if found := _DETAIL.match(detail):
            # An index that the engine makes for one query is none of the table's.
            is_by_index = found[1] == "SEARCH" and bool(found[3]) and "AUTOMATIC" not in detail
            yield Access(tables.get(found[2], found[2]), is_by_index)
