"""Which bars are there, and why the others are not.

The engine says which sessions have no bar, or when the bars within the day start; what loads have
asked for, refused and deleted says why.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from jutsu_sql.bars import Series
from jutsu_sql.database import Connection, Database
from jutsu_sql.errors import BarsError, ConfigError
from jutsu_sql.instants import (
    MAX_US,
    MIN_US,
    Micros,
    datetime_from_us,
    us_from_bound,
    us_from_datetime,
    us_from_times,
)
from jutsu_sql.store.absences import DELETED, NEVER, REASONS, REJECTED, STORED, Absences
from jutsu_sql.store.calendar_tables import fill_calendars
from jutsu_sql.store.claims import Claims, read_claims, undone_loads
from jutsu_sql.store.grid import Grid, Numbers, grid_of_dates, grid_of_hours, phase_of
from jutsu_sql.timeframe import Timeframe, parse_timeframe

# Thirty years of so many daily series take some 200 MB.
_SERIES_AT_ONCE = 1_000
# So many of the last bars tell how a series is stamped within the hour.
_PHASE_BARS = 500
_LAST = datetime_from_us(MAX_US)
_SIDES = (bisect_left, bisect_right)
_Spans = tuple[Numbers, Numbers]


class Gap(NamedTuple):
    """Absent bars in a row, from ``start`` up to, and without, ``end``, and one reason for all.

    ``"never fetched"``: no load has asked for them. ``"empty"``: one has, and the source does not
    have them. ``"rejected"``: validation refused them. ``"deleted"``: somebody deleted them.
    """

    symbol: str
    timeframe: str
    start: datetime
    end: datetime
    bars: int
    reason: str


class Fetch(NamedTuple):
    """What to ask a source for: so many bars, from ``start`` up to, and without, ``end``."""

    symbol: str
    timeframe: str
    start: datetime
    end: datetime
    bars: int


class Month(NamedTuple):
    """The bars of one series in a month, from ``start`` on (its first day, UTC)."""

    start: datetime
    expected: int
    never_fetched: int
    empty: int
    rejected: int
    deleted: int


class SeriesCoverage(NamedTuple):
    """One series, from ``start`` up to, and without, ``end``, in bars.

    ``expected = stored + never_fetched + empty + rejected + deleted``, of the intervals that are
    over. ``off_calendar`` are stored besides, in no session. Where nobody can say what to expect,
    ``expected`` is None, ``note`` says why, and ``stored`` are all bars, the last at ``end``.
    """

    symbol: str
    timeframe: str
    calendar: str | None
    start: datetime | None
    end: datetime | None
    expected: int | None
    stored: int
    never_fetched: int = 0
    empty: int = 0
    rejected: int = 0
    deleted: int = 0
    off_calendar: int = 0
    note: str | None = None


def _name_of(row: Gap | SeriesCoverage) -> Series:
    return Series(row.symbol, row.timeframe)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is there of some series, and what is not: by symbol and timeframe, gaps then by time."""

    series: list[SeriesCoverage]
    gaps: list[Gap]
    _grids: Mapping[Series, Grid] = field(repr=False)
    _ids: Mapping[Series, int] = field(repr=False)
    _claims: Claims = field(repr=False)

    def plan(self) -> list[Fetch]:
        """The fewest intervals that have every bar which was never fetched, and no other.

        Bars with only holidays, weekends or nights between them are one interval.
        """
        return [Fetch(*gap[:-1]) for gap in self.gaps if gap.reason == REASONS[NEVER]]

    def asked(self, symbol: str, timeframe: str) -> list[tuple[datetime, datetime]]:
        """What sources were asked for of one series: each up to, and without, its end."""
        name = Series(symbol, str(parse_timeframe(timeframe)))
        spans = self._claims.of_one(self._ids[name])
        return [(datetime_from_us(start), datetime_from_us(end)) for start, end in spans]

    def months(self, symbol: str, timeframe: str) -> list[Month]:
        """The expected bars of one series by month; none where nobody can say what to expect."""
        name = Series(symbol, str(parse_timeframe(timeframe)))
        found = self.series[bisect_left(self.series, name, key=_name_of)]
        if not found.expected or found.start is None or found.end is None:
            return []
        grid = self._grids[name]
        first, end = (np.datetime64(t.replace(tzinfo=None), "M") for t in (found.start, found.end))
        starts = np.arange(first, end + np.timedelta64(2, "M")).astype("M8[us]")
        edges = grid.number_of(us_from_times(starts))

        def by_month(start: datetime, end: datetime) -> Numbers:
            span = np.array([us_from_datetime(start), us_from_datetime(end)])
            return np.asarray(np.diff(np.clip(edges, *grid.number_of(span))), dtype=np.int64)

        absent = np.zeros((len(REASONS), len(edges) - 1), dtype=np.int64)
        of_series = [side(self.gaps, name, key=_name_of) for side in _SIDES]
        for gap in self.gaps[slice(*of_series)]:
            absent[REASONS.index(gap.reason)] += by_month(gap.start, gap.end)
        counts = np.vstack([by_month(found.start, found.end), absent]).T.tolist()
        months = (
            Month(datetime_from_us(us), *row)
            for us, row in zip(us_from_times(starts[:-1]).tolist(), counts, strict=True)
        )
        return [month for month in months if month.expected]


