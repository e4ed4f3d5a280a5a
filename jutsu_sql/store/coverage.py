"""Which bars are there, and why the others are not.

The engine says which sessions have no bar, or when the bars within the day start; what loads have
asked for, refused and deleted says why.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from jutsu_sql.bars import Series
from jutsu_sql.database import Connection, Database
from jutsu_sql.errors import BarsError
from jutsu_sql.instants import (
    MAX_US,
    MIN_US,
    Micros,
    datetime_from_us,
    us_from_bound,
    us_from_datetime,
)
from jutsu_sql.store.absences import DELETED, NEVER, REASONS, REJECTED, Absences
from jutsu_sql.store.calendar_tables import fill_calendars
from jutsu_sql.store.claims import merge_spans
from jutsu_sql.store.grid import Grid, Numbers, grid_of_dates, grid_of_hours, phase_of
from jutsu_sql.timeframe import Timeframe, interval_end, parse_timeframe

# Bars that are judged at once, a few bytes each.
_MOST_BARS = 1 << 24
# So many of the last bars tell how a series is stamped within the hour.
_PHASE_BARS = 500
_LAST = datetime_from_us(MAX_US)
# The first and the last of no bars.
_NOTHING = MAX_US, MIN_US
_COUNTS = ("never_fetched", "empty", "rejected", "deleted")


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
    ``expected`` is None, ``note`` says why, and ``stored`` are all bars.
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

    @property
    def name(self) -> Series:
        """The series."""
        return Series(self.symbol, self.timeframe)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is there of some series, and what is not: by symbol and timeframe, gaps then by time."""

    series: list[SeriesCoverage]
    gaps: list[Gap]
    _grids: Mapping[Series, Grid] = field(repr=False)
    _asked: Mapping[Series, list[tuple[int, int]]] = field(repr=False)

    def plan(self) -> list[Fetch]:
        """The fewest intervals that have every bar which was never fetched, and no other.

        Bars with only holidays, weekends or nights between them are one interval.
        """
        return [Fetch(*gap[:-1]) for gap in self.gaps if gap.reason == REASONS[NEVER]]

    def asked(self, symbol: str, timeframe: str) -> list[tuple[datetime, datetime]]:
        """What sources were asked for of one series: each up to, and without, its end."""
        name = Series(symbol, str(parse_timeframe(timeframe)))
        return [(datetime_from_us(a), datetime_from_us(b)) for a, b in self._asked.get(name, ())]

    def months(self, symbol: str, timeframe: str) -> list[Month]:
        """The expected bars of one series by month; none where nobody can say what to expect."""
        name = Series(symbol, str(parse_timeframe(timeframe)))
        (found,) = (each for each in self.series if each.name == name)
        if not found.expected or found.start is None or found.end is None:
            return []
        grid = self._grids[name]
        first, end = (np.datetime64(t.replace(tzinfo=None), "M") for t in (found.start, found.end))
        starts = np.arange(first, end + 2).astype("M8[us]")
        edges = grid.number_of(_us(starts))

        def by_month(start: datetime, end: datetime) -> Numbers:
            span = np.array([us_from_datetime(start), us_from_datetime(end)])
            return np.asarray(np.diff(np.clip(edges, *grid.number_of(span))), dtype=np.int64)

        absent = np.zeros((len(REASONS), len(edges) - 1), dtype=np.int64)
        for gap in self.gaps:
            if (gap.symbol, gap.timeframe) == name:
                absent[REASONS.index(gap.reason)] += by_month(gap.start, gap.end)
        counts = np.vstack([by_month(found.start, found.end), absent]).T.tolist()
        months = (
            Month(datetime_from_us(us), *row)
            for us, row in zip(_us(starts[:-1]).tolist(), counts, strict=True)
        )
        return [month for month in months if month.expected]


class _Target(NamedTuple):
    """A series to look at; the id 0 is of one that is not stored."""

    series_id: int
    symbol: str
    timeframe: str
    calendar: str | None

    @property
    def name(self) -> Series:
        return Series(self.symbol, self.timeframe)


class _Claims(NamedTuple):
    """What was asked for, by series: from each start up to, and without, its end."""

    series_ids: Numbers
    starts: Micros
    ends: Micros

    def of(self, series_ids: Numbers) -> tuple[Numbers, Micros, Micros]:
        """Those of some series, given in ascending order: the place of each there, start, end."""
        is_meant = np.isin(self.series_ids, series_ids)
        places = np.searchsorted(series_ids, self.series_ids[is_meant])
        return places, self.starts[is_meant], self.ends[is_meant]


