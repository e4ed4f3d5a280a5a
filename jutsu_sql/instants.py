"""Instants as int64 microseconds since 1970-01-01 UTC, and what time zones make of them.

Every function takes and gives UTC microseconds (``us``) unless its name says ``local``; time
zone rules are those of :mod:`zoneinfo`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from jutsu_sql.errors import BarsError, ConfigError, NaiveTimestampError

Micros = npt.NDArray[np.int64]

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What a datetime can say: years 1 to 9999. Both engines store all of it.
MIN_US = -62_135_596_800 * SECOND_US
MAX_US = 253_402_300_800 * SECOND_US - 1
# Few switches fall between quarter hours: those to standard time, and St. John's until 2011.
_STEP_US = 900 * SECOND_US
_MICROSECOND = timedelta(microseconds=1)


def datetime_from_us(us: int) -> datetime:
    """The aware UTC datetime of ``us``."""
    return EPOCH + timedelta(microseconds=us)


def ends_of(us: Micros) -> tuple[datetime, datetime]:
    """The first and the last of ``us``, as aware UTC datetimes."""
    return datetime_from_us(int(us[0])), datetime_from_us(int(us[-1]))


def us_from_datetime(value: datetime) -> int:
    """Microseconds of an aware datetime.

    Raises:
        NaiveTimestampError: ``value`` has no time zone.
    """
    if value.tzinfo is None:
        raise NaiveTimestampError(
            f"{value.isoformat(sep=' ')} has no time zone: "
            "pass an aware datetime (tzinfo=timezone.utc), or say tz="
        )
    since = value - EPOCH
    # Half the time of a division by a timedelta; every parameter that is a time comes through here.
    return since.days * DAY_US + since.seconds * SECOND_US + since.microseconds


def us_from_date(value: date) -> int:
    """Microseconds of 00:00 UTC of a date, the identity of a daily bar."""
    return (value.toordinal() - 719_163) * DAY_US


def us_from_times(times: Any) -> Micros:
    """Microseconds of an array of ``datetime64`` of any unit."""
    return np.asarray(times).astype("M8[us]").astype(np.int64)


def us_from_bound(value: object, *, end: bool) -> int:
    """An inclusive range bound; a bare date means its whole day, in UTC.

    Takes an aware datetime, a date, ``numpy.datetime64`` (UTC), int microseconds, or an ISO 8601
    string of a date or of a time with its offset.

    Raises:
        NaiveTimestampError: a time without a time zone.
        BarsError: anything else.
    """
    if isinstance(value, str):
        try:
            is_date = len(value) <= len("2024-01-31")
            value = date.fromisoformat(value) if is_date else datetime.fromisoformat(value)
        except ValueError:
            raise BarsError(
                f"{value!r} is no ISO 8601 date or time such as 2024-01-31 or 2024-01-31T14:30Z"
            ) from None
    if isinstance(value, datetime):
        return us_from_datetime(value)
    if isinstance(value, date):
        return us_from_date(value) + (DAY_US - 1 if end else 0)
    if isinstance(value, np.datetime64):
        whole_day = np.datetime_data(value.dtype)[0] == "D" and end
        return int(value.astype("M8[us]").astype(np.int64)) + (DAY_US - 1 if whole_day else 0)
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    raise BarsError(f"{value!r} ({type(value).__name__}) is no date or time")


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name such as ``America/New_York``.

    Raises:
        ConfigError: there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ValueError, OSError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise ConfigError(f"{name!r} is no time zone name such as America/New_York") from error
    except KeyError as error:
        raise ConfigError(
            f"there is no time zone {name!r}; names look like America/New_York or UTC"
        ) from error


def _by_step(us: Micros, offset_us: Any) -> Micros:
    """``offset_us(datetime)`` of each value, asked for twice per quarter hour that occurs."""
    naive_epoch = EPOCH.replace(tzinfo=None)

    def offsets_at(moments: Micros) -> Micros:
        found = (offset_us(naive_epoch + timedelta(microseconds=us)) for us in moments.tolist())
        return np.fromiter(found, np.int64, len(moments))

    steps, inverse = np.unique(us // _STEP_US, return_inverse=True)
    first, last = offsets_at(steps * _STEP_US), offsets_at((steps + 1) * _STEP_US - 1)
    offsets = first[inverse]
    in_switch = (first != last)[inverse]
    offsets[in_switch] = offsets_at(us[in_switch])
    return offsets


def local_from_utc(us: Micros, tz: str) -> Micros:
    """Wall-clock microseconds in ``tz``."""
    rules = zone(tz)

    def offset_us(moment: datetime) -> int:
        offset = moment.replace(tzinfo=UTC).astimezone(rules).utcoffset()
        return (offset or timedelta()) // _MICROSECOND

    return us + _by_step(us, offset_us)


def utc_from_local(local_us: Micros, tz: str) -> tuple[Micros, npt.NDArray[np.bool_]]:
    """UTC microseconds of wall-clock times in ``tz``, and which of them name no single instant.

    A time that the clocks skip in spring, or show twice in autumn, is marked rather than guessed.
    """
    rules = zone(tz)

    def offset_of(fold: int) -> Any:
        def offset_us(moment: datetime) -> int:
            offset = moment.replace(tzinfo=rules, fold=fold).utcoffset()
            return (offset or timedelta()) // _MICROSECOND

        return offset_us

    earlier, later = _by_step(local_us, offset_of(0)), _by_step(local_us, offset_of(1))
    return local_us - earlier, earlier != later


def instants_of_wall(local_us: Micros, tz: str) -> Micros:
    """The moments from which on the clocks in ``tz`` never show less than each wall-clock time.

    That is the time itself where the clocks show it once. What a switch in spring skips begins
    with the switch, and so does a whole date that a zone has skipped. What is shown twice in
    autumn begins with the second time, unless the clocks went back to that very time.
    """
    rules = zone(tz)
    walls, inverse = np.unique(local_us, return_inverse=True)
    instants = [_instant_of_wall(wall, rules) for wall in walls.tolist()]
    return np.array(instants, dtype=np.int64)[inverse]


def _instant_of_wall(wall_us: int, rules: ZoneInfo) -> int:
    naive = EPOCH.replace(tzinfo=None) + timedelta(microseconds=wall_us)
    first, second = (us_from_datetime(naive.replace(tzinfo=rules, fold=fold)) for fold in (0, 1))
    if first < second:  # shown twice
        is_turn = _wall_of_instant(second - 1, rules) > wall_us
        return first if is_turn else second
    # In a gap, the first is read by the offset before it and lies behind the switch; the second
    # the other way round. Without one they are the same.
    while second < first:
        middle = (second + first) // 2
        if _wall_of_instant(middle, rules) < wall_us:
            second = middle + 1
        else:
            first = middle
    return first


def _wall_of_instant(us: int, rules: ZoneInfo) -> int:
    moment = datetime_from_us(us).astimezone(rules)
    return us_from_datetime(moment.replace(tzinfo=UTC))


def us_from_wall_time(value: str | time) -> int:
    """Microseconds since midnight of a time of the day such as ``"09:30"``.

    Raises:
        BarsError: it is none, or has a time zone.
    """
    try:
        parsed = time.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(parsed, time) or parsed.tzinfo is not None:
            raise ValueError
    except ValueError:
        raise BarsError(f"{value!r} is no time of the day such as 09:30") from None
    return (datetime.combine(date.min, parsed) - datetime.min) // _MICROSECOND
