"""Files as vendors write them, against figures that were taken from their text without floats.

They lie beside the repository where it is developed, and are not the project's to ship: see the
README there, which the figures are from.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

import jutsu_sql
from jutsu_sql import BarStore
from jutsu_sql.sources import ImportReport, RefusedLine, import_file

DATA = Path(__file__).parents[2] / "shared" / "data"


@dataclass(frozen=True)
class VendorFile:
    name: str
    symbol: str
    tz: str
    rows: int
    refused: int
    first: date
    last: date
    closes: str
    volumes: str | None
    columns: Mapping[str, str] = field(default_factory=dict)


FILES = [
    VendorFile(
        "yahoo-csv__SPY__1d.csv",
        "SPY",
        "America/New_York",
        rows=2519,
        refused=2,
        first=date(2007, 12, 31),
        last=date(2017, 12, 29),
        closes="406571.140076",
        volumes="415022873400",
    ),
    VendorFile(
        "yfinance-csv__SSNLF__1d.csv",
        "SSNLF",
        "America/New_York",
        rows=6259,
        refused=242,
        first=date(2001, 8, 6),
        last=date(2026, 6, 26),
        closes="169686.4344148635869430",
        volumes="13646832.0",
    ),
    VendorFile(
        "tradingview-csv__SPY__1d.csv",
        "SPY",
        "America/New_York",
        rows=7102,
        refused=0,
        first=date(1993, 1, 29),
        last=date(2021, 4, 13),
        closes="1037074.63745",
        volumes="601406276727",
    ),
    VendorFile(
        "cboe-csv__VIX__1d.csv",
        "VIX",
        "America/Chicago",
        rows=9095,
        refused=47,
        first=date(1990, 1, 2),
        last=date(2026, 1, 7),
        closes="176867.230000",
        volumes=None,
    ),
    VendorFile(
        "nse-india-csv__TCS__1d.csv",
        "TCS",
        "Asia/Kolkata",
        rows=4746,
        refused=0,
        first=date(2004, 8, 25),
        last=date(2023, 10, 17),
        closes="9082885.60",
        volumes="8290489176",
        columns={
            "open": "Open Price",
            "high": "High Price",
            "low": "Low Price",
            "close": "Close Price",
            "volume": "Total Traded Quantity",
        },
    ),
]


def require(file: VendorFile) -> None:
    if not (DATA / file.name).exists():
        pytest.skip(f"{DATA / file.name} is not here: vendors' files are not the project's to ship")


@pytest.fixture(params=FILES, ids=lambda file: file.name)
def vendor_file(request: pytest.FixtureRequest) -> VendorFile:
    file: VendorFile = request.param
    require(file)
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def vendor_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BarStore]:
    url = f"sqlite:///{tmp_path}/bars.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_database")
    with jutsu_sql.connect(url) as db:
        db.migrate()
        yield BarStore(db)


def import_vendor_file(store: BarStore, file: VendorFile) -> ImportReport:
    return import_file(
        store,
        DATA / file.name,
        symbol=file.symbol,
        timeframe="1D",
        tz=file.tz,
        columns=file.columns,
    )


def cells(done: ImportReport, file: VendorFile) -> list[dict[str, str]]:
    """The refused rows as they are written, by field."""
    with (DATA / file.name).open(encoding="utf-8", newline="") as text:
        names = next(csv.reader(text))
    field_of = {header: name for name, header in done.layout.columns.items()}
    return [
        {field_of.get(name, name): cell for name, cell in zip(names, row, strict=True)}
        for row in csv.reader(each.text for each in done.refused)
    ]


def violates(row: dict[str, str]) -> bool:
    prices = {name: Decimal(row[name]) for name in ("open", "high", "low", "close")}
    return prices["low"] > min(prices.values()) or prices["high"] < max(prices.values())


def is_empty(row: dict[str, str]) -> bool:
    return not any(row[name] for name in ("open", "high", "low", "close", "volume"))


def test_stored_and_refused_rows_are_the_whole_file(
    vendor_store: BarStore, vendor_file: VendorFile
) -> None:
    done = import_vendor_file(vendor_store, vendor_file)
    assert (done.report.received, done.report.rejected) == (vendor_file.rows, vendor_file.refused)
    assert done.report.inserted == vendor_file.rows - vendor_file.refused
    bars = vendor_store.read(vendor_file.symbol, "1D", as_decimal=True)
    assert len(bars) == done.report.inserted
    stamps = [bar.ts.date() for bar in bars]
    assert (stamps[0], stamps[-1]) == (vendor_file.first, vendor_file.last)
    assert len(set(stamps)) == len(stamps)
    refused = cells(done, vendor_file)
    closes = [*bars.close, *(Decimal(row["close"]) for row in refused if row["close"])]
    assert sum(closes) == Decimal(vendor_file.closes)
    if vendor_file.volumes is None:
        assert set(bars.volume) == {Decimal(0)}
        assert done.layout.notes == ("no volume column: volumes are 0",)
    else:
        volumes = [*bars.volume, *(Decimal(row["volume"]) for row in refused if row["volume"])]
        assert sum(volumes) == Decimal(vendor_file.volumes)


def test_the_refused_rows_are_the_defective_ones(
    vendor_store: BarStore, vendor_file: VendorFile
) -> None:
    done = import_vendor_file(vendor_store, vendor_file)
    lines = (DATA / vendor_file.name).read_text(encoding="utf-8").splitlines()
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


def test_importing_it_again_changes_nothing(
    vendor_store: BarStore, vendor_file: VendorFile
) -> None:
    first = import_vendor_file(vendor_store, vendor_file)
    again = import_vendor_file(vendor_store, vendor_file)
    assert again.report.unchanged == first.report.inserted
    assert (again.report.inserted, again.report.updated) == (0, 0)
    assert again.refused == first.refused


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