class _Target(NamedTuple):
    """A series to look at; the id 0 is of one that is not stored."""

    series_id: int
    name: Series
    calendar: str | None


def read_coverage(
    db: Database,
    symbol: str | Sequence[str] | None,
    timeframe: str | None,
    start: Any,
    end: Any,
    calendar: str | None,
) -> Coverage:
    """See :meth:`jutsu_sql.BarStore.coverage`."""
    symbols = [symbol] if isinstance(symbol, str) else symbol
    frame = None if timeframe is None else str(parse_timeframe(timeframe))
    start_us = None if start is None else us_from_bound(start, end=False)
    end_us = None if end is None else us_from_bound(end, end=True) + 1
    if start_us is not None and end_us is not None and start_us >= end_us:
        raise BarsError(f"the start {start} lies after the end {end}")
    targets = _targets(db, symbols, frame, calendar)
    unknown = fill_calendars(db, {each.calendar for each in targets if each.calendar})
    if calendar is not None and calendar in unknown:
        raise unknown[calendar]

    def read(source: Database) -> Coverage:
        with source.read_transaction() as tx:
            return _Reader(tx, targets, start_us, end_us, unknown).coverage()

    return db.read(read)


def _targets(
    db: Database, symbols: Sequence[str] | None, frame: str | None, calendar: str | None
) -> list[_Target]:
    """The series to look at, by name; one that is named whole need not be stored.

    Raises:
        BarsError: a symbol has no series.
    """
    stored = [
        _Target(row.series_id, Series(row.symbol, row.timeframe), calendar or row.calendar)
        for row in db.run("coverage.series")
        if (symbols is None or row.symbol in symbols) and frame in {None, row.timeframe}
    ]
    missing = set(symbols or ()) - {each.name.symbol for each in stored}
    if missing and frame is None:
        raise BarsError(f"no series of {min(missing)} is stored: say timeframe= of a new one")
    new = [_Target(0, Series(symbol, str(frame)), calendar) for symbol in missing]
    return sorted([*stored, *new], key=lambda each: each.name)


