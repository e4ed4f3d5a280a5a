"""What a dialect is: one engine's way of doing what the toolkit needs."""

from __future__ import annotations

import logging
import re
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache, partial
from operator import itemgetter
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from jutsu_sql.dialects.checker import Checker
from jutsu_sql.errors import ColumnError, QueryParameterError
from jutsu_sql.queries import Query
from jutsu_sql.stats import PoolStats
from jutsu_sql.table_columns import Column as TableColumn
from jutsu_sql.table_columns import Merge, Table

# A compiled query: takes a driver connection and the parameters, gives what its kind promises.
Statement = Callable[[Any, Mapping[str, Any]], Any]
Column = npt.NDArray[Any]
Block = Mapping[str, Column]


class Spool(Protocol):
    """Rows for a bulk query that gather until the time has come to load them."""

    query: Query
    rows: int
    size_bytes: int

    def add(self, blocks: Iterable[Block]) -> None:
        """More blocks of equally long columns, of the same types in all of them."""

    def load(self) -> int:
        """Insert the rows, once, in the transaction in which they gathered; gives their number."""


class Dialect(Protocol):
    """One engine with its connections. Every method may be called from any thread."""

    name: ClassVar[str]
    can_write_in_parallel: ClassVar[bool]

    def compile(self, query: Query) -> Statement:
        """The fast path of one query: whatever can be worked out once is."""

    def acquire(self) -> Any:
        """A driver connection that no other thread uses until it is released."""

    def release(self, raw: Any) -> None:
        """Give a connection back."""

    def transaction(self, raw: Any) -> AbstractContextManager[Any]:
        """A transaction that may write, or a savepoint inside one: all or nothing."""

    def one_state(self, count: int) -> AbstractContextManager[list[Any]]:
        """Connections that all see one committed state and take no writes: one in memory."""

    def run_all(self, raw: Any, calls: Sequence[tuple[Query, Mapping[str, Any]]]) -> list[Any]:
        """What each query gives, in as few round trips as the engine allows."""

    def bulk_load(self, raw: Any, query: Query, blocks: Iterable[Block]) -> int:
        """Insert blocks of equally long columns by a bulk query; gives the number of rows."""

    def spool(self, raw: Any, query: Query) -> Spool | None:
        """Where blocks for a bulk query gather in a transaction while other queries run.

        None where they go in at once: there is no place, or nothing to gain.
        """

    def describe_table(self, raw: Any, name: Sequence[str]) -> Table:
        """A table by its name, or schema and name, as they are stored."""

    def copy_into(
        self, raw: Any, table: Table, columns: Sequence[TableColumn], merge: Merge
    ) -> tuple[int, int]:
        """Write columns to a table, in a transaction; gives the rows inserted and updated."""

    def explain(
        self, raw: Any, query: Query, params: Mapping[str, Any], *, analyze: bool
    ) -> tuple[str, int | None]:
        """The plan of a query, for people, and its identifier in the server's statistics, if any.

        ``analyze`` runs it as well, and takes it back.
        """

    def checker(self) -> AbstractContextManager[Checker]:
        """This engine's side of ``jutsu-sql check``; the database is scratch space."""

    def migration_backend(self) -> AbstractContextManager[Any]:
        """A yoyo backend on this database."""

    def activity(self, raw: Any) -> dict[str, list[dict[str, Any]]]:
        """What the engine itself tells of its work and its size: rows, by what they are of."""

    def describe(self) -> dict[str, Any]:
        """Versions, for people."""

    def pool_stats(self) -> PoolStats:
        """Connections now, and what has happened to them."""

    def close(self) -> None:
        """Close every connection; one that is in use is closed when it is released."""


def binder(
    query: Query,
    names: Sequence[str],
    plain_types: frozenset[type],
    adapt: Callable[[Any], Any],
) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    """A function that picks the values of ``names`` and refuses any other set of parameters.

    Values of ``plain_types`` go to the driver as they are, all others through ``adapt``.
    """
    wanted = len(query.params)
    pick: Callable[[Mapping[str, Any]], Sequence[Any]]
    if len(names) > 1:
        pick = itemgetter(*names)
    else:
        # itemgetter() of one name gives no tuple, and there is none of no name.
        def pick(params: Mapping[str, Any]) -> Sequence[Any]:
            return [params[name] for name in names]

    def bind(params: Mapping[str, Any]) -> Sequence[Any]:
        try:
            values = pick(params)
        except KeyError:
            raise query.explain_params(params) from None
        if len(params) != wanted:
            raise query.explain_params(params)
        # A loop beats issuperset(map(type, values)) for the few parameters that a query has.
        for value in values:
            if type(value) not in plain_types:
                return [adapt(v) if type(v) not in plain_types else v for v in values]
        return values

    return bind


