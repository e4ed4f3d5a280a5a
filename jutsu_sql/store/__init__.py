"""Bars in SQL: write, read, delete, and what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from datetime import datetime, time
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from jutsu_sql.bars import Bars, Series
from jutsu_sql.database import Database
from jutsu_sql.errors import BarsError
from jutsu_sql.interchange import joined_batches
from jutsu_sql.migrations import require_current
from jutsu_sql.store.actions import (
    Action,
    ActionsReport,
    adjust_bars,
    read_actions,
    write_actions,
)
from jutsu_sql.store.as_of_join import AsOfJoin, join_as_of
from jutsu_sql.store.claims import asked_of
from jutsu_sql.store.coverage import Coverage, Fetch, Gap, Month, SeriesCoverage, read_coverage
from jutsu_sql.store.delete import DeleteReport, delete_bars
from jutsu_sql.store.origin import Origin
from jutsu_sql.store.panel import Panel, align_bars
from jutsu_sql.store.read import (
    SeriesSummary,
    read_history,
    summarize_series,
)
from jutsu_sql.store.resample import Resampled, resample_bars
from jutsu_sql.store.scan import scan_bars
from jutsu_sql.store.snapshots import Snapshots
from jutsu_sql.store.source import Answer, Source
from jutsu_sql.store.stream import BarStream, stream_bars
from jutsu_sql.store.undo import UndoReport, undo_load
from jutsu_sql.store.warmup import read_as_of, read_latest, read_with_warmup
from jutsu_sql.store.write import LoadReport, write_bars
from jutsu_sql.store.writer import DescribeRejection
from jutsu_sql.timeframe import parse_timeframe

if TYPE_CHECKING:
    from jutsu_sql.store.sync import SyncedSeries

__all__ = [
    "Action",
    "ActionsReport",
    "Answer",
    "AsOfJoin",
    "BarStore",
    "BarStream",
    "Coverage",
    "DeleteReport",
    "Fetch",
    "Gap",
    "LoadReport",
    "Month",
    "Panel",
    "Resampled",
    "SeriesCoverage",
    "SeriesSummary",
    "Source",
    "UndoReport",
]


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
        parallel: int = 1,
        timezone: str | None = None,
        calendar: str | None = None,
        reading: str | None = None,
        asked: tuple[Any, Any] | Literal["span"] | None = None,
    ) -> LoadReport:
        """Store bars, all in one transaction, and note it as one load.

        ``bars`` is :class:`Bars`, anything with ``__arrow_c_stream__`` (pandas, polars, DuckDB,
        pyarrow), or an iterable of objects or mappings; ``symbol``, ``timeframe`` and ``tz`` go to
        the conversion, see :meth:`Bars.from_records`. Writing the same bars again changes nothing.

        A load of any size, in bounded memory: an iterator of :class:`Bars` or of Arrow data (such
        as ``pyarrow.RecordBatchReader``, or the chunks of ``pandas.read_csv(chunksize=...)``) is
        converted, validated and written part by part, in the one transaction; of two parts that
        have the same bar, the later one counts. ``progress`` is called with the number of rows so
        far after each part.

        ``parallel`` connections write at the same time, on PostgreSQL. No transaction spans
        connections: readers may see some of the load before it is complete. If it fails, what is
        in is taken back by an undo. If this process dies, the load stays unfinished in ``loads``
        with what is in, until somebody writes to one of its series; the same write again completes
        it, and :meth:`undo` takes it back.

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

        ``timezone`` and ``calendar`` say where the series are traded: kept with each that has none
        yet, see :meth:`origin`. ``reading`` says how the bars were read, and is kept with the load.

        ``asked=(start, end)`` says that the source was asked for every bar from ``start`` up to,
        and without, ``end`` (aware times, or dates) of each series of the load, and of the one that
        ``symbol`` and ``timeframe`` name, also if no bar came: what is absent there the source does
        not have, see :meth:`coverage`. ``"span"`` is from the first to the last bar of each series.

        A load that was ended by a lost connection, a failover or another transaction is begun
        again, up to ``retry_timeout``; but not that of an iterator, which can be had only once, nor
        a ``parallel`` one.

        Raises:
            BarsError: the bars cannot be taken as they are, or ``observed_at`` lies in the future;
                :class:`RejectedBarsError` if strict.
            BarsError: a series from ``1D`` up has another ``timezone`` or ``calendar``.
            BarConflictError: a bar is stored already, and ``on_conflict="error"``.
            DatabaseError: the engine refused. In every case nothing was written, but for
                :class:`OutcomeUnknownError`: the connection was lost at COMMIT, and the database
                could not be asked for a minute what became of it. Writing the same again is safe.
                :class:`TransactionError` ends one of two loads whose parts come in opposite orders.
        """
        parts = _parts(bars, symbol, timeframe, tz)
        named = None
        if symbol is not None and timeframe is not None:
            named = Series(symbol, str(parse_timeframe(timeframe)))
        origin = Origin(timezone, calendar, reading, asked_of(asked), named)

        def write() -> LoadReport:
            return write_bars(
                self._db,
                parts,
                source=source,
                on_conflict=on_conflict,
                strict=strict,
                observed_at=observed_at,
                uri=uri,
                content_sha256=content_sha256,
                force=force,
                describe=describe,
                progress=progress,
                parallel=parallel,
                origin=origin,
            )

        # An iterator cannot be had twice; of several transactions, some may be in.
        return write() if isinstance(parts, Iterator) or parallel > 1 else self._db.retry(write)

    def sync(
        self,
        source: Source | str,
        symbol: str | Sequence[str] | None = None,
        timeframe: str = "1D",
        start: Any = None,
        end: Any = None,
        *,
        tz: str | None = None,
        calendar: str | None = None,
        reread: int = 5,
        dry_run: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[SyncedSeries]:
        """Fetch what is missing from a source, and store it: one load for each piece that comes.

        ``source`` is a :class:`Source`, or the name of one (``"yahoo"``, ``"directory:files"``),
        which is then made with ``tz`` and ``calendar``, by default those that all the series have,
        and closed. Without ``symbol`` every series that is stored at the timeframe is brought up to
        date. Bounds are as in :meth:`read`; without ``start`` a series begins where anything is
        known of it, without ``end`` it goes to now.

        Asked for is what no load has asked for yet (see :meth:`coverage`), by the calendar of the
        series or ``calendar``, and without one all such times; the last ``reread`` bars that are
        stored, for corrections; and of the last 100 those that were observed before their interval
        was over. What does not come is noted as not there, but for the last three days, in which it
        may still come. The splits and dividends of an answer are stored before its bars.

        ``source.parallel`` threads fetch, this one stores. A series that fails says so
        (``error``), and does not stop the others. ``progress`` is called with the pieces that are
        done and all there are. With ``dry_run`` nothing is asked for, and ``asked`` says what would
        be.

        Raises:
            ConfigError: the source or the calendar is none.
            BarsError: a bound or the timeframe cannot be understood, or there is no symbol.
            DatabaseError: as in :meth:`write`; what came before is stored.
        """
        from jutsu_sql.store.source import open_source
        from jutsu_sql.store.sync import sync_bars

        frame = str(parse_timeframe(timeframe))
        if symbol is None:
            symbol = [each.symbol for each in self.series() if each.timeframe == frame]
        symbols = [symbol] if isinstance(symbol, str) else symbol
        place = (tz, calendar)
        if place == (None, None):
            places = {self.origin(each, frame) for each in symbols}
            place = places.pop() if len(places) == 1 else place
        with (
            closing(open_source(source, tz=place[0], calendar=place[1]))
            if isinstance(source, str)
            else nullcontext(source)
        ) as opened:
            return sync_bars(
                self,
                self._db,
                opened,
                symbols,
                frame,
                start,
                end,
                calendar=calendar,
                reread=reread,
                dry_run=dry_run,
                progress=progress,
            )

    def origin(self, symbol: str, timeframe: str) -> tuple[str | None, str | None]:
        """The time zone and the calendar of a series, as far as they are known."""
        found = self._db.run(
            "series.find", symbol=symbol, timeframe=str(parse_timeframe(timeframe))
        )
        return (found.timezone, found.calendar) if found else (None, None)

    def reading(self, load_id: int) -> str | None:
        """How the file of a load was read, as JSON; see :func:`jutsu_sql.sources.raw_stamps`."""
        text: str | None = self._db.run("loads.reading", load_id=load_id)
        return text

    def read(
        self,
        symbol: str | Sequence[str],
        timeframe: str,
        start: Any = None,
        end: Any = None,
        *,
        warmup: int = 0,
        as_of: Any = None,
        adjust: Literal["splits", "all"] | None = None,
        as_decimal: bool = False,
        parallel: int = 1,
    ) -> Bars:
        """The bars of one symbol, or of several, from ``start`` to ``end``, both inclusive.

        Bounds are aware datetimes, dates or ISO 8601 strings; a bare date is its whole day in UTC.
        Rows come by series in the order of the symbols, then by time. A symbol without bars has
        none. ``warmup`` puts the last bars before ``start`` in front, exactly so many of each
        series, or all if there are fewer. ``as_of`` (a time, or a date for its end) gives them
        exactly as they were known then, and ``warmup`` counts those. ``as_decimal`` gives exactly
        the decimals that were written.

        Stored prices are raw. ``adjust="splits"`` makes them comparable across splits, ``"all"``
        across dividends as well, by the backward factors of CRSP (Data Descriptions Guide,
        "Adjusted data"): before the ex-date of a split of ``r`` new shares for one old, prices are
        multiplied by ``1 / r`` and volumes by ``r``; before that of a dividend ``D``, prices by
        ``1 - D / close``, with the last raw close of the series before the ex-date, divided by
        ``r`` if both fall on one date. Factors multiply. Ex-dates begin at midnight where the
        series is traded, or of UTC if that is not known, and count when they have come: those until
        now, or until ``as_of``, as they were known then. Only up to ``1D``: an ex-date may fall
        inside a longer bar.

        All bars are of one state of the database, whoever writes meanwhile. ``parallel`` reads
        over so many connections of the pool, each in a thread; not with ``as_of`` or ``warmup``.

        Without ``as_of`` and ``warmup`` the arrays are read-only: a read of many bars is kept as a
        file, which the next one maps if nothing has changed the series since; see
        :meth:`describe_snapshots`.

        Raises:
            BarsError: a bound or the timeframe cannot be understood; ``warmup`` without ``start``;
                ``parallel`` with ``as_of`` or ``warmup``; bars longer than a day, or a dividend
                above the close before it, with ``adjust``.
            PoolTimeoutError: the pool has not so many connections, or not free.
        """
        if parallel != 1 and (warmup or as_of is not None):
            raise BarsError(f"parallel={parallel} goes without warmup= and as_of=: leave it out")
        if warmup:
            bars = self._db.read(
                lambda db: read_with_warmup(db, symbol, timeframe, start, end, warmup, as_of)
            )
        elif as_of is None:
            bars = self._db.read(
                lambda db: self._snapshots.read(db, symbol, timeframe, start, end, parallel)
            )
        else:
            bars = self._db.read(lambda db: read_as_of(db, symbol, timeframe, start, end, as_of))
        if adjust is not None:
            bars = adjust_bars(self._db, bars, adjust, as_of)
        return bars.as_decimal() if as_decimal else bars

    def latest(
        self,
        symbol: str | Sequence[str],
        timeframe: str,
        n: int = 1,
        *,
        end: Any = None,
        as_decimal: bool = False,
    ) -> Bars:
        """The last ``n`` bars of each series up to ``end`` (inclusive), in the order of a read."""
        bars = self._db.read(lambda db: read_latest(db, symbol, timeframe, n, end))
        return bars.as_decimal() if as_decimal else bars

    def panel(
        self,
        symbol: str | Sequence[str],
        timeframe: str,
        start: Any = None,
        end: Any = None,
    ) -> Panel:
        """The bars of many symbols on one time axis: one column a symbol, NaN where it has no bar.

        Bounds as in :meth:`read`; a symbol that is named twice is one column, and one without bars
        is a column all the same. The matrices take 41 bytes a time and symbol.
        """
        return align_bars(self.read(symbol, timeframe, start, end), symbol, timeframe)

    def join_as_of(
        self,
        fast: tuple[str, str],
        slow: tuple[str, str],
        start: Any = None,
        end: Any = None,
        *,
        tz: str | None = None,
        close: str | time | None = None,
    ) -> AsOfJoin:
        """Each bar of ``fast`` with the last bar of ``slow`` that was complete when it was known.

        pandas calls it ``merge_asof``, DuckDB ``ASOF JOIN``, kdb+ ``aj``; here the times are not
        where bars start but where they are known, so that there is no look-ahead. Both series are
        given as ``(symbol, timeframe)``; the bounds are those of ``fast``. An intraday bar is known
        at the end of its interval. A bar from ``1D`` up is known when the last date of its interval
        has ended everywhere on Earth (12:00 UTC of the next date); with ``tz``, at the midnight
        that ends it there, or at the time of the day ``close``, such as ``"16:00"``.

        Raises:
            BarsError: a bound, a timeframe or ``close`` cannot be understood.
            ConfigError: ``tz`` is no time zone.
        """
        return self._db.read(lambda db: join_as_of(db, fast, slow, start, end, tz=tz, close=close))

    def stream(
        self,
        symbol: str | Sequence[str],
        timeframe: str | Sequence[str],
        start: Any = None,
        end: Any = None,
        *,
        tz: str | None = None,
        close: str | time | None = None,
    ) -> BarStream:
        """The bars of many series in the order of time, in blocks, or one by one by ``.bars()``.

        Of one timeframe, bars come by ``ts``, those of one time in the order of the symbols. Of
        several, they come by the time at which they are known (see :meth:`join_as_of`, also for
        ``tz`` and ``close``), of one such time those of the shorter timeframe first: no bar
        overtakes one that it is made of. Bounds as in :meth:`read`.

        All blocks are of one state, whatever is written meanwhile; until the stream ends it holds a
        connection, so close it (``with store.stream(...) as stream``) when leaving early. Memory
        stays below some 60 MB for each timeframe, however many bars there are.
        """
        return stream_bars(self._db.for_reads(), symbol, timeframe, start, end, tz=tz, close=close)

    def scan(
        self,
        symbol: str | Sequence[str] | None = None,
        timeframe: str | Sequence[str] | None = None,
        start: Any = None,
        end: Any = None,
    ) -> BarStream:
        """The bars of all series, or of some, series by series, in blocks of one series each.

        Series come by symbol and timeframe, the bars of each by time; bounds as in :meth:`read`.
        All blocks are of one state, held as by :meth:`stream`; memory stays below some 60 MB.

        Raises:
            BarsError: a bound or a timeframe cannot be understood; when the first block is asked
                for, that a symbol has no series.
        """
        return scan_bars(self._db, symbol, timeframe, start, end)

    def resample(
        self,
        symbol: str,
        timeframe: str,
        to: str,
        start: Any = None,
        end: Any = None,
        *,
        tz: str = "UTC",
        session: tuple[str | time, str | time] | None = None,
    ) -> Resampled:
        """The bars of one series, put together to those of a longer timeframe by the engine.

        They have the first open, the highest high, the lowest low, the last close and the sum of
        the volumes of the bars that start in their interval; an interval without bars has none.
        The bounds are those of the bars that come out, and these are always made of whole
        intervals. Gives ``(bars, is_partial)``: a bar is partial while the last bar that is stored
        ends, or was observed, before the interval does.

        ``1D``, ``1W`` and ``1M`` are dates where the exchange is (``tz``), with whatever the clocks
        do to their length. Intraday intervals count from each midnight there, and are cut at the
        next. With ``session=("09:30", "16:00")`` only bars that start from the first time up to,
        and without, the second count; a date is its session, and intraday intervals count from its
        start. A session such as ``("18:00", "17:00")`` begins the evening before its date.

        The sum of the volumes is that of their doubles, each to the nearest 1e-12, in integers: it
        is the same in any order and on any engine.

        Raises:
            BarsError: a bound, a timeframe or a time of the session cannot be understood, or the
                one timeframe does not make the other.
            ConfigError: ``tz`` is no time zone.
        """
        return self._db.read(
            lambda db: resample_bars(db, symbol, timeframe, to, start, end, tz=tz, session=session)
        )

    def coverage(
        self,
        symbol: str | Sequence[str] | None = None,
        timeframe: str | None = None,
        start: Any = None,
        end: Any = None,
        *,
        calendar: str | None = None,
    ) -> Coverage:
        """Which bars are stored of some series or of all, which are not, and why.

        A series is judged by its calendar, or by ``calendar`` (see :mod:`jutsu_sql.calendars`):
        from ``1D`` up it has one bar for each session (week, month with any), within the day one
        for each interval of a session, half days and breaks as they are. What is not over yet is
        not missing. Bounds as in :meth:`read`; without them, from the first to the last bar that is
        stored or was asked for. A symbol without a series is all missing, if ``timeframe`` is said.

        An absent bar was never fetched, unless a load has asked for it (``asked=`` of a
        :meth:`write` that was not undone), has it among its refused rows, or somebody deleted it.
        ``coverage.plan()`` is what to fetch.

        The first call stores the sessions of a calendar in the database, and so needs the right
        to; all others only read.

        Raises:
            BarsError: a bound or the timeframe cannot be understood; a symbol has no series, and
                no timeframe is said.
            ConfigError: there is no such calendar, or its package is not installed.
        """
        return read_coverage(self._db, symbol, timeframe, start, end, calendar)

    def describe_snapshots(self) -> str:
        """Whether reads are kept as files, and in which directory; or why not."""
        return self._snapshots.describe()

    def series(self) -> list[SeriesSummary]:
        """Every series with its first and last bar and their number, by symbol and timeframe."""
        return self._db.read(summarize_series)

    def history(self, symbol: str, timeframe: str, ts: Any) -> list[Any]:
        """Every version of one bar, oldest first.

        Rows have ``load_id``, ``source``, ``observed_at``, ``known_from``, ``known_until`` (None
        while current), ``superseded_by`` and the values. ``ts`` is an aware time, or a date.
        """
        return self._db.read(lambda db: read_history(db, symbol, timeframe, ts))

    def write_actions(
        self,
        actions: Iterable[Any],
        *,
        source: str,
        observed_at: datetime | None = None,
        uri: str | None = None,
    ) -> ActionsReport:
        """Store splits and dividends, all in one transaction, and note it as one load.

        ``actions`` are objects or mappings with ``symbol``, ``ex_date`` (a date, or its ISO 8601
        text), ``kind`` (``"split"`` or ``"dividend"``) and ``value``: the new shares for one old,
        or the amount for one share in the currency of the prices. A stored one of the same symbol,
        date and kind is replaced if its value differs, unless it was observed later; the replaced
        version stays readable by ``as_of``. :meth:`undo` takes the load back.

        Raises:
            BarsError: an action cannot be understood, or is given twice.
            DatabaseError: as in :meth:`write`.
        """
        return write_actions(self._db, actions, source=source, observed_at=observed_at, uri=uri)

    def actions(self, symbol: str | None = None, *, as_of: Any = None) -> list[Any]:
        """The splits and dividends of one symbol or of all, by symbol and date.

        Rows have ``symbol``, ``ex_date``, ``kind``, ``value``, ``load_id``, ``observed_at`` and
        ``known_from``. ``as_of`` (a time, or a date for its end) gives them as they were known
        then.
        """
        return read_actions(self._db, symbol, as_of)

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
            DatabaseError: as in :meth:`write`.
        """
        return self._db.retry(lambda: undo_load(self._db, load_id))

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
            DatabaseError: as in :meth:`write`.
        """
        return self._db.retry(
            lambda: delete_bars(
                self._db, symbol, timeframe, start, end, everything=everything, source=source
            )
        )


def _parts(bars: Any, symbol: str | None, timeframe: str | None, tz: str | None) -> Iterable[Bars]:
    """One Bars of whatever it is; or, of an iterator of Bars or of Arrow data, one after the other.

    Batches that an Arrow reader has cut small are joined.
    """
    if not isinstance(bars, Iterator):
        return [Bars.of(bars, symbol=symbol, timeframe=timeframe, tz=tz)]
    first = next(bars, None)
    rest = [] if first is None else chain([first], bars)
    if isinstance(first, Bars):
        return rest
    parts = joined_batches(rest) if hasattr(first, "__arrow_c_stream__") else [rest]
    return (Bars.of(part, symbol=symbol, timeframe=timeframe, tz=tz) for part in parts)
