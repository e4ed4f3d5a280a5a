"""The original system's three names, for its callers: change the import, keep the calls.

``DatabaseFactory`` stood in ``jutsu_engine.data.database_factory``, the two functions in
``jutsu_engine.data.bulk_operations``. What they take for an engine is now a
:class:`jutsu_sql.Database`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from jutsu_sql.bars import Bars
from jutsu_sql.config import config_from_parts
from jutsu_sql.database import Database
from jutsu_sql.errors import BarsError, NaiveTimestampError, NotMigratedError
from jutsu_sql.store import BarStore

__all__ = ["DatabaseFactory", "bulk_delete_market_data", "bulk_insert_market_data"]

# The original knew one market. Its daily bars carry whatever instant the vendor gave them, and
# the date that counts is New York's.
_SESSION_TZ = "America/New_York"


class DatabaseFactory:
    """Makes a :class:`jutsu_sql.Database` from the original's arguments."""

    @staticmethod
    def create_engine(db_type: str, config: Mapping[str, Any]) -> Database:
        """A database of ``db_type`` (``"sqlite"`` or ``"postgresql"``), its schema up to date.

        ``config`` has ``database`` for SQLite; ``host``, ``port``, ``user``, ``password``,
        ``database`` for PostgreSQL, and optionally ``pool_size``, ``max_overflow``,
        ``pool_timeout``, ``pool_recycle``; ``echo`` for both.

        Raises:
            ConfigError: the type is unknown or a field is missing; it is a ``ValueError``.
        """
        db = Database(config_from_parts(db_type, config, "DatabaseFactory.create_engine"))
        try:
            try:
                BarStore(db)
            except NotMigratedError:
                db.migrate()
        except BaseException:
            db.close()
            raise
        return db


def bulk_insert_market_data(
    bars: Iterable[Any], engine: Database, chunk_size: int = 10000, *, tz: str | None = None
) -> int:
    """Store bar-like objects (``symbol``, ``timestamp``, ``open`` ... ``volume``, ``timeframe``).

    All in one transaction; a bar that is stored already is replaced if it differs. ``chunk_size``
    is how many objects are turned into columns at a time. Naive timestamps need ``tz``, which is
    also where daily bars get their session date (America/New_York unless given).

    Returns the number of bars in the database from this call: inserted, updated or unchanged.

    Raises:
        ValueError: there are no bars, or one is invalid; then none is written.
    """
    rows = iter(bars)
    parts = []
    while chunk := list(islice(rows, chunk_size)):
        if tz is None:
            _refuse_naive(chunk)
        parts.append(Bars.from_records(chunk, tz=tz or _SESSION_TZ))
    if not parts:
        raise BarsError("there are no bars to insert")
    report = BarStore(engine).write(Bars.concat(parts), source="bulk_insert", strict=True)
    return report.received


def bulk_delete_market_data(
    engine: Database, symbol: str | None = None, start_date: Any = None, end_date: Any = None
) -> int:
    """Delete the bars of a symbol, of a range (both ends inclusive), or without filters all.

    Naive bounds are UTC, as the original's were. Returns the number of bars deleted.
    """
    has_filter = any(value is not None for value in (symbol, start_date, end_date))
    report = BarStore(engine).delete(
        symbol,
        start=_utc(start_date),
        end=_utc(end_date),
        everything=not has_filter,
        source="bulk_delete",
    )
    return report.deleted


def _utc(bound: Any) -> Any:
    is_naive = isinstance(bound, datetime) and bound.tzinfo is None
    return bound.replace(tzinfo=UTC) if is_naive else bound


def _refuse_naive(bars: Iterable[Any]) -> None:
    for row, bar in enumerate(bars):
        if bar.timestamp.tzinfo is None:
            raise NaiveTimestampError(
                f"bar {row}: {bar.timestamp} has no time zone: make it aware, or pass tz="
            )
