"""Columns into any table, by the engine's own bulk path: insert, ignore, or update by key.

The table is looked up and every column fitted to it (:mod:`jutsu_sql.table_columns`) before
anything is written. Then the engine takes the batch at once: PostgreSQL by binary COPY, straight
into the table or, where rows may be there, into a temporary table and from it by one
``INSERT ... ON CONFLICT``; SQLite from a database file that NumPy has laid out, attached. Rows of
text, NULLs and decimals are laid out by NumPy as well.

The statements are templates in ``sql/copy``, because a table's name cannot be a parameter; what
fills them is quoted by one function, :func:`jutsu_sql.dialects.base.quote_identifier`. Names
are taken as they are stored: never folded, never read as SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from jutsu_sql.dialects.base import Dialect
from jutsu_sql.errors import ColumnError
from jutsu_sql.interchange import arrow_table
from jutsu_sql.ragged import Ragged
from jutsu_sql.table_columns import Column, Field, Merge, Scaled, Table, read_values, suggest

OnConflict = Literal["error", "ignore", "update"]
_ON_CONFLICT = ("error", "ignore", "update")


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What became of the rows of a batch: ``rows`` is the sum of the other three.

    ``unchanged`` are rows whose key was stored: with the same values (update), or with any
    (ignore). What a trigger of the table's owner does or swallows shows as the engine counts it.
    """

    rows: int
    inserted: int
    updated: int
    unchanged: int


def copy_into(
    dialect: Dialect,
    raw: Any,
    table: str | Sequence[str],
    columns: Any,
    *,
    on_conflict: OnConflict = "error",
    keys: Sequence[str] | None = None,
) -> CopyReport:
    """See :meth:`jutsu_sql.Database.copy_into`; ``raw`` is a connection of ``dialect``."""
    if on_conflict not in _ON_CONFLICT:
        raise ValueError(f"on_conflict is one of {', '.join(_ON_CONFLICT)}, not {on_conflict!r}")
    target = dialect.describe_table(raw, _name_of(table))
    given = _columns_of(columns)
    _require_columns(target, given)
    if on_conflict == "error" and keys is not None:
        raise ValueError(
            'keys say which stored row is meant: they need on_conflict="ignore" or "update"'
        )
    merge = Merge(on_conflict, _keys_of(target, given, keys) if on_conflict != "error" else ())
    fields = {field.name: field for field in target.fields}
    fitted = [fields[name].fit(read_values(values, name)) for name, values in given.items()]
    rows = _common_length(fitted)
    _require_distinct_keys([column for column in fitted if column.field.name in merge.keys])
    if not rows:
        return CopyReport(0, 0, 0, 0)
    with dialect.transaction(raw):
        inserted, updated = dialect.copy_into(raw, target, fitted, merge)
    return CopyReport(rows, inserted, updated, rows - inserted - updated)


def _name_of(table: str | Sequence[str]) -> Sequence[str]:
    parts = table.split(".", 1) if isinstance(table, str) else list(table)
    if len(parts) not in {1, 2} or not all(parts):
        raise ColumnError(
            f"{table!r} is no name of a table: write 'table' or 'schema.table', or a tuple of the"
            " parts if one of them holds a dot"
        )
    return parts


def _columns_of(columns: Any) -> dict[str, Any]:
    if isinstance(columns, Mapping):
        named = dict(columns)
    elif hasattr(columns, "__arrow_c_stream__"):
        arrow = arrow_table(columns)
        if repeated := {n for n in arrow.column_names if arrow.column_names.count(n) > 1}:
            raise ColumnError(f"two columns are named {sorted(repeated)[0]}: rename one")
        named = dict(zip(arrow.column_names, arrow.columns, strict=True))
    else:
        raise ColumnError(
            f"columns are a mapping of names to arrays, or an Arrow stream (pyarrow, pandas,"
            f" polars, DuckDB), not {type(columns).__name__}"
        )
    if not named:
        raise ColumnError("there are no columns to copy")
    return named


