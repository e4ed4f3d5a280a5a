"""Bars: exact values, session dates, every way in and out, and a reason for every refused row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jutsu_sql import Bar, Bars, Series
from jutsu_sql.bars import VALUES
from jutsu_sql.errors import BarsError, InexactValueError, NaiveTimestampError

NEW_YORK = ZoneInfo("America/New_York")
GOOD = {"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5, "volume": 100.0}


@dataclass(frozen=True)
class Event:
    """Shaped like the original system's MarketDataEvent."""

    symbol: str
    timestamp: datetime
    open: Any
    high: Any
    low: Any
    close: Any
    volume: Any
    timeframe: str = "1D"


def daily(ts: Any, **other: Any) -> dict[str, Any]:
    return {"symbol": "A", "timeframe": "1D", "ts": ts, **GOOD, **other}


def minute(ts: Any, **other: Any) -> dict[str, Any]:
    return {"symbol": "A", "timeframe": "1m", "ts": ts, **GOOD, **other}


def one_value(value: Any) -> float:
    flat = dict.fromkeys(GOOD, value)
    bars = Bars.from_records([{"symbol": "A", "timeframe": "1D", "ts": date(2024, 1, 2), **flat}])
    return float(bars.close[0])


# --- exactness ------------------------------------------------------------------------------------


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(-20, 20))
def test_every_decimal_of_15_digits_survives(digits: int, exponent: int) -> None:
    value = Decimal(digits).scaleb(exponent)
    assert Decimal(repr(one_value(value))) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_shown_double_survives(value: float) -> None:
    assert one_value(Decimal(repr(value))) == value


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_survives_or_is_refused(value: Decimal) -> None:
    try:
        got = one_value(value)
    except InexactValueError:
        assert Decimal(repr(float(value))) != value
    else:
        assert Decimal(repr(got)) == value


@given(st.integers())
def test_an_integer_survives_or_is_refused(value: int) -> None:
    try:
        got = one_value(value)
    except (InexactValueError, BarsError):
        assert abs(value) > 2**53
    else:
        assert int(got) == value


def test_an_inexact_value_is_named_by_row_and_column() -> None:
    rows = [
        daily(date(2024, 1, 2)),
        daily(date(2024, 1, 3), high=Decimal("11.1234567890123456789")),
    ]
    with pytest.raises(InexactValueError, match=r"row 1: high 11\.12345.* has more") as caught:
        Bars.from_records(rows)
    assert (caught.value.row, caught.value.column) == (1, "high")


def test_large_integers_in_arrays_are_checked_too() -> None:
    volume = np.array([2**53, 2**53 + 1])
    x = np.ones(2)
    with pytest.raises(InexactValueError, match="row 1: volume 9007199254740993"):
        Bars.from_arrays("A", "1m", np.array([0, 60], "M8[s]"), x, x, x, x, volume)


def test_as_decimal_gives_back_what_was_given() -> None:
    prices = [Decimal("0.1"), Decimal("1234567.89"), Decimal("-0.000028")]
    rows = [
        Event("A", datetime(2024, 1, 1 + i, tzinfo=UTC), p, p, p, p, i)
        for i, p in enumerate(prices)
    ]
    bars = Bars.from_records(rows).as_decimal()
    assert bars.open.tolist() == prices
    assert bars.as_double().open.tolist() == [float(p) for p in prices]
    assert bars.validate().rejections == []


# --- times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stamp", "tz", "expected"),
    [
        (date(2024, 1, 2), None, "2024-01-02"),
        (datetime(2024, 1, 2, tzinfo=UTC), None, "2024-01-02"),
        (datetime(2024, 1, 2, tzinfo=UTC), "America/New_York", "2024-01-02"),
        (datetime(2024, 1, 2, 5, tzinfo=UTC), "America/New_York", "2024-01-02"),
        (datetime(2024, 1, 2, 14, 30, tzinfo=UTC), "America/New_York", "2024-01-02"),
        (datetime(2024, 1, 3, 1, tzinfo=UTC), "America/New_York", "2024-01-02"),
        (datetime(2024, 1, 1, 15, tzinfo=UTC), "Asia/Tokyo", "2024-01-02"),
        (datetime(2024, 1, 2, tzinfo=NEW_YORK), None, "2024-01-02"),
        (datetime(2024, 1, 2, 20, tzinfo=NEW_YORK), None, "2024-01-02"),
        (datetime(2024, 1, 2, tzinfo=timezone(timedelta(hours=9))), None, "2024-01-02"),
        (datetime(2024, 1, 2, 16), "America/New_York", "2024-01-02"),
        ("2024-01-02 00:00:00-05:00", None, "2024-01-02"),
        ("2024-01-02", "America/New_York", "2024-01-02"),
    ],
)
def test_a_daily_bar_lands_on_its_session_date(stamp: Any, tz: str | None, expected: str) -> None:
    bars = Bars.from_records([daily(stamp)], tz=tz)
    assert bars.ts[0] == np.datetime64(expected)
    assert bars.validate().rejections == []


