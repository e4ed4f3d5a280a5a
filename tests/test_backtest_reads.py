"""Warm-up, panels, as-of joins and streams: each equals a plain loop over plain rows."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jutsu_sql import Bar, Bars, BarStore, Database, errors
from jutsu_sql.store import stream

DAY = datetime(2024, 1, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
on_each_engine = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
# Which of 40 minutes each of up to four series has.
minutes_of_series = st.lists(st.sets(st.integers(0, 39)), min_size=1, max_size=4)
unique = itertools.count()


def bar(symbol: str, timeframe: str, ts: datetime, close: float = 1.0) -> Bar:
    return Bar(symbol, timeframe, ts, close, close, close, close, 1.0)


def store_minutes(store: BarStore, series: Sequence[set[int]]) -> tuple[list[str], list[Bar]]:
    """Symbols that no other example has, in no order of their names, and their bars."""
    symbols = [f"{'dbca'[n]}{next(unique)}" for n in range(len(series))]
    bars = [
        bar(symbol, "1m", DAY + minute * MINUTE, 100.0 * n + minute)
        for n, (symbol, has) in enumerate(zip(symbols, series, strict=True))
        for minute in sorted(has)
    ]
    store.write(bars, source="test")
    return symbols, bars


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_WINDOW_BARS", 8)


# --- Warm-up --------------------------------------------------------------------------------------


@on_each_engine
@given(minutes_of_series, st.integers(0, 45), st.integers(0, 40), st.integers(1, 12))
def test_warmup_counts_bars(
    store: BarStore, series: list[set[int]], first: int, length: int, warmup: int
) -> None:
    symbols, bars = store_minutes(store, series)
    start, end = DAY + first * MINUTE, DAY + (first + length) * MINUTE
    expected = []
    for symbol in symbols:
        own = [b for b in bars if b.symbol == symbol]
        expected += [b for b in own if b.ts < start][-warmup:]
        expected += [b for b in own if start <= b.ts <= end]
    got = store.read([*symbols, symbols[0], "NOPE"], "1m", start, end, warmup=warmup)
    assert list(got) == expected
    only = store.read(symbols[0], "1m", start, end, warmup=warmup)
    assert list(only) == [b for b in expected if b.symbol == symbols[0]]


@on_each_engine
@given(minutes_of_series, st.integers(0, 45), st.integers(0, 12))
def test_latest_of_many(store: BarStore, series: list[set[int]], last: int, n: int) -> None:
    symbols, bars = store_minutes(store, series)
    end = DAY + last * MINUTE
    expected = []
    for symbol in symbols:
        own = [b for b in bars if b.symbol == symbol and b.ts <= end]
        expected += own[max(len(own) - n, 0) :]
    assert list(store.latest([*symbols, "NOPE"], "1m", n, end=end)) == expected


def test_warmup_needs_a_start_and_one_connection(store: BarStore) -> None:
    for known in ({}, {"as_of": "2024-01-01"}):
        with pytest.raises(errors.BarsError, match="say start="):
            store.read("A", "1m", warmup=5, **known)
        with pytest.raises(errors.BarsError, match="-5"):
            store.read("A", "1m", "2024-01-01", warmup=-5, **known)
        with pytest.raises(errors.BarsError, match="parallel=2 goes without"):
            store.read("A", "1m", "2024-01-01", warmup=5, parallel=2, **known)
    with pytest.raises(errors.BarsError, match="parallel=2 goes without"):
        store.read("A", "1m", as_of="2024-01-01", parallel=2)


# --- Panels ---------------------------------------------------------------------------------------


@on_each_engine
@given(minutes_of_series)
def test_a_panel_has_every_bar_once_and_no_other(store: BarStore, series: list[set[int]]) -> None:
    symbols, bars = store_minutes(store, series)
    panel = store.panel([*symbols, "NOPE", symbols[0]], "1min")
    assert (panel.symbols, panel.timeframe) == ((*symbols, "NOPE"), "1m")
    times = sorted({b.ts for b in bars})
    assert [t.replace(tzinfo=UTC) for t in panel.ts.tolist()] == times
    stored = {(b.ts, b.symbol): b for b in bars}
    for row, column in itertools.product(range(len(times)), range(len(panel.symbols))):
        found = stored.get((times[row], panel.symbols[column]))
        assert panel.present[row, column] == (found is not None)
        for name in ("open", "high", "low", "close", "volume"):
            value = getattr(panel, name)[row, column]
            assert value == getattr(found, name) if found else np.isnan(value)


def test_a_panel_for_pandas(store: BarStore) -> None:
    (a, b), _ = store_minutes(store, [{0, 1}, {1, 2}])
    frame = store.panel([a, b], "1m").to_pandas()
    assert frame["close"][b].isna().tolist() == [True, False, False]
    assert frame["close", a].tolist()[:2] == [0.0, 1.0]
    assert frame.index[0] == DAY
    assert len(store.panel("NOPE", "1m").to_pandas()) == 0


# --- As-of joins ----------------------------------------------------------------------------------


@on_each_engine
@given(st.sets(st.integers(0, 200)), st.sets(st.integers(0, 60)), st.integers(0, 150))
def test_an_as_of_join_looks_at_what_is_complete(
    store: BarStore, fast: set[int], slow: set[int], first: int
) -> None:
    # Slow bars of 15 minutes every 4: they overlap, as nothing keeps bars from doing.
    symbol = f"S{next(unique)}"
    quick = [bar(symbol, "1m", DAY + n * MINUTE, n) for n in sorted(fast)]
    slow_bars = [bar(symbol, "15m", DAY + 4 * n * MINUTE, 1000 + n) for n in sorted(slow)]
    store.write([*quick, *slow_bars], source="test")
    start = DAY + first * MINUTE
    joined = store.join_as_of((symbol, "1m"), (symbol, "15m"), start)
    expected = [b for b in quick if b.ts >= start]
    assert list(joined.fast) == expected
    for row, each in enumerate(expected):
        known = each.ts + MINUTE
        assert joined.known_at[row].item().replace(tzinfo=UTC) == known
        complete = [b for b in slow_bars if b.ts + 15 * MINUTE <= known]
        assert (joined.row[row] >= 0) == bool(complete)
        if complete:
            assert joined.slow[joined.row[row].item()] == complete[-1]
            assert joined["close"][row] == complete[-1].close
        else:
            assert np.isnan(joined["close"][row])
            assert np.isnat(joined["ts"][row])
    if expected:  # not even its own rows look ahead
        assert all(b.ts + 15 * MINUTE <= expected[-1].ts + MINUTE for b in joined.slow)


NEW_YORK, TOKYO = ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo")


@pytest.mark.parametrize(
    ("rule", "known"),
    [
        ({}, datetime(2024, 3, 9, 12, tzinfo=UTC)),
        ({"tz": "America/New_York"}, datetime(2024, 3, 9, tzinfo=NEW_YORK)),
        ({"tz": "America/New_York", "close": "16:00"}, datetime(2024, 3, 8, 16, tzinfo=NEW_YORK)),
        ({"tz": "Asia/Tokyo", "close": "15:00"}, datetime(2024, 3, 8, 15, tzinfo=TOKYO)),
    ],
)
def test_when_a_daily_bar_is_known(store: BarStore, rule: dict[str, str], known: datetime) -> None:
    store.write([bar("X", "1D", DAY.replace(month=3, day=d), d) for d in (7, 8)], source="test")
    fast = [bar("X", "1h", known.astimezone(UTC) + timedelta(hours=h)) for h in (-2, -1)]
    store.write(fast, source="test")
    joined = store.join_as_of(("X", "1h"), ("X", "daily"), **rule)
    assert joined["close"].tolist() == [7.0, 8.0]  # the second bar ends when the day is known


def test_a_daily_bar_and_its_week(store: BarStore) -> None:
    days = [bar("X", "1D", datetime(2024, 3, day, tzinfo=UTC), day) for day in range(1, 19)]
    weeks = [bar("X", "1W", datetime(2024, 3, day, tzinfo=UTC), day) for day in (4, 11)]
    store.write([*days, *weeks], source="test")
    joined = store.join_as_of(("X", "1D"), ("X", "1W"), "2024-03-08", tz="Europe/Berlin")
    assert np.isnan(joined["close"][:2]).all()
    assert joined["close"][2:].tolist() == [4.0] * 7 + [11.0] * 2  # from Sunday on
    frame = joined.to_pandas()
    assert list(frame.columns)[-7:-4] == ["known_at", "slow_ts", "slow_open"]
    assert frame["slow_ts"].isna().sum() == 2


def test_joins_of_what_is_not_there(store: BarStore) -> None:
    store.write([bar("X", "1m", DAY)], source="test")
    assert len(store.join_as_of(("NOPE", "1m"), ("X", "1m"))) == 0
    assert store.join_as_of(("X", "1m"), ("NOPE", "1D")).row.tolist() == [-1]
    assert len(store.join_as_of(("X", "1m"), ("X", "1m"), "2025-01-01")) == 0
    with pytest.raises(errors.BarsError, match="say tz="):
        store.join_as_of(("X", "1m"), ("X", "1D"), close="16:00")
    with pytest.raises(errors.BarsError, match="no time of the day"):
        store.join_as_of(("X", "1m"), ("X", "1D"), tz="UTC", close="25:00")


# --- Streams --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_windows")
@on_each_engine
@given(minutes_of_series, st.integers(0, 45), st.integers(0, 40), st.integers(0, 10**6))
def test_a_stream_is_in_the_order_of_time(
    store: BarStore, series: list[set[int]], first: int, length: int, far: int
) -> None:
    symbols, bars = store_minutes(store, series)
    late = bar(symbols[-1], "1m", DAY + (40 + far) * MINUTE)
    store.write([late], source="test")
    place = {symbol: n for n, symbol in enumerate(symbols)}
    bars = sorted([*bars, late], key=lambda b: (b.ts, place[b.symbol]))
    assert list(store.stream([*symbols, "NOPE", symbols[0]], "1m").bars()) == bars
    start, end = DAY + first * MINUTE, DAY + (first + length) * MINUTE
    expected = [b for b in bars if start <= b.ts <= end]
    blocks = list(store.stream(symbols, "1m", start, end))
    assert [b for block in blocks for b in block] == expected
    assert all(0 < len(block) <= 16 for block in blocks)


# Sets of so few values are now and then not drawn again as they were, which Hypothesis calls flaky.
some_days = st.integers(0, 7).map(lambda bits: {day for day in range(3) if bits >> day & 1})


@pytest.mark.usefixtures("small_windows")
@on_each_engine
@given(minutes_of_series, st.sets(st.integers(0, 7)), some_days)
def test_no_bar_overtakes_one_that_it_is_made_of(
    store: BarStore, series: list[set[int]], fives: set[int], days: set[int]
) -> None:
    symbols, bars = store_minutes(store, series)
    place = {symbol: n for n, symbol in enumerate(symbols)}
    lengths = {"1m": MINUTE, "5m": 5 * MINUTE, "1D": timedelta(hours=36)}  # and half a day
    bars += [bar(s, "5m", DAY + 5 * n * MINUTE) for s in symbols for n in fives]
    bars += [bar(s, "1D", DAY + timedelta(n - 2)) for s in symbols[:2] for n in days]
    store.write(bars, source="test")
    bars.sort(key=lambda b: (b.ts + lengths[b.timeframe], lengths[b.timeframe], place[b.symbol]))
    assert list(store.stream(symbols, ["1D", "1m", "5m", "1min"]).bars()) == bars


@pytest.mark.usefixtures("small_windows")
def test_crowded_series_are_read_in_smaller_parts(store: BarStore) -> None:
    """Bars closer than their timeframe says: nothing keeps them from being stored."""
    us = np.datetime64("2024-01-02", "us") + np.arange(500)
    x = np.ones(500)
    store.write(Bars.from_arrays("X", "1h", us, x, x, x, x, x), source="test")
    blocks = list(store.stream("X", "1h"))
    assert sum(map(len, blocks)) == 500
    assert max(map(len, blocks)) <= 16
    assert np.concatenate([block.ts for block in blocks]).tolist() == us.tolist()


@pytest.mark.usefixtures("small_windows")
def test_a_stream_is_one_state(store: BarStore, database_url: str) -> None:
    _, bars = store_minutes(store, [set(range(40))])
    symbol = bars[0].symbol
    got = []
    with store.stream(symbol, "1m") as blocks:
        got += next(blocks)
        if database_url == "sqlite://":  # memory is one connection, which reads
            with pytest.raises(errors.DatabaseReadOnlyError):
                store.delete(symbol)
        else:
            store.write([bar(symbol, "1m", b.ts, 7.5) for b in bars], source="test")
            store.delete(symbol, end=DAY + 35 * MINUTE)
            store.write([bar(symbol, "1m", DAY + 50 * MINUTE)], source="test")
        for block in blocks:
            got += block
    assert got == bars
    assert store.delete(symbol).deleted > 0


@pytest.mark.usefixtures("small_windows")
def test_no_end_of_a_stream_keeps_its_connection(store: BarStore, db: Database) -> None:
    symbols, _ = store_minutes(store, [set(range(40))])

    def exhausted(blocks: Iterator[Any]) -> None:
        list(blocks)

    def abandoned(blocks: Iterator[Any]) -> None:
        next(blocks)

    def closed(blocks: Any) -> None:
        next(blocks)
        blocks.close()
        assert list(blocks) == []

    def broken(blocks: Any) -> None:
        with pytest.raises(RuntimeError), blocks:
            next(blocks)
            raise RuntimeError

    for use in (exhausted, abandoned, closed, broken):
        for _ in range(30):  # more than the pool has
            use(store.stream(symbols, "1m"))
    for _ in range(30):
        next(store.stream(symbols, "1m").bars())
    gc.collect()
    with db.transaction():
        assert len(store.read(symbols, "1m")) == 40


def test_what_is_wrong_with_a_stream_shows_at_once(store: BarStore) -> None:
    with pytest.raises(errors.BarsError, match="no timeframe"):
        store.stream("A", "nope")
    with pytest.raises(errors.BarsError, match="after the end"):
        store.stream("A", "1m", "2024-02-01", "2024-01-01")
    with pytest.raises(errors.ConfigError, match="no time zone"):
        store.stream("A", ["1m", "1D"], tz="Nowhere/Nope")
    assert list(store.stream(["NOPE"], ["1m", "1D"])) == []
    assert list(store.stream([], "1m")) == []
