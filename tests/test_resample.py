"""Resampled bars equal a walk over the clock, on every engine, across every kind of switch."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jutsu_sql import Bar, Bars, BarStore, Database, errors

QUARTER = timedelta(minutes=15)
# Days around switches: spring and autumn, both hemispheres, at midnight, by half an hour, with
# offsets of 30 and 45 minutes, and a date that never was.
DAYS = {
    "America/New_York": [date(2024, 3, 9), date(2024, 11, 2)],
    "Europe/London": [date(2024, 3, 30), date(2024, 10, 26)],
    "America/Sao_Paulo": [date(2018, 11, 3), date(2018, 2, 16)],
    "America/Santiago": [date(2023, 9, 2), date(2024, 4, 5)],
    "Australia/Lord_Howe": [date(2024, 4, 6), date(2024, 10, 5)],
    "Asia/Beirut": [date(2024, 3, 30), date(2024, 10, 26)],
    "Asia/Kathmandu": [date(2024, 1, 1), date(1985, 12, 31)],
    "Asia/Kolkata": [date(2024, 5, 30)],
    "Pacific/Chatham": [date(2024, 4, 6), date(2024, 9, 28)],
    "Pacific/Apia": [date(2011, 12, 28)],
    "Asia/Tokyo": [date(1969, 12, 30)],
}
zones_and_days = st.sampled_from([(zone, day) for zone, days in DAYS.items() for day in days])
SESSIONS = [None, ("09:30", "16:00"), ("18:00", "17:00"), (time(17), time(17)), ("04:15", "00:00")]
LENGTHS = {"30m": 30, "1h": 60, "4h": 240, "90m": 90}
unique = itertools.count()


@cache
def session_date(ts: datetime, zone: ZoneInfo, session: Any) -> date | None:
    """Whose session a moment belongs to."""
    local = ts.astimezone(zone)
    if session is None:
        return local.date()
    opens, closes = (time.fromisoformat(str(edge)) for edge in session)
    if closes == time():
        return local.date() if local.time() >= opens else None
    if opens < closes:
        return local.date() if opens <= local.time() < closes else None
    if local.time() >= opens:
        return local.date() + timedelta(1)
    return local.date() if local.time() < closes else None


def bucket_of(ts: datetime, to: str, zone: ZoneInfo, session: Any) -> datetime | None:
    """The time of the bar that this moment goes into; on a clock of quarter hours, walk back."""
    day = session_date(ts, zone, session)
    if day is None:
        return None
    if to == "1W":
        day -= timedelta(day.weekday())
    if to == "1M":
        day = day.replace(day=1)
    if to not in LENGTHS:
        return datetime.combine(day, time(), UTC)
    first = ts
    while session_date(first - QUARTER, zone, session) == day:
        first -= QUARTER
    return first + (ts - first) // timedelta(minutes=LENGTHS[to]) * timedelta(minutes=LENGTHS[to])


def added(volumes: list[float]) -> float:
    """The sum of whole units and of 1e-12 of one, as documented."""
    trillionths = [int((v - int(v)) * 1e12 + 0.5) for v in volumes]
    return float(sum(int(v) for v in volumes)) + float(sum(trillionths)) / 1e12


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    zones_and_days,
    st.sampled_from(SESSIONS),
    st.sampled_from(["30m", "1h", "4h", "90m", "1D", "1W", "1M"]),
    st.one_of(st.sets(st.integers(0, 4 * 96), max_size=60), st.just(set(range(4 * 96)))),
    st.integers(0, 2**32),
)
def test_it_equals_a_walk_over_the_clock(
    store: BarStore, where: tuple[str, date], session: Any, to: str, slots: set[int], seed: int
) -> None:
    name, day = where
    rng = np.random.default_rng(seed)
    first = datetime.combine(day, time(), ZoneInfo(name)).astimezone(UTC)
    symbol = f"S{next(unique)}"
    bars = []
    for slot in sorted(slots):
        low, *middle, high = sorted(rng.integers(-(10**6), 10**6, 4) / 100)
        volume = float(rng.choice([rng.integers(0, 10**9), rng.integers(0, 10**10) / 1e8, 0]))
        ts = first + slot * QUARTER
        bars.append(Bar(symbol, "15m", ts, middle[0], high, low, middle[1], volume))
    store.write(bars, source="test")
    buckets: dict[datetime, list[Bar]] = {}
    for each in bars:
        ts = bucket_of(each.ts, to, ZoneInfo(name), session)
        if ts is not None:
            buckets.setdefault(ts, []).append(each)
    expected = [
        Bar(
            symbol,
            to,
            ts,
            own[0].open,
            max(b.high for b in own),
            min(b.low for b in own),
            own[-1].close,
            added([b.volume for b in own]),
        )
        for ts, own in sorted(buckets.items())
    ]
    got, is_partial = store.resample(symbol, "15m", to, tz=name, session=session)
    assert list(got) == expected
    assert not is_partial[:-1].any()
    # The bounds are those of the bars that come out, whole as they are.
    if expected:
        some = expected[len(expected) // 3 : 2 * len(expected) // 3 + 1]
        part, flags = store.resample(
            symbol, "15m", to, some[0].ts, some[-1].ts, tz=name, session=session
        )
        assert list(part) == some
        assert flags.tolist() == is_partial[len(expected) // 3 :][: len(some)].tolist()


def quarters(first: datetime, count: int, volume: Any = 1.0) -> list[Bar]:
    return [Bar("A", "15m", first + n * QUARTER, n, n, n, n, volume) for n in range(count)]


@pytest.mark.parametrize(
    ("to", "session", "last", "is_partial"),
    [
        ("1h", None, datetime(2024, 7, 1, 14, 45), False),
        ("1h", None, datetime(2024, 7, 1, 14, 30), True),
        ("1D", None, datetime(2024, 7, 1, 23, 45), False),
        ("1D", None, datetime(2024, 7, 1, 23, 30), True),
        ("1D", ("09:30", "16:00"), datetime(2024, 7, 1, 15, 45), False),
        ("1D", ("09:30", "16:00"), datetime(2024, 7, 1, 15, 30), True),
        ("1D", ("09:30", "16:00"), datetime(2024, 7, 1, 18, 30), False),
        ("4h", ("09:30", "16:00"), datetime(2024, 7, 1, 15, 45), False),
        ("1W", None, datetime(2024, 7, 7, 23, 45), False),
        ("1M", None, datetime(2024, 7, 7, 23, 45), True),
    ],
)
def test_the_last_bar_is_partial_until_its_interval_has_ended(
    store: BarStore, to: str, session: Any, last: datetime, is_partial: bool
) -> None:
    zone = ZoneInfo("America/New_York")
    first = datetime(2024, 7, 1, 12, tzinfo=zone).astimezone(UTC)
    count = (last.replace(tzinfo=zone) - first) // QUARTER + 1
    store.write(quarters(first, count), source="test")
    bars, flags = store.resample("A", "15m", to, tz="America/New_York", session=session)
    assert len(bars)
    assert flags.tolist() == [False] * (len(bars) - 1) + [is_partial]


def test_a_bar_observed_before_its_end_leaves_its_interval_partial(store: BarStore) -> None:
    first = datetime(2024, 7, 1, tzinfo=UTC)
    hour = quarters(first, 4)
    store.write(hour, source="test", observed_at=first + 3 * QUARTER + timedelta(minutes=14))
    assert store.resample("A", "15m", "1h").is_partial.tolist() == [True]
    later = [hour[-1]._replace(volume=2.0)]
    store.write(later, source="test", observed_at=first + 4 * QUARTER)
    assert store.resample("A", "15m", "1h").is_partial.tolist() == [False]


def test_days_make_weeks_and_months(store: BarStore) -> None:
    first = datetime(2024, 1, 29, tzinfo=UTC)
    days = [Bar("A", "1D", first + timedelta(n), n, n, n, n, 1.5) for n in range(12)]
    store.write(days, source="test")
    weeks = store.resample("A", "1D", "weekly")
    assert [(b.ts.day, b.open, b.close, b.volume) for b in weeks.bars] == [
        (29, 0, 6, 10.5),
        (5, 7, 11, 7.5),
    ]
    assert weeks.is_partial.tolist() == [False, True]
    months = store.resample("A", "1D", "1M", start="2024-02-01")
    assert [(b.ts.month, b.open, b.volume) for b in months.bars] == [(2, 3, 13.5)]
    assert months.is_partial.tolist() == [True]


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.decimals(0, 10**6, places=8), min_size=1, max_size=12))
def test_volumes_add_up_as_decimals_do(store: BarStore, volumes: list[Decimal]) -> None:
    store.delete("A")
    first = datetime(2024, 7, 1, tzinfo=UTC)
    bars = [
        bar._replace(volume=float(v)) for bar, v in zip(quarters(first, 12), volumes, strict=False)
    ]
    store.write(bars, source="test")
    got = store.resample("A", "15m", "1D").bars.volume.item()
    exact = sum(Fraction(bar.volume) for bar in bars)
    assert abs(Fraction(got) - exact) <= Fraction(len(bars), 10**12) + exact / 2**52


def test_what_does_not_make_the_other(store: BarStore) -> None:
    for source, to in [
        *[("1m", to) for to in ("90s", "2D", "36h")],
        *[("1h", to) for to in ("1h", "1m")],
        *[("1D", to) for to in ("1h", "1D")],
        *[("2m", "5m"), ("1W", "1M"), ("1M", "1W"), ("2D", "1W")],
    ]:
        with pytest.raises(errors.BarsError, match=f"{source}.*do not make.*{to}"):
            store.resample("A", source, to)


def test_wrong_calls(store: BarStore) -> None:
    with pytest.raises(errors.BarsError, match="leave tz= and session= out"):
        store.resample("A", "1D", "1W", tz="America/New_York")
    with pytest.raises(errors.BarsError, match="'9:3x' is no time of the day"):
        store.resample("A", "1m", "1D", session=("9:3x", "16:00"))
    with pytest.raises(errors.ConfigError, match="no time zone"):
        store.resample("A", "1m", "1D", tz="Nowhere/Nope")
    assert len(store.resample("NOPE", "1m", "1D").bars) == 0


def test_a_series_without_bars_and_the_end_of_time(store: BarStore) -> None:
    store.write(quarters(datetime(9999, 6, 1, tzinfo=UTC), 1), source="test")
    with pytest.raises(errors.BarsError, match="years 1 and 9999"):
        store.resample("A", "15m", "1h")
    store.delete("A")
    assert len(store.resample("A", "15m", "1h").bars) == 0
    store.write(quarters(datetime(2024, 6, 1, tzinfo=UTC), 1), source="test")
    assert len(store.resample("A", "15m", "1h", "2030-01-01").bars) == 0
    assert len(store.resample("A", "15m", "1D", end="2024-05-01").bars) == 0


def test_the_query_by_itself(store: BarStore, db: Database) -> None:
    """Half hours of one morning, by hand."""
    first = datetime(2024, 7, 1, 9, 30, tzinfo=UTC)
    store.write(quarters(first, 6), source="test")
    series_id = db.run("series.find", symbol="A", timeframe="15m").series_id
    columns = db.run(
        "resample.bars",
        series_id=series_id,
        width_s=1800,
        labels=[first],
        starts=[first],
        ends=[first + 5 * QUARTER],
    )
    assert columns["open"].tolist() == [0, 2, 4]
    assert columns["close"].tolist() == [1, 3, 4]
    assert columns["ts"].tolist()[2] == datetime(2024, 7, 1, 10, 30)


def test_bars_of_one_series_are_bars(store: BarStore) -> None:
    store.write(quarters(datetime(2024, 7, 1, tzinfo=UTC), 8), source="test")
    bars = store.resample("A", "15m", "60min").bars
    assert isinstance(bars, Bars)
    assert store.write(bars, source="resampled").inserted == 2
    assert list(store.read("A", "1h")) == list(bars)


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2024, 3, 10), 23), (date(2024, 3, 11), 24), (date(2024, 11, 3), 25)]
)
def test_a_day_is_as_long_as_its_clocks_make_it(store: BarStore, day: date, hours: int) -> None:
    first = datetime.combine(day, time(), ZoneInfo("America/New_York")).astimezone(UTC)
    store.write(quarters(first - 4 * QUARTER, 200), source="test")
    bars, _ = store.resample("A", "15m", "1D", day, day, tz="America/New_York")
    assert [(bar.ts.date(), bar.volume) for bar in bars] == [(day, 4.0 * hours)]
    fours, _ = store.resample("A", "15m", "4h", first, tz="America/New_York")
    assert [bar.volume for bar in fours][: 7 if hours == 25 else 6] == [
        *[16.0] * (hours // 4),
        *([4.0 * (hours % 4)] if hours % 4 else []),
    ]
