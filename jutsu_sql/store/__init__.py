"""Bars in SQL: write, read, delete, and what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Literal

from jutsu_sql.bars import Bars
from jutsu_sql.database import Database
from jutsu_sql.migrations import require_current
from jutsu_sql.store.delete import DeleteReport, delete_bars
from jutsu_sql.store.read import (
    SeriesSummary,
    read_as_of,
    read_history,
    read_latest,
    summarize_series,
)
from jutsu_sql.store.snapshots import Snapshots
from jutsu_sql.store.undo import UndoReport, undo_load
from jutsu_sql.store.write import DescribeRejection, LoadReport, write_bars

__all__ = ["BarStore", "DeleteReport", "LoadReport", "SeriesSummary", "UndoReport"]


class BarStore:
    """The bars of one migrated database.

    Raises:
        NotMigratedError: the schema is not there, or older than this version.
        NewerSchemaError: the schema is newer than this version.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        require_current(db.applied_migrations(), db.config.dialect)
        self._snapshots = Snapshots(db)

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
        observed_at: datetime | None = None,
        uri: str | None = None,
        content_sha256: str | None = None,
        force: bool = False,
        describe: DescribeRejection | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> LoadReport:
        """Store bars, all in one transaction, and note it as one load.

        ``bars`` is :class:`Bars`, anything with ``__arrow_c_stream__`` (pandas, polars, DuckDB,
        pyarrow), or an iterable of objects or mappings; ``symbol``, ``timeframe`` and ``tz`` go to
        the conversion, see :meth:`Bars.from_records`. An iterator of :class:`Bars` is written part
        by part in the one transaction, with one part in memory; ``progress`` is called with the
        number of rows so far. Writing the same bars again changes nothing.

        ``on_conflict`` says what becomes of a stored bar that the batch has too: ``"update"``
        replaces it if a value differs, ``"ignore"`` leaves it, ``"error"`` refuses the whole load.
        ``observed_at`` (aware; now, if not given) is when the bars were taken from their source: a
        stored bar that was observed later is kept, and counted. The replaced version of a bar stays
        readable by ``as_of``.

        Rows that validation refuses (:meth:`Bars.validate`) are left out, counted, listed in the
        report, logged as a warning and kept in ``rejected_bars``, by ``describe`` if given: it maps
        a :class:`Rejection` to a position, a reason and the raw text. With ``strict`` they refuse
        the whole load. Content that was loaded before (by ``content_sha256``) and whose series
        nothing has touched since is skipped, unless ``force``.

        Raises:
            BarsError: the bars cannot be taken as they are, or ``observed_at`` lies in the future;
                :class:`RejectedBarsError` if strict.
            BarConflictError: a bar is stored already, and ``on_conflict="error"``.
            DatabaseError: the engine refused. In every case nothing was written.
        """
        return write_bars(
            self._db,
            _parts(bars, symbol, timeframe, tz),
            source=source,
            on_conflict=on_conflict,
            strict=strict,
            observed_at=observed_at,
            uri=uri,
            content_sha256=content_sha256,
            force=force,
            describe=describe,
            progress=progress,
        )

    def read(
        self,
        symbol: str | Sequence[str],
        timeframe: str,
        start: Any = None,
        end: Any = None,
        *,
        as_of: Any = None,
        as_decimal: bool = False,
    ) -> Bars:
        """The bars of one symbol, or of several, from ``start`` to ``end``, both inclusive.

        Bounds are aware datetimes, dates or ISO 8601 strings; a bare date is its whole day in UTC.
        Rows come by series in the order of the symbols, then by time. A symbol without bars has
        none. ``as_of`` (a time, or a date for its end) gives them exactly as they were known then.
        ``as_decimal`` gives exactly the decimals that were written.

        Without ``as_of`` the arrays are read-only: a read of many bars is kept as a file, which the
        next one maps if nothing has changed the series since; see :meth:`describe_snapshots`.

        Raises:
            BarsError: a bound or the timeframe cannot be understood.
        """
        if as_of is None:
            bars = self._snapshots.read(symbol, timeframe, start, end)
        else:
            bars = read_as_of(self._db, symbol, timeframe, start, end, as_of)
        return bars.as_decimal() if as_decimal else bars

    def latest(
        self, symbol: str, timeframe: str, n: int = 1, *, end: Any = None, as_decimal: bool = False
    ) -> Bars:
        """The last ``n`` bars of one series, up to ``end`` (inclusive), oldest first."""
        bars = read_latest(self._db, symbol, timeframe, n, end)
        return bars.as_decimal() if as_decimal else bars

    def describe_snapshots(self) -> str:
        """Whether reads are kept as files, and in which directory; or why not."""
        return self._snapshots.describe()

    def series(self) -> list[SeriesSummary]:
        """Every series with its first and last bar and their number, by symbol and timeframe."""
        return summarize_series(self._db)

    def history(self, symbol: str, timeframe: str, ts: Any) -> list[Any]:
        """Every version of one bar, oldest first.

        Rows have ``load_id``, ``source``, ``observed_at``, ``known_from``, ``known_until`` (None
        while current), ``superseded_by`` and the values. ``ts`` is an aware time, or a date.
        """
        return read_history(self._db, symbol, timeframe, ts)

    def loads(self, n: int = 20) -> list[Any]:
        """The last ``n`` loads, newest first, as rows of the table ``loads``."""
        rows: list[Any] = self._db.run("loads.recent", n=n)
        return rows

    def rejected(self, load_id: int | None = None) -> list[Any]:
        """The rows that validation refused, of one load or of all, by load and position.

        Rows have ``load_id``, ``position``, ``symbol``, ``timeframe``, ``ts``, ``reason``, ``raw``.
        """
        rows: list[Any] = self._db.run("rejected.list", load_id=load_id)
        return rows

    def undo(self, load_id: int) -> UndoReport:
        """Take one load back, as a load of its own, which can be undone like any other.

        Bars that it changed go back to what they were, bars that it inserted go away, bars that it
        deleted come back. What later loads have written or deleted since is left alone.

        Raises:
            BarsError: there is no such load.
        """
        return undo_load(self._db, load_id)

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


def _parts(bars: Any, symbol: str | None, timeframe: str | None, tz: str | None) -> Iterable[Bars]:
    """One Bars of whatever it is; or the Bars of an iterator of them, one by one."""
    if isinstance(bars, Iterator):
        first = next(bars, None)
        if isinstance(first, Bars):
            return chain([first], bars)
        bars = [] if first is None else chain([first], bars)
    return [Bars.of(bars, symbol=symbol, timeframe=timeframe, tz=tz)]
