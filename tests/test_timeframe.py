"""Timeframes and instants."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jutsu_sql.errors import BarsError, ConfigError
from jutsu_sql.instants import (
    datetime_from_us,
    instants_of_wall,
    local_from_utc,
    us_from_bound,
    us_from_date,
    us_from_datetime,
    utc_from_local,
)
from jutsu_sql.timeframe import floor_session, parse_timeframe

ZONES = ["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Monrovia"]


@pytest.mark.parametrize(
    ("canonical", "spellings"),
    {
        "1m": ("1m", "m", "1min", "1 minute", "1T", "60s", "1MIN"),
        "15m": ("15m", "15min", "15 Minutes"),
        "1h": ("1h", "1H", "60min", "60m", "1hour", "hourly"),
        "4h": ("4h", "240m", "4 hours"),
        "1D": ("1D", "1d", "D", "daily", "day", "24h", "1440min"),
        "1W": ("1W", "w", "1wk", "weekly"),
        "1M": ("1M", "M", "1mo", "monthly", "1 Month"),
        "90m": ("90m",),
        "30s": ("30s", "30 sec"),
    }.items(),
)
def test_any_spelling_in_one_out(canonical: str, spellings: tuple[str, ...]) -> None:
    assert {str(parse_timeframe(text)) for text in spellings} == {canonical}
    assert str(parse_timeframe(canonical)) == canonical


@pytest.mark.parametrize("text", ["", "5", "0m", "x", "1.5h", "-1D", "1m1", "1MM", "m m"])
def test_what_is_no_timeframe(text: str) -> None:
    with pytest.raises(BarsError, match="no timeframe"):
        parse_timeframe(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_datetimes_round_trip(moment: datetime) -> None:
    assert datetime_from_us(us_from_datetime(moment)) == moment


@given(st.dates())
def test_a_bare_date_bounds_its_whole_day(day: date) -> None:
    start, end = us_from_bound(day, end=False), us_from_bound(day, end=True)
    assert start == us_from_date(day)
    assert end - start == timedelta(days=1) / timedelta(microseconds=1) - 1
    assert us_from_bound(day.isoformat(), end=True) == end


@pytest.mark.parametrize("value", ["tomorrow", "2024-13-01", 1.5, True, None, b"2024-01-01"])
def test_what_is_no_bound(value: object) -> None:
    with pytest.raises(BarsError):
        us_from_bound(value, end=False)


moments = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))


@given(st.lists(moments, min_size=1, max_size=20), st.sampled_from(ZONES))
def test_local_times_agree_with_zoneinfo(times: list[datetime], tz: str) -> None:
    rules = ZoneInfo(tz)
    us = np.array([us_from_datetime(t.replace(tzinfo=UTC)) for t in times])
    expected = [t.replace(tzinfo=UTC).astimezone(rules).replace(tzinfo=None) for t in times]
    got = local_from_utc(us, tz)
    assert [datetime_from_us(x).replace(tzinfo=None) for x in got.tolist()] == expected
    back, unclear = utc_from_local(got, tz)
    assert ((back == us) | unclear).all()
    for local, flag in zip(expected, unclear.tolist(), strict=True):
        offsets = {local.replace(tzinfo=rules, fold=fold).utcoffset() for fold in (0, 1)}
        assert flag == (len(offsets) == 2)


@given(st.dates(date(1800, 1, 1), date(2200, 1, 1)))
def test_sessions_floor_to_dates_mondays_and_firsts(day: date) -> None:
    us = np.array([us_from_date(day) + 12_345_678])
    as_date = [
        datetime_from_us(int(floor_session(us, parse_timeframe(frame))[0])).date()
        for frame in ("1D", "1W", "1M")
    ]
    monday = day - timedelta(days=day.weekday())
    assert as_date == [day, monday, day.replace(day=1)]


def test_an_unknown_zone_is_named() -> None:
    for name in ("America/Gotham", "", "../etc/passwd"):
        with pytest.raises(ConfigError, match="time zone"):
            local_from_utc(np.array([0]), name)


@pytest.mark.parametrize(
    ("zone", "wall", "instant"),
    [
        ("America/New_York", datetime(2024, 3, 10, 2, 30), datetime(2024, 3, 10, 7)),
        ("America/New_York", datetime(2024, 11, 3, 1), datetime(2024, 11, 3, 5)),
        ("America/New_York", datetime(2024, 11, 3, 1, 30), datetime(2024, 11, 3, 6, 30)),
        ("America/Havana", datetime(2024, 11, 3), datetime(2024, 11, 3, 4)),
        ("America/Sao_Paulo", datetime(2018, 11, 4), datetime(2018, 11, 4, 3)),
        ("Pacific/Apia", datetime(2011, 12, 30), datetime(2011, 12, 30, 10)),
        ("Pacific/Apia", datetime(2011, 12, 31), datetime(2011, 12, 30, 10)),
        # The clocks went back from 00:01 to 23:01 of the day before.
        ("America/St_Johns", datetime(2010, 11, 7), datetime(2010, 11, 7, 3, 30)),
        ("America/St_Johns", datetime(2010, 3, 14, 0, 30), datetime(2010, 3, 14, 3, 31)),
    ],
)
def test_the_moments_of_a_wall_clock(zone: str, wall: datetime, instant: datetime) -> None:
    got = instants_of_wall(np.array([us_from_datetime(wall.replace(tzinfo=UTC))]), zone)
    assert got.view("M8[us]").tolist() == [instant]


SWITCHES = {
    "America/New_York": datetime(2024, 3, 10),
    "America/St_Johns": datetime(2010, 11, 7),
    "America/Sao_Paulo": datetime(2018, 11, 4),
    "Australia/Lord_Howe": datetime(2024, 4, 7),
    "Pacific/Apia": datetime(2011, 12, 30),
}


@given(st.sampled_from(sorted(SWITCHES)), st.integers(-1500, 3000))
def test_from_its_moment_on_a_clock_never_shows_less(zone: str, minutes: int) -> None:
    wall = SWITCHES[zone] + timedelta(minutes=minutes)
    us = np.array([us_from_datetime(wall.replace(tzinfo=UTC))])
    instant = datetime_from_us(instants_of_wall(us, zone).item())

    def shown(moment: datetime) -> datetime:
        return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)

    assert shown(instant - timedelta(microseconds=1)) < wall
    assert all(shown(instant + timedelta(minutes=m)) >= wall for m in range(0, 1500, 7))


@given(
    st.sampled_from(["America/St_Johns", "Africa/Monrovia", "Europe/Amsterdam", "Asia/Kathmandu"]),
    st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2030, 1, 1)), min_size=1, max_size=5),
    st.booleans(),
)
@example(
    "America/St_Johns", [datetime(2010, 3, 14, 3, 30, 59), datetime(2010, 3, 14, 3, 31)], False
)
@example("America/St_Johns", [datetime(2010, 11, 7, 0, 0, 30), datetime(2010, 11, 7, 0, 1)], True)
@example(
    "Africa/Monrovia", [datetime(1972, 1, 7, 0, 44, 29), datetime(1972, 1, 7, 0, 44, 30)], False
)
def test_switches_between_quarter_hours(tz: str, moments: list[datetime], is_local: bool) -> None:
    rules = ZoneInfo(tz)
    us = np.array([us_from_datetime(moment.replace(tzinfo=UTC)) for moment in moments])
    if is_local:
        placed, unclear = utc_from_local(us, tz)
        offsets = [[m.replace(tzinfo=rules, fold=f).utcoffset() for f in (0, 1)] for m in moments]
        assert unclear.tolist() == [first != second for first, second in offsets]
        expected = [m - first for m, (first, _) in zip(moments, offsets, strict=True)]
    else:
        placed = local_from_utc(us, tz)
        expected = [m.replace(tzinfo=UTC).astimezone(rules).replace(tzinfo=None) for m in moments]
    assert [datetime_from_us(int(x)).replace(tzinfo=None) for x in placed] == expected
