"""What bars are fetched from: the client, Yahoo, directories of files, and entry points."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import exchange_calendars
import numpy as np
import pytest

from jutsu_sql.errors import ConfigError, SourceError
from jutsu_sql.sources.directory import DirectorySource
from jutsu_sql.sources.http import HttpClient, Pace, Reply
from jutsu_sql.sources.yahoo import _CALENDARS, YahooSource
from jutsu_sql.store import Action
from jutsu_sql.store.source import open_source
from tests.chart_server import ChartServer, Listing, chart_server, daily, weekdays

JANUARY = weekdays(date(2020, 1, 2), date(2020, 1, 31))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def charts() -> Iterator[ChartServer]:
    with pytest.MonkeyPatch.context() as patch, chart_server() as server:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield server


@pytest.fixture
def client() -> Iterator[HttpClient]:
    """A client that waits for nothing: pauses are only counted, and time goes on by them."""
    clock = Clock()
    client = HttpClient(
        per_s=10, timeout_s=0.3, secrets=["s3cret"], clock=clock, sleep=clock.sleep, share=lambda: 1
    )
    client.clock = clock  # type: ignore[attr-defined]
    yield client
    client.close()


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, pause_s: float) -> None:
        self.pauses.append(round(pause_s, 3))
        self.now_s += pause_s


# -- HTTP -----------------------------------------------------------------------------------------


def test_turns_are_apart_and_none_comes_while_the_server_wants_quiet() -> None:
    pace = Pace(0.5)
    assert [pace.take(10.0), pace.take(10.0), pace.take(10.75)] == [0.0, 0.5, 0.25]
    pace.hold(20.0)
    assert [pace.take(11.0), pace.take(11.0)] == [9.0, 9.5]
    assert pace.take(30.0) == 0.0


def test_what_may_pass_is_asked_again(charts: ChartServer, client: Any) -> None:
    charts.faults += [(503, {}), "cut", (429, {"Retry-After": "7"}), (502, {}), "silence"]
    assert client.get(charts.url).status == 404
    assert len(charts.requests) == 5
    # Doubling, but for what the server wished.
    assert [pause for pause in client.clock.pauses if pause > 0.1] == [0.5, 1.0, 7.0, 4.0, 8.0]


def test_a_date_may_say_when_to_come_back(charts: ChartServer, client: Any) -> None:
    charts.faults.append((503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}))
    assert client.get(charts.url).status == 404
    assert client.clock.pauses == [0.1]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ((500, {}), r"answered 500; asked 7 times, for at most 60 s"),
        ((429, {"Retry-After": "3600"}), r"answered 429, to come back in 3600 s; asked 1 times"),
        ("cut", r"peer closed connection.*; asked 7 times"),
    ],
)
def test_it_ends_in_time(charts: ChartServer, client: Any, fault: Any, reason: str) -> None:
    charts.faults += [fault] * 20
    with pytest.raises(SourceError, match=reason):
        client.get(charts.url)
    assert client.clock.now_s < 60


def test_a_server_that_is_not_there_is_named(client: Any) -> None:
    with pytest.raises(SourceError, match=r"^127.0.0.1/x: .*refused"):
        client.get("http://127.0.0.1:1/x")


def test_secrets_get_into_no_error_and_no_log(
    charts: ChartServer, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    charts.faults += [(500, {})] * 20
    with pytest.raises(SourceError) as caught:
        client.get(f"{charts.url}/s3cret/x?key=k3y", {"token": "t0ken"})
    texts = [str(caught.value), repr(caught.value.__cause__), caplog.text]
    assert "***/x: answered 500" in texts[0]
    assert not any(secret in text for text in texts for secret in ("s3cret", "k3y", "t0ken"))


def test_a_closed_client_ends_those_who_wait(charts: ChartServer) -> None:
    client = HttpClient(per_s=0.001)
    client.get(charts.url)
    client.close()
    with pytest.raises(SourceError, match="was closed"):
        client.get(charts.url)


# -- Yahoo ----------------------------------------------------------------------------------------


@pytest.fixture
def yahoo(charts: ChartServer) -> Iterator[YahooSource]:
    source = YahooSource(charts.url, client=HttpClient(per_s=1000, within_s=1))
    yield source
    source.close()


def test_days_are_those_of_the_exchange(charts: ChartServer, yahoo: YahooSource) -> None:
    listings = {
        "AAPL": Listing([]),
        "VOD.L": Listing([], tz="Europe/London", exchange="LSE", opens="08:00"),
        # Midnight in London, which in summer is the evening before in UTC.
        "EURUSD=X": Listing([], tz="Europe/London", exchange="CCY", opens="00:00"),
        # 10:00 in Sydney is the evening before in UTC, too, but in winter.
        "BHP.AX": Listing([], tz="Australia/Sydney", exchange="ASX", opens="10:00"),
    }
    days = weekdays(date(2020, 3, 2), date(2020, 4, 30))
    for symbol, listing in listings.items():
        daily(listing, days)
        charts.listings[symbol] = listing
        answer = yahoo.fetch(symbol, "1D", utc("2020-03-02"), utc("2020-05-01"))
        assert answer.bars.ts.astype("M8[D]").tolist() == days
        assert answer.timezone == listing.tz
        assert not answer.bars.validate().rejections


def test_only_what_was_asked_for_comes(charts: ChartServer, yahoo: YahooSource) -> None:
    charts.listings["X"] = Listing([])
    daily(charts.listings["X"], JANUARY)
    answer = yahoo.fetch("X", "1D", utc("2020-01-07"), utc("2020-01-10"))
    assert [str(ts)[:10] for ts in answer.bars.ts] == ["2020-01-07", "2020-01-08", "2020-01-09"]
    assert answer.calendar == "XNYS"


def test_prices_are_those_of_their_day_whatever_splits_came_later(
    charts: ChartServer, yahoo: YahooSource
) -> None:
    splits = {date(2020, 1, 15): 4.0, date(2020, 1, 29): 0.5}
    charts.listings["X"] = Listing([], splits, {date(2020, 1, 8): 0.82, date(2020, 1, 29): 3.0})
    daily(charts.listings["X"], JANUARY, first_close=187.15)
    answer = yahoo.fetch("X", "1D", utc("2020-01-02"), utc("2020-01-10"))
    assert answer.bars.close.tolist() == [187.15, 187.4, 187.65, 187.9, 188.15, 188.4]
    assert answer.bars.volume.tolist() == [1000, 1001, 1002, 1003, 1004, 1005]
    assert answer.actions == [
        Action("X", date(2020, 1, 8), "dividend", 0.82),
        Action("X", date(2020, 1, 15), "split", 4.0),
        Action("X", date(2020, 1, 29), "dividend", 3.0),
        Action("X", date(2020, 1, 29), "split", 0.5),
    ]
    naive = charts.listings["X"].chart("X", "1d", 0, 2e9)["indicators"]["quote"][0]["close"]
    assert naive[0] == pytest.approx(187.15 / 2)


def test_a_row_without_prices_is_no_bar_and_said(charts: ChartServer, yahoo: YahooSource) -> None:
    listing = charts.listings["X"] = Listing([])
    daily(listing, JANUARY)
    listing.rows[3] = (listing.rows[3][0], None, None, None, None, None)
    listing.rows[4] = (listing.rows[4][0], 1.0, None, 1.0, 1.0, None)
    answer = yahoo.fetch("X", "1D", utc("2020-01-01"), utc("2020-02-01"))
    assert len(answer.bars) == len(JANUARY) - 1
    assert list(answer.notes) == ["1 times without a price are no bars"]
    (rejected,) = answer.bars.validate().rejections
    assert rejected.reason == "high missing or not finite"


def test_the_running_session_is_one_bar(charts: ChartServer, yahoo: YahooSource) -> None:
    listing = charts.listings["X"] = Listing([])
    daily(listing, [date(2020, 1, 2)])
    listing.traded_at = listing.at(date(2020, 1, 2), "11:17")
    listing.rows.append((listing.traded_at, 1.0, 2.0, 1.0, 1.5, 7.0))
    answer = yahoo.fetch("X", "1D", utc("2020-01-02"), utc("2020-01-03"))
    assert answer.bars.close.tolist() == [1.5]


@pytest.mark.parametrize(("timeframe", "minutes"), [("5m", 5), ("1h", 60)])
@pytest.mark.parametrize("last", ["11:17:03", "16:00:00", "16:00:01"])
def test_the_last_trade_is_no_interval(
    charts: ChartServer, yahoo: YahooSource, timeframe: str, minutes: int, last: str
) -> None:
    listing = charts.listings["X"] = Listing([])
    opens = listing.at(date(2020, 1, 2), "09:30")
    starts = [opens + n * minutes * 60 for n in range(4)]
    listing.traded_at = listing.at(date(2020, 1, 2), last)
    listing.rows += [(stamp, 1.0, 2.0, 0.5, 1.5, 7.0) for stamp in [*starts, listing.traded_at]]
    answer = yahoo.fetch("X", timeframe, utc("2020-01-01"), utc("2020-02-01"))
    stamps = answer.bars.ts.astype("M8[s]").astype(np.int64)
    assert stamps.tolist() == starts


def test_a_long_range_of_minutes_is_several_requests(
    charts: ChartServer, yahoo: YahooSource
) -> None:
    listing = charts.listings["X"] = Listing([])
    daily(listing, JANUARY)
    answer = yahoo.fetch("X", "1m", utc("2020-01-01"), utc("2020-02-01"))
    asked = [request for request in charts.requests if request["interval"] == "1m"]
    spans = [float(each["period2"]) - float(each["period1"]) for each in asked]
    assert max(spans) <= 7 * 86400
    assert sum(spans) == 31 * 86400
    assert len(answer.bars) == len(JANUARY)


def test_what_goes_to_now_is_one_request(charts: ChartServer, yahoo: YahooSource) -> None:
    listing = charts.listings["X"] = Listing([])
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=n) for n in range(9, 1, -1)]
    daily(listing, days)
    listing.splits[today - timedelta(days=1)] = 2.0
    now = datetime.now(UTC)
    for timeframe, end in (("1D", now + timedelta(days=1)), ("5m", now - timedelta(hours=1))):
        charts.requests.clear()
        answer = yahoo.fetch("X", timeframe, now - timedelta(days=20), end)
        assert len(charts.requests) == 1
        assert answer.bars.close[0] == 100


def test_nothing_before_the_first_bar_is_an_answer(charts: ChartServer, yahoo: YahooSource) -> None:
    charts.listings["X"] = Listing([])
    daily(charts.listings["X"], JANUARY)
    assert len(yahoo.fetch("X", "1D", utc("2019-01-01"), utc("2019-02-01")).bars) == 0


def test_what_yahoo_refuses_is_an_error_in_its_words(
    charts: ChartServer, yahoo: YahooSource
) -> None:
    with pytest.raises(SourceError, match="GONE: Yahoo says: No data found, symbol may be deli"):
        yahoo.fetch("GONE", "1D", utc("2020-01-01"), utc("2020-02-01"))
    with pytest.raises(SourceError, match="1W bars are not taken from Yahoo"):
        yahoo.fetch("X", "1W", utc("2020-01-01"), utc("2020-02-01"))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda chart: chart["meta"].pop("exchangeTimezoneName"), "another shape: KeyError"),
        (lambda chart: chart["timestamp"].pop(), "columns differ in length"),
        (lambda chart: chart["meta"].update(symbol="Y"), "X: Yahoo answered of Y"),
        (lambda chart: chart.clear(), "another shape|answered of None"),
    ],
)
def test_an_answer_of_another_shape_is_refused(
    charts: ChartServer,
    yahoo: YahooSource,
    monkeypatch: pytest.MonkeyPatch,
    damage: Any,
    reason: str,
) -> None:
    charts.listings["X"] = Listing([])
    daily(charts.listings["X"], JANUARY)
    whole = Listing.chart

    def damaged(self: Listing, *args: Any) -> Any:
        chart = whole(self, *args)
        damage(chart)
        return chart

    monkeypatch.setattr(Listing, "chart", damaged)
    with pytest.raises(SourceError, match=reason):
        yahoo.fetch("X", "1D", utc("2020-01-01"), utc("2020-02-01"))


def test_calendars_of_exchanges_are_there() -> None:
    known = {"24/7", *exchange_calendars.get_calendar_names()}
    assert set(_CALENDARS.values()) <= known


def test_how_far_back_intraday_bars_go_is_said(yahoo: YahooSource) -> None:
    ((start, _),) = yahoo.offers("X", "1m") or ()
    assert timedelta(days=28) < datetime.now(UTC) - start < timedelta(days=30)
    assert yahoo.offers("X", "1D") is None


# -- directories ----------------------------------------------------------------------------------

HEADER = "date,open,high,low,close,volume"


def write(path: Path, closes: dict[str, float], modified: str) -> None:
    rows = [f"{day},1,9,0.5,{close},7" for day, close in closes.items()]
    path.write_text("\n".join([HEADER, *rows, ""]))
    stamp = utc(modified).timestamp()
    os.utime(path, (stamp, stamp))


def test_files_are_fetched_by_series_and_time(tmp_path: Path) -> None:
    old = {"2020-01-02": 1.5, "2020-01-03": 1.5, "2020-01-06": 1.25}
    write(tmp_path / "X_1D.csv", old, "2020-01-06T18:00")
    (tmp_path / "later").mkdir()
    new = {"2020-01-06": 2.0, "2020-01-07": 2.5}
    write(tmp_path / "later" / "X_1D.csv", new, "2020-01-08T00:00")
    write(tmp_path / "Y_1D.csv", {"2020-01-02": 5.0}, "2020-01-08T00:00")
    source = DirectorySource(tmp_path, tz="America/New_York")
    assert sorted(source.offers("X", "1D")) == [
        (utc("2020-01-02"), utc("2020-01-07")),
        (utc("2020-01-06"), utc("2020-01-08")),
    ]
    answer = source.fetch("X", "1D", utc("2020-01-03"), utc("2020-01-08"))
    closes = dict(zip(answer.bars.ts.astype("M8[D]").astype(str), answer.bars.close, strict=True))
    assert closes == {"2020-01-03": 1.5, "2020-01-06": 2.0, "2020-01-07": 2.5}
    assert not answer.bars.validate().rejections
    assert answer.observed_at == utc("2020-01-06T18:00")
    assert answer.timezone == "America/New_York"
    with pytest.raises(SourceError, match="no file has bars of Z 1D"):
        source.offers("Z", "1D")


def test_the_time_of_a_file_that_is_older_than_its_bars_does_not_count(tmp_path: Path) -> None:
    write(tmp_path / "X_1D.csv", {"2020-01-02": 1.5, "2020-01-03": 1.5}, "1980-01-01")
    answer = DirectorySource(tmp_path).fetch("X", "1D", utc("2020-01-01"), utc("2020-02-01"))
    assert answer.observed_at is not None
    assert datetime.now(UTC) - answer.observed_at < timedelta(minutes=9)


def test_a_file_that_cannot_be_read_is_left_out_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "X_1D.csv", {"2020-01-02": 1.5}, "2020-01-08T00:00")
    (tmp_path / "bad.csv").write_text("no,bars\n1,2\n")
    source = DirectorySource(tmp_path)
    assert len(source.fetch("X", "1D", utc("2020-01-01"), utc("2020-02-01")).bars) == 1
    assert "left out" in caplog.text
    assert "bad.csv" in caplog.text
    with pytest.raises(SourceError, match="no file has bars of Y 1D; 1 could not be read"):
        source.offers("Y", "1D")


# -- by name --------------------------------------------------------------------------------------


def test_sources_are_found_by_their_names(tmp_path: Path) -> None:
    assert isinstance(open_source(f"directory:{tmp_path}"), DirectorySource)
    yahoo = open_source("yahoo")
    assert (yahoo.name, yahoo.prices, yahoo.parallel) == ("yahoo", "raw", 4)
    yahoo.close()
    with pytest.raises(ConfigError, match="there is no source 'yahooo': did you mean yahoo"):
        open_source("yahooo")
    with pytest.raises(ConfigError, match="no directory"):
        open_source("directory:/no/such/place")


def test_without_the_extra_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    for name in ("http", "yahoo"):
        monkeypatch.delitem(sys.modules, f"jutsu_sql.sources.{name}")
    with pytest.raises(ConfigError, match=r"needs httpx: pip install 'jutsu_sql\[sync\]'"):
        open_source("yahoo")


def test_another_package_brings_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_bars.py").write_text(
        "from jutsu_sql.store import Source\n"
        "class Acme(Source):\n"
        "    name = 'acme'\n"
        "    def __init__(self, argument, tz, calendar):\n"
        "        self.said = argument, tz, calendar\n"
    )
    info = tmp_path / "acme_bars-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-bars\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[jutsu_sql.sources]\nacme = acme_bars:Acme\nbroken = acme_bars:Missing\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    source: Any = open_source("acme:eu:fast", tz="UTC")
    assert source.said == ("eu:fast", "UTC", None)
    assert (source.prices, source.parallel, source.offers("X", "1D")) == ("not said", 1, None)
    with pytest.raises(ConfigError, match=r"'broken' \(acme_bars:Missing\)"):
        open_source("broken")


def test_the_source_of_the_document_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[1] / "docs" / "sync.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(import os\n.*?)^```", text, re.DOTALL | re.MULTILINE)
    monkeypatch.setenv("ACME_KEY", "s3cret")
    module: dict[str, Any] = {}
    exec(block, module)
    record = {"ts": "2020-01-02", "open": 1, "high": 2, "low": 0.5, "close": 1.5, "volume": 7}

    def get(self: HttpClient, url: str, params: dict[str, str]) -> Reply:
        assert url.endswith("/X")
        assert params == {"from": "2020-01-01T00:00:00+00:00", "key": "s3cret"}
        return Reply(200, json.dumps([record]).encode(), "acme")

    monkeypatch.setattr(HttpClient, "get", get)
    source = module["Acme"]("", tz=None, calendar=None)
    answer = source.fetch("X", "1D", utc("2020-01-01"), utc("2020-02-01"))
    assert answer.bars.ts.astype("M8[D]").tolist() == [date(2020, 1, 2)]
    assert not answer.bars.validate().rejections
    source.close()
