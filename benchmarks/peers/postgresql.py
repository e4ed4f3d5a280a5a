"""What writes bars into PostgreSQL and reads them, as its documentation has it for many rows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BytesIO
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

from benchmarks.peers import readers, shapes, writers
from benchmarks.peers.peer import Peer, Place, Reader
from jutsu_sql.queries import Queries

Rows = list[tuple[Any, ...]]

# The table's columns in their order, and the types that binary COPY has to be told.
_TYPES = {
    "series_id": "int4",
    "load_id": "int4",
    "ts": "timestamptz",
    "open": "float8",
    "high": "float8",
    "low": "float8",
    "close": "float8",
    "volume": "float8",
}
_SLOW_ROWS = 100_000


@contextmanager
def _psycopg(place: Place) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(place.config.conninfo, cursor_factory=psycopg.RawCursor) as connection:
        yield connection


@contextmanager
def _psycopg_as_it_comes(place: Place) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(place.config.conninfo) as connection:
        yield connection


def _text_copy(connection: psycopg.Connection[Any], queries: Queries, rows: Rows) -> None:
    text = queries["bench.copy_in"].statements[0].encode()
    with connection.transaction(), connection.cursor() as cursor, cursor.copy(text) as copy:
        for row in rows:
            copy.write_row(row)


def _binary_copy(connection: psycopg.Connection[Any], queries: Queries, rows: Rows) -> None:
    text = queries["bars.load"].statements[0].encode()
    with connection.transaction(), connection.cursor() as cursor, cursor.copy(text) as copy:
        copy.set_types(list(_TYPES.values()))
        for row in rows:
            copy.write_row(row)


def _executemany(connection: psycopg.Connection[Any], queries: Queries, rows: Rows) -> None:
    text, _ = queries["bench.insert_bar"].render("numbered")
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(text.encode(), rows)


def _binary_fetchall(connection: psycopg.Connection[Any], queries: Queries, name: str) -> Any:
    return connection.execute(queries[name].statements[0].encode(), binary=True).fetchall()


@contextmanager
def _asyncpg(place: Place) -> Iterator[tuple[asyncio.Runner, Any]]:
    import asyncpg

    given = conninfo_to_dict(place.config.conninfo)
    settings: dict[str, Any] = {
        name: given.get(name) for name in ("host", "port", "user", "password")
    }
    with asyncio.Runner() as runner:
        connection = runner.run(
            asyncpg.connect(
                **settings,
                database=given.get("dbname"),
                server_settings={"options": str(given["options"])},
            )
        )
        try:
            yield runner, connection
        finally:
            runner.run(connection.close())


def _asyncpg_copy(connected: tuple[asyncio.Runner, Any], _queries: Queries, rows: Rows) -> None:
    runner, connection = connected
    runner.run(connection.copy_records_to_table("bars", records=rows, columns=list(_TYPES)))


def _asyncpg_fetch(connected: tuple[asyncio.Runner, Any], queries: Queries, name: str) -> Any:
    runner, connection = connected
    return runner.run(connection.fetch(queries[name].statements[0]))


@contextmanager
def _psycopg2(place: Place) -> Iterator[Any]:
    import psycopg2

    with closing(psycopg2.connect(place.config.conninfo)) as connection:
        yield connection


def _pgcopy(connection: Any, _queries: Queries, rows: Rows) -> None:
    from pgcopy import CopyManager

    # In memory, which its documentation calls a little faster than a file.
    CopyManager(connection, "bars", list(_TYPES)).copy(rows, BytesIO)
    connection.commit()


@contextmanager
def _adbc(place: Place) -> Iterator[Any]:
    import adbc_driver_postgresql.dbapi as adbc

    with adbc.connect(place.config.conninfo) as connection:
        yield connection


@contextmanager
def _url(place: Place) -> Iterator[str]:
    """The same server, in the one form that connectorx takes."""
    given = conninfo_to_dict(place.config.conninfo)
    host, port = given.get("host") or "localhost", given.get("port") or 5432
    user, password = (quote(str(given.get(key) or ""), safe="") for key in ("user", "password"))
    place_at = f"{quote(str(host), safe='')}:{port}/{given['dbname']}"
    options = urlencode({"options": given["options"]}, quote_via=quote)
    yield f"postgresql://{user}:{password}@{place_at}?{options}"


@contextmanager
def _sqlalchemy(place: Place) -> Iterator[Any]:
    from sqlalchemy import create_engine

    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(place.config.conninfo)
    )
    try:
        engine.connect().close()  # now its pool has one, as everybody else has
        yield engine
    finally:
        engine.dispose()


LIMIT = Peer("COPY FROM a file of the server's", (), None, writers.engine_limit)
COPY_INTO = Peer("jutsu_sql copy_into", (), None, writers.copy_into)
WRITERS = (
    Peer(
        "ADBC ingest",
        ("adbc-driver-postgresql",),
        _adbc,
        writers.adbc_ingest,
        shapes.arrow_table,
    ),
    Peer(
        "polars write_database, ADBC",
        ("polars", "adbc-driver-postgresql"),
        _adbc,
        writers.polars_write_database,
        shapes.polars_frame,
    ),
    Peer(
        "pandas to_sql, ADBC",
        ("pandas", "adbc-driver-postgresql"),
        _adbc,
        writers.pandas_to_sql,
        shapes.pandas_frame,
    ),
    Peer(
        "asyncpg copy_records_to_table",
        ("asyncpg",),
        _asyncpg,
        _asyncpg_copy,
        shapes.records,
    ),
    Peer("psycopg row COPY, binary", ("psycopg",), _psycopg, _binary_copy, shapes.records),
    Peer("psycopg row COPY, text", ("psycopg",), _psycopg, _text_copy, shapes.records),
    Peer("pgcopy", ("pgcopy", "psycopg2"), _psycopg2, _pgcopy, shapes.records),
    Peer(
        "psycopg executemany",
        ("psycopg",),
        _psycopg,
        _executemany,
        shapes.records,
        _SLOW_ROWS,
    ),
    Peer(
        "SQLAlchemy Core insert",
        ("sqlalchemy", "psycopg"),
        _sqlalchemy,
        writers.sqlalchemy_core,
        shapes.mappings,
        _SLOW_ROWS,
    ),
    Peer(
        "pandas to_sql, SQLAlchemy",
        ("pandas", "sqlalchemy", "psycopg"),
        _sqlalchemy,
        writers.pandas_to_sql,
        shapes.pandas_frame,
        _SLOW_ROWS,
    ),
)
READERS = (
    Reader(
        "ADBC",
        ("adbc-driver-postgresql",),
        _adbc,
        readers.adbc_fetch,
        shapes.columns_of_arrow,
    ),
    Reader(
        "connectorx",
        ("connectorx",),
        _url,
        readers.connectorx_read,
        shapes.columns_of_arrow,
    ),
    Reader(
        "polars read_database, ADBC",
        ("polars", "adbc-driver-postgresql"),
        _adbc,
        readers.polars_read_database,
        shapes.columns_of_polars,
    ),
    Reader(
        "pandas read_sql, ADBC",
        ("pandas", "adbc-driver-postgresql"),
        _adbc,
        readers.pandas_read_sql,
        shapes.columns_of_pandas,
    ),
    Reader("asyncpg fetch", ("asyncpg",), _asyncpg, _asyncpg_fetch, shapes.columns_of_rows),
    Reader(
        "psycopg fetchall, binary",
        ("psycopg",),
        _psycopg,
        _binary_fetchall,
        shapes.columns_of_rows,
    ),
    Reader(
        "psycopg fetchall, text",
        ("psycopg",),
        _psycopg,
        readers.fetchall,
        shapes.columns_of_rows,
    ),
    Reader(
        "aiosql, psycopg",
        ("aiosql", "psycopg"),
        _psycopg_as_it_comes,
        readers.aiosql_rows("psycopg"),
        shapes.columns_of_rows,
    ),
    Reader(
        "SQLAlchemy Core",
        ("sqlalchemy", "psycopg"),
        _sqlalchemy,
        readers.sqlalchemy_core,
        shapes.columns_of_rows,
    ),
    Reader(
        "pandas read_sql, SQLAlchemy",
        ("pandas", "sqlalchemy", "psycopg"),
        _sqlalchemy,
        readers.pandas_read_sql,
        shapes.columns_of_pandas,
    ),
)
PARALLEL_READERS = (
    Reader(
        "connectorx, 2 connections",
        ("connectorx",),
        _url,
        readers.connectorx_in_parts,
        shapes.ordered_columns_of_arrow,
    ),
)