class _Stored(NamedTuple):
    """What is stored of some series: how many bars, how many that are expected, first and last."""

    bars: Numbers
    expected: Numbers
    firsts: Micros
    lasts: Micros


class _Judged(NamedTuple):
    """Series on one grid, by ascending ids, of each the numbers from one up to another one."""

    group: Sequence[_Target]
    ids: Numbers
    grid: Grid
    lows: Numbers
    highs: Numbers

    def of(self, places: Numbers) -> _Judged:
        """Some of them."""
        group = [self.group[place] for place in places.tolist()]
        return _Judged(group, self.ids[places], self.grid, self.lows[places], self.highs[places])


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
    fill_calendars(db, {each.calendar for each in targets if each.calendar})

    def read(source: Database) -> Coverage:
        with source.read_transaction() as tx:
            return _Reader(tx, targets, start_us, end_us).coverage()

    return db.read(read)


def _targets(
    db: Database, symbols: Sequence[str] | None, frame: str | None, calendar: str | None
) -> list[_Target]:
    """The series to look at, by name; one that is named whole need not be stored.

    Raises:
        BarsError: a symbol has no series.
    """
    stored = [
        _Target(row.series_id, row.symbol, row.timeframe, calendar or row.calendar)
        for row in db.run("coverage.series")
        if (symbols is None or row.symbol in symbols) and frame in {None, row.timeframe}
    ]
    missing = set(symbols or ()) - {each.symbol for each in stored}
    if missing and frame is None:
        raise BarsError(f"no series of {min(missing)} is stored: say timeframe= of a new one")
    new = [_Target(0, name, str(frame), calendar) for name in missing]
    return sorted([*stored, *new], key=lambda each: each.name)


