"""Columns of a query's result: from pages of the file, from a table in memory, or from tuples.

Tuples cost more than a microsecond a row. A result of numbers that is not short is written to a
table in memory by one statement, and read from that table's pages. And what is a range of a table's
key is read from the pages of that table, without a step of SQLite for each row. A way that cannot
be taken leaves the result to the next, which is slower; all give the same columns.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import numpy as np

from jutsu_sql import sqlite_image
from jutsu_sql.dialects.base import Column, column_of, concat_columns, fill, listed
from jutsu_sql.dialects.sqlite_file import DatabaseFile, Seen
from jutsu_sql.instants import datetime_from_us
from jutsu_sql.queries import Queries, Query
from jutsu_sql.sqlite_tree import Spans, Tree, UnreadableTreeError, read_spans

# Tuples of this many rows are turned into columns while they are still in the cache: 1.1 us a
# bar, against 1.8 with 4,096 rows and 2.7 with all at once.
_FETCH_ROWS = 1_024
# A result of fewer rows is not worth the table in memory that a longer one is read from: 190 us.
_PROBED_ROWS = 256
# So many rows tell how long a range may be. It is not worth the way down the tree with fewer rows
# than these in all (0.7 ms), or in each of its spans (0.1 ms).
_PROBED_OF_RANGE_ROWS, _MIN_RANGE_ROWS, _MIN_SPAN_ROWS = 64, 1_500, 300
# Queries that read ranges of this table's key: its first column is :series_id, or in the JSON array
# :series_ids; the second is from :start to :end. At most :n rows.
_RANGES = {"bars.read_piece", "bars.read_many"}
_TABLE, _KEY = "bars", ("series_id", "ts")
_DTYPES = {int: np.dtype(np.int64), float: np.dtype(np.float64)}
_INT64 = np.iinfo(np.int64)


class ColumnsConnection(sqlite3.Connection):
    """A connection that reads columns, one state of the database for a while if it has a view."""

    # None if the database is in memory.
    file: DatabaseFile | None = None
    # A statement that is not done: as long as it is not, every other one sees the same state.
    view: sqlite3.Cursor | None = None
    # What the view sees of the file's log.
    seen: Seen | None = None
    # Whether the database is attached that results are read from.
    has_found = False

    def begin_view(self, text: str) -> None:
        mark = self.file.mark() if self.file else b""
        self.view = self.execute(text)
        self.seen = self.file.seen_since(mark) if self.file else None

    def end_view(self) -> None:
        if self.view is not None:
            self.view.close()
            self.view = None


class ColumnsReader:
    """What runs a query of kind ``columns``."""

    def __init__(self, query: Query, queries: Queries) -> None:
        self._query = query
        self._queries = queries
        self._text, self._bound = query.render("qmark")
        self._is_range = query.name in _RANGES

    def __call__(self, raw: ColumnsConnection, values: Sequence[Any]) -> dict[str, Column]:
        """The result with these values bound.

        Raises:
            sqlite3.Error: SQLite's.
        """
        mark = raw.file.mark() if self._is_range and raw.file and not raw.view else b""
        with pages_dropped(raw, self._queries), closing(raw.execute(self._text, values)) as cursor:
            names = [column[0] for column in cursor.description]
            # The cursor is not done meanwhile: all ways see one state.
            rows = cursor.fetchmany(_PROBED_OF_RANGE_ROWS)
            found = self._read_range(raw, mark, values, names, rows)
            # The driver is a row ahead: with the last one it lets go of the state, and what was
            # read from pages may be of any other. Then there are no rows but these.
            if found is None or cursor.fetchone() is None:
                rows += cursor.fetchmany(_PROBED_ROWS - len(rows))
                found = self._read_found(raw, values, rows)
            blocks = [] if found is None else [found]
            while rows and found is None:
                blocks.append([column_of(part) for part in zip(*rows, strict=True)])
                rows = cursor.fetchmany(_FETCH_ROWS)
        return self._named(names, blocks)

    def _read_range(
        self,
        raw: ColumnsConnection,
        mark: bytes,
        values: Sequence[Any],
        names: Sequence[str],
        rows: Sequence[Any],
    ) -> list[Column] | None:
        """From the table's own pages. None, if they cannot be read or that is not worth it."""
        is_short = len(rows) < _PROBED_OF_RANGE_ROWS
        if is_short or not (self._is_range and raw.file) or raw.in_transaction:
            return None
        spans = _spans(params := dict(zip(self._bound, values, strict=True)))
        first, last = (dict(zip(names, rows[i], strict=True)) for i in (0, -1))
        if spans is None or not set(map(type, rows[0])) <= _DTYPES.keys():
            return None
        in_span = _span_rows(spans, first, last, len(rows))
        if in_span < max(_MIN_SPAN_ROWS, _MIN_RANGE_ROWS / len(spans.firsts)):
            return None
        text, bound = self._queries["columns.tree"].render("qmark")
        described = raw.execute(text, [_TABLE] * len(bound)).fetchall()
        columns = tuple(name for name, _ in described)
        if columns[:2] != _KEY or not first.keys() <= set(columns):
            return None
        dtypes = {name: _DTYPES[type(value)] for name, value in first.items()}
        seen = raw.seen if raw.view else raw.file.seen_since(mark)
        try:
            with raw.file.pages(seen) as pages:
                tree = Tree(pages, described[0][1], columns)
                found = read_spans(tree, spans, dtypes, params["n"])
        except UnreadableTreeError:
            return None
        return None if _differs(found, rows) else found

    def _read_found(
        self, raw: ColumnsConnection, values: Sequence[Any], rows: Sequence[Any]
    ) -> list[Column] | None:
        """By way of a table in memory. None, if not all are numbers, as wide in every row."""
        if len(rows) < _PROBED_ROWS or self._query.writes or raw.in_transaction:
            return None
        if not all(map(_is_even, zip(*rows, strict=True))):
            return None
        first, width = rows[0], len(rows[0])
        blanks = {
            "result": f"found.result_{width}",
            "columns": listed(f"c{i}" for i in range(width)),
            "rowid": str(sqlite_image.FIRST_ROWID),
            "marks": ", ".join("?" * width),
            "rows": self._text,
        }
        if not raw.has_found:
            for statement in self._queries["columns.attach"].statements:
                raw.execute(statement)
            raw.has_found = True
        raw.execute(fill(self._queries["columns.create"], **blanks))
        try:
            raw.execute(fill(self._queries["columns.first"], **blanks), first)
            raw.execute(fill(self._queries["columns.insert"], **blanks), values)
            return sqlite_image.read(raw.serialize(name="found"))
        finally:
            if raw.view is not None:
                # What a view holds cannot be detached.
                raw.execute(fill(self._queries["columns.empty"], **blanks))

    def _named(self, names: Sequence[str], blocks: list[list[Column]]) -> dict[str, Column]:
        instants = self._query.timestamps
        if not blocks:
            blocks = [[np.empty(0, np.int64 if name in instants else float) for name in names]]
        columns = concat_columns(names, blocks)
        for name in instants & columns.keys():
            column = columns[name]
            if column.dtype == np.int64:
                columns[name] = column.view("M8[us]")
            elif column.dtype == object:  # there are NULLs
                column[:] = [v if v is None else datetime_from_us(v) for v in column.tolist()]
        return columns