class _Reader:
    """Looks at series in one state, at those of one calendar and timeframe together."""

    def __init__(
        self,
        tx: Connection,
        targets: Sequence[_Target],
        start: int | None,
        end: int | None,
        unknown: Mapping[str, ConfigError],
    ) -> None:
        self._tx = tx
        self._unknown = unknown
        self._targets = targets
        self._start, self._end = start, end
        self._now_us = us_from_datetime(datetime.now(UTC))
        self._undone = undone_loads(tx)
        self._claims = read_claims(tx, [target.series_id for target in targets], self._undone)
        self._series: dict[Series, SeriesCoverage] = {}
        self._gaps: dict[Series, list[Gap]] = {}
        self._grids: dict[Series, Grid] = {}

    def coverage(self) -> Coverage:
        """All of it."""
        groups: dict[tuple[str | None, str], list[_Target]] = {}
        for target in sorted(self._targets):  # ids ascend in each group
            groups.setdefault((target.calendar, target.name.timeframe), []).append(target)
        for (calendar, text), group in groups.items():
            frame = parse_timeframe(text)
            if note := self._obstacle(calendar, frame):
                self._count(group, note)
            elif frame.is_session:
                grid = self._grid_of_dates(calendar, frame)
                for first in range(0, len(group), _SERIES_AT_ONCE):
                    self._judge(group[first : first + _SERIES_AT_ONCE], grid)
            else:
                hours = self._hours(calendar)
                for target in group:
                    self._judge([target], self._grid_of_hours(target, frame, *hours))
        names = [target.name for target in self._targets]
        return Coverage(
            [self._series[name] for name in names],
            [gap for name in names for gap in self._gaps.get(name, ())],
            self._grids,
            {target.name: target.series_id for target in self._targets},
            self._claims,
        )

    def _obstacle(self, calendar: str | None, frame: Timeframe) -> str | None:
        """Why nobody can say which bars to expect, if so."""
        if calendar is None:
            return "no calendar is known: say one (--calendar), such as XNYS or 24/7"
        if calendar in self._unknown:
            return str(self._unknown[calendar])
        if frame.is_session and frame.count > 1:
            return f"a bar of {frame} may begin with any session"
        if calendar == "weekdays" and not frame.is_session:
            return "weekdays has no hours: say the calendar of an exchange, or 24/5"
        return None

    def _count(self, group: Sequence[_Target], note: str) -> None:
        """What is known of series of which nobody can say what to expect."""
        rows = self._tx.run(
            "coverage.extents",
            series_ids=[target.series_id for target in group],
            start=datetime_from_us(MIN_US if self._start is None else self._start),
            end=datetime_from_us(MAX_US if self._end is None else self._end),
        )
        found = {row.series_id: row for row in rows}
        for target in group:
            _, bars, first, last = found.get(target.series_id, (0, 0, None, None))
            self._series[target.name] = SeriesCoverage(
                target.name.symbol,
                target.name.timeframe,
                target.calendar,
                first,
                last,
                expected=None,
                stored=bars,
                note=note,
            )

    def _grid_of_dates(self, calendar: str | None, frame: Timeframe) -> Grid:
        known = self._tx.run("calendars.sessions", calendar=calendar, timeframe=str(frame))
        starts, closes = (us_from_times(known[name]) for name in ("ts", "close_ts"))
        return grid_of_dates(frame, starts, closes, self._now_us)

    def _hours(self, calendar: str | None) -> tuple[Micros, Micros]:
        """When a calendar opens, and when it closes: at the end, or for a break."""
        hours = self._tx.run("calendars.hours", calendar=calendar)
        opens, closes = (
            np.stack([us_from_times(hours[name]) for name in names], axis=1).ravel()
            for names in (("open_ts", "break_end_ts"), ("break_start_ts", "close_ts"))
        )
        is_open = opens < closes
        return opens[is_open], closes[is_open]

    def _grid_of_hours(
        self, target: _Target, frame: Timeframe, opens: Micros, closes: Micros
    ) -> Grid:
        grid = grid_of_hours(frame, opens, closes, self._now_us)
        latest = self._tx.run(
            "bars.read_latest", series_id=target.series_id, end=_LAST, n=_PHASE_BARS
        )
        phase_us = phase_of(us_from_times(latest["ts"]), grid)
        if phase_us is None:
            return grid
        return grid_of_hours(frame, opens, closes, self._now_us, phase_us)

    def _bounds(self, grid: Grid) -> tuple[int, int]:
        """Where to look: in the calendar, in the past, and where was told to."""
        first = int(grid.start_of(np.array([0]))[0])
        end = int(grid.end_of(np.array([grid.due - 1]))[0]) if grid.due else first
        start_us = max(first, MIN_US if self._start is None else self._start)
        return start_us, max(start_us, min(end, MAX_US if self._end is None else self._end))

    def _judge(self, group: Sequence[_Target], grid: Grid) -> None:
        """Note which bars of series on one grid are there, which are not, and why."""
        ids = np.array([target.series_id for target in group])
        start, end = self._bounds(grid)
        span = {
            "series_ids": ids.tolist(),
            "start": datetime_from_us(start),
            "end": datetime_from_us(end),
        }
        rows = self._tx.run("coverage.starts", **span)
        places, us = np.searchsorted(ids, rows["series_id"]), us_from_times(rows["ts"])
        claims = self._claims.of(ids)
        lows, highs = self._hulls(len(group), grid, (places, us, us + 1), claims)
        absences = Absences(grid, lows, highs)
        numbers, is_expected = grid.find(us)
        is_over = is_expected & (numbers < highs[places])
        absences.store(places[is_over], numbers[is_over])
        absences.claim(*claims)
        self._label(absences, ids, span)
        off_calendar = np.bincount(places[~is_expected], minlength=len(group))
        self._note(group, grid, lows, highs, absences.counts(), off_calendar)
        self._note_gaps(group, grid, absences)

    def _hulls(self, size: int, grid: Grid, *spans: tuple[Numbers, Micros, Micros]) -> _Spans:
        """Which bars to judge: as told, else from the first to the last that is known of."""
        firsts, lasts = np.full(size, MAX_US), np.full(size, MIN_US)
        for places, starts, ends in spans:
            np.minimum.at(firsts, places, starts)
            np.maximum.at(lasts, places, ends)
        if self._start is not None:
            firsts[:] = self._start
        if self._end is not None:
            lasts[:] = self._end
        highs = np.minimum(grid.number_of(lasts), grid.due)
        return np.minimum(grid.number_of(firsts), highs), highs

    def _label(self, absences: Absences, ids: Numbers, span: dict[str, Any]) -> None:
        """Say which of the absent bars were refused, or are gone."""
        is_complete = absences.counts()[:, :STORED].sum(axis=1) == 0
        if is_complete.all():
            return
        span = {**span, "series_ids": ids[~is_complete].tolist()}
        removed = self._tx.run("coverage.removed", **span)
        rejected = self._tx.run("coverage.rejected", **span)
        is_deleted = removed["is_deleted"] == 1
        counts = ~np.isin(rejected["load_id"], list(self._undone))
        for rows, which, reason in (
            (removed, ~is_deleted, NEVER),
            (rejected, counts, REJECTED),
            (removed, is_deleted, DELETED),
        ):
            places = np.searchsorted(ids, rows["series_id"][which])
            absences.label(places, us_from_times(rows["ts"])[which], reason)

    def _note(
        self,
        group: Sequence[_Target],
        grid: Grid,
        lows: Numbers,
        highs: Numbers,
        counts: Numbers,
        off_calendar: Numbers,
    ) -> None:
        last = np.maximum(highs - 1, 0)
        starts, ends = grid.start_of(np.minimum(lows, last)), grid.end_of(last)
        columns = (lows, highs, starts, ends, counts, off_calendar)
        for target, low, high, start, end, states, off in zip(
            group, *(column.tolist() for column in columns), strict=True
        ):
            never, empty, rejected, deleted, stored = states
            self._grids[target.name] = grid
            self._series[target.name] = SeriesCoverage(
                target.name.symbol,
                target.name.timeframe,
                target.calendar,
                datetime_from_us(start) if low < high else None,
                datetime_from_us(end) if low < high else None,
                high - low,
                stored,
                never,
                empty,
                rejected,
                deleted,
                off,
            )

    def _note_gaps(self, group: Sequence[_Target], grid: Grid, absences: Absences) -> None:
        runs = absences.runs()
        starts, ends = grid.start_of(runs.firsts), grid.end_of(runs.ends - 1)
        columns = (runs.places, starts, ends, runs.ends - runs.firsts, runs.reasons)
        for place, start, end, bars, reason in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            target = group[place]
            self._gaps.setdefault(target.name, []).append(
                Gap(
                    target.name.symbol,
                    target.name.timeframe,
                    datetime_from_us(start),
                    datetime_from_us(end),
                    bars,
                    REASONS[reason],
                )
            )


__all__ = ["Coverage", "Fetch", "Gap", "Month", "SeriesCoverage", "read_coverage"]
