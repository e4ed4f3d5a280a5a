"""What ``jutsu-sql query`` prints: a result in one of its forms, or how two results differ."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from jutsu_sql.cli.common import as_text, is_terminal, plain, print_json, print_table
from jutsu_sql.queries import Kind, Query

if TYPE_CHECKING:
    import pyarrow as pa

    from jutsu_sql.database import Database

_GIVE_ROWS = {Kind.ONE, Kind.MANY, Kind.VALUE, Kind.COLUMNS}


def run_for(form: str, db: Database, query: Query, params: Mapping[str, Any]) -> Any:
    """What ``print_result`` prints in that form."""
    if form not in {"csv", "parquet"}:
        return db.run(query.name, **params)
    columns = db.run_columns(query.name, **params)
    if query.kind is Kind.VALUE:
        columns = dict(list(columns.items())[:1])
    is_single = query.kind in {Kind.ONE, Kind.VALUE}
    return {name: column[:1] if is_single else column for name, column in columns.items()}


def require_printable(query: Query, form: str) -> None:
    """Refuse a form that the query or the terminal is not made for, before anything runs."""
    if form in {"csv", "parquet"} and query.kind not in _GIVE_ROWS:
        raise click.UsageError(f"{query.name} gives no rows: kind {query.kind} has no {form}")
    if form == "parquet" and is_terminal(sys.stdout):
        raise click.UsageError("Parquet is for a file or a pipe: say > FILE.parquet")


def print_result(query: Query, result: Any, form: str) -> None:
    if form == "parquet":
        _print_parquet(result)
    elif form == "csv":
        _print_csv(result)
    elif form == "json":
        _print_json(query, result)
    else:
        _print_table(query, result)


def _print_table(query: Query, result: Any) -> None:
    if query.kind is Kind.COLUMNS:
        print_table(query.name, list(result), list(zip(*result.values(), strict=True)))
    elif query.kind is Kind.SCRIPT:
        click.echo("Done.")
    elif query.kind is Kind.EXEC:
        click.echo(f"{result} rows." if result >= 0 else "Done.")
    elif query.kind is Kind.VALUE:
        click.echo(as_text(result))
    elif rows := result if query.kind is Kind.MANY else [result] if result else []:
        print_table(query.name, rows[0]._fields, rows)


def _print_json(query: Query, result: Any) -> None:
    if query.kind is Kind.COLUMNS:
        print_json(rows_of(query, result))
    else:
        print_json({"rows": max(result, 0)} if query.kind is Kind.EXEC else result)


def _print_csv(columns: Mapping[str, Any]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        values = map(plain, row)
        writer.writerow([json.dumps(v) if isinstance(v, (list, dict)) else v for v in values])


def _print_parquet(columns: Mapping[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: _arrow(name, column) for name, column in columns.items()})
    buffer = pa.BufferOutputStream()  # a pipe cannot tell where it is
    pq.write_table(table, buffer)
    sys.stdout.buffer.write(buffer.getvalue())


def _arrow(name: str, column: Any) -> pa.Array:
    """A NumPy column; its times are UTC."""
    import pyarrow as pa

    try:
        array = pa.array(column)
    except pa.ArrowException as error:
        raise click.ClickException(f"column {name} has no one type for Parquet: {error}") from error
    return array.cast(pa.timestamp("us", "UTC")) if column.dtype.kind == "M" else array


def rows_of(query: Query, result: Any) -> list[dict[str, Any]]:
    """The rows of a reading query, whatever its kind, by the names of their columns."""
    if query.kind is Kind.COLUMNS:
        return [dict(zip(result, row, strict=True)) for row in zip(*result.values(), strict=True)]
    if query.kind is Kind.VALUE:
        return [{"value": result}]
    rows: Sequence[Any] = result if query.kind is Kind.MANY else [result] if result else []
    return [row._asdict() for row in rows]


class Difference(NamedTuple):
    """A row that only one of two results has at its place."""

    is_second: bool
    row: dict[str, Any]


def differences(
    one: Sequence[dict[str, Any]], two: Sequence[dict[str, Any]]
) -> Iterator[Difference]:
    """What turns the first rows into the second, in their order."""
    texts, others = ([_comparable(row) for row in rows] for rows in (one, two))
    matcher = SequenceMatcher(None, texts, others)
    for tag, start, end, second_start, second_end in matcher.get_opcodes():
        if tag != "equal":
            yield from (Difference(False, row) for row in one[start:end])
            yield from (Difference(True, row) for row in two[second_start:second_end])


def _comparable(row: Mapping[str, Any]) -> str:
    """A row as text, with 0 and 1 for an engine that has no booleans."""
    values = {name: plain(value) for name, value in row.items()}
    return json.dumps({n: int(v) if isinstance(v, bool) else v for n, v in values.items()})
