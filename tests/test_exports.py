"""Bars out as files and in again: the same bars to the bit, and nothing half written."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import jutsu_sql
from jutsu_sql import Bars, BarStore, exports
from jutsu_sql.cli import main
from jutsu_sql.errors import BarsError, ConfigError, ExportError
from jutsu_sql.exports import export_bars
from jutsu_sql.sources import import_file, read_file
from jutsu_sql.store import scan

COLUMNS = ("ts", "open", "high", "low", "close", "volume")


def bars(symbol: str, timeframe: str, rows: int = 5, first: str = "2024-01-02") -> Bars:
    step = np.timedelta64(1, "D" if timeframe == "1D" else "m")
    ts = np.datetime64(first, "us") + np.arange(rows) * step
    x = 100.0 + np.arange(rows) / 3
    return Bars.from_arrays(symbol, timeframe, ts, x, x + 0.1, x - 0.1, x, x * 1e-9)


def bits(bars: Bars) -> list[bytes]:
    return [getattr(bars, name).tobytes() for name in COLUMNS]


def read_back(path: Path, form: str) -> Bars:
    readers: dict[str, Any] = {
        "csv": pl.read_csv,
        "parquet": pq.read_table,
        "feather": pyarrow.feather.read_table,
    }
    return Bars.from_arrow(readers[form](path), tz="UTC" if form == "csv" else None)


# --- scan -----------------------------------------------------------------------------------------


def test_a_scan_gives_every_bar_series_by_series(
    store: BarStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "_PIECE_BARS", 4)
    monkeypatch.setattr(scan, "_SERIES_AT_ONCE", 2)
    wanted = [bars("A", "1D", 4), bars("A", "1m", 9), bars("B", "1m", 1), bars("C", "1D", 13)]
    store.write(Bars.concat(reversed(wanted)), source="test")
    blocks = list(store.scan())
    assert max(map(len, blocks)) == 4
    assert {len(block.series) for block in blocks} == {1}
    assert list(Bars.concat(blocks)) == list(Bars.concat(wanted))
    some = Bars.concat(store.scan(["C", "A"], "1D", "2024-01-04", "2024-01-07"))
    assert list(some) == [*list(wanted[0])[2:], *list(wanted[3])[2:6]]
    with pytest.raises(BarsError, match="no series of X"):
        list(store.scan(["A", "X"]))
    with pytest.raises(BarsError, match="no timeframe"):
        store.scan("A", "soon")


def test_a_scan_is_of_one_state(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "_PIECE_BARS", 4)
    with jutsu_sql.connect(migrated_url) as db:
        store = BarStore(db)
        store.write(bars("A", "1D", 9), source="test")
        with store.scan() as blocks:
            first = next(blocks)
            store.delete("A")
            assert len(Bars.concat([first, *blocks])) == 9


# --- files ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def memory() -> Iterator[BarStore]:
    with jutsu_sql.connect("sqlite://") as db:
        db.migrate()
        yield BarStore(db)


finite = st.floats(allow_nan=False, allow_infinity=False)
# Since 1950: the offsets of zones were no whole minutes before.
rows = st.tuples(st.integers(-6 * 10**14, 10**17), finite, finite, finite, finite, finite)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(rows, min_size=1, max_size=8, unique_by=lambda row: row[0]))
def test_any_double_and_any_time_comes_back_to_the_bit(
    memory: BarStore, tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]]
) -> None:
    us, a, b, c, d, volume = map(np.array, zip(*sorted(rows), strict=True))
    prices = np.sort(np.array([a, b, c, d]), axis=0)
    ts = us.astype(np.int64).view("M8[us]")
    given_bars = Bars.from_arrays(
        "X", "1m", ts, prices[1], prices[3], prices[0], prices[2], abs(volume)
    )
    memory.delete(everything=True)
    memory.write(given_bars, source="test")
    stored = memory.read("X", "1m")
    folder = tmp_path_factory.mktemp("property")
    for form in ("csv", "parquet", "feather"):
        path = folder / f"bars.{form}"
        export_bars(memory, path)
        assert bits(read_back(path, form)) == bits(stored)
    export_bars(memory, folder / "x.csv", tz="Asia/Kolkata")
    parsed = read_file(folder / "x.csv", symbol="X", timeframe="1m", tz="America/New_York")
    assert bits(parsed.bars) == bits(stored)


@pytest.mark.parametrize("form", ["csv", "parquet", "feather"])
def test_an_export_is_imported_to_the_same_bars(store: BarStore, tmp_path: Path, form: Any) -> None:
    store.write(Bars.concat([bars("A", "1D"), bars("A", "1m"), bars("B,\"'", "1D")]), source="t")
    before = Bars.concat(store.scan())
    seen: list[int] = []
    report = export_bars(store, tmp_path / "all", form=form, progress=seen.append)
    assert (report.bars, report.series, report.files, seen[-1]) == (15, 3, 1, 15)
    store.delete(everything=True)
    assert store.write(read_back(tmp_path / "all", form), source="again").inserted == 15
    assert list(Bars.concat(store.scan())) == list(before)


def test_a_csv_of_one_series_is_imported_as_it_is(store: BarStore, tmp_path: Path) -> None:
    for frame in ("1D", "1m"):
        store.write(bars("A", frame), source="test")
        export_bars(store, tmp_path / "a.csv", symbol="A", timeframe=frame, tz="Asia/Kolkata")
        import_file(store, tmp_path / "a.csv", symbol="B", timeframe=frame, tz="America/New_York")
        assert bits(store.read("A", frame)) == bits(store.read("B", frame))


def test_times_are_iso_8601_in_any_zone_and_dates_stay_dates(
    memory: BarStore, tmp_path: Path
) -> None:
    memory.delete(everything=True)
    switch = bars("A", "1m", 2, "2024-11-03T05:59")  # the clocks of New York go back at 06:00 UTC
    memory.write(Bars.concat([switch, bars("A", "1D", 1)]), source="test")

    def times(tz: str | None) -> list[str]:
        export_bars(memory, tmp_path / "a.csv", tz=tz)
        with open(tmp_path / "a.csv", newline="") as file:
            return [row["ts"] for row in csv.DictReader(file)]

    assert times(None) == ["2024-01-02", "2024-11-03T05:59:00Z", "2024-11-03T06:00:00Z"]
    local = ["2024-11-03T01:59:00-04:00", "2024-11-03T01:00:00-05:00"]
    assert times("America/New_York") == ["2024-01-02", *local]
    with pytest.raises(ConfigError, match="no time zone"):
        times("Mars/Base")
    with pytest.raises(ExportError, match="parquet holds instants"):
        export_bars(memory, tmp_path / "a.parquet", tz="Asia/Kolkata")


def test_no_symbol_is_a_formula_in_a_spreadsheet(memory: BarStore, tmp_path: Path) -> None:
    memory.delete(everything=True)
    evil = ['=HYPERLINK("http://x")', "+1", "-1", "@ES", "\t=1", "\r=1"]
    x = np.array([-1.5])
    for name in [*evil, "ES=F", "^GSPC"]:
        memory.write(Bars.from_arrays(name, "1D", DAY, x, x, x, x, -x), source="test")
    report = export_bars(memory, tmp_path / "a.csv")
    assert report.guarded == sorted(evil)
    with open(tmp_path / "a.csv", newline="") as file:
        got = list(csv.DictReader(file))
    assert sorted(row["symbol"] for row in got) == sorted(
        [f"'{x}" for x in evil] + ["ES=F", "^GSPC"]
    )
    assert {row["close"] for row in got} == {"-1.5"}
    assert export_bars(memory, tmp_path / "a.parquet").guarded == []


def test_guarded_symbols_come_back_as_they_were(
    memory: BarStore, store: BarStore, tmp_path: Path
) -> None:
    memory.delete(everything=True)
    names = ["=A", "+1", "-1", "@ES", "\t=1", "'=A", "''=A", "'A", "A'", "ES=F", '@"', "@,"]
    x = np.array([1.0])
    for name in names:
        memory.write(Bars.from_arrays(name, "1D", DAY, x, x, x, x, x), source="test")
    wanted = list(Bars.concat(memory.scan()))
    for form in ("csv", "parquet"):
        export_bars(memory, tmp_path / f"all.{form}")
        import_file(store, tmp_path / f"all.{form}")
        assert list(Bars.concat(store.scan())) == wanted
        store.delete(everything=True)
    # Of any other file, an apostrophe is part of the symbol.
    text = (tmp_path / "all.csv").read_text().splitlines()
    other = [f"{line},{row or 'note'}" for row, line in enumerate(text)]
    (tmp_path / "other.csv").write_text("\n".join(other))
    symbols = {series.symbol for series in read_file(tmp_path / "other.csv").bars.series}
    assert symbols == {exports.guard_symbol(name) for name in names}


DAY = np.array(["2024-01-02"], dtype="M8[us]")


@pytest.mark.parametrize("form", ["csv", "parquet", "feather"])
def test_a_partitioned_export_has_a_file_for_each_series(
    memory: BarStore, tmp_path: Path, form: Any
) -> None:
    memory.delete(everything=True)
    wanted = Bars.concat([bars("../A", "1D"), bars("B/C", "1D"), bars("B/C", "1m")])
    memory.write(wanted, source="test")
    (tmp_path / "out").mkdir()  # an empty one is as good as none
    report = export_bars(memory, tmp_path / "out", form=form, partition=True)
    assert (report.files, report.bars) == (3, 15)
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob(f"*.{form}"))
    assert files == [
        f"out/symbol=..%2FA/timeframe=1D/bars.{form}",
        f"out/symbol=B%2FC/timeframe=1D/bars.{form}",
        f"out/symbol=B%2FC/timeframe=1m/bars.{form}",
    ]
    if form == "parquet":
        table = pl.read_parquet(tmp_path / "out", hive_partitioning=True)
        assert list(Bars.from_arrow(table.sort("symbol", "timeframe", "ts"))) == list(wanted)
    with pytest.raises(ExportError, match="there already"):
        export_bars(memory, tmp_path / "out", form=form, partition=True)


@pytest.mark.parametrize("partition", [False, True])
def test_a_failure_leaves_nothing_and_what_was_there_stays(
    memory: BarStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partition: bool
) -> None:
    memory.delete(everything=True)
    memory.write(Bars.concat([bars("A", "1D"), bars("B", "1D")]), source="test")
    target = tmp_path / "bars.csv"
    if not partition:
        target.write_text("old")

    def stop(count: int) -> None:
        if count > 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_bars(memory, target, partition=partition, progress=stop)
    with pytest.raises(ExportError, match="no bar to export"):
        export_bars(memory, target, start="2050-01-01", partition=partition)
    assert [path.name for path in tmp_path.iterdir()] == ([] if partition else ["bars.csv"])
    assert partition or target.read_text() == "old"
    with pytest.raises(ExportError, match=r"none.x\.csv cannot be written: No such file"):
        export_bars(memory, tmp_path / "none" / "x.csv")
    with pytest.raises(ExportError, match="is a directory"):
        export_bars(memory, tmp_path)


def test_a_link_stays_and_a_pipe_is_written_to(memory: BarStore, tmp_path: Path) -> None:
    memory.delete(everything=True)
    memory.write(bars("A", "1D"), source="test")
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("real.csv")
    export_bars(memory, tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    text = (tmp_path / "real.csv").read_text()
    assert text.count("\n") == 6
    os.mkfifo(tmp_path / "pipe.csv")
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe.csv").read_text()))
    reader.start()
    export_bars(memory, tmp_path / "pipe.csv")
    reader.join()
    assert got == [text]


# --- the command ----------------------------------------------------------------------------------


def test_export_to_a_file_and_to_a_pipe(migrated_url: str, tmp_path: Path) -> None:
    with jutsu_sql.connect(migrated_url) as db:
        BarStore(db).write(Bars.concat([bars("A", "1D"), bars("@B", "1D")]), source="test")
    words = ["--url", migrated_url]
    path = tmp_path / "a.parquet"
    done = CliRunner().invoke(main, ["export", str(path), "--json", *words])
    assert json.loads(done.stdout) == {
        "form": "parquet",
        "series": 2,
        "bars": 10,
        "files": 1,
        "guarded": [],
    }
    command = [sys.executable, "-W", "error", "-m", "jutsu_sql", "export", "-", *words]
    piped = subprocess.run([*command, "--format", "feather"], capture_output=True, check=True)
    assert pyarrow.feather.read_table(pyarrow.BufferReader(piped.stdout)).equals(
        pq.read_table(path)
    )
    done = CliRunner().invoke(
        main, ["export", "-", "--symbol", "@B", "--end", "2024-01-02", *words]
    )
    assert done.stdout.splitlines()[1:] == [
        "'@B,1D,2024-01-02,100,100.1,99.9,100,1.0000000000000001e-7"
    ]
    assert "apostrophe" in done.stderr
    assert "Exported 1 bars of 1 series to -" in done.stderr
    for wrong in (["--json"], ["--symbol", "nope"]):
        assert CliRunner().invoke(main, ["export", "-", *wrong, *words]).exit_code in {1, 2}


def test_every_form_has_a_suffix() -> None:
    assert set(exports._SUFFIXES.values()) == {"csv", *exports._ARROW_WRITERS}