BLANK = re.compile(r"\{(\w+)\}")


def quote_identifier(name: str) -> str:
    """Any name as an identifier of both engines, with its case and all its characters.

    Raises:
        ColumnError: a NUL character, which no name can hold.
    """
    if "\0" in name:
        raise ColumnError(f"{name!r} is no name of a table or column")
    return '"' + name.replace('"', '""') + '"'


def listed(names: Iterable[str], qualifier: str = "", suffix: str = "") -> str:
    """Quoted names for a template's blank; both affixes are ours and no input."""
    return ", ".join(f"{qualifier}{quote_identifier(name)}{suffix}" for name in names)


def fill(query: Query, **blanks: str) -> str:
    """The text of a template of ``sql/copy`` with its blanks ``{...}`` filled.

    Identifiers cannot be parameters. So a template says where they stand, and what comes in has
    been through :func:`quote_identifier`; braces in a name are not looked at again.
    """
    return BLANK.sub(lambda blank: blanks[blank[1]], query.statements[0])


def name_blanks(query: Query, **names: str) -> Query:
    """A template with names in its blanks, each quoted as an identifier; for scripts too."""
    quoted = {blank: quote_identifier(name) for blank, name in names.items()}

    def named(text: str) -> str:
        return BLANK.sub(lambda blank: quoted[blank[1]], text)

    return replace(query, statements=tuple(map(named, query.statements)))


@cache
def warn_once(message: str, logger_name: str = "jutsu_sql") -> None:
    """Log a warning, the first time that this process has reason to."""
    logging.getLogger(logger_name).warning("%s", message)


def ordered_columns(query: Query, names: Sequence[str], block: Block) -> list[Column]:
    """The columns of a block in the order that a bulk query names them.

    Raises:
        QueryParameterError: the block has not just those columns.
    """
    if set(names) != block.keys():
        raise QueryParameterError(
            f"{query.name} loads the columns {', '.join(names)}; the block has {', '.join(block)}",
            query_name=query.name,
        )
    return [block[name] for name in names]


def in_transaction(dialect: Dialect, statement: Statement) -> Statement:
    """The statement as one transaction, or as a savepoint of the one that is open."""

    def run(raw: Any, params: Mapping[str, Any]) -> Any:
        with dialect.transaction(raw):
            return statement(raw, params)

    return run


def first_value(one: Statement) -> Statement:
    """The first column of the row that a statement gives, or None without one."""

    def value(raw: Any, params: Mapping[str, Any]) -> Any:
        row = one(raw, params)
        return row if row is None else row[0]

    return value


def row_maker(columns: Sequence[str]) -> Callable[[Iterable[Any]], Any]:
    """A named tuple's constructor; column names that Python does not allow become _0, _1, ..."""
    row: Any = namedtuple("Row", columns, rename=True)  # type: ignore[misc]
    # What _make does but for its check of the length, in two thirds of the time.
    return partial(tuple.__new__, row)


def column_of(values: Sequence[Any], *, is_instant: bool = False) -> Column:
    """One column of driver values: int64, float64, bool or ``datetime64[us]``, else objects.

    ``is_instant`` says that integers are microseconds since 1970.
    """
    kinds = set(map(type, values))
    for kind, dtype in ((float, np.float64), (int, np.int64), (bool, np.bool_)):
        if kinds == {kind}:
            column = np.fromiter(values, dtype, len(values))
            return column.view("M8[us]") if is_instant and kind is int else column
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def concat_columns(names: Sequence[str], blocks: Sequence[Sequence[Column]]) -> dict[str, Column]:
    """Columns from blocks of columns; a type that changes between blocks becomes objects."""
    columns: dict[str, Column] = {}
    for name, parts in zip(names, zip(*blocks, strict=True), strict=True):
        same = len({part.dtype for part in parts}) == 1
        columns[name] = np.concatenate(parts if same else [part.astype(object) for part in parts])
    return columns