class _Reader:
    """Looks at series in one state, at those of one calendar and timeframe together."""

    def __init__(
        self, tx: Connection, targets: Sequence[_Target], start: int | None, end: int | None
    ) -> None:
        self._tx = tx
        self._targets = targets
        self._start, self._end = start, end
        self._now_us = us_from_datetime(datetime.now(UTC))
        self._undone = _undone_loads(tx)
        self._claims = self._read_claims()
        self._series: dict[Series, SeriesCoverage] = {}
        self._gaps: dict[Series, list[Gap]] = {}
        self._grids: dict[Series, Grid] = {}

    def coverage(self) -> Coverage:
        """All of it."""
        groups: dict[tuple[str | None, str], list[_Target]] = {}
        for target in sorted(self._targets):  # ids ascend in each group
            groups.setdefault((target.calendar, target.timeframe), []).append(target)
        for (calendar, text), group in groups.items():
            frame = parse_timeframe(text)
            if note := _obstacle(calendar, frame):
                self._count(group, note)
            elif frame.is_session:
                self._look_at_dates(group, frame)
            else:
                for target in group:
                    self._look_at_hours(target, frame)
        names = [target.name for target in self._targets]
        return Coverage(
            [self._series[name] for name in names],
            [gap for name in names for gap in self._gaps.get(name, ())],
            self._grids,
            self._asked(),
        )

    def _read_claims(self) -> _Claims:
        rows = self._tx.run("coverage.claims", series_ids=[t.series_id for t in self._targets])
        counts = ~np.isin(rows["load_id"], list(self._undone))
        columns = (rows["series_id"].astype(np.int64), _us(rows["start_ts"]), _us(rows["end_ts"]))
        return _Claims(*(column[counts] for column in columns))

    def _asked(self) -> dict[Series, list[tuple[int, int]]]:
        """What was asked for of each series, without overlaps."""
        ids = [target.series_id for target in self._targets]
        lows, highs = (
            np.searchsorted(self._claims.series_ids, ids, side) for side in ("left", "right")
        )
        return {
            target.name: merge_spans(self._claims.starts[low:high], self._claims.ends[low:high])
            for target, low, high in zip(self._targets, lows, highs, strict=True)
        }

    def _count(self, group: Sequence[_Target], note: str) -> None:
        """What is known of series of which nobody can say what to expect."""
        start = MIN_US if self._start is None else self._start
        end = MAX_US if self._end is None else self._end
        stored = self._count_sessions(group, "", start, end)
        ends = interval_end(stored.lasts, parse_timeframe(group[0].timeframe))
        for target, bars, first, after in zip(
            group, *_lists(stored.bars, stored.firsts, ends), strict=True
        ):
            self._series[target.name] = SeriesCoverage(
                target.symbol,
                target.timeframe,
                target.calendar,
                datetime_from_us(first) if bars else None,
                datetime_from_us(after) if bars else None,
                expected=None,
                stored=bars,
                note=note,
            )

    def _look_at_dates(self, group: Sequence[_Target], frame: Timeframe) -> None:
        calendar = str(group[0].calendar)
        known = self._tx.run("calendars.sessions", calendar=calendar, timeframe=str(frame))
        grid = grid_of_dates(frame, _us(known["ts"]), _us(known["close_ts"]), self._now_us)
        stored = self._count_sessions(group, calendar, *self._bounds(grid))
        judged = self._judge(group, grid, stored)
        incomplete = np.flatnonzero(stored.expected < judged.highs - judged.lows)
        for places in _chunks(incomplete, judged.highs - judged.lows):
            part = judged.of(places)
            absences = Absences(grid, part.lows, part.highs)
            is_empty = stored.expected[places] == 0
            absences.mark_all(np.flatnonzero(is_empty))
            absences.mark(*self._absent_sessions(calendar, part, np.flatnonzero(~is_empty)))
            self._explain(part, absences)

    def _look_at_hours(self, target: _Target, frame: Timeframe) -> None:
        grid = self._grid_of_hours(target, frame)
        start, end = (datetime_from_us(us) for us in self._bounds(grid))
        rows = self._tx.run("coverage.starts", series_id=target.series_id, start=start, end=end)
        us = _us(rows["ts"])
        numbers, is_expected = grid.find(us)
        numbers = numbers[is_expected]
        edges = us[[0, -1]] if len(us) else np.array(_NOTHING)
        counts = np.array([len(us)]), np.array([len(numbers)])
        judged = self._judge([target], grid, _Stored(*counts, edges[:1], edges[1:]))
        absences = Absences(grid, judged.lows, judged.highs)
        is_absent = np.ones(int(judged.highs[0] - judged.lows[0]), dtype=np.bool_)
        is_absent[numbers - judged.lows[0]] = False
        absent = np.flatnonzero(is_absent)
        absences.mark(np.zeros_like(absent), absent + judged.lows[0])
        self._explain(judged, absences)

    def _grid_of_hours(self, target: _Target, frame: Timeframe) -> Grid:
        hours = self._tx.run("calendars.hours", calendar=target.calendar)
        opens, closes = (
            np.stack([_us(hours[name]) for name in names], axis=1).ravel()
            for names in (("open_ts", "break_end_ts"), ("break_start_ts", "close_ts"))
        )
        is_open = opens < closes
        opens, closes = opens[is_open], closes[is_open]
        grid = grid_of_hours(frame, opens, closes, self._now_us)
        latest = self._tx.run(
            "bars.read_latest", series_id=target.series_id, end=_LAST, n=_PHASE_BARS
        )
        phase_us = phase_of(_us(latest["ts"]), grid)
        if phase_us is None:
            return grid
        return grid_of_hours(frame, opens, closes, self._now_us, phase_us)

    def _count_sessions(
        self, group: Sequence[_Target], calendar: str, start_us: int, end_us: int
    ) -> _Stored:
        """What is stored of a group; of no calendar, no bar is expected."""
        rows = self._tx.run(
            "coverage.count_sessions",
            series_ids=[target.series_id for target in group],
            calendar=calendar,
            timeframe=group[0].timeframe,
            start=datetime_from_us(start_us),
            end=datetime_from_us(end_us),
        )
        found = {
            row.series_id: (row.bars, row.sessions, *map(us_from_datetime, row[-2:]))
            for row in rows
        }
        none = (0, 0, *_NOTHING)
        counts = [found.get(target.series_id, none) for target in group]
        return _Stored(*np.array(counts, dtype=np.int64).T)

    def _bounds(self, grid: Grid) -> tuple[int, int]:
        """Where to look: in the calendar, in the past, and where was told to."""
        first = int(grid.start_of(np.array([0]))[0])
        end = int(grid.end_of(np.array([grid.due - 1]))[0]) if grid.due else first
        start_us = max(first, MIN_US if self._start is None else self._start)
        return start_us, max(start_us, min(end, MAX_US if self._end is None else self._end))

    def _judge(self, group: Sequence[_Target], grid: Grid, stored: _Stored) -> _Judged:
        """Which bars to judge: as told, else from the first to the last that is known of.

        What is stored of them is noted.
        """
        ids = np.array([target.series_id for target in group])
        firsts, lasts = stored.firsts.copy(), stored.lasts + 1
        places, starts, ends = self._claims.of(ids)
        np.minimum.at(firsts, places, starts)
        np.maximum.at(lasts, places, ends)
        if self._start is not None:
            firsts[:] = self._start
        if self._end is not None:
            lasts[:] = self._end
        highs = np.minimum(grid.number_of(lasts), grid.due)
        lows = np.minimum(grid.number_of(firsts), highs)
        last = np.maximum(highs - 1, 0)
        edges = grid.start_of(np.minimum(lows, last)), grid.end_of(last)
        off_calendar = stored.bars - stored.expected
        for target, low, high, start, end, bars, off in zip(
            group, *_lists(lows, highs, *edges, stored.expected, off_calendar), strict=True
        ):
            self._grids[target.name] = grid
            self._series[target.name] = SeriesCoverage(
                target.symbol,
                target.timeframe,
                target.calendar,
                datetime_from_us(start) if low < high else None,
                datetime_from_us(end) if low < high else None,
                high - low,
                bars,
                off_calendar=off,
            )
        return _Judged(group, ids, grid, lows, highs)

    def _absent_sessions(
        self, calendar: str, part: _Judged, places: Numbers
    ) -> tuple[Numbers, Numbers]:
        """The absent bars of some series of a part: their places, and their numbers."""
        columns = part.ids[places], part.lows[places], part.highs[places]
        rows = self._tx.run(
            "coverage.absent_sessions",
            spans=json.dumps(np.stack(columns, axis=1).tolist()),
            calendar=calendar,
            timeframe=part.group[0].timeframe,
        )
        return np.searchsorted(part.ids, rows["series_id"]), rows["number"].astype(np.int64)

    def _explain(self, part: _Judged, absences: Absences) -> None:
        """Say why bars are absent, and note how many and where."""
        absences.claim(*self._claims.of(part.ids))
        start, end = (datetime_from_us(us) for us in self._bounds(part.grid))
        span = {"series_ids": part.ids.tolist(), "start": start, "end": end}
        removed = self._tx.run("coverage.removed", **span)
        places, us, is_deleted = (
            _points(part.ids, removed),
            _us(removed["ts"]),
            removed["is_deleted"] == 1,
        )
        absences.label(places[~is_deleted], us[~is_deleted], NEVER)
        rejected = self._tx.run("coverage.rejected", **span)
        counts = ~np.isin(rejected["load_id"], list(self._undone))
        absences.label(_points(part.ids, rejected)[counts], _us(rejected["ts"])[counts], REJECTED)
        absences.label(places[is_deleted], us[is_deleted], DELETED)
        for target, counts in zip(part.group, absences.counts().tolist(), strict=True):
            self._series[target.name] = self._series[target.name]._replace(
                **dict(zip(_COUNTS, counts, strict=True))
            )
        self._note_gaps(part, absences)

    def _note_gaps(self, part: _Judged, absences: Absences) -> None:
        runs = absences.runs()
        starts, ends = part.grid.start_of(runs.firsts), part.grid.end_of(runs.ends - 1)
        bars = runs.ends - runs.firsts
        for place, start, end, size, reason in zip(
            *_lists(runs.places, starts, ends, bars, runs.reasons), strict=True
        ):
            name = part.group[place].name
            self._gaps.setdefault(name, []).append(
                Gap(
                    name.symbol,
                    name.timeframe,
                    datetime_from_us(start),
                    datetime_from_us(end),
                    size,
                    REASONS[reason],
                )
            )


