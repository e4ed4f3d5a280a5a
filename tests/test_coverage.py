"""What is there, what is not, and why: against the obvious way to find it out, bar by bar."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import jutsu_sql
from jutsu_sql import Bars, BarStore, Database
from jutsu_sql.bars import Series
from jutsu_sql.calendars import open_calendar
from jutsu_sql.cli import coverage as cli_coverage
from jutsu_sql.cli import main
from jutsu_sql.errors import BarsError, ConfigError, DatabaseReadOnlyError
from jutsu_sql.sources import import_file
from jutsu_sql.store.grid import grid_of_hours
from jutsu_sql.timeframe import parse_timeframe

DAY = timedelta(days=1)
# A winter with holidays: 24 weekdays from the first, of which 3 have no session in New York.
FIRST = date(2023, 12, 20)
DAYS = [FIRST + n * DAY for n in range(30)]


def bars(symbol: str, starts: Iterable[Any], timeframe: str = "1D", close: float = 1.0) -> Bars:
    ts = np.array(list(starts), dtype="M8[us]")
    ones = np.ones(len(ts))
    index = np.zeros(len(ts), dtype=np.int32)
    series = (Series(symbol, timeframe),)
    # A close above the high is no bar.
    return Bars(series, index, ts, ones, ones, ones, ones * close, ones)


def sessions(calendar: str, start: date, end: date) -> list[date]:
    days = open_calendar(calendar).sessions().days.astype(object).tolist()
    return [day for day in days if start <= day < end]


def instant(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def explained(store: BarStore, symbol: str, days: Sequence[date], **span: Any) -> dict[date, str]:
    """The reason of each absent day, taken apart again."""
    found = store.coverage(symbol, "1D", **span)
    reasons = {}
    for gap in found.gaps:
        inside = [day for day in days if gap.start <= instant(day) < gap.end]
        assert len(inside) == gap.bars
        reasons.update(dict.fromkeys(inside, gap.reason))
    assert sum(each.bars for each in found.plan()) == found.series[0].never_fetched
    return reasons


# --- Against a model ------------------------------------------------------------------------------


class Model:
    """What happened to the days of one series, kept in the order in which it did."""

    def __init__(self) -> None:
        self.loads: list[dict[str, Any]] = []
        self.owner: dict[date, int] = {}
        self.removed: dict[date, tuple[str, int]] = {}

    def write(self, good: set[date], bad: set[date], asked: tuple[date, date] | None) -> None:
        new = good - bad - set(self.owner)
        self.owner |= dict.fromkeys(new, len(self.loads))
        self.loads.append({"bad": bad, "asked": asked, "new": new})

    def delete(self, start: date, end: date) -> None:
        self._remove({day for day in self.owner if start <= day <= end}, "deleted")
        self.loads.append({"bad": set(), "asked": None, "new": set()})

    def undo(self, number: int) -> None:
        undone = self.loads[number]
        self._remove({day for day in undone["new"] if self.owner.get(day) == number}, "undone")
        self.loads[number] = {"bad": set(), "asked": None, "new": set()}
        self.loads.append({"bad": set(), "asked": None, "new": set()})

    def _remove(self, days: set[date], how: str) -> None:
        for day in days:
            del self.owner[day]
            self.removed[day] = how, len(self.loads)

    def reason(self, day: date) -> str:
        how, since = self.removed.get(day, ("", -1))
        claims = [
            number
            for number, load in enumerate(self.loads)
            if load["asked"] and load["asked"][0] <= day < load["asked"][1]
        ]
        if any(number > since for number in claims):
            how = ""  # asked again, and it did not come
        if how == "deleted":
            return "deleted"
        if any(day in load["bad"] for load in self.loads):
            return "rejected"
        return "never fetched" if how == "undone" or not claims else "empty"


days_of = st.sets(st.sampled_from(DAYS), max_size=12)
spans = st.tuples(st.sampled_from(DAYS), st.integers(1, 15)).map(
    lambda s: (s[0], s[0] + s[1] * DAY)
)
steps = st.one_of(
    st.tuples(
        st.just("write"),
        days_of,
        days_of.map(lambda days: set(sorted(days)[:2])),
        st.none() | spans,
    ),
    st.tuples(st.just("delete"), spans),
    st.tuples(st.just("undo"), st.integers(0, 20)),
)


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(history=st.lists(steps, min_size=1, max_size=7))
def test_absent_bars_have_the_reason_that_their_history_gives(
    store: BarStore, history: list[Any]
) -> None:
    symbol, model = secrets.token_hex(4), Model()
    ids, writes = [], []
    # The series is there, asked for on one day.
    first = (FIRST - 5 * DAY, FIRST - 4 * DAY)
    named = {"symbol": symbol, "timeframe": "1D", "calendar": "XNYS", "source": "x"}
    ids.append(store.write([], asked=first, **named).load_id)
    model.write(set(), set(), first)
    for kind, *given_ in history:
        if kind == "write":
            good, bad, asked = given_
            rows = Bars.concat(
                [bars(symbol, sorted(good - bad)), bars(symbol, sorted(bad), close=9)]
            )
            named = {"symbol": symbol, "timeframe": "1D"} if asked else {}
            writes.append(len(ids))
            ids.append(store.write(rows, source="x", asked=asked, **named).load_id)
            model.write(good, bad, asked)
        elif kind == "delete":
            ((start, end),) = given_
            ids.append(store.delete(symbol, "1D", start, end).load_id)
            model.delete(start, end)
        elif writes:
            number = writes.pop(given_[0] % len(writes))
            ids.append(store.undo(ids[number]).load_id)
            model.undo(number)
    span = {"start": DAYS[0], "end": DAYS[-1]}
    expected = sessions("XNYS", DAYS[0], DAYS[-1] + DAY)
    found = store.coverage(symbol, "1D", **span).series[0]
    assert (found.expected, found.stored) == (len(expected), len(set(expected) & set(model.owner)))
    assert found.off_calendar == len(set(model.owner) - set(expected))
    absent = {day: model.reason(day) for day in expected if day not in model.owner}
    assert explained(store, symbol, expected, **span) == absent
    assert [
        month.expected for month in store.coverage(symbol, "1D", **span).months(symbol, "1D")
    ] == [len(list(days)) for _, days in groupby(expected, lambda day: day.month)]


HOURS = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=8)


@settings(deadline=None)
@given(
    hours=HOURS,
    width=st.integers(1, 40),
    phase=st.none() | st.integers(0, 39),
    now=st.integers(0, 400),
)
def test_a_grid_is_that_of_the_obvious_loop(
    hours: list[tuple[int, int]], width: int, phase: int | None, now: int
) -> None:
    minute = 60_000_000
    frame = parse_timeframe(f"{width}m")
    width = frame.length_us // minute
    phase = None if phase is None else phase % width
    opens, closes, at = [], [], 1_000
    for closed, open_ in hours:
        opens.append(at + closed)
        closes.append(at := at + closed + open_)
    starts: list[int] = []
    due = 0
    for opened, closed in zip(opens, closes, strict=True):
        start = opened
        while phase is not None and start % width != phase:
            start -= 1
        while start < closed:
            if start + width > opened and (phase is None or start not in starts):
                starts.append(start)
                due += min(start + width, closed) <= 1_000 + now
            start += width
    micros = [np.array(each) * minute for each in (opens, closes)]
    grid = grid_of_hours(
        frame, *micros, (1_000 + now) * minute, None if phase is None else phase * minute
    )
    numbers = np.arange(len(starts))
    assert (grid.start_of(numbers) == np.array(starts) * minute).all()
    assert grid.due == due
    moments = np.arange(900, at + 50)
    found, is_start = grid.find(moments * minute)
    assert found.tolist() == [sum(start < moment for start in starts) for moment in moments]
    assert is_start.tolist() == [moment in starts for moment in moments.tolist()]
    ends = grid.end_of(numbers)
    assert (ends[:-1] <= np.array(starts[1:], dtype=np.int64) * minute).all()


# --- The bugs of the original ---------------------------------------------------------------------


def test_a_backfill_asks_for_206_bars_and_not_for_6706(store: BarStore) -> None:
    calendar = sessions("XNYS", date(1990, 1, 2), date(2016, 8, 15))[:6706]
    runs = [range(10, 60), range(300, 301), range(4000, 4100), range(6600, 6655)]
    missing = {calendar[n] for run in runs for n in run}
    assert len(missing) == 206
    store.write(
        bars("A", [day for day in calendar if day not in missing]), source="x", calendar="XNYS"
    )
    plan = store.coverage("A").plan()
    assert [each.bars for each in plan] == [len(run) for run in runs]
    asked = [day for day in calendar if any(f.start <= instant(day) < f.end for f in plan)]
    assert set(asked) == missing
    for fetch in plan:
        part = [day for day in asked if fetch.start <= instant(day) < fetch.end]
        store.write(bars("A", part), source="x", asked=(fetch.start, fetch.end))
    assert store.coverage("A").gaps == []


def test_no_hole_stays_unseen(store: BarStore) -> None:
    """Two days that nobody fetched among bars that look complete by their number."""
    days = sessions("XNYS", date(2024, 1, 1), date(2024, 3, 1))
    holes = {days[7], days[20]}
    store.write(bars("A", [day for day in days if day not in holes]), source="x", calendar="XNYS")
    assert explained(store, "A", days) == dict.fromkeys(sorted(holes), "never fetched")


def test_a_holiday_is_no_hole_and_a_bar_on_it_is_kept_and_shown(store: BarStore) -> None:
    """A filter of holidays has dropped real bars; nothing is dropped here, and nothing missed."""
    days = sessions("XNYS", date(2024, 7, 1), date(2024, 7, 13))
    assert date(2024, 7, 4) not in days
    store.write(bars("A", days), source="x", calendar="XNYS")
    (found,) = store.coverage("A").series
    assert (found.expected, found.stored, found.off_calendar) == (len(days), len(days), 0)
    store.write(bars("A", [date(2024, 7, 4)]), source="x")
    (found,) = store.coverage("A").series
    assert (found.expected, found.stored, found.off_calendar) == (len(days), len(days), 1)
    assert len(store.read("A", "1D")) == len(days) + 1


def test_mondays_that_became_sundays_are_seen_though_the_number_is_right(store: BarStore) -> None:
    days = sessions("XNYS", date(2024, 4, 1), date(2024, 6, 1))
    mondays = [day for day in days if day.weekday() == 0]
    shifted = [day - DAY if day.weekday() == 0 else day for day in days]
    store.write(bars("A", shifted), source="x", calendar="XNYS")
    (found,) = store.coverage("A", start=days[0] - DAY).series
    assert found.off_calendar == len(mondays)
    assert found.never_fetched == len(mondays)
    assert found.stored + found.off_calendar == found.expected


# --- What a load has asked for --------------------------------------------------------------------


def test_an_answer_without_bars_proves_that_there_are_none(store: BarStore) -> None:
    asked = date(2024, 1, 1), date(2024, 2, 1)
    report = store.write([], source="x", symbol="A", timeframe="D", asked=asked, calendar="24/7")
    assert report.received == 0
    assert store.coverage("A").gaps == [
        ("A", "1D", instant(asked[0]), instant(asked[1]), 31, "empty")
    ]
    assert store.coverage("A").asked("A", "1d") == [(instant(asked[0]), instant(asked[1]))]
    store.undo(store.undo(report.load_id).load_id)
    assert store.coverage("A").series[0].empty == 31
    store.undo(report.load_id)
    assert store.coverage("A", start=asked[0], end=date(2024, 1, 31)).series[0].never_fetched == 31


def test_what_is_not_over_is_neither_missing_nor_proven(store: BarStore) -> None:
    now = datetime.now(UTC)
    far = now + 400 * DAY
    store.write(
        bars("A", [now.date() - 9 * DAY]), source="x", asked=(now - 9 * DAY, far), calendar="24/7"
    )
    (found,) = store.coverage("A", end=far.date()).series
    assert found.end is not None
    assert found.end <= now
    ((_, end),) = store.coverage("A").asked("A", "1D")
    assert end <= now - 1.5 * DAY + timedelta(seconds=1)
    # Yesterday's may still come, until noon.
    assert found.never_fetched in (0, 1)


def test_a_plain_write_claims_nothing(store: BarStore) -> None:
    store.write(bars("A", [date(2024, 1, 2), date(2024, 1, 5)]), source="x", calendar="XNYS")
    assert store.coverage("A").asked("A", "1D") == []
    assert store.coverage("A").series[0].never_fetched == 2


def test_an_import_claims_from_its_first_bar_to_its_last(store: BarStore, tmp_path: Path) -> None:
    rows = [f"2024-01-{day:02d},1,1,1,{close},1" for day, close in ((2, 1), (3, 9), (5, 1))]
    path = tmp_path / "A.csv"
    path.write_text("\n".join(["date,open,high,low,close,volume", *rows]) + "\n")
    import_file(store, path, timeframe="1D", calendar="XNYS")
    reasons = explained(store, "A", sessions("XNYS", date(2024, 1, 1), date(2024, 2, 1)))
    assert reasons == {date(2024, 1, 3): "rejected", date(2024, 1, 4): "empty"}
    store.undo(1)
    import_file(store, path, timeframe="1D", calendar="XNYS", selection=True, force=True)
    reasons = explained(store, "A", sessions("XNYS", date(2024, 1, 1), date(2024, 2, 1)))
    assert reasons == {date(2024, 1, 3): "rejected", date(2024, 1, 4): "never fetched"}


@pytest.mark.parametrize(
    "asked", [(date(2024, 1, 2), date(2024, 1, 2)), (datetime(2024, 1, 1), date(2024, 1, 2)), "all"]
)
def test_what_cannot_be_asked_for_is_refused(store: BarStore, asked: Any) -> None:
    with pytest.raises(BarsError):
        store.write([], source="x", symbol="A", timeframe="1D", asked=asked)
    with pytest.raises(BarsError, match="say symbol= and timeframe="):
        store.write([], source="x", asked=(date(2024, 1, 1), date(2024, 1, 2)))
    assert store.series() == []
    assert store.loads() == []


# --- Calendars ------------------------------------------------------------------------------------


def intraday(store: BarStore, symbol: str, timeframe: str, day: str, calendar: str) -> list[str]:
    found = store.coverage(symbol, timeframe, day, day, calendar=calendar)
    (each,) = found.series
    assert sum(gap.bars for gap in found.gaps) + each.stored == each.expected
    return [f"{gap.start:%H:%M}-{gap.end:%H:%M} {gap.bars}" for gap in found.gaps]


def test_sessions_have_their_own_hours(store: BarStore) -> None:
    """Half days, clocks that change and breaks are those of the exchange."""
    assert intraday(store, "A", "1h", "2024-03-08", "XNYS") == ["14:30-21:30 7"]
    assert intraday(store, "A", "1h", "2024-03-11", "XNYS") == ["13:30-20:30 7"]
    assert intraday(store, "A", "30m", "2024-07-03", "XNYS") == ["13:30-17:00 7"]
    assert intraday(store, "A", "1h", "2024-07-04", "XNYS") == []
    assert intraday(store, "A", "30m", "2024-01-02", "24/7") == ["00:00-00:00 48"]
    # 09:30 to 12:00 and 13:00 to 16:00 in Hong Kong.
    assert intraday(store, "A", "30m", "2024-01-02", "XHKG") == ["01:30-08:00 11"]


def test_hours_that_a_vendor_counts_by_the_clock_are_no_holes(store: BarStore) -> None:
    starts = [f"2024-03-08T{hour}:00" for hour in range(14, 21) if hour != 17]
    store.write(bars("A", starts, "1h"), source="x", calendar="XNYS")
    (found,) = store.coverage("A", "1h", "2024-03-08", "2024-03-08").series
    assert (found.expected, found.stored, found.off_calendar) == (7, 6, 0)
    assert intraday(store, "A", "1h", "2024-03-08", "XNYS") == ["17:00-18:00 1"]


def test_weeks_and_months_are_those_with_a_session(store: BarStore) -> None:
    mondays = [date(2024, 1, 1) + 7 * n * DAY for n in range(5)]
    store.write(bars("A", mondays[:2] + mondays[3:], "1W"), source="x", calendar="XNYS")
    store.write(bars("A", [date(2024, 1, 1), date(2024, 3, 1)], "1M"), source="x", calendar="XNYS")
    week, month = store.coverage("A").gaps[::-1]
    assert (week.start.date(), week.end.date(), week.bars) == (mondays[2], mondays[3], 1)
    assert (month.start.date(), month.end.date()) == (date(2024, 2, 1), date(2024, 3, 1))


def test_a_series_without_a_calendar_is_told_as_far_as_it_is_known(store: BarStore) -> None:
    store.write(bars("A", ["2024-01-02", "2024-01-09"]), source="x", asked="span")
    store.write(bars("B", ["2024-01-02T10:00"], "1h"), source="x", calendar="weekdays")
    store.write(bars("C", ["2024-01-02"], "3D"), source="x", calendar="24/7")
    found = store.coverage()
    assert [each.expected for each in found.series] == [None] * 3
    assert [each.stored for each in found.series] == [2, 1, 1]
    assert ["calendar" in str(each.note) for each in found.series] == [True, True, False]
    assert found.plan() == found.gaps == found.months("A", "1D") == []
    assert len(found.asked("A", "1D")) == 1
    assert store.coverage("A", calendar="weekdays").series[0].empty == 4
    store.write(bars("D", ["2024-01-02"]), source="x", calendar="NEWYORK")
    assert "no calendar 'NEWYORK'" in str(store.coverage("D").series[0].note)


def test_a_symbol_that_is_not_stored_is_all_missing(store: BarStore) -> None:
    plan = store.coverage("NEW", "1D", "2024-01-01", "2024-01-31", calendar="XNYS").plan()
    assert [each.bars for each in plan] == [21]
    with pytest.raises(BarsError, match="no series of NEW"):
        store.coverage("NEW")
    with pytest.raises(BarsError, match="lies after"):
        store.coverage("NEW", "1D", "2024-02-01", "2024-01-31")
    with pytest.raises(ConfigError, match="no calendar 'XXXX'"):
        store.coverage("NEW", "1D", calendar="XXXX")


def test_a_calendar_is_stored_once_and_again_by_a_newer_package(
    db: Database, store: BarStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.coverage("A", "1D", calendar="XNYS")
    (stored,) = db.run("calendars.list")
    monkeypatch.setattr("jutsu_sql.store.calendar_tables.open_calendar", None)  # not asked again
    store.coverage("A", "1D", calendar="XNYS")
    monkeypatch.undo()
    name = "jutsu_sql.store.calendar_tables.calendar_version"
    monkeypatch.setattr(name, lambda _: "newer")
    store.coverage("A", "1D", calendar="XNYS")
    assert [row.version for row in db.run("calendars.list")] == ["newer"]
    monkeypatch.setattr(name, lambda _: None)  # the package is not there
    assert (
        store.coverage("A", "1D", "2024-01-01", "2024-01-31", calendar="XNYS").series[0].expected
        == 21
    )
    assert stored.version.startswith("exchange_calendars ")


def test_who_may_only_read_is_told_what_to_do(migrated_postgres: str) -> None:
    with jutsu_sql.connect(
        f"{migrated_postgres}?options=-cdefault_transaction_read_only%3Don"
    ) as db:
        with pytest.raises(DatabaseReadOnlyError) as failed:
            BarStore(db).coverage("A", "1D", "2024-01-01", "2024-01-31", calendar="24/7")
        assert "`jutsu-sql coverage` by a role that may load" in str(failed.value)
        with jutsu_sql.connect(migrated_postgres) as writer:
            BarStore(writer).coverage("A", "1D", calendar="24/7")
        found = BarStore(db).coverage("A", "1D", "2024-01-01", "2024-01-31", calendar="24/7")
        assert found.series[0].expected == 31


def test_sql_says_which_sessions_are_absent(db: Database, store: BarStore) -> None:
    days = sessions("XNYS", date(2024, 1, 1), date(2024, 2, 1))
    store.write(bars("A", days[:5] + days[7:]), source="x", calendar="XNYS")
    store.coverage("A")
    series_id = db.run("series.find", symbol="A", timeframe="1D").series_id
    span = {"start": instant(days[0]), "end": instant(days[-1])}
    rows = db.run("coverage.absent", series_id=series_id, calendar="XNYS", **span)
    assert [row.ts.date() for row in rows] == days[5:7]
    assert rows[0].open_ts == instant(days[5]) + timedelta(hours=14, minutes=30)


# --- From the shell -------------------------------------------------------------------------------


@pytest.fixture
def shell(migrated_sqlite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)

    def run(*args: str, status: int = 0) -> str:
        words = ["coverage", *args, "--url", migrated_sqlite]
        result = CliRunner().invoke(main, words, catch_exceptions=False)
        assert result.exit_code == status, result.output
        return result.stdout

    with jutsu_sql.connect(migrated_sqlite) as db:
        store = BarStore(db)
        days = sessions("XNYS", date(2023, 11, 1), date(2024, 4, 1))
        store.write(bars("FULL", days), source="x", calendar="XNYS")
        holes = [day for day in days if day.month != 2 and day != date(2024, 3, 5)]
        store.write(bars("HOLES", holes), source="x", calendar="XNYS")
        empty = date(2023, 12, 1), date(2024, 1, 1)
        rest = [day for day in days if day.month != 12]
        store.write(bars("EMPTY", rest), source="x", calendar="XNYS")
        store.write([], source="x", symbol="EMPTY", timeframe="1D", asked=empty)
        store.write(bars("OTHER", days[:3]), source="x")
    return run


def test_the_picture_shows_each_month_and_what_lacks_most_comes_first(shell: Any) -> None:
    lines = shell(status=3).splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["HOLES", "EMPTY", "FULL", "OTHER"]
    assert lines[6].split() == ["2024"]
    assert lines[7:10] == ["HOLES 1D @@@?#", "EMPTY 1D @0@@@", "FULL 1D  @@@@@"]
    assert "1 series, such as OTHER: no calendar is known" in lines[-1]


def test_the_exit_status_says_whether_anything_could_be_fetched(shell: Any) -> None:
    shell("FULL", "EMPTY")
    shell("HOLES", status=3)
    shell("OTHER", status=3)
    shell("OTHER", "--calendar", "XNYS")
    shell("NONE", status=1)


def test_gaps_and_the_plan_are_listed(shell: Any) -> None:
    gaps = [line.split() for line in shell("EMPTY", "HOLES", "--gaps", status=3).splitlines()]
    assert ["EMPTY", "1D", "2023-12-01", "2023-12-30", "20", "empty"] in gaps
    assert ["HOLES", "1D", "2024-02-01", "2024-03-01", "20", "never", "fetched"] in gaps
    plan = [line.split() for line in shell("--plan", status=3).splitlines()]
    assert plan[1:] == [
        ["HOLES", "1D", "2024-02-01", "2024-03-01", "20"],
        ["HOLES", "1D", "2024-03-05", "2024-03-06", "1"],
    ]
    document = json.loads(shell("HOLES", "--json", status=3))
    assert [each["bars"] for each in document["plan"]] == [20, 1]
    assert document["series"][0]["never_fetched"] == 21
    assert list(json.loads(shell("HOLES", "--plan", "--json", status=3))) == ["plan"]


def test_thousands_of_series_are_bounded(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_coverage, "_SHOWN_SERIES", 1)
    output = shell(status=3)
    assert "... and 3 series more, which lack 0 bars" in output
    assert "EMPTY" not in output
