"""Series brought up to date from a source: what is asked for, what is stored, and what is not."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import jutsu_sql
from jutsu_sql import Bars, BarStore
from jutsu_sql.cli import main
from jutsu_sql.errors import BarsError, SourceError
from jutsu_sql.sources.directory import DirectorySource
from jutsu_sql.store import Action, Answer, Source
from jutsu_sql.store.source import Interval, Prices
from jutsu_sql.store.spans import intersect_spans, merge_spans, subtract_spans
from jutsu_sql.store.sync import SyncedSeries
from tests.chart_server import ChartServer, Listing, chart_server, daily, weekdays

DAY = timedelta(days=1)
TODAY = datetime.now(UTC).date()


def utc(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def sessions(first: str, last: str) -> list[date]:
    return weekdays(date.fromisoformat(first), date.fromisoformat(last))


@dataclass
class Vendor(Source):
    """A source in memory: closes by symbol and date; it keeps what it was asked for."""

    closes: dict[str, dict[date, float]] = field(default_factory=dict)
    name: str = "vendor"
    prices: Prices = "raw"
    parallel: int = 1
    timezone: str | None = None
    calendar: str | None = "weekdays"
    actions: Sequence[Action] = ()
    since: date | None = None
    asked: list[tuple[str, date, date]] = field(default_factory=list)
    answered: int = 0

    def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Answer | Bars:
        assert (start, end) == (utc(start.date()), utc(end.date()))
        self.asked.append((symbol, start.date(), end.date()))
        if symbol not in self.closes:
            raise SourceError(f"there is no {symbol}: password=s3cret")
        found = [(d, x) for d, x in self.closes[symbol].items() if start <= utc(d) < end]
        self.answered += len(found)
        bars = bars_of(symbol, timeframe, found)
        return Answer(bars, self.timezone, self.calendar, self.actions)

    def offers(self, symbol: str, timeframe: str) -> list[Interval] | None:
        return None if self.since is None else [(utc(self.since), utc(TODAY + 9 * DAY))]


def bars_of(symbol: str, timeframe: str, closes: Iterable[tuple[date, float]]) -> Bars:
    days, prices = zip(*closes, strict=True) if closes else ((), ())
    close = np.array(prices, dtype=float)
    ts = np.array(days, dtype="M8[D]").astype("M8[us]")
    ones = np.ones(len(close))
    return Bars.from_arrays(symbol, timeframe, ts, close, close + 1, close - 1, close, ones)


def rising(days: Iterable[date]) -> dict[date, float]:
    return {day: 100 + 0.25 * n for n, day in enumerate(days)}


def dates(store: BarStore, symbol: str = "X") -> list[date]:
    return store.read(symbol, "1D").ts.astype("M8[D]").tolist()


def sync(store: BarStore, source: Source | str, *symbols: str, **options: Any) -> SyncedSeries:
    (synced,) = store.sync(source, *(symbols or ("X",)), **options)
    return synced


@pytest.fixture
def local(migrated_sqlite: str) -> Iterator[BarStore]:
    """One engine will do: what is asked for and refused is the same on both."""
    with jutsu_sql.connect(migrated_sqlite) as db:
        yield BarStore(db)


# -- only what is missing -------------------------------------------------------------------------


def test_a_backfill_fetches_206_bars_and_not_6706(store: BarStore) -> None:
    days = sessions("1996-01-01", "2021-09-13")[:6706]
    vendor = Vendor({"X": rising(days)})
    assert sync(store, vendor, start=days[206], end=days[-1]).inserted == 6500
    # The naive way: from the first date that is wanted to the last.
    assert sum(days[0] <= day <= days[-1] for day in days) == 6706
    vendor.answered = 0
    synced = sync(store, vendor, start=days[0], end=days[-1], reread=0)
    assert (vendor.answered, synced.inserted, synced.missing) == (206, 206, 0)
    assert dates(store) == days
    vendor.asked.clear()
    assert sync(store, vendor, start=days[0], end=days[-1], reread=0).asked == []
    assert vendor.asked == []


def test_without_a_calendar_what_was_asked_for_is_not_asked_again(local: BarStore) -> None:
    days = sessions("2020-01-01", "2020-12-31")
    vendor = Vendor({"X": rising(days)}, calendar=None)
    sync(local, vendor, start=days[100], end=days[-1])
    vendor.asked.clear()
    synced = sync(local, vendor, start=days[0], end=days[-1], reread=0)
    assert vendor.asked == [("X", days[0], days[100])]
    assert (synced.inserted, synced.missing) == (100, None)


def test_holes_are_filled_and_nothing_else(store: BarStore) -> None:
    days = sessions("2020-01-01", "2020-06-30")
    vendor = Vendor({"X": rising(days)})
    stored = [day for day in days if day not in (days[20], days[21], days[60])]
    store.write(bars_of("X", "1D", [(day, 1.0) for day in stored]), source="a", calendar="weekdays")
    synced = sync(store, vendor, end=days[-1], reread=0)
    assert vendor.asked == [("X", days[20], days[21] + DAY), ("X", days[60], days[60] + DAY)]
    assert (vendor.answered, synced.inserted, synced.updated) == (3, 3, 0)


def test_what_a_source_does_not_have_is_not_asked_for_again(local: BarStore) -> None:
    days = sessions("2020-01-01", "2020-06-30")
    vendor = Vendor({"X": rising(days[30:90])})
    synced = sync(local, vendor, start=days[0], end=days[-1], reread=0)
    assert (synced.received, synced.missing) == (60, 0)
    assert sync(local, vendor, start=days[0], end=days[-1], reread=0).asked == []


def test_what_is_missing_of_the_last_days_may_still_come(local: BarStore) -> None:
    days = weekdays(TODAY - 30 * DAY, TODAY - DAY)
    vendor = Vendor({"X": rising(days[:-2])})
    sync(local, vendor, start=days[0])
    vendor.closes["X"] = rising(days)
    assert sync(local, vendor).inserted == 2
    assert dates(local) == days


def test_the_last_bars_are_read_again_for_corrections(local: BarStore) -> None:
    days = sessions("2020-01-01", "2020-03-31")
    vendor = Vendor({"X": rising(days)})
    sync(local, vendor, start=days[0], end=days[-1])
    vendor.closes["X"][days[-3]] = 7.0
    vendor.closes["X"][days[-9]] = 7.0
    synced = sync(local, vendor, end=days[-1], reread=3)
    assert vendor.asked[-1] == ("X", days[-3], days[-1] + DAY)
    assert (synced.updated, synced.unchanged) == (1, 2)
    assert sync(local, vendor, end=days[-1], reread=9).updated == 1


def test_a_load_that_is_undone_is_fetched_again(local: BarStore) -> None:
    days = sessions("2020-01-01", "2020-03-31")
    vendor = Vendor({"X": rising(days)})
    (load_id,) = sync(local, vendor, start=days[0], end=days[-1]).load_ids
    local.undo(load_id)
    assert sync(local, vendor, start=days[0], end=days[-1], calendar="weekdays").inserted == 65


def test_a_new_series_needs_a_start(local: BarStore) -> None:
    assert "say from when on" in (sync(local, Vendor()).error or "")
    with pytest.raises(BarsError, match="nothing to ask for yet from 2999-01-01 on"):
        sync(local, Vendor(), start="2999-01-01")
    with pytest.raises(BarsError, match="no 1D series is stored"):
        local.sync(Vendor())


def test_a_source_that_does_not_go_back_so_far_is_asked_for_what_it_has(local: BarStore) -> None:
    days = sessions("2020-01-01", "2020-03-31")
    vendor = Vendor({"X": rising(days)}, since=days[10])
    synced = sync(local, vendor, start=days[0], end=days[-1])
    assert vendor.asked == [("X", days[10], days[-1] + DAY)]
    assert synced.notes == [f"the source has nothing before {days[10]} 00:00 UTC"]
    assert synced.missing is not None


def test_nothing_is_asked_for_in_a_dry_run(local: BarStore) -> None:
    vendor = Vendor()
    synced = sync(local, vendor, start="2020-01-01", end="2020-01-31", dry_run=True)
    assert synced.asked == [(utc(date(2020, 1, 1)), utc(date(2020, 2, 1)))]
    assert vendor.asked == []
    assert local.series() == []


# -- partial bars ---------------------------------------------------------------------------------


def test_a_partial_bar_does_not_stay(store: BarStore) -> None:
    days = [TODAY - 2 * DAY, TODAY - DAY, TODAY]
    vendor = Vendor({"X": rising(days)}, calendar="24/7")
    # A date is over at noon of the next, where it has ended everywhere.
    assert sync(store, vendor, start=days[0]).partial in (1, 2)
    vendor.closes["X"][TODAY] = 7.5
    assert sync(store, vendor, reread=0).updated == 1
    assert store.latest("X", "1D").close.tolist() == [7.5]


def test_a_partial_bar_that_others_followed_does_not_stay(store: BarStore) -> None:
    days = sessions("2020-01-01", "2020-01-31")
    vendor = Vendor({"X": rising(days)})
    noon = utc(days[3]) + timedelta(hours=12)
    store.write(bars_of("X", "1D", [(days[3], 1.0)]), source="a", observed_at=noon)
    store.write(bars_of("X", "1D", [(day, 1.0) for day in days[4:]]), source="a")
    synced = sync(store, vendor, end=days[-1], reread=0, calendar="weekdays")
    assert ("X", days[3], days[3] + DAY) in vendor.asked
    assert synced.updated == 1
    assert sync(store, vendor, end=days[-1], reread=0).asked == []


def test_intervals_that_run_are_partial_as_well(local: BarStore) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

    class Hours(Vendor):
        close = 1.0

        def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Bars:
            every = [now - timedelta(hours=n) for n in range(30)]
            hours = [hour for hour in every if hour >= start]
            close = np.full(len(hours), self.close)
            return Bars.from_arrays(symbol, timeframe, hours, close, close, close, close, close)

    hours = Hours()
    first = sync(local, hours, timeframe="1h", start=TODAY - DAY, calendar="24/7")
    hours.close = 2.0
    second = sync(local, hours, timeframe="1h", reread=0)
    assert (second.updated, second.unchanged) == (1, 0)
    assert first.inserted > 20
    assert first.missing == 0


# -- whatever a source answers --------------------------------------------------------------------


class Odd(Vendor):
    """Answers with bars of its own choice."""

    def __init__(self, bars: Bars) -> None:
        super().__init__(calendar=None)
        self.bars = bars

    def fetch(self, symbol: str, timeframe: str, start: datetime, end: datetime) -> Bars:
        return self.bars


def test_bars_outside_of_what_was_asked_for_are_not_stored(local: BarStore) -> None:
    days = sessions("2020-01-01", "2020-01-31")
    odd = Odd(bars_of("X", "1D", [(day, 1.0) for day in reversed(days)]))
    synced = sync(local, odd, start=days[5], end=days[9])
    assert dates(local) == days[5:10]
    assert synced.notes == ["18 bars came from outside of what was asked for: not stored"]


@pytest.mark.parametrize(("symbol", "timeframe"), [("Y", "1D"), ("X", "1W")])
def test_bars_of_another_series_are_refused(local: BarStore, symbol: str, timeframe: str) -> None:
    odd = Odd(bars_of(symbol, timeframe, [(date(2020, 1, 6), 1.0)]))
    synced = sync(local, odd, start="2020-01-01", end="2020-01-31")
    assert synced.error == f"asked for X 1D, and got {symbol} {timeframe}"
    assert local.series() == []


def test_rows_that_are_no_bars_are_refused_and_counted(local: BarStore) -> None:
    bars = bars_of("X", "1D", [(date(2020, 1, 6), 1.0), (date(2020, 1, 7), float("nan"))])
    synced = sync(local, Odd(bars), start="2020-01-06", end="2020-01-07")
    assert (synced.received, synced.inserted, synced.rejected) == (2, 1, 1)


def test_dates_that_are_off_by_one_are_refused(local: BarStore) -> None:
    days = [day + DAY for day in sessions("2020-01-06", "2020-02-14")]
    synced = sync(local, Vendor({"X": rising(days)}), start="2020-01-01", end="2020-02-28")
    assert "6 of 30 bars are of dates without a session of weekdays" in (synced.error or "")
    assert local.series() == []


def test_a_symbol_that_fails_does_not_stop_the_others(local: BarStore) -> None:
    days = sessions("2020-01-01", "2020-01-31")
    vendor = Vendor({"X": rising(days), "Z": rising(days)}, parallel=3)
    every = local.sync(vendor, ["X", "Y", "Z", "X"], start=days[0], end=days[-1])
    assert [each.symbol for each in every] == ["X", "Y", "Z"]
    assert [each.inserted for each in every] == [23, 0, 23]
    assert every[1].error == "there is no Y: password=***"


def test_a_fault_of_a_source_is_told_by_its_kind(local: BarStore) -> None:
    class Broken(Vendor):
        def fetch(self, *args: Any) -> Bars:
            raise KeyError("close")

    synced = sync(local, Broken(), start="2020-01-01", end="2020-01-31")
    assert synced.error == "KeyError: 'close'"


def test_an_answer_that_is_no_bars_is_an_error(local: BarStore) -> None:
    synced = sync(local, Odd([1, 2]), start="2020-01-01", end="2020-01-31")  # type: ignore[arg-type]
    assert synced.error == "vendor answers with list, not with Bars"


def test_of_a_series_that_failed_no_more_is_asked(
    local: BarStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jutsu_sql.store.sync_plan._PIECE_BARS", 10)
    vendor = Vendor()
    synced = sync(local, vendor, start="2020-01-01", end="2020-12-31")
    assert len(synced.asked) == 37
    assert len(vendor.asked) <= 3


# -- two sources ----------------------------------------------------------------------------------


@pytest.fixture
def charts() -> Iterator[ChartServer]:
    with pytest.MonkeyPatch.context() as patch, chart_server() as server:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield server


def evening_files(directory: Path, symbol: str, days: Sequence[date]) -> Path:
    """Daily bars that a vendor has stamped after the close, in UTC."""
    rows = [f"{day}T23:30:00Z,{c - 0.5},{c + 1},{c - 1},{c},{1000 + n}" for n, (day, c) in
            enumerate(rising(days).items())]  # fmt: skip
    path = directory / f"{symbol}_1D.csv"
    path.write_text("\n".join(["time,open,high,low,close,volume", *rows, ""]))
    return path


def test_a_session_of_two_sources_is_stored_once_under_shifted_stamps(
    store: BarStore, charts: ChartServer, tmp_path: Path
) -> None:
    days = sessions("2020-01-02", "2020-03-31")
    listing = charts.listings["X"] = Listing([])
    daily(listing, days)
    evening_files(tmp_path, "X", days)
    # What is stored under its stamp is stored twice.
    assert not {row[0] for row in listing.rows} & {int(utc(d).timestamp()) + 84600 for d in days}
    files = DirectorySource(tmp_path, tz="America/New_York")
    first = sync(store, files, start=days[0], end=days[-1])
    again = sync(store, f"yahoo:{charts.url}", start=days[0], end=days[-1], reread=len(days))
    assert (first.inserted, first.rejected, first.error) == (len(days), 0, None)
    assert (again.unchanged, again.inserted, again.error) == (len(days), 0, None)
    assert dates(store) == days


def test_another_place_for_stored_sessions_is_refused(local: BarStore, charts: ChartServer) -> None:
    days = sessions("2020-01-02", "2020-01-31")
    charts.listings["X"] = Listing([])
    daily(charts.listings["X"], days)
    vendor = Vendor({"X": rising(days)}, timezone="Asia/Tokyo")
    sync(local, vendor, start=days[10], end=days[-1])
    synced = sync(local, f"yahoo:{charts.url}", start=days[0], end=days[-1])
    assert "its sessions would be stored twice" in (synced.error or "")
    assert dates(local) == days[10:]


def test_files_that_come_later_are_fetched_then(local: BarStore, tmp_path: Path) -> None:
    days = weekdays(TODAY - 20 * DAY, TODAY - 3 * DAY)
    path = evening_files(tmp_path, "X", days[:5])
    options = {"tz": "America/New_York", "calendar": "weekdays"}
    assert sync(local, f"directory:{tmp_path}", start=days[0], **options).inserted == 5
    os.rename(path, tmp_path / "old_X_1D.csv.bak")
    evening_files(tmp_path, "X", days)
    # The series knows where it is.
    assert sync(local, f"directory:{tmp_path}").inserted == len(days) - 5
    assert dates(local) == days


# -- corporate actions ----------------------------------------------------------------------------


def test_splits_are_taken_back_kept_and_brought_in_by_the_reader(
    local: BarStore, charts: ChartServer
) -> None:
    days = sessions("2020-01-02", "2020-03-31")
    split_on = days[30]
    listing = charts.listings["X"] = Listing([], {split_on: 4.0}, {days[40]: 0.5})
    daily(listing, days)
    synced = sync(local, f"yahoo:{charts.url}", start=days[0], end=days[-1])
    assert (synced.actions, synced.inserted, synced.error) == (2, len(days), None)
    raw = local.read("X", "1D").close
    assert raw.tolist() == [100 + 0.25 * n for n in range(len(days))]
    vendors = listing.chart("X", "1d", 0, 2e9)["indicators"]["quote"][0]["close"]
    assert local.read("X", "1D", adjust="splits").close == pytest.approx(vendors, rel=1e-6)
    assert local.origin("X", "1D") == ("America/New_York", "XNYS")
    loads = len(local.loads(50))
    assert sync(local, f"yahoo:{charts.url}", end=days[-1]).actions == 0
    assert len(local.loads(50)) == loads + 1


def test_a_later_split_changes_no_stored_bar(local: BarStore, charts: ChartServer) -> None:
    days = sessions("2020-01-02", "2020-03-31")
    listing = charts.listings["X"] = Listing([], {days[20]: 3.0})
    daily(listing, days, first_close=187.15)
    sync(local, f"yahoo:{charts.url}", start=days[0], end=days[-1])
    listing.splits[days[-1] + 30 * DAY] = 7.0
    synced = sync(local, f"yahoo:{charts.url}", end=days[-1], reread=len(days))
    assert (synced.updated, synced.unchanged, synced.actions) == (0, len(days), 1)


def test_a_source_of_adjusted_prices_says_so(local: BarStore) -> None:
    days = sessions("2020-01-02", "2020-03-31")
    vendor = Vendor({"X": rising(days)}, prices="all")
    first = sync(local, vendor, start=days[0], end=days[-1])
    reading = json.loads(local.reading(first.load_ids[0]) or "")
    assert reading == {"source": "vendor", "adjusted": "all"}
    assert first.notes == []
    vendor.closes["X"] = {day: close * 0.9 for day, close in vendor.closes["X"].items()}
    again = sync(local, vendor, end=days[-1])
    assert again.updated == 5
    assert "all earlier ones may have changed as well" in again.notes[0]


# -- threads, and interruptions -------------------------------------------------------------------


class Slow(Vendor):
    """Notes how many threads are inside."""

    def __init__(self, symbols: Sequence[str], days: Sequence[date], parallel: int) -> None:
        super().__init__({symbol: rising(days) for symbol in symbols}, parallel=parallel)
        self.inside = self.most = 0
        self.lock = threading.Lock()
        self.meet = threading.Barrier(parallel)

    def fetch(self, *args: Any) -> Answer | Bars:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.meet.wait(10)
        answer = super().fetch(*args)
        with self.lock:
            self.inside -= 1
        return answer


def test_as_many_threads_fetch_as_the_source_bears(local: BarStore) -> None:
    symbols = [f"S{n}" for n in range(12)]
    slow = Slow(symbols, sessions("2020-01-01", "2020-01-31"), parallel=3)
    done: list[tuple[int, int]] = []
    every = local.sync(
        slow, symbols, start="2020-01-01", end="2020-01-31", progress=lambda *n: done.append(n)
    )
    assert slow.most == 3
    assert sum(each.inserted for each in every) == 12 * 23
    assert done == [(n, 12) for n in range(1, 13)]


def test_what_is_in_at_an_interruption_stays_and_the_next_run_goes_on(local: BarStore) -> None:
    symbols = [f"S{n}" for n in range(9)]
    days = sessions("2020-01-01", "2020-01-31")
    vendor = Vendor({symbol: rising(days) for symbol in symbols})
    options: dict[str, Any] = {"start": days[0], "end": days[-1], "reread": 0}

    def interrupt(done: int, _: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        local.sync(vendor, symbols, progress=interrupt, **options)
    assert len(local.series()) == 4
    vendor.asked.clear()
    every = local.sync(vendor, symbols, **options)
    assert [symbol for symbol, _, _ in vendor.asked] == symbols[4:]
    assert sum(each.inserted for each in every) == 5 * 23
    assert len(local.series()) == 9


def test_two_syncs_of_one_series_at_once_are_as_one(migrated_url: str) -> None:
    days = sessions("2015-01-01", "2020-12-31")
    meet = threading.Barrier(2)
    results: list[SyncedSeries] = []

    class Meeting(Vendor):
        def fetch(self, *args: Any) -> Answer | Bars:
            meet.wait(10)
            return super().fetch(*args)

    def run() -> None:
        with jutsu_sql.connect(migrated_url) as db:
            vendor = Meeting({"X": rising(days)})
            results.append(sync(BarStore(db), vendor, start=days[0], end=days[-1]))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.inserted for each in results) == [0, len(days)]
    assert sorted(each.unchanged for each in results) == [0, len(days)]
    with jutsu_sql.connect(migrated_url) as db:
        assert dates(BarStore(db)) == days


# -- against a model ------------------------------------------------------------------------------

FIRST = date(2020, 1, 1)
NUMBERS = st.integers(0, 40)
RANGES = st.tuples(NUMBERS, NUMBERS).map(lambda pair: (min(pair), max(pair)))
CALENDARS = st.sampled_from(["24/7", None])


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(has=st.sets(NUMBERS), runs=st.lists(RANGES, min_size=1, max_size=4), calendar=CALENDARS)
def test_any_syncs_end_with_what_the_vendor_has(
    local: BarStore, has: set[int], runs: list[tuple[int, int]], calendar: str | None
) -> None:
    symbol = f"S{len(local.series())}"
    closes = {FIRST + n * DAY: 1.0 + n for n in has}
    vendor = Vendor({symbol: closes}, calendar=calendar)
    wanted: set[int] = set()
    for first, last in runs:
        vendor.asked.clear()
        options: dict[str, Any] = {"start": FIRST + first * DAY, "end": FIRST + last * DAY}
        assert sync(local, vendor, symbol, reread=0, **options).error is None
        asked = [
            n
            for _, start, end in vendor.asked
            for n in range((start - FIRST).days, (end - FIRST).days)
        ]
        now_wanted = set(range(first, last + 1))
        assert sorted(asked) == sorted(now_wanted - wanted)
        wanted |= now_wanted
        assert dates(local, symbol) == [FIRST + n * DAY for n in sorted(has & wanted)]


SPANS = st.lists(RANGES, max_size=5)


def moments(spans: Iterable[tuple[int, int]]) -> set[int]:
    return {n for start, end in spans for n in range(start, end)}


@given(SPANS, SPANS)
def test_spans_are_sets_of_moments(
    ones: list[tuple[int, int]], others: list[tuple[int, int]]
) -> None:
    for found, expected in (
        (merge_spans(ones), moments(ones)),
        (intersect_spans(ones, others), moments(ones) & moments(others)),
        (subtract_spans(merge_spans(ones), merge_spans(others)), moments(ones) - moments(others)),
    ):
        assert moments(found) == expected
        assert all(start < end for start, end in found)
        assert all(a[1] <= b[0] for a, b in pairwise(found))


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def run(migrated_sqlite: str, charts: ChartServer) -> Any:
    def invoke(*words: str, status: int = 0) -> Result:
        args = ["sync", "--source", f"yahoo:{charts.url}", *words, "--url", migrated_sqlite]
        result = CliRunner().invoke(main, args, catch_exceptions=False)
        assert result.exit_code == status, result.output
        return result

    return invoke


def test_the_command_syncs_and_says_what_it_did(run: Any, charts: ChartServer) -> None:
    days = sessions("2020-01-02", "2020-01-31")
    charts.listings = {symbol: Listing([]) for symbol in ("X", "Y")}
    for listing in charts.listings.values():
        daily(listing, days)
    plan = run("--symbol", "X", "--start", "2020-01-02", "--end", "2020-01-31", "--dry-run")
    assert plan.stdout.splitlines()[1].split() == ["X", "1D", "2020-01-02", "2020-02-01"]
    options = ("--start", "2020-01-02", "--end", "2020-01-31")
    said = run("--symbol", "X", "--symbol", "GONE", "--symbol", "Y", *options, status=1)
    assert "Error: GONE: GONE: Yahoo says: No data found" in said.stderr
    assert [line.split()[:6] for line in said.stdout.splitlines()[1:]] == [
        ["X", "1D", "2020-01-02", "2020-02-01", "22", "22"],
        ["GONE", "1D", "2020-01-02", "2020-02-01", "0", "0"],
        ["Y", "1D", "2020-01-02", "2020-02-01", "22", "22"],
    ]
    series = json.loads(run("--end", "2020-01-31", "--json").stdout)["series"]
    assert [(each["symbol"], each["unchanged"]) for each in series] == [("X", 5), ("Y", 5)]


def test_rows_that_are_refused_end_with_their_status(run: Any, charts: ChartServer) -> None:
    listing = charts.listings["X"] = Listing([])
    daily(listing, sessions("2020-01-02", "2020-01-31"))
    listing.rows[4] = (listing.rows[4][0], 1.0, None, 1.0, 1.0, None)
    said = run("--symbol", "X", "--start", "2020-01-02", "--end", "2020-01-31", status=3)
    assert "Warning: 1 rows refused: row 4: high missing or not finite" in said.stderr


def test_an_interrupted_command_says_so(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(BarStore, "sync", interrupted)
    assert "the same command goes on" in run("--symbol", "X", status=130).stderr
