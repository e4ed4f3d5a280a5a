"""What reads bars from either engine alike: libraries that take any connection of theirs, and files
that hold the same bars. ``run`` and ``connect`` of a :class:`~benchmarks.peers.peer.Reader`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.peers import shapes
from benchmarks.peers.peer import Place, Reader
from jutsu_sql.database import connect
from jutsu_sql.queries import Queries

if TYPE_CHECKING:
    import pyarrow as pa


def _text(queries: Queries, name: str) -> str:
    return queries[name].statements[0]


def fetchall(connection: Any, queries: Queries, name: str) -> Any:
    """A driver's rows as tuples, in its default format."""
    return connection.execute(_text(queries, name)).fetchall()


def adbc_fetch(connection: Any, queries: Queries, name: str) -> Any:
    """One ADBC cursor's Arrow table."""
    with connection.cursor() as cursor:
        cursor.execute(_text(queries, name))
        return cursor.fetch_arrow_table()


def polars_read_database(connection: Any, queries: Queries, name: str) -> Any:
    """polars over whatever it knows to read from."""
    import polars as pl

    return pl.read_database(_text(queries, name), connection)


def pandas_read_sql(connection: Any, queries: Queries, name: str) -> Any:
    """pandas over whatever it knows to connect with."""
    import pandas as pd

    return pd.read_sql(_text(queries, name), connection)


def sqlalchemy_core(engine: Any, queries: Queries, name: str) -> Any:
    """SQLAlchemy Core's rows."""
    from sqlalchemy import text

    with engine.connect() as connection:
        return connection.execute(text(_text(queries, name))).all()


def aiosql_rows(driver: str) -> Callable[[Any, Queries, str], Any]:
    """aiosql over a driver's connection; the text is parsed once."""
    loaded: dict[str, Any] = {}

    def read(connection: Any, queries: Queries, name: str) -> Any:
        import aiosql

        if name not in loaded:
            named = f"-- name: bars()\n{_text(queries, name)}"
            loaded[name] = aiosql.from_str(named, driver)
        return list(loaded[name].bars(connection))

    return read


def connectorx_read(url: str, queries: Queries, name: str) -> Any:
    """connectorx's Arrow table; it connects anew for each."""
    import connectorx

    return connectorx.read_sql(url, _text(queries, name), return_type="arrow")


def connectorx_in_parts(url: str, queries: Queries, name: str) -> Any:
    """The same in two parts, each over a connection of its own, and of a state of its own."""
    import connectorx

    return connectorx.read_sql(
        url,
        _text(queries, name),
        return_type="arrow",
        partition_on="series_id",
        partition_num=2,
    )


def _parquet_write(table: pa.Table, file: str) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, file)


def _parquet_read(file: str, _queries: Queries, _name: str) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(file)


def _ipc_write(table: pa.Table, file: str) -> None:
    from pyarrow import feather

    # In one piece and as it is in memory, so that it can be mapped.
    feather.write_feather(table, file, compression="uncompressed", chunksize=len(table))


def _ipc_read(file: str, _queries: Queries, _name: str) -> Any:
    from pyarrow import feather

    return feather.read_table(file, memory_map=True)


def _file_of(
    query: str, write: Callable[[pa.Table, str], None]
) -> Callable[[Place], AbstractContextManager[str]]:
    @contextmanager
    def written(place: Place) -> Iterator[str]:
        with tempfile.TemporaryDirectory(prefix="jutsu-bench-") as folder:
            file = str(Path(folder) / "bars")
            with connect(config=place.config) as db:
                rows = db.run(query)
            write(shapes.arrow_table(shapes.columns_of_rows(rows)), file)
            yield file

    return written


def files(query: str) -> tuple[Reader, ...]:
    """The outer limit: what a query gives as a file of columns, with no database at all."""
    return tuple(
        Reader(name, ("pyarrow",), _file_of(query, write), read, shapes.columns_of_arrow)
        for name, write, read in (
            ("a Parquet file, pyarrow", _parquet_write, _parquet_read),
            ("an Arrow file, mapped", _ipc_write, _ipc_read),
        )
    )