def _require_columns(table: Table, given: Mapping[str, Any]) -> None:
    fields = {field.name: field for field in table.fields}
    for name in given:
        if name not in fields:
            raise ColumnError(
                f"{table.name} has no column {name}{suggest(str(name), fields)}", column=name
            )
        if fields[name].is_generated:
            raise ColumnError(
                f"column {name} of {table.name} is generated: leave it out", column=name
            )
    for field in table.fields:
        if field.name not in given and _is_required(field):
            raise ColumnError(
                f"column {field.name} of {table.name} is NOT NULL and has no default: give it"
                f"{suggest(field.name, set(given) - fields.keys())}",
                column=field.name,
            )


def _is_required(field: Field) -> bool:
    return not (field.is_nullable or field.has_default or field.is_generated)


def _keys_of(table: Table, given: Mapping[str, Any], keys: Sequence[str] | None) -> Sequence[str]:
    chosen = [keys] if isinstance(keys, str) else table.key if keys is None else list(keys)
    if not chosen:
        raise ColumnError(
            f"{table.name} has no primary key: name the columns of a unique one, keys="
        )
    for name in chosen:
        if name not in given:
            raise ColumnError(
                f"the key column {name} is not among the columns{suggest(name, given)}", column=name
            )
    if len(set(chosen)) < len(chosen):
        raise ColumnError(f"keys names a column twice: {', '.join(chosen)}")
    return chosen


def _common_length(columns: Sequence[Column]) -> int:
    first = columns[0]
    for column in columns:
        if len(column) != len(first):
            raise ColumnError(
                f"column {column.field.name} has {len(column)} rows,"
                f" column {first.field.name} {len(first)}",
                column=column.field.name,
            )
    return len(first)


def _require_distinct_keys(keys: Sequence[Column]) -> None:
    """No NULL in a key, which would never conflict, and no key twice, which no engine resolves."""
    for column in keys:
        if column.valid is not None and len(column):
            row = int(np.argmin(column.valid))
            raise column.field.refuse(
                row, "is NULL, and a key with NULL is never the same as another", "give it a value"
            )
    if not keys or not len(keys[0]):
        return
    codes = _codes(keys[0])
    for column in keys[1:]:
        more = _numbered(_codes(column))
        # Both are below the number of rows, so that their product is an int64 of its own.
        codes = _numbered(codes) * (int(more.max()) + 1) + more
    in_order = np.sort(codes)
    if (in_order[1:] != in_order[:-1]).all():
        return
    order = np.argsort(codes, kind="stable")
    repeats = order[1:][codes[order[1:]] == codes[order[:-1]]]
    row = int(repeats.min())
    earlier = int(np.argmax(codes == codes[row]))
    shown = ", ".join(f"{column.field.name}={column.value(row)!r:.60}" for column in keys)
    raise ColumnError(
        f"rows {earlier} and {row} have the same key ({shown}): keep one of them",
        column=keys[0].field.name,
        row=row,
    )


def _codes(column: Column) -> npt.NDArray[np.int64]:
    """A number for each value, the same for the same."""
    data = column.data
    if isinstance(data, Scaled):
        return data.unscaled
    if isinstance(data, Ragged):
        import pyarrow as pa

        buffers = [None, pa.py_buffer(np.ascontiguousarray(data.offsets)), pa.py_buffer(data.data)]
        array = pa.Array.from_buffers(pa.large_binary(), len(data), buffers)
        return np.asarray(array.dictionary_encode().indices.to_numpy(), dtype=np.int64)
    if data.dtype.kind == "O":
        index: dict[Decimal, int] = {}
        numbers = (index.setdefault(value, len(index)) for value in data)
        return np.fromiter(numbers, np.int64, len(data))
    if data.dtype.kind == "M":
        return np.asarray(data.view(np.int64))
    if data.dtype.kind == "f":
        return _numbered(data)
    return np.asarray(data.astype(np.int64))


def _numbered(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """The rank of each value among the distinct ones."""
    return np.asarray(np.unique(values, return_inverse=True)[1], dtype=np.int64)
