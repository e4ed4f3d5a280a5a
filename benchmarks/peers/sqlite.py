"""What writes bars into SQLite and reads them, on connections with the pragmas of the toolkit's.

ADBC and connectorx bring an SQLite library of their own. Two of them in one process drop each
other's locks (https://www.sqlite.org/howtocorrupt.html, 2.2.1), and bars got lost that way: they
work apart.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import numpy as np

from benchmarks.peers import readers, shapes, writers
from benchmarks.peers.peer import Columns, Peer, Place, Reader
from jutsu_sql.queries import Queries


@contextmanager
def _sqlite3(place: Place) -> Iterator[sqlite3.Connection]:
    with closing(_connect(place)) as connection:
        yield connection


def _connect(place: Place) -> sqlite3.Connection:
    connection = sqlite3.connect(place.config.database)
    for statement in place.queries["connection.open"].statements:
        connection.execute(statement)
    return connection


def _executemany(
    connection: sqlite3.Connection, queries: Queries, rows: list[tuple[Any, ...]]
) -> None:
    text, _ = queries["bench.insert_bar"].render("qmark")
    with connection:
        connection.executemany(text, rows)


@contextmanager
def _adbc(place: Place) -> Iterator[Any]:
    import adbc_driver_sqlite.dbapi as adbc

    with adbc.connect(place.config.database) as connection:
        # Pragmas such as synchronous do nothing inside a transaction.
        connection.adbc_connection.set_autocommit(True)
        with connection.cursor() as cursor:
            for statement in place.queries["connection.open"].statements:
                cursor.execute(statement)
        connection.adbc_connection.set_autocommit(False)
        yield connection


@contextmanager
def _sqlalchemy(place: Place) -> Iterator[Any]:
    from sqlalchemy import create_engine

    engine = create_engine("sqlite://", creator=lambda: _connect(place))
    try:
        engine.connect().close()  # now its pool has one, as everybody else has
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _url(place: Place) -> Iterator[str]:
    yield f"sqlite://{place.config.database}"


def _stored(shape: Callable[[Columns], Any], columns: Columns) -> Any:
    """The shape, with times as the table has them: microseconds since 1970."""
    return shape({**columns, "ts": columns["ts"].view(np.int64)})


LIMIT = Peer("INSERT ... SELECT", (), None, writers.engine_limit)
COPY_INTO = Peer("jutsu_sql copy_into", (), None, writers.copy_into)
WRITERS = (
    Peer(
        "ADBC ingest",
        ("adbc-driver-sqlite",),
        _adbc,
        writers.adbc_ingest,
        partial(_stored, shapes.arrow_table),
        is_apart=True,
    ),
    Peer(
        "polars write_database, ADBC",
        ("polars", "adbc-driver-sqlite"),
        _adbc,
        writers.polars_write_database,
        partial(_stored, shapes.polars_frame),
        is_apart=True,
    ),
    Peer(
        "pandas to_sql, ADBC",
        ("pandas", "adbc-driver-sqlite"),
        _adbc,
        writers.pandas_to_sql,
        partial(_stored, shapes.pandas_frame),
        is_apart=True,
    ),
    Peer(
        "sqlite3 executemany",
        (),
        _sqlite3,
        _executemany,
        partial(_stored, shapes.records),
    ),
    Peer(
        "pandas to_sql, sqlite3",
        ("pandas",),
        _sqlite3,
        writers.pandas_to_sql,
        partial(_stored, shapes.pandas_frame),
    ),
    Peer(
        "SQLAlchemy Core insert",
        ("sqlalchemy",),
        _sqlalchemy,
        writers.sqlalchemy_core,
        partial(_stored, shapes.mappings),
    ),
)
READERS = (
    Reader(
        "ADBC",
        ("adbc-driver-sqlite",),
        _adbc,
        readers.adbc_fetch,
        shapes.columns_of_arrow,
        is_apart=True,
    ),
    Reader(
        "connectorx",
        ("connectorx",),
        _url,
        readers.connectorx_read,
        shapes.columns_of_arrow,
        is_apart=True,
    ),
    Reader(
        "polars read_database, ADBC",
        ("polars", "adbc-driver-sqlite"),
        _adbc,
        readers.polars_read_database,
        shapes.columns_of_polars,
        is_apart=True,
    ),
    Reader(
        "pandas read_sql, ADBC",
        ("pandas", "adbc-driver-sqlite"),
        _adbc,
        readers.pandas_read_sql,
        shapes.columns_of_pandas,
        is_apart=True,
    ),
    Reader("sqlite3 fetchall", (), _sqlite3, readers.fetchall, shapes.columns_of_rows),
    Reader(
        "aiosql, sqlite3",
        ("aiosql",),
        _sqlite3,
        readers.aiosql_rows("sqlite3"),
        shapes.columns_of_rows,
    ),
    Reader(
        "SQLAlchemy Core",
        ("sqlalchemy",),
        _sqlalchemy,
        readers.sqlalchemy_core,
        shapes.columns_of_rows,
    ),
    Reader(
        "pandas read_sql, sqlite3",
        ("pandas",),
        _sqlite3,
        readers.pandas_read_sql,
        shapes.columns_of_pandas,
    ),
)
PARALLEL_READERS: tuple[Reader, ...] = ()