def _undone_loads(tx: Connection) -> set[int]:
    """The loads that were taken back, by an undo that was not."""
    undone: set[int] = set()
    for load_id, undone_by in tx.run("coverage.undone"):  # the latest first
        if undone_by not in undone:
            undone.add(load_id)
    return undone


def _obstacle(calendar: str | None, frame: Timeframe) -> str | None:
    """Why nobody can say which bars to expect, if so."""
    if calendar is None:
        return "no calendar is known: say one (--calendar), such as XNYS or 24/7"
    if frame.is_session and frame.count > 1:
        return f"a bar of {frame} may begin with any session"
    if calendar == "weekdays" and not frame.is_session:
        return "weekdays has no hours: say the calendar of an exchange, or 24/5"
    return None


def _chunks(places: Numbers, sizes: Numbers) -> Iterator[Numbers]:
    """Places in order, so many at a time that their bars fit into memory."""
    chunk = np.cumsum(sizes[places]) // _MOST_BARS
    yield from (part for part in np.split(places, np.flatnonzero(np.diff(chunk)) + 1) if len(part))


def _points(ids: Numbers, rows: Mapping[str, Any]) -> Numbers:
    """The places of the series of rows."""
    return np.asarray(np.searchsorted(ids, rows["series_id"]))


def _lists(*columns: Any) -> Iterator[list[Any]]:
    return (column.tolist() for column in columns)


def _us(times: Any) -> Micros:
    return np.asarray(times).astype("M8[us]").astype(np.int64)


__all__ = ["Coverage", "Fetch", "Gap", "Month", "SeriesCoverage", "read_coverage"]