def test_midnight_utc_on_every_row_means_dates() -> None:
    """Mondays must not turn into Sundays, nor evenings into the next day."""
    monday = datetime(2024, 1, 8, tzinfo=UTC)
    dates = Bars.from_records([daily(monday)], tz="America/New_York")
    assert dates.ts.tolist() == [datetime(2024, 1, 8)]
    evenings = [daily(monday), daily(monday + timedelta(days=1, hours=1))]
    bars = Bars.from_records(evenings, tz="America/New_York")
    assert bars.ts.tolist() == [datetime(2024, 1, 7), datetime(2024, 1, 8)]


@pytest.mark.parametrize(
    ("timeframe", "expected"), [("1W", "2024-01-29"), ("1M", "2024-02-01"), ("3M", "2024-02-01")]
)
def test_weeks_and_months_have_one_name(timeframe: str, expected: str) -> None:
    bars = Bars.from_records([daily(date(2024, 2, 3), timeframe=timeframe)])
    assert bars.ts[0] == np.datetime64(expected)


def test_an_intraday_bar_keeps_its_instant() -> None:
    stamp = datetime(2024, 7, 1, 9, 30, tzinfo=NEW_YORK)
    expected = datetime(2024, 7, 1, 13, 30, tzinfo=UTC)
    assert next(iter(Bars.from_records([minute(stamp)]))).ts == expected
    assert next(iter(Bars.from_records([minute(stamp)], tz="Asia/Tokyo"))).ts == expected
    naive = stamp.replace(tzinfo=None)
    assert next(iter(Bars.from_records([minute(naive)], tz="America/New_York"))).ts == expected


@pytest.mark.parametrize("make", [daily, minute])
@pytest.mark.parametrize("stamp", [datetime(2024, 1, 2), "2024-01-02 10:00:00"])
def test_a_naive_time_needs_a_zone(make: Callable[..., Any], stamp: Any) -> None:
    with pytest.raises(NaiveTimestampError, match="row 1: 2024-01-02 .* say tz="):
        Bars.from_records([make(datetime(2024, 1, 1, tzinfo=UTC)), make(stamp)])


@pytest.mark.parametrize("stamp", [datetime(2024, 3, 10, 2, 30), datetime(2024, 11, 3, 1, 30)])
def test_a_time_that_the_clocks_skip_or_repeat_is_not_guessed(stamp: datetime) -> None:
    with pytest.raises(BarsError, match="row 0: the clocks of America/New_York skip or repeat"):
        Bars.from_records([minute(stamp)], tz="America/New_York")


def test_a_date_cannot_stamp_a_minute() -> None:
    with pytest.raises(BarsError, match="row 0: the date 2024-01-02 alone cannot stamp a 1m bar"):
        Bars.from_records([minute(date(2024, 1, 2))])


# --- ways in and out ------------------------------------------------------------------------------


def some_bars() -> Bars:
    rows = [
        Event(
            symbol, datetime(2024, 1, day, hour, tzinfo=UTC), 10, 12.5, 9, Decimal("11.25"), day, tf
        )
        for symbol, tf, hour in (("B", "1D", 0), ("A", "1h", 15), ("A", "1D", 0))
        for day in (2, 3)
    ]
    return Bars.from_records(rows)