@contextmanager
def pages_dropped(raw: ColumnsConnection, queries: Queries) -> Iterator[None]:
    """Let go of the table in memory at the end, but not in a view, which would hold it."""
    try:
        yield
    finally:
        if raw.has_found and raw.view is None:
            raw.execute(queries["columns.detach"].statements[0])
            raw.has_found = False


def _spans(params: Mapping[str, Any]) -> Spans | None:
    """The ranges that parameters say. None, if they say it otherwise than by integers: what else is
    one, SQLite knows."""
    try:
        ids = [params["series_id"]] if "series_id" in params else json.loads(params["series_ids"])
        numbers = [params["start"], params["end"], params["n"], *ids]
    except (TypeError, ValueError):
        return None
    is_whole = set(map(type, numbers)) == {int}
    if not (is_whole and _INT64.min <= min(numbers) and max(numbers) <= _INT64.max):
        return None
    firsts = np.unique(np.array(ids))
    ones = np.ones_like(firsts)
    return Spans(firsts, params["start"] * ones, params["end"] * ones)


def _span_rows(
    spans: Spans, first: Mapping[str, Any], last: Mapping[str, Any], count: int
) -> float:
    """How many rows a span may have, if there are so many from the first row to the last."""
    key, second = _KEY
    if first.get(key) != last.get(key):
        return count
    place = spans.firsts.searchsorted(first.get(key, spans.firsts[0]))
    span = int(spans.ends[place]) - first[second]
    return float(count * span / (last[second] - first[second]))


def _differs(columns: Sequence[Column], rows: Sequence[Any]) -> bool:
    """Whether the first rows are others, by two of them."""
    return any(
        len(columns[0]) <= i or tuple(column[i] for column in columns) != rows[i]
        for i in (0, len(rows) - 1)
    )


def _is_even(column: Sequence[Any]) -> bool:
    """Whether numbers seem to be stored in one width: a guess, to save a table made in vain."""
    kinds = set(map(type, column))
    if kinds == {int}:
        return sqlite_image.stored_bytes(min(column)) == sqlite_image.stored_bytes(max(column))
    return kinds == {float}
