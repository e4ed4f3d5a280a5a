"""What loads bars into either engine alike: the engine itself, ``copy_into``, and libraries that
take any connection of theirs. ``run`` of a :class:`~benchmarks.peers.peer.Peer`, each of them."""

from __future__ import annotations

from typing import Any

from benchmarks.peers.peer import Columns
from jutsu_sql.database import Database
from jutsu_sql.queries import Queries


def engine_limit(db: Database, _queries: Queries, _columns: Columns) -> None:
    """The engine loads rows that it has already."""
    db.run("bench.load_reference")


def copy_into(db: Database, _queries: Queries, columns: Columns) -> None:
    """``db.copy_into``: series ids in hand, and no ledger."""
    db.copy_into("bars", columns)


def adbc_ingest(connection: Any, _queries: Queries, table: Any) -> None:
    """ADBC's bulk ingestion of an Arrow table."""
    with connection.cursor() as cursor:
        cursor.adbc_ingest("bars", table, mode="append")
    connection.commit()


def polars_write_database(connection: Any, _queries: Queries, frame: Any) -> None:
    """polars over ADBC; it commits by itself."""
    frame.write_database("bars", connection, if_table_exists="append")


def pandas_to_sql(connection: Any, _queries: Queries, frame: Any) -> None:
    """pandas over whatever it knows to connect with; it commits by itself."""
    frame.to_sql("bars", connection, if_exists="append", index=False)


def sqlalchemy_core(engine: Any, _queries: Queries, rows: list[dict[str, Any]]) -> None:
    """SQLAlchemy Core's insert with a list of parameters."""
    from sqlalchemy import column, insert, table

    bars = table("bars", *map(column, rows[0]))
    with engine.begin() as connection:
        connection.execute(insert(bars), rows)
