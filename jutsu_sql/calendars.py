"""The dates on which an exchange has sessions.

``24/7`` has one every day, ``weekdays`` from Monday to Friday; every other name is one of the
package ``exchange_calendars``, such as ``XNYS`` or ``CMES``, which knows holidays, half days and
sessions that begin the evening before.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from jutsu_sql.errors import ConfigError
from jutsu_sql.instants import Micros

Days = npt.NDArray[np.datetime64]
Flags = npt.NDArray[np.bool_]

_FIRST_DAY = "1970-01-01"


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


class _Exchange:
    """A calendar of ``exchange_calendars``, between the dates that it covers."""

    def __init__(self, name: str, calendar: Any) -> None:
        self.name = name
        self.tz: str | None = str(calendar.tz)
        self._days = calendar.sessions.to_numpy().astype("M8[D]")
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


def weekday(days: Days) -> npt.NDArray[np.int64]:
    """0 for Monday to 6 for Sunday."""
    return (days.astype("M8[D]").astype(np.int64) + 3) % 7


@lru_cache(maxsize=16)
def open_calendar(name: str) -> Calendar:
    """The calendar of a name: ``24/7``, ``weekdays``, or one of ``exchange_calendars``.

    Raises:
        ConfigError: there is none, or the package is not installed.
    """
    if name == "24/7":
        return _Weekly(name, "UTC", 7)
    if name == "weekdays":
        return _Weekly(name, None, 5)
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


def _us(moments: Any) -> Micros:
    return np.asarray(moments.dt.tz_localize(None).to_numpy().astype("M8[us]").astype(np.int64))


__all__ = ["Calendar", "Days", "open_calendar", "weekday"]
