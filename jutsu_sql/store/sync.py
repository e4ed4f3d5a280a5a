"""Series brought up to date from a source: only what is missing is asked for, and all is noted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from jutsu_sql.bars import Bars, Series
from jutsu_sql.calendars import open_calendar
from jutsu_sql.config import redact
from jutsu_sql.errors import BarsError, DatabaseError, JutsuSqlError, SourceError
from jutsu_sql.instants import us_from_bound, us_from_datetime
from jutsu_sql.store.source import Answer, Interval, Source
from jutsu_sql.store.spans import Span, intersect_spans, merge_spans
from jutsu_sql.store.sync_plan import (
    Known,
    as_interval,
    as_span,
    cut_spans,
    known_of,
    until_now,
)
from jutsu_sql.timeframe import interval_end, known_from, parse_timeframe

if TYPE_CHECKING:
    from jutsu_sql.database import Database
    from jutsu_sql.store import BarStore, LoadReport

# So long a source may take to have a bar: a weekend.
_SETTLES = timedelta(days=3)
# From so many bars on, a share of dates without a session says that the stamps are off by a day;
# a week that is so has one in five.
_TELLING_BARS, _OFF_SHARE = 10, 0.1


@dataclass(slots=True)
class SyncedSeries:
    """What a sync has asked of one series, and what became of it, in bars.

    ``asked`` are the pieces, half-open in UTC, of which each that was answered is a load. Of what
    came (``received``) the figures say the same as those of a :class:`LoadReport`; ``partial`` of
    them were observed before their interval was over, and are asked for again the next time.
    ``actions`` are the splits and dividends that were new or other, ``missing`` the bars that are
    still to be fetched by the series' calendar (None without one), ``error`` what ended it.
    """

    symbol: str
    timeframe: str
    asked: list[Interval] = field(default_factory=list)
    received: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    kept: int = 0
    rejected: int = 0
    partial: int = 0
    actions: int = 0
    missing: int | None = None
    load_ids: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str | None = None

    def add(self, report: LoadReport) -> None:
        """Count one load."""
        self.load_ids.append(report.load_id)
        for name in ("received", "inserted", "updated", "unchanged", "kept", "rejected"):
            setattr(self, name, getattr(self, name) + getattr(report, name))

    def note(self, text: str) -> None:
        """Say something once."""
        if text not in self.notes:
            self.notes.append(text)


@dataclass(frozen=True, slots=True)
class _Fetch:
    """One piece to ask for."""

    synced: SyncedSeries
    interval: Interval


def sync_bars(
    store: BarStore,
    db: Database,
    source: Source,
    symbols: Sequence[str],
    timeframe: str,
    start: Any,
    end: Any,
    *,
    calendar: str | None,
    reread: int,
    dry_run: bool,
    progress: Callable[[int, int], None] | None,
) -> list[SyncedSeries]:
    """See :meth:`jutsu_sql.BarStore.sync`."""
    frame = parse_timeframe(timeframe)
    end_us = until_now(frame)
    if end is not None:
        end_us = min(end_us, us_from_bound(end, end=True) + 1)
    start_us = None if start is None else us_from_bound(start, end=False)
    if start_us is not None and start_us >= end_us:
        raise BarsError(f"there is nothing to ask for yet from {start} on")
    names = list(dict.fromkeys(symbols))
    if not names:
        raise BarsError(f"no {frame} series is stored: say which to begin with (symbol=, --symbol)")
    coverage = store.coverage(names, str(frame), start_us, end_us - 1, calendar=calendar)
    known = known_of(db, coverage, str(frame), end_us, reread)
    every = [SyncedSeries(symbol, str(frame)) for symbol in names]
    for synced in every:
        try:
            spans = _plan(source, synced, known[synced.symbol], start_us, end_us)
            synced.asked = [as_interval(span) for span in cut_spans(spans, frame)]
        except (BarsError, SourceError) as error:
            synced.error = redact(str(error))
    if dry_run:
        return every
    fetches = [_Fetch(synced, piece) for synced in every for piece in synced.asked]
    for done, (fetch, future) in enumerate(_answered(source, fetches), 1):
        _finish(store, source, fetch, future, calendar)
        if progress is not None:
            progress(done, len(fetches))
    after = store.coverage(names, str(frame), start_us, end_us - 1, calendar=calendar)
    missing = {each.symbol: each for each in after.series}
    for synced in every:
        found = missing[synced.symbol]
        synced.missing = None if found.expected is None else found.never_fetched
    return every


# -- what is asked for ----------------------------------------------------------------------------


def _plan(
    source: Source, synced: SyncedSeries, known: Known, start_us: int | None, end_us: int
) -> list[Span]:
    start_us = known.start_us if start_us is None else start_us
    if start_us is None:
        raise BarsError("nothing is known of this series yet: say from when on (start=, --start)")
    spans = known.to_ask(start_us, end_us)
    offered = source.offers(synced.symbol, synced.timeframe)
    if offered is None or not spans:
        return spans
    possible = merge_spans(as_span(each) for each in offered)
    if possible and possible[0][0] > spans[0][0]:
        since = as_interval(possible[0])[0]
        synced.note(f"the source has nothing before {since:%Y-%m-%d %H:%M} UTC")
    return intersect_spans(spans, possible)


# -- fetching -------------------------------------------------------------------------------------

# When a piece was asked for, and all that came.
_Answered = tuple[datetime, Answer | Bars]


def _answered(
    source: Source, fetches: Iterable[_Fetch]
) -> Iterator[tuple[_Fetch, Future[_Answered]]]:
    """Each piece as it comes, fetched by the threads that the source bears.

    A few wait to be stored at most. Of a series that failed no more is asked.
    """

    def fetch(piece: _Fetch) -> _Answered:
        # The answer may be older than its arrival, and a bar may have ended in between.
        asked_at = datetime.now(UTC)
        synced = piece.synced
        return asked_at, source.fetch(synced.symbol, synced.timeframe, *piece.interval)

    pool = ThreadPoolExecutor(source.parallel, "jutsu-sql-sync")
    waiting: dict[Future[_Answered], _Fetch] = {}
    try:
        for piece in fetches:
            while len(waiting) >= 2 * source.parallel:
                yield from _next_done(waiting)
            if piece.synced.error is None:
                waiting[pool.submit(fetch, piece)] = piece
        while waiting:
            yield from _next_done(waiting)
    finally:
        # What is under way when somebody interrupts is not waited for.
        pool.shutdown(wait=False, cancel_futures=True)


def _next_done(
    waiting: dict[Future[_Answered], _Fetch],
) -> Iterator[tuple[_Fetch, Future[_Answered]]]:
    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
        yield waiting.pop(future), future


# -- storing --------------------------------------------------------------------------------------


def _finish(
    store: BarStore,
    source: Source,
    fetch: _Fetch,
    future: Future[_Answered],
    calendar: str | None,
) -> None:
    """Store what came; what went wrong with it is about this series only."""
    error: BaseException | None = future.exception()
    if error is None:
        try:
            _store(store, source, fetch, *future.result(), calendar)
        except DatabaseError:
            raise
        except JutsuSqlError as failure:
            error = failure
    if error is not None:
        kind = "" if isinstance(error, JutsuSqlError) else f"{type(error).__name__}: "
        fetch.synced.error = redact(f"{kind}{error}")


def _store(
    store: BarStore,
    source: Source,
    fetch: _Fetch,
    asked_at: datetime,
    given: Answer | Bars,
    calendar: str | None,
) -> None:
    synced = fetch.synced
    series = Series(synced.symbol, synced.timeframe)
    answer = given if isinstance(given, Answer) else Answer(given)
    if not isinstance(answer.bars, Bars):
        raise SourceError(f"{source.name} answers with {type(answer.bars).__name__}, not with Bars")
    observed_at = answer.observed_at or asked_at
    calendar = calendar or store.origin(*series)[1] or answer.calendar
    bars = _checked(fetch, answer.bars, calendar)
    # First, so that no bar is stored whose splits are not known.
    synced.actions += _store_actions(store, source, answer, series.symbol)
    for text in answer.notes:
        synced.note(text)
    claim = _claim(fetch, bars, asked_at)
    if claim is None and not len(bars):
        return  # nothing came, and it may still come
    report = store.write(
        bars,
        source=source.name,
        symbol=series.symbol,
        timeframe=series.timeframe,
        observed_at=observed_at,
        timezone=answer.timezone,
        calendar=calendar,
        reading=json.dumps({"source": source.name, "adjusted": source.prices}),
        asked=claim,
    )
    synced.add(report)
    ends = known_from(bars.ts.view(np.int64), parse_timeframe(series.timeframe))
    synced.partial += int((ends > us_from_datetime(observed_at)).sum())
    if report.updated and source.prices in {"splits", "all"}:
        synced.note(
            f"stored bars have changed, and this source's prices are adjusted ({source.prices}):"
            " all earlier ones may have changed as well, and a larger reread= fetches them again"
        )


def _checked(fetch: _Fetch, bars: Bars, calendar: str | None) -> Bars:
    """The bars of an answer that were asked for.

    Raises:
        SourceError: they are of another series, or off the sessions of the calendar.
    """
    synced = fetch.synced
    wanted = Series(synced.symbol, synced.timeframe)
    for code in np.unique(bars.series_index).tolist():
        if bars.series[code] != wanted:
            raise SourceError(
                f"asked for {' '.join(wanted)}, and got {' '.join(bars.series[code])}"
            )
    start_us, end_us = as_span(fetch.interval)
    us = bars.ts.view(np.int64)
    inside = (start_us <= us) & (us < end_us)
    if outside := len(bars) - int(inside.sum()):
        synced.note(f"{outside} bars came from outside of what was asked for: not stored")
    bars = bars[inside]
    if calendar is not None and parse_timeframe(wanted.timeframe).unit == "D":
        days = bars.ts.astype("M8[D]")
        known = open_calendar(calendar)
        off = days[known.knows(days) & ~known.is_session(days)]
        if len(days) >= _TELLING_BARS and len(off) > _OFF_SHARE * len(days):
            raise SourceError(
                f"{len(off)} of {len(days)} bars are of dates without a session of {calendar}, such"
                f" as {off[0]}: the dates are off by one, or the calendar is another"
            )
    return bars


def _claim(fetch: _Fetch, bars: Bars, asked_at: datetime) -> Interval | None:
    """What an answer proves: up to its last bar, and beyond it what has had its time to come."""
    start_us, end_us = as_span(fetch.interval)
    proven_us = us_from_datetime(asked_at - _SETTLES)
    if len(bars):
        frame = parse_timeframe(fetch.synced.timeframe)
        last = bars.ts.view(np.int64).max(keepdims=True)
        proven_us = max(proven_us, int(interval_end(last, frame)[0]))
    end_us = min(end_us, proven_us)
    return as_interval((start_us, end_us)) if start_us < end_us else None


def _store_actions(store: BarStore, source: Source, answer: Answer, symbol: str) -> int:
    """Store the splits and dividends that are new or other; gives their number."""
    if not answer.actions:
        return 0
    for action in answer.actions:
        if action.symbol != symbol:
            raise SourceError(f"asked for {symbol}, and got a {action.kind} of {action.symbol}")
    known = {(row.ex_date, row.kind): row.value for row in store.actions(symbol)}
    other = [each for each in answer.actions if known.get((each.ex_date, each.kind)) != each.value]
    if other:
        store.write_actions(other, source=source.name, observed_at=answer.observed_at)
    return len(other)


__all__ = ["SyncedSeries", "sync_bars"]
