"""Where bars stand in time: at the start of their interval, or from ``1D`` up at a session date.

Vendors stamp a session with its date, the moment it opens or closes, midnight where it is, midnight
in UTC, or that of the day after. One reading is taken for a whole file; where the stamps allow
several that differ, the calendar decides, else the days of the week do, and if neither can, nothing
is placed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from jutsu_sql.calendars import Calendar, Days, weekday
from jutsu_sql.errors import BarsError, NaiveTimestampError
from jutsu_sql.instants import (
    DAY_US,
    Micros,
    datetime_from_us,
    local_from_utc,
    us_from_times,
    utc_from_local,
)
from jutsu_sql.interchange import Stamps
from jutsu_sql.sources.times import Times
from jutsu_sql.timeframe import Timeframe, floor_session

NAT = np.iinfo(np.int64).min
Flags = npt.NDArray[np.bool_]

_SHOWN_CHARS = 40
_SUNDAY = 6
_DAY = np.timedelta64(1, "D")
# A reading that puts so much of a file on sessions is right; a vendor has a bad row or two.
_RIGHT_SHARE = 0.95
# So many rows say which days of the week a vendor means.
_TELLING_ROWS = 10


@dataclass(frozen=True, slots=True)
class Placed:
    """UTC microseconds of every row, ``NAT`` for the refused, and why they are (by row).

    ``rule`` says in words what was made of the stamps, ``notes`` what is odd about the outcome.
    """

    us: Micros
    faults: dict[int, str]
    kind: str
    rule: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clock:
    """What a file's stamps are read by.

    ``tz`` is where the exchange is, ``stamp_tz`` the zone of times without one (``tz``, if not
    given), ``stamp`` which side of an interval is stamped (``start`` or ``end``; None: not said).
    """

    tz: str | None = None
    stamp_tz: str | None = None
    calendar: Calendar | None = None
    stamp: str | None = None

    @property
    def naive_tz(self) -> str | None:
        return self.stamp_tz or self.place_tz

    @property
    def place_tz(self) -> str | None:
        return self.tz or (self.calendar.tz if self.calendar else None)


def place(times: Times, timeframe: Timeframe, clock: Clock) -> Placed:
    """Where bars of ``timeframe`` stand. Rows that no single instant fits are refused one by one.

    Raises:
        NaiveTimestampError: times without a zone, and none is known.
        BarsError: the whole column cannot stamp such bars, or several readings are as good.
    """
    stamps, rows = times.stamps, np.flatnonzero(times.valid)
    if len(rows) < len(times.valid):
        stamps = Stamps(
            stamps.wall_us[rows], stamps.offset_us[rows], stamps.naive[rows], stamps.dated[rows]
        )
    us = np.full(len(times.valid), NAT, dtype=np.int64)
    faults = {
        row: f"time {text[:_SHOWN_CHARS]!r} does not read as {times.format}"
        for row in np.flatnonzero(~times.valid).tolist()
        if (text := times.texts[row].as_py())
    }
    notes: tuple[str, ...] = ()
    if timeframe.is_session:
        stamps = _with_dates(stamps)
        us[rows], rule, notes = _sessions(stamps, timeframe, clock)
    else:
        us[rows], reasons, rule, notes = _intervals(stamps, timeframe, clock)
        faults.update((int(rows[at]), reason) for at, reason in reasons.items())
    return Placed(us, faults, _kind(stamps, clock), rule, notes)


# -- from 1D up ------------------------------------------------------------------------------------


def _sessions(
    stamps: Stamps, timeframe: Timeframe, clock: Clock
) -> tuple[Micros, str, tuple[str, ...]]:
    if not len(stamps.wall_us):
        return stamps.wall_us, "nothing", ()
    _require_zone(stamps.naive, stamps, clock.naive_tz)
    readings = dict(_readings(stamps, timeframe, clock))
    rule = _best_reading(readings, timeframe, clock)
    days = readings[rule]
    notes: tuple[str, ...] = ()
    if timeframe.unit == "D" and clock.calendar:
        notes = _off_sessions(days, clock.calendar)
    if timeframe.unit == "W":
        days, rule = _weeks(days, stamps, clock, rule)
    us = floor_session(us_from_times(days), timeframe)
    if clock.place_tz is None:
        # Without a zone such a moment names no date: it stays off one, for validation to refuse.
        us = np.where(_is_unclear(stamps), stamps.wall_us, us)
    return us, rule, notes


def _with_dates(stamps: Stamps) -> Stamps:
    """The stamps, with wall-clock times that are all midnights taken for the dates they are."""
    naive, dated = stamps.naive, stamps.dated
    if not (stamps.wall_us[naive] % DAY_US).any():
        naive, dated = np.zeros_like(naive), dated | naive
    return Stamps(stamps.wall_us, stamps.offset_us, naive, dated)


def _is_unclear(stamps: Stamps) -> Flags:
    """Instants in UTC that are no midnight: without a zone they name no date."""
    in_utc = ~stamps.naive & ~stamps.dated & (stamps.offset_us == 0)
    return np.asarray(in_utc & (stamps.wall_us % DAY_US != 0))


def _readings(stamps: Stamps, timeframe: Timeframe, clock: Clock) -> Iterator[tuple[str, Days]]:
    """The dates that stamps may mean, the likeliest reading first."""
    written = _days(stamps.wall_us)
    instants = ~(stamps.naive | stamps.dated)
    us = stamps.wall_us - stamps.offset_us
    if stamps.naive.any() and clock.naive_tz:
        us = us.copy()
        us[stamps.naive], _ = utc_from_local(stamps.wall_us[stamps.naive], clock.naive_tz)
    moments = instants | stamps.naive
    at_midnight = us[moments] % DAY_US == 0
    tz = clock.place_tz

    def with_moments(days: Days) -> Days:
        result = written.copy()
        result[moments] = days[moments]
        return result

    if not moments.any():
        yield "dates", written
        if clock.calendar:
            yield "dates of the day after", written - _DAY
            yield "dates of the day before", written + _DAY
        return
    if 10 * at_midnight.sum() > 9 * len(at_midnight):
        # Dates with a Z behind, and perhaps the bar of today with the time it was taken at: that
        # one must not move all the others to the evening before.
        days = _days(us)
        if tz is not None:
            late = moments & (us % DAY_US != 0)
            days[late] = _days(local_from_utc(us[late], tz))
        yield "midnights in UTC, of that date", with_moments(days)
        if not _are_dates_in_utc(stamps, moments):
            yield "times where the exchange is, of their date", written
        if clock.calendar:
            yield "midnights in UTC, of the date before", with_moments(days - _DAY)
        return
    _require_place(stamps, timeframe, clock)
    if clock.calendar:
        session, is_within = clock.calendar.session_of(us - (clock.stamp == "end"))
        if is_within[moments].mean() >= _RIGHT_SHARE:
            yield f"moments of sessions of {clock.calendar.name}", with_moments(session)
    if tz is None:
        yield "times where the exchange is, of their date", written
        return
    local = local_from_utc(us, tz)
    own_zone = instants & (stamps.offset_us != 0) & (clock.tz is None)
    local[own_zone] = stamps.wall_us[own_zone]
    yield f"moments in {tz}, of the date there", with_moments(_days(local))
    if clock.stamp == "end" or clock.calendar:
        yield f"moments in {tz}, of the end of the date there", with_moments(_days(local - 1))


def _are_dates_in_utc(stamps: Stamps, moments: Flags) -> bool:
    """Whether the dates as written are those in UTC, for all moments."""
    us = stamps.wall_us - stamps.offset_us
    is_same = _days(stamps.wall_us)[moments] == _days(us)[moments]
    return bool(is_same.all()) and not bool(stamps.naive.any())


def _require_place(stamps: Stamps, timeframe: Timeframe, clock: Clock) -> None:
    if clock.place_tz is not None:
        return
    unclear = _is_unclear(stamps)
    if 2 * unclear.sum() > len(unclear):
        moment = _moment(stamps, int(np.argmax(unclear)))
        raise BarsError(
            f"{moment} UTC is no session date, which a {timeframe} bar is stamped with:"
            " say where the exchange is, as in --tz America/New_York"
        )


def _best_reading(readings: dict[str, Days], timeframe: Timeframe, clock: Clock) -> str:
    """The reading that puts the bars on sessions; of equally good ones the likeliest."""
    first = next(iter(readings))
    if timeframe.unit != "D":
        return first
    if clock.calendar is None:
        return _by_weekdays(readings)
    shares = {rule: _share_on_sessions(days, clock.calendar) for rule, days in readings.items()}
    best = max(shares, key=lambda rule: shares[rule])
    if shares[first] >= _RIGHT_SHARE or shares[first] == shares[best]:
        best = first
    if shares[best] < 1 / 2:
        raise BarsError(
            f"only {shares[best]:.0%} of the dates have a session of {clock.calendar.name}: the"
            " calendar or the time zone is another one, as in --calendar XNYS or --tz"
        )
    return best


def _share_on_sessions(days: Days, calendar: Calendar) -> float:
    known = days[calendar.knows(days)]
    return float(calendar.is_session(known).mean()) if len(known) else 1.0


def _by_weekdays(readings: dict[str, Days]) -> str:
    """The reading by the days of the week that it gives: whole weeks, or Monday to Friday.

    Raises:
        BarsError: the only reading gives Sunday to Thursday or Tuesday to Saturday, or two
            readings that differ are as good.
    """
    fits = {rule: _week_fits(days) for rule, days in readings.items()}
    good = [rule for rule, fit in fits.items() if fit]
    first = next(iter(readings))
    distinct = {days.tobytes() for days in readings.values()}
    if len(good) > 1 and len(distinct) > 1 and not _has_weekends(readings[first]):
        examples = ", or ".join(f"{days[0]} ({rule})" for rule, days in readings.items())
        raise BarsError(
            f"the first bar is of {examples}, and nothing tells which: say the calendar of the"
            " exchange, as in --calendar XNYS, or --calendar weekdays or 24/7"
        )
    if good:
        return good[0]
    days = readings[first]
    names = [
        ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[day] for day in np.unique(weekday(days))
    ]
    raise BarsError(
        f"the dates are {', '.join(names)} and no other days: the stamps may be a day off. Say the"
        " calendar of the exchange, as in --calendar XNYS (or weekdays, from Monday to Friday)"
    )


def _week_fits(days: Days) -> bool:
    """Whether the days of the week are not those of a week of five that is a day off."""
    counts = np.bincount(weekday(days), minlength=7)
    if len(days) < _TELLING_ROWS or np.count_nonzero(counts) != 5:
        return True
    return not (counts[5] and not counts[0]) and not (counts[_SUNDAY] and not counts[4])


def _has_weekends(days: Days) -> bool:
    counts = np.bincount(weekday(days), minlength=7)
    return bool(counts[5] and counts[_SUNDAY])


def _off_sessions(days: Days, calendar: Calendar) -> tuple[str, ...]:
    known = np.unique(days[calendar.knows(days)])
    off = known[~calendar.is_session(known)]
    if not len(off):
        return ()
    shown = ", ".join(map(str, off[:3])) + (", ..." if len(off) > 3 else "")
    return (f"{len(off)} bars are of dates without a session of {calendar.name}: {shown}",)


def _weeks(days: Days, stamps: Stamps, clock: Clock, rule: str) -> tuple[Days, str]:
    """Weeks by their Monday. A Sunday may begin a week or end one."""
    on_sunday = weekday(days) == _SUNDAY
    if 2 * on_sunday.sum() <= len(days):
        return days, f"{rule}; weeks by their Monday"
    has_time = not (stamps.wall_us[on_sunday] % DAY_US == 0).all()
    if clock.stamp is None and not has_time:
        raise BarsError(
            f"weekly bars are stamped on Sundays, such as {days[int(np.argmax(on_sunday))]}: say"
            " --stamp start (the week begins then) or --stamp end (it ends then)"
        )
    if clock.stamp == "end":
        return days, f"{rule}; the Sunday ends the week of the Monday before"
    return np.where(on_sunday, days + _DAY, days), f"{rule}; the Sunday begins the week"


def _days(us: Micros) -> Days:
    return (us // DAY_US).astype("M8[D]")


# -- intraday --------------------------------------------------------------------------------------


def _intervals(
    stamps: Stamps, timeframe: Timeframe, clock: Clock
) -> tuple[Micros, dict[int, str], str, tuple[str, ...]]:
    stamps, faults, notes = _with_midnights(stamps, timeframe)
    us = stamps.wall_us - stamps.offset_us
    if len(us) and len(faults) == len(us):
        raise BarsError(f"{faults[0]}: these are daily bars, or their times are in another column")
    us[list(faults)] = NAT
    _require_zone(stamps.naive, stamps, clock.naive_tz)
    tz = clock.naive_tz
    if tz is not None and stamps.naive.any():
        local = np.flatnonzero(stamps.naive)
        us[local], unclear = utc_from_local(stamps.wall_us[local], tz)
        for row in local[unclear].tolist():
            us[row] = NAT
            moment = _moment(stamps, row)
            faults[row] = f"the clocks of {tz} {_skip_or_repeat(moment, tz)} {moment}"
    rule = "the start of the interval"
    if clock.stamp == "end":
        us = np.where(us == NAT, NAT, us - timeframe.length_us)
        rule = f"the end of the interval: {timeframe} before is where it starts"
    return us, faults, rule, notes


def _with_midnights(
    stamps: Stamps, timeframe: Timeframe
) -> tuple[Stamps, dict[int, str], tuple[str, ...]]:
    """Dates among times are midnights, where a row beside one is an interval away.

    Spreadsheets and data frames leave 00:00 out.
    """
    dated = np.flatnonzero(stamps.dated)
    if not len(dated):
        return stamps, {}, ()
    timed = np.flatnonzero(~stamps.dated)
    is_midnight = np.zeros(len(dated), dtype=np.bool_)
    for step in (-1, 1):
        beside = dated + step
        inside = (beside >= 0) & (beside < len(stamps.wall_us))
        near = np.where(inside, beside, dated)
        distance = np.abs(stamps.wall_us[near] - stamps.wall_us[dated])
        is_midnight |= inside & ~stamps.dated[near] & (distance == timeframe.length_us)
    faults = {
        row: f"the date {_moment(stamps, row):%Y-%m-%d} alone cannot stamp a {timeframe} bar"
        for row in dated[~is_midnight].tolist()
    }
    rows = dated[is_midnight]
    if not len(rows) or not len(timed):
        return stamps, faults, ()
    is_naive, still_dated = stamps.naive.copy(), stamps.dated.copy()
    offset_us = stamps.offset_us.copy()
    like = timed[np.minimum(np.searchsorted(timed, rows), len(timed) - 1)]
    is_naive[rows], offset_us[rows] = stamps.naive[like], stamps.offset_us[like]
    still_dated[rows] = False
    note = f"{len(rows)} times are dates alone, read as their midnight"
    return Stamps(stamps.wall_us, offset_us, is_naive, still_dated), faults, (note,)


def _require_zone(naive: Flags, stamps: Stamps, tz: str | None) -> None:
    if tz is None and naive.any():
        raise NaiveTimestampError(
            f"{_moment(stamps, int(np.argmax(naive)))} has no time zone: say where the exchange is,"
            " as in --tz America/New_York, or --tz UTC"
        )


def _moment(stamps: Stamps, row: int) -> datetime:
    return datetime_from_us(int(stamps.wall_us[row])).replace(tzinfo=None)


def _skip_or_repeat(moment: datetime, tz: str) -> str:
    rules = ZoneInfo(tz)
    there = moment.replace(tzinfo=rules).astimezone(ZoneInfo("UTC")).astimezone(rules)
    return "repeat" if there.replace(tzinfo=None) == moment else "skip"


def _kind(stamps: Stamps, clock: Clock) -> str:
    has_zone = ~stamps.naive & ~stamps.dated
    kinds = {
        "dates": stamps.dated.any(),
        f"local times in {clock.naive_tz}": stamps.naive.any(),
        "UTC instants": (has_zone & (stamps.offset_us == 0)).any(),
        "instants with their offset": (has_zone & (stamps.offset_us != 0)).any(),
    }
    return " and ".join(kind for kind, there_is in kinds.items() if there_is)


__all__ = ["NAT", "Clock", "Placed", "place"]
