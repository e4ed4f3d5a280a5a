"""Bars in SQL: write, read, delete, and what is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from jutsu_sql.bars import Bars
from jutsu_sql.database import Database
from jutsu_sql.migrations import require_current
from jutsu_sql.store.delete import DeleteReport, delete_bars
from jutsu_sql.store.read import SeriesSummary, read_bars, read_latest, summarize_series
from jutsu_sql.store.write import LoadReport, write_bars

__all__ = ["BarStore", "DeleteReport", "LoadReport", "SeriesSummary"]


class BarStore:
    """The bars of one migrated database.

    Raises:
        NotMigratedError: the schema is not there, or older than this version.
        NewerSchemaError: the schema is newer than this version.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        require_current(db.applied_migrations(), db.config.dialect)

    def write(
        self,
        bars: Any,
        *,
        source: str,
        symbol: str | None = None,
        timeframe: str | None = None,
        tz: str | None = None,
        on_conflict: Literal["update", "ignore", "error"] = "update",
        strict: bool = False,
        uri: str | None = None,
        content_sha256: str | None = None,
    ) -> LoadReport:
        """Store bars, all in one transaction, and note it as one load.

        ``bars`` is :class:`Bars`, anything with ``__arrow_c_stream__`` (pandas, polars, DuckDB,
        pyarrow), or an iterable of objects or mappings; ``symbol``, ``timeframe`` and ``tz`` go to
        the conversion, see :meth:`Bars.from_records`. Writing the same bars again changes nothing.

        ``on_conflict`` says what becomes of a stored bar that the batch has too: ``"update"``
        replaces it if a value differs, ``"ignore"`` leaves it, ``"error"`` refuses the whole load.
        Rows that validation refuses (:meth:`Bars.validate`) are left out, counted, listed in the
        report and logged as a warning; with ``strict`` they refuse the whole load.

        Raises:
            BarsError: the bars cannot be taken as they are; :class:`RejectedBarsError` if strict.
            BarConflictError: a bar is stored already, and ``on_conflict="error"``.
            DatabaseError: the engine refused. In every case nothing was written.
        """
        return write_bars(
            self._db,
            Bars.of(bars, symbol=symbol, timeframe=timeframe, tz=tz),
            source=source,
            on_conflict=on_conflict,
            strict=strict,
            uri=uri,
            content_sha256=content_sha256,
        )

    def read(
        self,
        symbol: str | Sequence[str],
        timeframe: str,
        start: Any = None,
        end: Any = None,
        *,
        as_decimal: bool = False,
    ) -> Bars:
        """The bars of one symbol, or of several, from ``start`` to ``end``, both inclusive.

        Bounds are aware datetimes, dates or ISO 8601 strings; a bare date is its whole day in UTC.
        Rows come by series in the order of the symbols, then by time. A symbol without bars has
        none. ``as_decimal`` gives exactly the decimals that were written.

        Raises:
            BarsError: a bound or the timeframe cannot be understood.
        """
        bars = read_bars(self._db, symbol, timeframe, start, end)
        return bars.as_decimal() if as_decimal else bars

    def latest(
        self, symbol: str, timeframe: str, n: int = 1, *, end: Any = None, as_decimal: bool = False
    ) -> Bars:
        """The last ``n`` bars of one series, up to ``end`` (inclusive), oldest first."""
        bars = read_latest(self._db, symbol, timeframe, n, end)
        return bars.as_decimal() if as_decimal else bars

    def series(self) -> list[SeriesSummary]:
        """Every series with its first and last bar and their number, by symbol and timeframe."""
        return summarize_series(self._db)

    def delete(
        self,
        symbol: str | None = None,
        timeframe: str | None = None,
        start: Any = None,
        end: Any = None,
        *,
        everything: bool = False,
        source: str = "delete",
    ) -> DeleteReport:
        """Delete bars in one transaction, and note it as one load; bounds as in :meth:`read`.

        Without any filter it deletes all bars, and only if told so by ``everything=True``.

        Raises:
            BarsError: there is no filter and ``everything`` is not set, or one is not understood.
        """
        return delete_bars(
            self._db, symbol, timeframe, start, end, everything=everything, source=source
        )