@pytest.mark.parametrize(
    "convert",
    [
        lambda bars: bars,
        list,
        lambda bars: [bar._asdict() for bar in bars],
        Bars.to_arrow,
        lambda bars: bars.as_decimal().to_arrow(),
        Bars.to_pandas,
        lambda bars: bars.to_pandas().set_index("ts"),
        Bars.to_polars,
        lambda bars: duckdb.sql("SELECT * FROM bars ORDER BY symbol DESC, timeframe DESC, ts"),
        pa.RecordBatchReader.from_stream,
        lambda bars: iter(list(bars)),
    ],
)
def test_every_way_out_is_a_way_in(convert: Callable[[Bars], Any]) -> None:
    bars = some_bars()
    assert list(Bars.of(convert(bars))) == list(bars)


def test_columns_are_found_by_their_usual_names() -> None:
    frame = pd.DataFrame(
        {"Open": [1], "High": [2.0], "Low": [0.5], "Close": [1.5], "Adj Close": [9], "Volume": [7]},
        index=pd.DatetimeIndex(["2024-01-02"], tz="America/New_York", name="Date"),
    )
    bars = Bars.of(frame, symbol="SPY", timeframe="daily")
    assert bars[0] == Bar("SPY", "1D", datetime(2024, 1, 2, tzinfo=UTC), 1.0, 2.0, 0.5, 1.5, 7.0)


def test_polars_times_without_a_zone_are_refused() -> None:
    frame = pl.DataFrame({"ts": [datetime(2024, 1, 2)], **{k: [v] for k, v in GOOD.items()}})
    with pytest.raises(NaiveTimestampError):
        Bars.of(frame, symbol="A", timeframe="1m")
    assert len(Bars.of(frame, symbol="A", timeframe="1m", tz="UTC")) == 1


def test_nanoseconds_are_not_cut() -> None:
    stamps = pa.array(
        [1_700_000_000_000_000_000, 1_700_000_000_000_000_001], pa.timestamp("ns", "UTC")
    )
    table = pa.table({"ts": stamps, **{k: [v, v] for k, v in GOOD.items()}})
    with pytest.raises(BarsError, match="row 1: the time has nanoseconds"):
        Bars.of(table, symbol="A", timeframe="1m")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"symbol": "A", "ts": date(2024, 1, 2)}], "no open, high, low, close, volume"),
        ([{**daily(date(2024, 1, 2)), "close": "abc"}], "row 0: close 'abc' is no number"),
        ([daily(date(2024, 1, 2)), {"symbol": "A"}], "row 1: dict lacks a field"),
        ([daily("yesterday")], "row 0: 'yesterday' is no ISO 8601 time"),
        ([daily(12.5)], "row 0: 12.5 .float. is no time"),
        ([daily(date(2024, 1, 2), timeframe="7x")], "'7x' is no timeframe"),
        ([{k: v for k, v in daily(date(2024, 1, 2)).items() if k != "symbol"}], "pass symbol="),
    ],
)
def test_what_cannot_be_taken_says_why(rows: list[Any], message: str) -> None:
    with pytest.raises(BarsError, match=message):
        Bars.from_records(rows)


def test_concat_and_select() -> None:
    bars = some_bars()
    twice = Bars.concat([bars, bars[::-1]])
    assert list(twice) == list(bars) + list(bars)[::-1]
    assert list(bars.select("A", "1d")) == list(bars)[4:]
    assert list(bars.select("A")) == list(bars)[2:]
    assert len(bars.select("C")) == 0
    assert list(bars[bars.volume == 3]) == [bar for bar in bars if bar.volume == 3]
    assert bars[-1] == list(bars)[-1]
    assert set(bars.series) == {Series("A", "1D"), Series("A", "1h"), Series("B", "1D")}
    with pytest.raises(IndexError):
        bars[99]


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(BarsError, match="differ in length"):
        Bars.from_arrays("A", "1m", np.array([0], "M8[us]"), [1], [1, 2], [1], [1], [1])


