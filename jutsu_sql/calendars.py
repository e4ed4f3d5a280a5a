"""The dates on which an exchange has sessions, and when it is open.

``24/7`` has one every day, ``weekdays`` from Monday to Friday; every other name is one of the
package ``exchange_calendars``, such as ``XNYS`` or ``CMES``, which knows holidays, half days and
sessions that begin the evening before.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from importlib import metadata
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from jutsu_sql.errors import ConfigError
from jutsu_sql.instants import Micros

Days = npt.NDArray[np.datetime64]
Flags = npt.NDArray[np.bool_]

_FIRST_DAY = "1970-01-01"
# As exchange_calendars has them.
_DAYS_AHEAD = 366
_PACKAGE = "exchange_calendars"

Moments = npt.NDArray[np.datetime64]


class Sessions(NamedTuple):
    """Sessions in the order of their dates (``datetime64[D]``), and when they are (``[us]``, UTC).

    ``opens`` is NaT where only the dates are known, and a break where there is none.
    """

    days: Days
    opens: Moments
    closes: Moments
    break_starts: Moments
    break_ends: Moments


class Calendar(Protocol):
    """Sessions by date (``datetime64[D]``, where the exchange is)."""

    @property
    def name(self) -> str:
        """What :func:`open_calendar` knows it by."""

    @property
    def tz(self) -> str | None:
        """Where the exchange is, if that is one place."""

    def knows(self, days: Days) -> Flags:
        """Which dates the calendar says anything about."""

    def is_session(self, days: Days) -> Flags:
        """Which of the known dates have a session."""

    def session_of(self, us: Micros) -> tuple[Days, Flags]:
        """The session that each moment (UTC) lies in, and whether it lies in one.

        Both ends count; where one session's end is the start of the next, it is of the next.
        """

    def sessions(self) -> Sessions:
        """Every session that it knows, up to about a year from now."""


class _Weekly:
    """The same days every week."""

    def __init__(self, name: str, tz: str | None, days: int) -> None:
        self.name: str = name
        self.tz: str | None = tz
        self._days = days

    def knows(self, days: Days) -> Flags:
        return np.ones(len(days), dtype=np.bool_)

    def is_session(self, days: Days) -> Flags:
        return np.asarray(weekday(days) < self._days)

    def session_of(self, us: Micros) -> tuple[Days, Flags]:
        days = us.view("M8[us]").astype("M8[D]")
        return days, np.zeros(len(us), dtype=np.bool_)

    def sessions(self) -> Sessions:
        last = np.datetime64("today") + np.timedelta64(_DAYS_AHEAD, "D")
        days = np.arange(np.datetime64(_FIRST_DAY), last)
        days = days[self.is_session(days)]
        midnights: Moments = days.astype("M8[us]")
        never: Moments = np.full(len(days), np.datetime64("NaT", "us"))
        # Of no place, a date has ended everywhere at 12:00 UTC of the next.
        length = np.timedelta64(36 if self.tz is None else 24, "h")
        closes: Moments = midnights + length
        return Sessions(days, never if self.tz is None else midnights, closes, never, never)


class _Exchange:
    """A calendar of ``exchange_calendars``, between the dates that it covers."""

    def __init__(self, name: str, calendar: Any) -> None:
        self.name = name
        self.tz: str | None = str(calendar.tz)
        self._days = calendar.sessions.to_numpy().astype("M8[D]")
        self._breaks = _moments(calendar.break_starts), _moments(calendar.break_ends)
        self._opens = _us(calendar.opens)
        self._closes = _us(calendar.closes)

    def knows(self, days: Days) -> Flags:
        return np.asarray((days >= self._days[0]) & (days <= self._days[-1]))

    def is_session(self, days: Days) -> Flags:
        return np.isin(days, self._days)

    def session_of(self, us: Micros) -> tuple[Days, Flags]:
        last = len(self._days) - 1
        at = np.minimum(np.searchsorted(self._closes, us, side="right"), last)
        closing = np.minimum(np.searchsorted(self._closes, us), last)
        is_within = (self._opens[at] <= us) & (us < self._closes[at])
        is_close = ~is_within & (self._closes[closing] == us)
        return self._days[np.where(is_close, closing, at)], is_within | is_close

    def sessions(self) -> Sessions:
        opens, closes = self._opens.view("M8[us]"), self._closes.view("M8[us]")
        return Sessions(self._days, opens, closes, *self._breaks)


_WEEKLY = {
    "24/7": _Weekly("24/7", "UTC", 7),
    "weekdays": _Weekly("weekdays", None, 5),
}


def weekday(days: Days) -> npt.NDArray[np.int64]:
    """0 for Monday to 6 for Sunday."""
    return (days.astype("M8[D]").astype(np.int64) + 3) % 7


@lru_cache(maxsize=16)
def open_calendar(name: str) -> Calendar:
    """The calendar of a name: ``24/7``, ``weekdays``, or one of ``exchange_calendars``.

    Raises:
        ConfigError: there is none, or the package is not installed.
    """
    if name in _WEEKLY:
        return _WEEKLY[name]
    try:
        with warnings.catch_warnings():
            # It uses what newer versions of pandas deprecate.
            warnings.simplefilter("ignore")
            return _exchange(name)
    except ImportError as error:
        raise ConfigError(
            f"the calendar {name!r} needs exchange_calendars: pip install 'jutsu_sql[calendars]'"
        ) from error


def _exchange(name: str) -> Calendar:
    import exchange_calendars as known

    if name not in known.get_calendar_names():
        raise ConfigError(
            f"there is no calendar {name!r}: there are 24/7, weekdays, and those of"
            " exchange_calendars, such as XNYS"
        )
    try:
        return _Exchange(name, known.get_calendar(name, start=_FIRST_DAY))
    except ValueError:
        pass  # it begins later
    try:
        return _Exchange(name, known.get_calendar(name))
    except ValueError as error:
        raise ConfigError(f"exchange_calendars cannot make {name}: {str(error)[:100]}") from error


def calendar_version(name: str) -> str | None:
    """What a calendar comes from, with its version; None if that is not installed."""
    if name in _WEEKLY:
        return name
    try:
        return f"{_PACKAGE} {metadata.version(_PACKAGE)}"
    except metadata.PackageNotFoundError:
        return None


def _moments(moments: Any) -> Moments:
    return np.asarray(moments.dt.tz_localize(None).to_numpy().astype("M8[us]"))


def _us(moments: Any) -> Micros:
    return _moments(moments).astype(np.int64)


__all__ = ["Calendar", "Days", "Sessions", "calendar_version", "open_calendar", "weekday"]
