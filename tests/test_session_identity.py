"""The bugs that bars get from their stamps: each by the naive way that makes it, and not here.

Every test runs on both engines, with the process and the server in several time zones. ``naive_``
functions are how such importers are written; each test asserts that its own makes the bug.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from jutsu_sql import BarStore
from jutsu_sql.errors import BarsError, NaiveTimestampError, SourceError
from jutsu_sql.sources import import_file, raw_stamps, read_file

NEW_YORK = "America/New_York"
HEADER = "timestamp,open,high,low,close,volume"


def sessions(first: date, last: date, holidays: Iterable[date] = ()) -> list[date]:
    """Monday to Friday, without holidays."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [day for day in days if day.weekday() < 5 and day not in set(holidays)]


# A year with both changes of the clocks, an early close (07-03) and holidays.
YEAR = sessions(
    date(2024, 1, 1),
    date(2024, 12, 31),
    [date(2024, 1, 1), date(2024, 7, 4), date(2024, 12, 25)],
)


def at(day: date, clock: str, tz: str = NEW_YORK) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), ZoneInfo(tz))


def zulu(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def text_of(stamps: Iterable[str]) -> str:
    return "\n".join([HEADER, *(f"{stamp},1,2,0.5,1.5,{n}" for n, stamp in enumerate(stamps)), ""])


@pytest.fixture
def load(store: BarStore, tmp_path: Path) -> Any:
    """Import stamps as a file of X, and give the dates that are stored."""

    def import_stamps(stamps: Iterable[str], name: str = "X_1D.csv", **options: Any) -> list[date]:
        path = tmp_path / name
        path.write_text(text_of(stamps))
        report = import_file(store, path, **options).report
        assert report.rejected == 0
        return dates(store, name.removesuffix(".csv").split("_")[1])

    return import_stamps


def dates(store: BarStore, timeframe: str = "1D") -> list[date]:
    return [ts.astype("M8[D]").item() for ts in store.read("X", timeframe).ts]


# -- naive and aware mixed ------------------------------------------------------------------------


def naive_parse(stamp: str) -> datetime:
    """Whatever has no zone is taken for UTC, or for the process's own."""
    moment = datetime.fromisoformat(stamp)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def test_naive_and_aware_stamps_of_one_series_are_one_time_line(load: Any, store: BarStore) -> None:
    aware = [zulu(at(day, "09:30")) for day in YEAR[:20]]
    naive = [f"{day} 09:30:00" for day in YEAR[:20]]
    assert {naive_parse(text) for text in aware}.isdisjoint(map(naive_parse, naive))
    load(aware, "X_1h.csv")
    with pytest.raises(NaiveTimestampError, match="has no time zone"):
        load(naive, "X_1h.csv")
    load(naive, "X_1h.csv", tz=NEW_YORK, force=True)
    assert len(store.read("X", "1h")) == 20


# -- weekends by local parsing --------------------------------------------------------------------


def naive_local_date(stamp: str, tz: str) -> date:
    """A date in UTC looked at where the exchange is."""
    return datetime.fromisoformat(stamp).astimezone(ZoneInfo(tz)).date()


def test_no_bar_is_labelled_a_weekend_by_local_parsing(load: Any) -> None:
    stamps = [f"{day}T00:00:00Z" for day in YEAR]
    wrong = [naive_local_date(stamp, NEW_YORK) for stamp in stamps]
    assert 0.18 < sum(day.weekday() > 4 for day in wrong) / len(wrong) < 0.21
    assert load(stamps, tz=NEW_YORK) == YEAR


def test_mondays_stay_mondays_whatever_the_zone(load: Any) -> None:
    mondays = [day for day in YEAR if day.weekday() == 0]
    stamps = [f"{day}T00:00:00Z" for day in mondays]
    assert {naive_local_date(stamp, NEW_YORK).weekday() for stamp in stamps} == {6}
    assert load(stamps, "X_1W.csv", tz=NEW_YORK) == mondays


# -- stored twice under shifted stamps ------------------------------------------------------------

# How vendors stamp a session: each way as (stamps, options).
WAYS: dict[str, tuple[Any, dict[str, Any]]] = {
    "date": (str, {}),
    "session-open": (lambda day: zulu(at(day, "09:30")), {"tz": NEW_YORK}),
    "close": (lambda day: zulu(at(day, "16:00")), {"tz": NEW_YORK}),
    "close-local": (lambda day: f"{day} 16:00:00", {"tz": NEW_YORK}),
    "local-midnight-epoch": (lambda day: f"{at(day, '00:00').timestamp():.0f}", {"tz": NEW_YORK}),
    "local-midnight-offset": (lambda day: f"{at(day, '00:00').isoformat(sep=' ')}", {}),
    "utc-midnight": (lambda day: f"{day}T00:00:00Z", {"tz": NEW_YORK}),
    # 19:00 or 20:00 of the evening before, in New York: it is midnight in UTC.
    "evening-before": (
        lambda day: f"{at(day, '00:00', 'UTC').astimezone(ZoneInfo(NEW_YORK)).isoformat(sep=' ')}",
        {"tz": NEW_YORK},
    ),
    "evening-before-naive": (
        lambda day: f"{at(day, '00:00', 'UTC').astimezone(ZoneInfo(NEW_YORK)):%Y-%m-%d %H:%M:%S}",
        {"tz": NEW_YORK},
    ),
    "evening-after-the-close": (lambda day: zulu(at(day, "18:30")), {"tz": NEW_YORK}),
    "utc-midnight-of-the-day-after": (
        lambda day: f"{day + timedelta(days=1)}T00:00:00Z",
        {"calendar": "weekdays", "tz": NEW_YORK},
    ),
}


def naive_key(stamp: str) -> datetime:
    """The stamp itself is the key."""
    if stamp.isdigit():
        return datetime.fromtimestamp(int(stamp), UTC)
    return naive_parse(stamp)


def test_a_session_is_stored_once_under_every_stamp(load: Any, store: BarStore) -> None:
    keys: set[datetime] = set()
    for stamps, options in WAYS.values():
        written = [stamps(day) for day in YEAR]
        keys.update(map(naive_key, written))
        assert load(written, **options) == YEAR
    assert len(keys) > 5 * len(YEAR)
    history = store.loads(len(WAYS))
    assert sum(load.rows_inserted for load in history) == len(YEAR)


@pytest.mark.parametrize("way", WAYS)
def test_the_vendor_s_own_stamp_can_be_had_back(tmp_path: Path, way: str) -> None:
    stamps, options = WAYS[way]
    written = [stamps(day) for day in YEAR]
    path = tmp_path / "X_1D.csv"
    path.write_text(text_of(written))
    parsed = read_file(path, **options)
    raw = raw_stamps(parsed.reading, parsed.bars.ts)
    for stamp, text in zip(raw.tolist(), written, strict=True):
        wall = naive_key(text).replace(tzinfo=None)
        assert stamp == wall


def test_another_zone_for_stored_sessions_is_refused(load: Any, store: BarStore) -> None:
    assert load([zulu(at(day, "09:30")) for day in YEAR[:9]], tz=NEW_YORK) == YEAR[:9]
    assert store.origin("X", "1D") == (NEW_YORK, None)
    evening = [zulu(at(day, "19:30")) for day in YEAR[:9]]
    with pytest.raises(BarsError, match="X 1D is a series of America/New_York, and these.*Tokyo"):
        load(evening, tz="Asia/Tokyo")
    assert load(evening) == YEAR[:9]  # the series knows where it is


# -- filters that dropped real bars ---------------------------------------------------------------


def naive_filter(days: Sequence[date], holidays: Iterable[date]) -> list[date]:
    """No weekends, and no holidays of a list."""
    return [day for day in days if day.weekday() < 5 and day not in set(holidays)]


def test_no_filter_drops_a_real_bar(load: Any, store: BarStore) -> None:
    pytest.importorskip("exchange_calendars")
    # Half sessions, a special Saturday session, and one that the calendar does not know.
    real = [date(2024, 7, 3), date(2024, 7, 4), date(2024, 7, 5), date(2024, 7, 6)]
    assert naive_filter(real, [date(2024, 7, 3), date(2024, 7, 4)]) == [date(2024, 7, 5)]
    days = sorted({*YEAR, *real})
    assert load(map(str, days), calendar="XNYS") == days
    parsed = read_file(Path(store.loads(1)[0].uri.removeprefix("file://")), calendar="XNYS")
    # Good Friday, Memorial Day and the like are weekdays of YEAR without a session.
    (note,) = [each for each in parsed.layout.notes if "without a session" in each]
    assert note.startswith("9 bars are of dates without a session of XNYS: 2024-01-15")


# -- partial bars that stay -----------------------------------------------------------------------


def naive_insert(stored: dict[date, float], bars: dict[date, float]) -> None:
    """INSERT ... ON CONFLICT DO NOTHING."""
    for day, close in bars.items():
        stored.setdefault(day, close)


def test_a_partial_bar_gives_way_to_the_whole_one(store: BarStore, tmp_path: Path) -> None:
    stored: dict[date, float] = {}
    naive_insert(stored, {date(2024, 1, 2): 1.25})
    naive_insert(stored, {date(2024, 1, 2): 1.5})
    assert stored == {date(2024, 1, 2): 1.25}
    path = tmp_path / "X_1D.csv"
    path.write_text(f"{HEADER}\n2024-01-02T15:45:00Z,1,2,0.5,1.25,7\n")
    noon, evening = at(date(2024, 1, 2), "10:45"), at(date(2024, 1, 2), "18:00")
    import_file(store, path, tz=NEW_YORK, observed_at=noon)
    path.write_text(f"{HEADER}\n2024-01-02T21:00:00Z,1,2,0.5,1.5,10\n")
    assert import_file(store, path, tz=NEW_YORK, observed_at=evening).report.updated == 1
    path.write_text(f"{HEADER}\n2024-01-02T15:50:00Z,1,2,0.5,1.125,8\n")
    late = import_file(store, path, tz=NEW_YORK, observed_at=noon).report
    assert (late.kept, late.kept_from_partial) == (1, 1)
    assert store.read("X", "1D").close.tolist() == [1.5]


# -- what the rules above need --------------------------------------------------------------------


def test_sessions_that_begin_the_evening_before_are_of_their_date(tmp_path: Path) -> None:
    pytest.importorskip("exchange_calendars")
    days = sessions(date(2024, 2, 20), date(2024, 3, 22))
    path = tmp_path / "ES_1D.csv"
    opens = [at(day - timedelta(days=1), "17:00", "America/Chicago") for day in days]
    path.write_text(text_of(map(zulu, opens)))
    assert {naive_local_date(zulu(each), "America/Chicago").weekday() for each in opens} == {
        0, 1, 2, 3, 6,
    }  # fmt: skip
    parsed = read_file(path, calendar="CMES")
    assert [ts.item().date() for ts in parsed.bars.ts] == days


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_week_that_is_a_day_off_is_asked_about_and_mended(tmp_path: Path, shift: int) -> None:
    path = tmp_path / "X_1D.csv"
    path.write_text(text_of(str(day + timedelta(days=shift)) for day in YEAR))
    with pytest.raises(SourceError, match=r"may be a day off.*--calendar XNYS"):
        read_file(path)
    parsed = read_file(path, calendar="weekdays")
    assert [ts.item().date() for ts in parsed.bars.ts] == YEAR


def test_a_few_evening_stamps_tell_nothing(tmp_path: Path) -> None:
    """20:00 in summer is the evening of a session, or midnight in UTC of the next."""
    path = tmp_path / "X_1D.csv"
    path.write_text(text_of(["2024-07-09 20:00:00", "2024-07-10 20:00:00"]))
    with pytest.raises(SourceError, match=r"nothing tells which.*--calendar"):
        read_file(path, tz=NEW_YORK)


@pytest.mark.parametrize(
    ("stamps", "options", "monday"),
    [
        (["2024-01-05", "2024-01-12"], {}, "2024-01-01"),  # Fridays
        (["2024-01-01", "2024-01-08"], {}, "2024-01-01"),
        (["2024-01-07", "2024-01-14"], {"stamp": "end"}, "2024-01-01"),
        (["2023-12-31", "2024-01-07"], {"stamp": "start"}, "2024-01-01"),
        (["2023-12-31T22:00Z", "2024-01-07T22:00Z"], {"tz": NEW_YORK}, "2024-01-01"),
    ],
)
def test_weeks_are_named_by_their_monday(
    tmp_path: Path, stamps: list[str], options: dict[str, Any], monday: str
) -> None:
    path = tmp_path / "X_1W.csv"
    path.write_text(text_of(stamps))
    assert read_file(path, **options).bars.ts[0] == np.datetime64(monday)


def test_stamps_of_the_end_of_an_interval_become_its_start(tmp_path: Path) -> None:
    path = tmp_path / "X_5m.csv"
    path.write_text(text_of(["2024-01-02T14:35Z", "2024-01-02T14:40Z"]))
    parsed = read_file(path, stamp="end")
    assert [str(ts)[11:16] for ts in parsed.bars.ts] == ["14:30", "14:35"]
    assert "the end of the interval" in parsed.layout.sessions