# --- validation -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"high": 8.0}, "high 8.0 is below low 9.0"),
        ({"open": 8.5}, "open 8.5 is below low 9.0"),
        ({"open": 11.5}, "open 11.5 is above high 11.0"),
        ({"close": 8.5}, "close 8.5 is below low 9.0"),
        ({"open": 8.5, "close": 12.0}, "open 8.5 is below low 9.0; close 12.0 is above high 11.0"),
        ({"volume": -1}, "volume -1.0 is negative"),
        ({"close": None}, "close missing or not finite"),
        ({"open": float("nan"), "volume": float("inf")}, "open, volume missing or not finite"),
    ],
)
def test_reasons(change: dict[str, Any], reason: str) -> None:
    bars = Bars.from_records([daily(date(2024, 1, 2)), daily(date(2024, 1, 3), **change)])
    (rejection,) = bars.validate().rejections
    assert (rejection.row, rejection.reason) == (1, reason)
    assert (rejection.symbol, rejection.timeframe) == ("A", "1D")
    assert rejection.ts == datetime(2024, 1, 3, tzinfo=UTC)
    assert bars.validate().order.tolist() == [0]


def test_negative_prices_are_good() -> None:
    oil = {"open": -10.0, "high": 13.69, "low": -40.32, "close": -37.63, "volume": 1.0}
    assert Bars.from_records([daily(date(2020, 4, 20), **oil)]).validate().rejections == []


def test_a_missing_time_is_refused() -> None:
    x = np.ones(2)
    bars = Bars.from_arrays("A", "1m", np.array(["NaT", "2024-01-01"], "M8[us]"), x, x, x, x, x)
    (rejection,) = bars.validate().rejections
    assert (rejection.ts, rejection.reason) == (
        None,
        "the time is missing or outside the years 1 to 9999",
    )


def test_repeats_and_contradictions() -> None:
    first, second, third = (date(2024, 1, day) for day in (2, 3, 4))
    rows = [
        daily(second),
        daily(first),
        daily(second),
        daily(third, close=10.0),
        daily(third),
        daily(first, symbol="B"),
    ]
    validation = Bars.from_records(rows).validate()
    assert [(r.row, r.reason) for r in validation.rejections] == [
        (2, "repeats row 0"),
        (3, "contradicts row 4, of the same time"),
        (4, "contradicts row 3, of the same time"),
    ]
    assert validation.order.tolist() == [1, 0, 5]


values = st.floats(-100, 100) | st.sampled_from([float("nan"), float("inf"), -float("inf"), 0.0])


@given(
    st.lists(
        st.tuples(st.sampled_from("AB"), st.integers(0, 5), *[values] * 5), min_size=1, max_size=12
    )
)
def test_validation_agrees_with_the_plain_rules(rows: list[tuple[Any, ...]]) -> None:
    def is_good(row: tuple[Any, ...]) -> bool:
        *_, open_, high, low, close, volume = row
        numbers = (open_, high, low, close, volume)
        return bool(np.isfinite(numbers).all() and volume >= 0) and (
            low <= min(open_, close) and max(open_, close) <= high
        )

    good = [number for number, row in enumerate(rows) if is_good(row)]
    expected = []
    for number in good:
        same = [other for other in good if rows[other][:2] == rows[number][:2]]
        agree = len({rows[other][2:] for other in same}) == 1
        if agree and number == same[0]:
            expected.append(number)
    columns = list(zip(*rows, strict=True))
    ts = np.array(columns[1]).astype("M8[m]")
    validation = Bars.from_arrays(columns[0], "1m", ts, *columns[2:]).validate()
    assert sorted(validation.order.tolist()) == expected
    assert sorted(validation.order.tolist() + [r.row for r in validation.rejections]) == list(
        range(len(rows))
    )
    keys = [rows[number][:2] for number in validation.order.tolist()]
    by_symbol = {symbol: [key for key in keys if key[0] == symbol] for symbol in "AB"}
    assert all(found == sorted(found) for found in by_symbol.values())


def test_content() -> None:
    """Whatever is stored counts, and whatever is not does not."""
    bars = Bars.from_records([minute("2024-01-02T10:00Z"), minute("2024-01-02T10:01Z")])
    content = bars.content_sha256()
    assert bars.as_decimal().content_sha256() == content
    assert bars[::-1].content_sha256() != content
    assert bars[:1].content_sha256() != content
    for name in ("ts", "open", "volume"):
        other = bars[:]
        column = getattr(other, name).copy()
        column[1] += np.timedelta64(1, "us") if name == "ts" else 1
        assert replace(other, **{name: column}).content_sha256() != content
    renamed = Bars.from_arrays("B", "1m", bars.ts, *(getattr(bars, n) for n in VALUES))
    assert renamed.content_sha256() != content
