"""The audit: each defect, planted in a clean series, is found there; and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import jutsu_sql
from jutsu_sql import Bars, BarStore, Database, audit
from jutsu_sql.audit import Finding, Thresholds, audit_bars
from jutsu_sql.cli import main
from jutsu_sql.errors import BarsError
from jutsu_sql.instants import MAX_US, datetime_from_us
from jutsu_sql.store import Action, scan

ROWS = 600


def walk(symbol: str, timeframe: str = "1D", rows: int = ROWS, seed: int = 1) -> Bars:
    """A random walk in cents: sessions from Monday to Friday, or minutes around the clock."""
    rng = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(rng.standard_t(4, rows) * 0.01)), 2)
    opens = np.round(np.append(close[:1], close[:-1]) * (1 + rng.normal(0, 0.002, rows)), 2)
    spread = np.round(abs(rng.normal(0, 0.5, (2, rows))), 2)
    high, low = np.maximum(opens, close) + spread[0], np.minimum(opens, close) - spread[1]
    volume = rng.integers(1, 10**6, rows).astype(float)
    if timeframe == "1D":
        first = np.datetime64("2019-01-01")
        ts = np.busday_offset(first, np.arange(rows), roll="forward").astype("M8[us]")
    else:
        ts = np.datetime64("2024-01-01", "us") + np.arange(rows) * np.timedelta64(1, "m")
    high, low = np.round(high, 2), np.round(low, 2)
    return Bars.from_arrays(symbol, timeframe, ts, opens, high, low, close, volume)


def store_and_audit(store: BarStore, bars: Bars, *more: Bars, **options: Any) -> list[Finding]:
    for part in (bars, *more):
        assert not part.validate().rejections
        store.write(part, source="test")
    return list(audit_bars(store._db, **options))


def kinds(found: list[Finding]) -> list[str]:
    return [each.kind for each in found]


def rows_of(finding: Finding, bars: Bars) -> list[int]:
    return [
        int(np.flatnonzero(bars.ts == np.datetime64(bar.ts.replace(tzinfo=None)))[0])
        for bar in finding.rows
    ]


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[BarStore]:
    """A store that is read in small blocks, so that what is found crosses their ends."""
    monkeypatch.setattr(scan, "_PIECE_BARS", 64)
    url = "sqlite://"
    if request.param == "postgresql":
        url = request.getfixturevalue("migrated_postgres")
    with jutsu_sql.connect(url) as db:
        if url == "sqlite://":
            db.migrate()
        yield BarStore(db)


def test_clean_series_have_no_findings(store: BarStore) -> None:
    clean = [walk("DAY", seed=seed) for seed in range(8)]
    named = [Bars.of_one(jutsu_sql.Series(f"D{n}", "1D"), columns(b)) for n, b in enumerate(clean)]
    forex = walk("FX", "1m")
    forex.volume[:] = 0  # it has none at all
    weeks = walk("W", "1D", 60)
    weeks = Bars.from_arrays(
        "W", "1W", np.datetime64("2019-01-07") + 7 * np.arange(60), *values(weeks)
    )
    jump = walk("JUMP")  # a level that stays
    for name in ("open", "high", "low", "close"):
        getattr(jump, name)[300:] = np.round(getattr(jump, name)[300:] + 50, 2)
    jump.open[300], jump.low[300] = jump.low[300], jump.low[300]
    crypto = Bars.from_arrays(
        "BTC", "1D", np.datetime64("2019-01-01") + np.arange(ROWS), *values(walk("B"))
    )
    assert store_and_audit(store, *named, forex, weeks, jump, crypto, Bars.empty()) == []


def columns(bars: Bars) -> dict[str, Any]:
    return {name: getattr(bars, name) for name in ("ts", "open", "high", "low", "close", "volume")}


def values(bars: Bars) -> list[Any]:
    return [getattr(bars, name) for name in ("open", "high", "low", "close", "volume")]


def test_a_session_under_two_dates(store: BarStore) -> None:
    bars = walk("A")
    for name in ("open", "high", "low", "close", "volume"):
        getattr(bars, name)[[101, 301]] = getattr(bars, name)[[100, 300]]
    (found,) = store_and_audit(store, bars)
    assert (found.kind, found.bars) == ("duplicate sessions", 4)
    assert rows_of(found, bars) == [100, 101, 300, 301]


def test_a_session_that_plain_sql_has_stored_twice(store: BarStore, db_sql: Any) -> None:
    bars = walk("A")
    store.write(bars, source="test")
    db_sql(store._db)
    (found,) = audit_bars(store._db)
    assert (found.kind, found.bars) == ("duplicate sessions", 2)
    assert found.rows[1].ts - found.rows[0].ts < np.timedelta64(1, "D").item()


@pytest.fixture
def db_sql() -> Callable[[Database], None]:
    """Stamp the last session a second time, five hours later, as the original system did."""

    def run(db: Database) -> None:
        found = db.run("series.find", symbol="A", timeframe="1D")
        last = db.run(
            "bars.read_latest", series_id=found.series_id, end=datetime_from_us(MAX_US), n=1
        )
        ids = {"series_id": np.array([found.series_id]), "load_id": np.array([1])}
        db.copy_into("bars", {**ids, **last, "ts": last["ts"] + np.timedelta64(5, "h")})

    return run


def test_minutes_closer_than_a_minute(store: BarStore) -> None:
    bars = walk("A", "1m")
    bars.ts[200] -= np.timedelta64(20, "s")
    (found,) = store_and_audit(store, bars)
    assert (found.kind, rows_of(found, bars)) == ("duplicate sessions", [199, 200])


@pytest.mark.parametrize("first", [30, 62, 590])
def test_a_feed_that_stands_still(store: BarStore, first: int) -> None:
    bars = walk("A", "1m")
    for name in ("open", "high", "low", "close", "volume"):
        getattr(bars, name)[first : first + 6] = getattr(bars, name)[first]
    (found,) = store_and_audit(store, bars)
    assert (found.kind, rows_of(found, bars)) == ("stale runs", list(range(first, first + 6)))
    assert list(audit_bars(store._db, thresholds=Thresholds(stale_bars=7))) == []


@pytest.mark.parametrize(("name", "factor"), [("high", 1.9), ("low", 0.1), ("close", 1.9)])
def test_a_price_far_off_its_neighbours(store: BarStore, name: str, factor: float) -> None:
    bars = walk("A")
    getattr(bars, name)[[63, 400]] = np.round(getattr(bars, name)[[63, 400]] * factor, 2)
    np.maximum(bars.high, np.maximum(bars.open, bars.close), out=bars.high)
    np.minimum(bars.low, np.minimum(bars.open, bars.close), out=bars.low)
    (found,) = store_and_audit(store, bars)
    assert (found.kind, rows_of(found, bars)) == ("outliers", [63, 400])
    assert list(audit_bars(store._db, thresholds=Thresholds(outlier_mads=1e6))) == []


def test_bars_without_volume_among_others(store: BarStore) -> None:
    bars = walk("A")
    bars.volume[[10, 500]] = 0
    (found,) = store_and_audit(store, bars)
    assert (found.kind, rows_of(found, bars)) == ("zero volume", [10, 500])
    assert found.detail == "0.3% of the bars"


def test_prices_off_tick(store: BarStore) -> None:
    bars = walk("A")
    bars.close[[77, 78]] += 0.001  # three decimals, and then the noise of a float
    bars.close[78] = np.nextafter(bars.close[77], 1e9)
    bars.high[[77, 78]] = bars.low[[77, 78]] + 20
    bars.low[[77, 78]] = bars.low[[77, 78]] - 5
    np.round(bars.high, 2, out=bars.high)
    np.round(bars.low, 2, out=bars.low)
    (found,) = store_and_audit(store, bars)
    assert (found.kind, rows_of(found, bars)) == ("prices off tick", [77, 78])
    assert "2 decimals" in found.detail
    coarse = list(audit_bars(store._db, thresholds=Thresholds(tick=0.05)))
    assert coarse[0].kind == "prices off tick"
    assert coarse[0].bars > ROWS / 2
    fine = list(audit_bars(store._db, thresholds=Thresholds(tick=0.001)))
    assert fine == []  # noise is no tick


def test_prices_of_two_adjustments(store: BarStore) -> None:
    bars = walk("A")
    old = bars[np.arange(300)]
    for name in ("open", "high", "low", "close"):
        getattr(old, name)[:] *= 4
    (found,) = store_and_audit(store, old, bars[np.arange(300, ROWS)])
    assert (found.kind, rows_of(found, bars)) == ("mixed adjustments", [300])
    assert "from load 1 to load 2 prices change / 4" in found.detail
    split = Action("A", found.rows[0].ts.date(), "split", 4)
    store.write_actions([split], source="test")
    assert list(audit_bars(store._db)) == []


def test_a_split_within_one_load_is_not_between_loads(store: BarStore) -> None:
    bars = walk("A")
    for name in ("open", "high", "low", "close"):
        getattr(bars, name)[:300] *= 4
    assert store_and_audit(store, bars) == []


def test_sessions_one_day_early_are_a_fifth_on_sundays(store: BarStore) -> None:
    """The original's bug: dates parsed in local time, 19 % of its rows labelled as weekends."""
    bars = walk("A")
    bars.ts[:] -= np.timedelta64(1, "D")
    (found,) = store_and_audit(store, bars)
    assert (found.kind, found.bars) == ("suspicious time zone", ROWS // 5)
    assert {bar.ts.weekday() for bar in found.rows} == {6}
    assert "20.0% Sundays" in found.detail
    assert "0.0% Fridays" in found.detail


def test_a_few_special_sessions_on_saturdays_are_none(store: BarStore) -> None:
    bars = walk("A")
    fridays = np.flatnonzero((bars.ts.astype("M8[D]").astype(np.int64) + 3) % 7 == 4)[:5]
    bars.ts[fridays] += np.timedelta64(1, "D")
    assert store_and_audit(store, bars) == []


def test_hours_in_a_wrong_zone_reach_into_the_weekend(store: BarStore) -> None:
    hours = np.datetime64("2024-01-01", "us") + np.arange(24 * 70) * np.timedelta64(1, "h")
    hours = hours[(hours.astype("M8[D]").astype(np.int64) + 3) % 7 < 5]  # Monday to Friday
    prices = values(walk("A", rows=len(hours)))
    good = Bars.from_arrays("GOOD", "1h", hours, *prices)
    shifted = Bars.from_arrays("BAD", "1h", hours + np.timedelta64(10, "h"), *prices)
    (found,) = store_and_audit(store, good, shifted)
    assert (found.symbol, found.kind) == ("BAD", "suspicious time zone")


def test_what_is_asked_for_is_audited(store: BarStore) -> None:
    for symbol in "AB":
        bars = walk(symbol)
        bars.volume[5] = 0
        store.write(bars, source="test")
    seen: list[int] = []
    assert [each.symbol for each in audit_bars(store._db, progress=seen.append)] == ["A", "B"]
    assert seen[-1] == 2 * ROWS
    assert [each.symbol for each in audit_bars(store._db, "B", "daily")] == ["B"]
    with pytest.raises(BarsError, match="no such series"):
        list(audit_bars(store._db, "X"))
    with pytest.raises(BarsError, match="above 0"):
        list(audit_bars(store._db, thresholds=Thresholds(tick=-1)))


def test_blocks_of_any_size_give_the_same(store: BarStore, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    bars = walk("A")
    for name in ("open", "high", "low", "close", "volume"):
        for first in (50, 120, 190, 400):
            getattr(bars, name)[first : first + 6] = getattr(bars, name)[first]
    bars.volume[rng.integers(0, ROWS, 40)] = 0
    bars.high[rng.integers(0, ROWS, 9)] *= 3
    found = store_and_audit(store, bars)
    assert len(found) >= 3
    for size in (1, 7, 10_000):
        monkeypatch.setattr(scan, "_PIECE_BARS", size)
        assert list(audit_bars(store._db)) == found


def test_the_command_shows_rows_and_remedies(migrated_url: str) -> None:
    words = ["audit", "--url", migrated_url]
    with jutsu_sql.connect(migrated_url) as db:
        store = BarStore(db)
        store.write(walk("A"), source="test")
        clean = CliRunner().invoke(main, words)
        assert (clean.exit_code, clean.stdout) == (0, "Nothing was found.\n")
        bars = walk("B")
        bars.volume[:30] = 0
        store.write(bars, source="test")
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 3, done.output
    assert "B 1D    zero volume    30" in done.stdout
    assert audit.REMEDIES["zero volume"] in done.stdout
    (found,) = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)
    assert (found["kind"], found["bars"], len(found["rows"])) == ("zero volume", 30, 20)
    assert found["rows"][0]["ts"].startswith("2019-01-01")
    assert CliRunner().invoke(main, [*words, "--symbol", "A"]).exit_code == 0
