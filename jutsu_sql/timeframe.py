"""Timeframes: any spelling in, one canonical spelling out, and where their bars start."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from functools import lru_cache

import numpy as np

from jutsu_sql.errors import BarsError
from jutsu_sql.instants import (
    DAY_US,
    SECOND_US,
    Micros,
    instants_of_wall,
    local_from_utc,
    us_from_times,
    us_from_wall_time,
)

# Smallest first. A month has no fixed length, so it has no entry here.
_LENGTH_US = {
    "s": SECOND_US,
    "m": 60 * SECOND_US,
    "h": 3600 * SECOND_US,
    "D": DAY_US,
    "W": 7 * DAY_US,
}
_ALIASES = {
    "s": ("sec", "secs", "second", "seconds"),
    "m": ("min", "mins", "minute", "minutes", "t"),
    "h": ("hr", "hrs", "hour", "hours", "hourly"),
    "D": ("d", "day", "days", "daily"),
    "W": ("w", "wk", "week", "weeks", "weekly"),
    "M": ("mo", "mon", "month", "months", "monthly"),
}
_UNITS = {alias: unit for unit, aliases in _ALIASES.items() for alias in (unit.lower(), *aliases)}
_UNITS["m"] = "m"  # 1m is a minute; only a capital M is a month
_FORM = re.compile(r"\s*(\d*)\s*([A-Za-z]+)\s*")
_MONDAY_US = -3 * DAY_US  # 1970-01-01 was a Thursday


@dataclass(frozen=True, slots=True)
class Timeframe:
    """A bar's interval; ``str()`` gives the canonical name such as ``5m``, ``1h`` or ``1D``."""

    count: int
    unit: str

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"

    @property
    def is_session(self) -> bool:
        """Whether bars are identified by session date (from ``1D`` up) rather than by instant."""
        return self.unit in "DWM"

    @property
    def length_us(self) -> int:
        """The length of an interval; of months, the greatest that it can have."""
        return self.count * (31 * DAY_US if self.unit == "M" else _LENGTH_US[self.unit])


@lru_cache(maxsize=256)
def parse_timeframe(text: str) -> Timeframe:
    """The timeframe of any usual spelling: ``1D`` ``1d`` ``D`` ``daily`` ``60min`` ``1H`` ``1M``.

    ``m`` is minute and ``M`` is month. Minutes that make whole hours become hours, and hours that
    make whole days become days, so that one series has one name.

    Raises:
        BarsError: the text is no timeframe.
    """
    match = _FORM.fullmatch(text)
    unit = match and ("M" if match[2] == "M" else _UNITS.get(match[2].lower()))
    count = int(match[1] or 1) if match else 0
    if not unit or not count:
        raise BarsError(
            f"{text!r} is no timeframe: write a count and a unit, as in 1m, 15m, 1h, 1D, 1W, 1M"
        )
    for small, large, ratio in (("s", "m", 60), ("m", "h", 60), ("h", "D", 24)):
        if unit == small and count % ratio == 0:
            unit, count = large, count // ratio
    return Timeframe(count, unit)


def session_start(us: Micros, timeframe: Timeframe, tz: str | None = None) -> Micros:
    """The session date, as 00:00 UTC microseconds, of bars from ``1D`` up.

    ``tz`` is where the exchange is; without it the instants are dates already. Weeks are named by
    their Monday, months by their first day. When every stamp is 00:00 UTC they are read as dates:
    a vendor that writes plain dates with a ``Z`` behind must not have its Mondays turned into
    New York Sundays.
    """
    if tz is not None and (us % DAY_US).any():
        us = local_from_utc(us, tz)
    return floor_session(us, timeframe)


def interval_end(us: Micros, timeframe: Timeframe) -> Micros:
    """Where the intervals that start at ``us`` end; a day ends at 00:00 UTC of the next."""
    if timeframe.unit == "M":
        months = us.astype("M8[us]").astype("M8[M]") + np.timedelta64(timeframe.count, "M")
        return us_from_times(months)
    return us + timeframe.count * _LENGTH_US[timeframe.unit]


def known_from(
    us: Micros, timeframe: Timeframe, tz: str | None = None, close: str | time | None = None
) -> Micros:
    """The first moments at which the bars that start at ``us`` can be known whole.

    Intraday that is where their interval ends. From ``1D`` up it is the time ``close`` (without
    it: midnight at the end) of the last date of the interval, where the exchange is (``tz``).
    Without ``tz`` it is where that date has ended everywhere on Earth: 12:00 UTC of the next, for
    the zone of the latest is UTC-12.

    Raises:
        BarsError: ``close`` without ``tz``, or no time of the day.
    """
    ends = interval_end(us, timeframe)
    if not timeframe.is_session:
        return ends
    if tz is None:
        if close is not None:
            raise BarsError("close= is a time where the exchange is: say tz=, too")
        return ends + DAY_US // 2
    close_us = 0 if close is None else us_from_wall_time(close)
    return instants_of_wall(ends - DAY_US + (close_us or DAY_US), tz)


def floor_session(us: Micros, timeframe: Timeframe) -> Micros:
    """The date, Monday or first of the month that holds each moment, as 00:00 microseconds."""
    if timeframe.unit == "M":
        return us_from_times(us.astype("M8[us]").astype("M8[M]"))
    if timeframe.unit == "W":
        return (us - _MONDAY_US) // _LENGTH_US["W"] * _LENGTH_US["W"] + _MONDAY_US
    return us // DAY_US * DAY_US
