"""Files as vendors write them, against figures that were taken from their text without floats.

They lie beside the repository where it is developed, and are not the project's to ship: see the
README there, which the figures are from.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import jutsu_sql
from jutsu_sql import BarStore
from jutsu_sql.cli import main
from jutsu_sql.errors import SourceError
from jutsu_sql.sources import ImportReport, RefusedLine, import_file, raw_stamps, read_file

DATA = Path(__file__).parents[2] / "shared" / "data"
NEW_YORK = "America/New_York"


@dataclass(frozen=True)
class VendorFile:
    """``first`` and ``last`` are the earliest and the latest ``ts``, ``notes`` what is told."""

    name: str
    shape: str
    rows: int
    refused: int
    first: str
    last: str
    closes: str
    volumes: str
    options: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()

    @property
    def series(self) -> tuple[list[str], str]:
        symbol, timeframe = self.name.split(".zip")[0].split("__")[1:]
        timeframe = timeframe.split(".")[0].replace("1d", "1D")
        return list(self.symbols or (symbol,)), timeframe


FILES = [
    VendorFile(
        "yahoo-csv__SPY__1d.csv", "yahoo", 2519, 2, "2007-12-31", "2017-12-29",
        "406571.140076", "415022873400",
    ),
    VendorFile(
        "yfinance-csv__SSNLF__1d.csv", "yahoo", 6259, 242, "2001-08-06", "2026-06-26",
        "169686.4344148635869430", "13646832.0",
        notes=("6003 bars flat", "5164 bars with a volume of 0"),
    ),
    VendorFile(
        "tradingview-csv__SPY__1d.csv", "tradingview", 7102, 0, "1993-01-29", "2021-04-13",
        "1037074.63745", "601406276727", {"tz": NEW_YORK}, ("1 bar flat",),
    ),
    VendorFile(
        "metatrader5-export__EURGBP__1h.csv", "metatrader5", 3608, 0,
        "2025-06-22T21:00", "2026-01-21T08:00", "3138.40621", "6254181",
        {"tz": "Europe/Athens"}, ("counts of ticks",),
    ),
    VendorFile(
        "stooq-bulk__BRK-B.US__1d.txt", "stooq", 7493, 0, "1996-05-09", "2026-02-20",
        "1046757.18", "160234060340", notes=("1 bar flat",),
    ),
    VendorFile(
        "investing-com-csv__BTCUSD__1d.csv", "investing", 4195, 31, "2010-07-19", "2022-01-10",
        "29287633.0", "1196604090.00",
        notes=("6 volumes are written as none", "200 bars flat", "3 bars with a price of 0"),
    ),
    VendorFile(
        "histdata-ascii__EURUSD__1m.csv", "histdata", 31500, 0,
        "2017-01-02T07:00", "2017-02-01T04:58", "33477.616460", "0",
        notes=("every volume is 0", "233 bars flat"),
    ),
    VendorFile(
        "ninjatrader-txt__SPY__1m.csv", "ninjatrader", 14180, 0,
        "2011-01-03T09:00", "2011-02-01T00:59", "1818031.26", "2586902488",
        notes=("2396 bars flat",),
    ),
    VendorFile(
        "cryptodatadownload-csv__BTCUSD__1h.csv", "cryptodatadownload", 20111, 0,
        "2017-07-01T11:00", "2019-10-17T09:00", "144373427.91", "11713864.18847",
        notes=("Timestamps are UTC timezone", "28 bars with a volume of 0", "30 bars flat"),
    ),
    VendorFile(
        "binance-vision-zip__ADABTC__1m.zip", "binance", 1440, 0,
        "2021-11-28T00:00", "2021-11-28T23:59", "0.03979555", "39091898.60000000",
        notes=("4 bars flat",),
    ),
    VendorFile(
        "kraken-api-json__XBTUSDT__1m.json", "kraken", 721, 0,
        "2025-11-10T12:17", "2025-11-11T00:17", "76258353.7", "137.57368379",
        notes=("1762820220 was not complete", "216 bars with a volume of 0", "435 bars flat"),
    ),
    VendorFile(
        "coinbase-api-json__ETH-USD__1d.json", "coinbase", 3450, 0, "2016-05-18", "2025-10-29",
        "4869012.64", "578429783.65781491", notes=("1 bar close more than 40%",),
    ),
    VendorFile(
        "freqtrade-json__UNITTEST_BTC__1m.json", "freqtrade", 13681, 0,
        "2017-11-04T23:02", "2017-11-14T22:59", "30.35833041", "8177281.90904203",
        notes=("1935 bars flat",),
    ),
    VendorFile(
        "freqtrade-feather__ETH_BTC__5m.feather", "freqtrade", 5760, 0,
        "2018-01-10T04:55", "2018-01-30T04:50",
        "538.66992235000000633", "1377404.948304090000045",
    ),
    VendorFile(
        "lean-equity-zip__SPY__1d.zip", "lean-equity", 5849, 0, "1998-01-02", "2021-03-31",
        "958679.5100", "523995767985",
    ),
    VendorFile(
        "lean-quote-zip__XAUUSD__1d.zip", "lean-quote", 3949, 0, "2006-03-20", "2019-02-25",
        "4672762.955", "0", notes=("bid prices", "654 bars dated Saturday or Sunday"),
    ),
    VendorFile(
        "lean-minute-zip__BTCUSD-20161007__1m.zip", "lean", 1419, 0,
        "2016-10-07T00:00", "2016-10-07T23:59", "872803.24", "5119.98889954",
        notes=("331 bars flat",), symbols=("BTCUSD",),
    ),
    VendorFile(
        "nse-india-csv__TCS__1d.csv", "nse", 4746, 0, "2004-08-25", "2023-10-17",
        "9082885.60", "8290489176",
        notes=("3 bars close more than 40%", "20 bars dated Saturday or Sunday"),
    ),
    VendorFile(
        "google-finance-csv__ORCL__1d.csv", "csv", 252, 0, "2010-01-04", "2010-12-31",
        "6415.19", "7946139349",
    ),
    VendorFile(
        "barchart-csv__JPYUSD__1d.csv", "barchart", 519, 0, "2018-03-12", "2020-03-11",
        "4.730408878", "1836800",
    ),
    VendorFile(
        "cboe-csv__VIX__1d.csv", "csv", 9095, 47, "1990-01-02", "2026-01-07",
        "176867.230000", "0", notes=("no volume column: volumes are 0", "506 bars flat"),
    ),
    VendorFile(
        "tushare-csv__000001.SZ__1d.csv", "tushare", 1488, 0, "2014-01-02", "2020-02-13",
        "15001.6776", "1485590001.82", notes=("lots of 100 shares",),
    ),
    VendorFile(
        "dukascopy-csv__EURUSD__1h.csv", "dukascopy", 144, 0,
        "2021-10-10T16:00", "2021-10-16T15:00", "166.72230", "384702.705",
        notes=("24 bars flat", "24 bars with a volume of 0"),
    ),
    VendorFile(
        "pandas-to-csv__EURUSD__1h.txt", "csv", 3728, 0, "2019-02-15T14:00", "2019-09-20T20:00",
        "4180.4019799999999928", "11926260", {"tz": "UTC"},
        ("155 times are dates alone", "450 bars off the grid"),
    ),
    VendorFile(
        "databento-dbn-zst__ESU4-NQU4__1m.dbn.zst", "databento", 60, 0,
        "2024-07-01T23:40", "2024-07-02T00:09", "766407.25", "2742", symbols=("ESU4", "NQU4"),
    ),
]  # fmt: skip
TEXTS = [file for file in FILES if file.name.endswith((".csv", ".txt"))]


def require(file: VendorFile) -> None:
    if not (DATA / file.name).exists():
        pytest.skip(f"{DATA / file.name} is not here: vendors' files are not the project's to ship")


@pytest.fixture(params=FILES, ids=lambda file: file.name)
def vendor_file(request: pytest.FixtureRequest) -> VendorFile:
    file: VendorFile = request.param
    require(file)
    return file


@pytest.fixture
def vendor_store(migrated_url: str) -> Iterator[BarStore]:
    with jutsu_sql.connect(migrated_url) as db:
        yield BarStore(db)


def import_vendor_file(store: BarStore, file: VendorFile) -> ImportReport:
    return import_file(store, DATA / file.name, **file.options)


def cells(done: ImportReport, file: VendorFile) -> list[dict[str, str]]:
    """The refused rows as they are written, by field."""
    with (DATA / file.name).open(encoding="utf-8-sig", newline="") as text:
        names = next(csv.reader(text))
    field_of = {header: name for name, header in done.layout.columns.items()}
    return [
        {field_of.get(name, name): cell for name, cell in zip(names, row, strict=True)}
        for row in csv.reader(each.text for each in done.refused)
    ]


def number(cell: str) -> Decimal:
    """A cell of a price or a volume, by the plainest means."""
    for suffix, factor in (("K", 1000), ("M", 1_000_000)):
        if cell.endswith(suffix):
            return Decimal(cell[:-1].replace(",", "")) * factor
    return Decimal(0) if cell == "-" else Decimal(cell.replace(",", ""))


def violates(row: dict[str, str]) -> bool:
    prices = {name: number(row[name]) for name in ("open", "high", "low", "close")}
    return prices["low"] > min(prices.values()) or prices["high"] < max(prices.values())


def is_empty(row: dict[str, str]) -> bool:
    return not any(row[name] for name in ("open", "high", "low", "close", "volume"))


def test_stored_and_refused_rows_are_the_whole_file(
    vendor_store: BarStore, vendor_file: VendorFile
) -> None:
    done = import_vendor_file(vendor_store, vendor_file)
    assert done.layout.shape == vendor_file.shape
    assert (done.report.received, done.report.rejected) == (vendor_file.rows, vendor_file.refused)
    assert done.report.inserted == vendor_file.rows - vendor_file.refused
    symbols, timeframe = vendor_file.series
    assert [each.symbol for each in vendor_store.series()] == symbols
    bars = vendor_store.read(symbols, timeframe, as_decimal=True)
    assert len(bars) == done.report.inserted
    assert (bars.ts.min(), bars.ts.max()) == (
        np.datetime64(vendor_file.first),
        np.datetime64(vendor_file.last),
    )
    refused = cells(done, vendor_file) if done.refused else []
    closes = [*bars.close, *(number(row["close"]) for row in refused if row["close"])]
    assert sum(closes) == Decimal(vendor_file.closes)
    volumes = [*bars.volume, *(number(row["volume"]) for row in refused if row.get("volume"))]
    assert sum(volumes) == Decimal(vendor_file.volumes)
    for note in vendor_file.notes:
        assert note in "; ".join(done.layout.notes)
    again = import_vendor_file(vendor_store, vendor_file)
    assert again.report.skipped
    assert again.report.unchanged == done.report.inserted
    assert again.refused == done.refused


def test_the_refused_rows_are_the_defective_ones(
    vendor_store: BarStore, vendor_file: VendorFile
) -> None:
    if not vendor_file.refused:
        return
    done = import_vendor_file(vendor_store, vendor_file)
    lines = (DATA / vendor_file.name).read_text(encoding="utf-8-sig").splitlines()
    assert [each.text for each in done.refused] == [lines[each.line - 1] for each in done.refused]
    refused = cells(done, vendor_file)
    if "yahoo" in vendor_file.name:
        assert [row["date"] for row in refused] == ["2015-03-05", "2015-03-30"]
        assert done.refused[0] == RefusedLine(
            lines.index(done.refused[0].text) + 1,
            "open 209.419998 is below low 209.850006",
            done.refused[0].text,
        )
    if "yfinance" in vendor_file.name:
        assert all(is_empty(row) for row in refused)
        assert refused[0]["time"].startswith("2009-10-23")
    else:
        assert all(violates(row) for row in refused)


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: file.name)
def test_every_stamp_can_be_had_back_from_what_is_kept(file: VendorFile) -> None:
    require(file)
    parsed = read_file(DATA / file.name, **file.options)
    good = ~np.isnat(parsed.bars.ts)
    raw = raw_stamps(parsed.reading, parsed.bars.ts[good])
    texts = (DATA / file.name).read_text(encoding="utf-8-sig").splitlines()
    stamps = [texts[line - 1] for line in parsed.lines[good].tolist()]
    for stamp, text in list(zip(raw.tolist(), stamps, strict=True))[:: max(1, len(stamps) // 200)]:
        day = stamp.date()
        spellings = (
            f"{day}", f"{day:%Y/%m/%d}", f"{day:%Y.%m.%d}", f"{day:%Y%m%d}", f"{day:%m/%d/%Y}",
            f"{day:%d.%m.%Y}", f"{day:%b %d, %Y}", f"{day.day}-{day:%b-%y}",
            f"{day.month}/{day.day}/{day.year}",
        )  # fmt: skip
        assert any(each in text for each in spellings), (stamp, text)
        if ":" in text and file.name.split("-")[0] in ("tradingview", "metatrader5", "dukascopy"):
            assert f"{stamp:%H:%M}" in text


def test_a_folder_of_files_goes_in_with_one_command(tmp_path: Path) -> None:
    """Those that say where they are from; what the others need is asked for."""
    require(FILES[0])
    url = f"sqlite:///{tmp_path}/bars.db"
    with jutsu_sql.connect(url) as db:
        db.migrate()
    words = ["import", str(DATA), "--url", url, "--json"]
    files = json.loads(CliRunner().invoke(main, words).stdout)["files"]
    errors = {Path(each["path"].split("!")[0]).name: each["error"] for each in files}
    told = {name for name, error in errors.items() if error is None}
    # TradingView's SPY is a series that LEAN's file has told the exchange of.
    assert told == {file.name for file in FILES if not file.options} | {FILES[2].name}
    for name in errors.keys() - told:
        assert "--tz" in errors[name]


def test_what_two_shapes_fit_is_asked_for(tmp_path: Path) -> None:
    require(FILES[6])
    for name in ("histdata-ascii__EURUSD__1m.csv", "lean-equity-zip__SPY__1d.zip"):
        copy = tmp_path / f"EURUSD{Path(name).suffix}"
        copy.write_bytes((DATA / name).read_bytes())
        with pytest.raises(SourceError, match="2 shapes fit.*--as .*--as "):
            read_file(copy)
        assert len(read_file(copy, shape=name.split("-")[0].replace("lean", "lean-equity")).bars)


def test_session_dates_do_not_depend_on_how_a_vendor_stamps_them(vendor_store: BarStore) -> None:
    """Two vendors' SPY: one stamps the date, the other the open in UTC."""
    dates = []
    for file in (FILES[0], FILES[2]):
        require(file)
        import_vendor_file(vendor_store, file)
        dates.append(vendor_store.read("SPY", "1D", "2008-01-01", "2014-12-31").ts.tolist())
        vendor_store.delete("SPY")
    assert dates[0] == dates[1]
    assert len(dates[0]) == 1763


def test_the_calendar_of_new_york_knows_every_session_of_spy() -> None:
    require(FILES[2])
    parsed = read_file(DATA / FILES[2].name, calendar="XNYS")
    assert "sessions of XNYS" in parsed.layout.sessions
    assert not any("without a session" in note for note in parsed.layout.notes)
