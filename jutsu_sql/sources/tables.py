"""The rows of files that are no delimited text: JSON, Parquet, Feather and Arrow, Databento DBN."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from jutsu_sql.errors import BarsError
from jutsu_sql.sources.data_file import DataFile
from jutsu_sql.sources.dbn import dbn_table
from jutsu_sql.sources.recognise import HEAD_LINES, Recognised, recognise_rows
from jutsu_sql.sources.rows import Rows, one_array

# Reads the content of a file as a table, and gives what else it says: a symbol, notes.
TableReader = Callable[[bytes], "tuple[Any, str | None, tuple[str, ...]]"]
_MAX_COLUMNS = 1000
_MAX_CELLS = 10**9


class Format(NamedTuple):
    """A format of tables, which are read whole: files of up to ``most_bytes``, unpacked."""

    name: str
    read: TableReader
    most_bytes: int = 2**30


def table_format(head: bytes) -> Format | None:
    """The format by the first bytes; None for text."""
    for magic, found in _FORMATS.items():
        if head.startswith(magic):
            return found
    return _JSON if head.lstrip()[:1] in (b"[", b"{") else None


def read_table(
    file: DataFile,
    data: bytes,
    read: TableReader,
    column_map: Mapping[str, str],
    shape_name: str | None,
) -> tuple[Rows, str | None, tuple[str, ...]]:
    """Every row of a table, the symbol that it says it is of, and what else it says.

    Raises:
        SourceError: it cannot be read, or not be understood as a whole.
    """
    try:
        table, symbol, notes = read(data)
        if not table.num_rows:
            raise file.error("there are no rows")
        recognised = _recognise(file, table, column_map, shape_name)
    except (pa.ArrowException, BarsError, ValueError) as error:
        raise file.error(f"cannot be read: {error}") from error
    except RecursionError:
        raise file.error("lists within lists, deeper than any of bars") from None
    rows = Rows(recognised)
    start = 0
    for batch in _parts(table):
        columns = {name: one_array(batch.column(at)) for name, at in recognised.columns.items()}
        rows.add(columns, np.arange(start + 1, start + batch.num_rows + 1, dtype=np.int64))
        start += batch.num_rows
    return rows, symbol, notes


def row_text(data: bytes, read: TableReader, row: int) -> str:
    """One row as JSON, for people to read."""
    table, _, _ = read(data)
    return json.dumps(table.slice(row, 1).to_pylist()[0], default=str)


def _recognise(
    file: DataFile, table: Any, column_map: Mapping[str, str], shape_name: str | None
) -> Recognised:
    head = table.slice(0, HEAD_LINES).to_pylist()
    cells = [["" if cell is None else str(cell) for cell in row.values()] for row in head]
    is_positional = table.column_names == [str(at) for at in range(table.num_columns)]
    rows = cells if is_positional else [table.column_names, *cells]
    return recognise_rows(rows, file.names, column_map, shape_name)


def _parts(table: Any) -> Iterator[Any]:
    for start in range(0, table.num_rows, 2**17):
        yield table.slice(start, 2**17)


def _parquet_table(data: bytes) -> tuple[Any, str | None, tuple[str, ...]]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(data))
    _require_few(file.metadata.num_rows, file.metadata.num_columns)
    return _flat(file.read()), None, ()


def _feather_table(data: bytes) -> tuple[Any, str | None, tuple[str, ...]]:
    from pyarrow import feather

    return _flat(feather.read_table(pa.BufferReader(data))), None, ()


def _stream_table(data: bytes) -> tuple[Any, str | None, tuple[str, ...]]:
    return _flat(pa.ipc.open_stream(data).read_all()), None, ()


def _require_few(rows: int, columns: int) -> None:
    # A million equal values take a few bytes in some formats, and in JSON those that are not there.
    if columns > _MAX_COLUMNS or rows * columns > _MAX_CELLS:
        raise BarsError(
            f"{rows} rows of {columns} columns; at most {_MAX_COLUMNS} columns and {_MAX_CELLS:,}"
            " cells are read: divide it"
        )


def _flat(table: Any) -> Any:
    """A table with a data frame's index as it was named."""
    names = ["date" if name == "__index_level_0__" else name for name in table.column_names]
    return table.rename_columns(names)


def _json_table(data: bytes) -> tuple[Any, str | None, tuple[str, ...]]:
    """Rows as arrays or as objects, bare or in what an API answers, as texts.

    Raises:
        BarsError: there are no rows that can be found.
    """
    try:
        content = json.loads(data, parse_float=str, parse_int=str)
    except ValueError as error:
        raise BarsError(f"this begins like JSON, and is none: {error}") from None
    rows, symbol, notes = _rows_of(content)
    if isinstance(rows[0], list):
        width = max(map(len, rows))
        _require_few(len(rows), width)
        names = [str(at) for at in range(width)]
        columns = {
            name: [_text(row[at]) if at < len(row) else None for row in rows]
            for at, name in enumerate(names)
        }
    else:
        names = list(dict.fromkeys(name for row in rows for name in row))
        _require_few(len(rows), len(names))
        columns = {name: [_text(row.get(name)) for row in rows] for name in names}
    return pa.table({name: pa.array(columns[name], pa.string()) for name in names}), symbol, notes


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _rows_of(content: Any) -> tuple[list[Any], str | None, tuple[str, ...]]:
    """The one list of rows in what an API answers."""
    if isinstance(content, list) and content:
        kinds = set(map(type, content))
        if kinds in ({list}, {dict}):
            return content, None, ()
    if isinstance(content, dict):
        lists = {
            name: value for name, value in content.items() if isinstance(value, list) and value
        }
        if len(lists) == 1:
            ((name, rows),) = lists.items()
            if set(map(type, rows)) in ({list}, {dict}):
                return rows, *_kraken(content, name, rows)
        inner = [value for value in content.values() if isinstance(value, dict)]
        if len(inner) == 1:
            return _rows_of(inner[0])
    raise BarsError("no rows of bars are found in this JSON: a list of arrays or of objects")


def _kraken(
    content: dict[str, Any], name: str, rows: list[Any]
) -> tuple[str | None, tuple[str, ...]]:
    """Kraken names rows by the pair, and says in ``last`` which bar is the last complete one."""
    last = content.get("last")
    if last is None:
        return None, ()
    open_bars = [row[0] for row in rows if isinstance(row, list) and int(row[0]) > int(last)]
    note = f"the bar of {open_bars[0]} was not complete yet" if open_bars else ""
    return name, (note,) if note else ()


def _dbn_table(data: bytes) -> tuple[Any, str | None, tuple[str, ...]]:
    return dbn_table(data), None, ()


_JSON = Format("JSON", _json_table, 2**28)  # takes ten times as much memory as it is long
_FORMATS: Mapping[bytes, Format] = {
    b"PAR1": Format("Parquet", _parquet_table),
    b"ARROW1": Format("Feather", _feather_table),
    b"FEA1": Format("Feather", _feather_table),
    b"\xff\xff\xff\xff": Format("Arrow stream", _stream_table),
    b"DBN": Format("Databento DBN", _dbn_table),
}

__all__ = ["read_table", "row_text", "table_format"]
