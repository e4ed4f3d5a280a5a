"""Splits and dividends: kept as loads, applied on reads, and never before they were known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import jutsu_sql
from jutsu_sql import Bars, BarStore
from jutsu_sql.cli import main
from jutsu_sql.errors import BarsError, SourceError
from jutsu_sql.sources.actions import read_actions
from jutsu_sql.store import Action

PRICES = ("open", "high", "low", "close")
FIRST = np.datetime64("2024-01-01", "us")


@pytest.fixture(scope="module")
def sqlite_store(sqlite_template: Path) -> Iterator[BarStore]:
    del sqlite_template
    with jutsu_sql.connect("sqlite://") as db:
        db.migrate()
        yield BarStore(db)


def bars(symbol: str, closes: list[float], timeframe: str = "1D", step: str = "D") -> Bars:
    ts = FIRST + np.arange(len(closes)) * np.timedelta64(1, step)  # type: ignore[call-overload]
    x = np.array(closes, dtype=float)
    return Bars.from_arrays(symbol, timeframe, ts, x, x + 1, x - 1, x, x * 10)


def split(day: str, ratio: Any, symbol: str = "A") -> Action:
    return Action(symbol, date.fromisoformat(day), "split", ratio)


def dividend(day: str, amount: Any, symbol: str = "A") -> Action:
    return Action(symbol, date.fromisoformat(day), "dividend", amount)


def listed(store: BarStore, **options: Any) -> list[tuple[Any, ...]]:
    return [tuple(row)[:4] for row in store.actions(**options)]


def counts(report: Any) -> tuple[int, ...]:
    return (report.received, report.inserted, report.updated, report.unchanged, report.kept)


# --- adjusted reads -------------------------------------------------------------------------------


def test_a_split_scales_prices_and_volumes_before_its_date(store: BarStore) -> None:
    store.write(bars("A", [100, 104, 52, 53]), source="raw")
    store.write_actions([split("2024-01-03", 2)], source="vendor")
    assert store.read("A", "1D").close.tolist() == [100, 104, 52, 53]
    adjusted = store.read("A", "1D", adjust="splits")
    assert adjusted.close.tolist() == [50, 52, 52, 53]
    assert adjusted.high.tolist() == [50.5, 52.5, 53, 54]
    assert adjusted.volume.tolist() == [2000, 2080, 520, 530]
    assert store.read("A", "1D", end="2024-01-01", adjust="all").close.tolist() == [50]
    assert len(store.read("nobody", "1D", adjust="all")) == 0


def test_a_dividend_scales_prices_by_the_close_before(store: BarStore) -> None:
    store.write(bars("A", [100, 80, 79, 78]), source="raw")
    store.write_actions([dividend("2024-01-03", 4)], source="vendor")
    assert store.read("A", "1D", adjust="splits").close.tolist() == [100, 80, 79, 78]
    adjusted = store.read("A", "1D", adjust="all")
    assert adjusted.close.tolist() == [95, 76, 79, 78]
    assert adjusted.volume.tolist() == [1000, 800, 790, 780]


def expected(bars: Bars, actions: list[Action], kinds: set[str]) -> list[list[float]]:
    """Each bar by itself, with every action behind it: slow, and plain to see."""
    rows = list(bars)
    found = []
    for bar in rows:
        price = volume = 1.0
        for day in {action.ex_date for action in actions}:
            before = [row for row in rows if row.ts.date() < day]
            if bar not in before:
                continue
            there = {a.kind: a.value for a in actions if a.ex_date == day and a.kind in kinds}
            ratio = there.get("split", 1.0)
            price /= ratio
            volume *= ratio
            price *= 1 - there.get("dividend", 0.0) / (before[-1].close / ratio)
        found.append([*(x * price for x in bar[3:7]), bar.volume * volume])
    return found


@pytest.mark.parametrize("timeframe", ["1D", "1h"])
def test_adjusted_reads_are_those_of_a_slow_reference(migrated_url: str, timeframe: str) -> None:
    rng = np.random.default_rng(7)
    with jutsu_sql.connect(migrated_url) as db:
        store = BarStore(db)
        for number in range(8):
            symbol = f"S{number}"
            rows = int(rng.integers(1, 40))
            closes = np.round(rng.uniform(20, 200, rows), 2).tolist()
            given = bars(symbol, closes, timeframe, "D" if timeframe == "1D" else "h")
            actions = [
                Action(symbol, date(2023, 12, 30) + timedelta(days=int(day)), kind, value)
                for kind, value in (
                    ("split", float(rng.choice([2, 0.1, 1.5]))),
                    ("split", 3.0),
                    ("dividend", float(np.round(rng.uniform(0.01, 5), 2))),
                    ("dividend", 0.25),
                )
                for day in {int(rng.integers(0, 45))}
            ]
            actions = list({(a.ex_date, a.kind): a for a in actions}.values())
            store.write(given, source="raw")
            store.write_actions(actions, source="vendor")
            for adjust, kinds in (("splits", {"split"}), ("all", {"split", "dividend"})):
                got = store.read(symbol, timeframe, adjust=adjust)  # type: ignore[arg-type]
                columns = [getattr(got, name) for name in (*PRICES, "volume")]
                want = np.array(expected(given, actions, kinds))
                np.testing.assert_allclose(np.stack(columns, axis=1), want, rtol=1e-12)
                tail = store.read(symbol, timeframe, given.ts[-1], adjust=adjust)  # type: ignore[arg-type]
                np.testing.assert_allclose(tail.close, want[-1:, 3], rtol=1e-12)
                assert not got.validate().rejections


def test_an_ex_date_begins_where_the_series_is_traded(store: BarStore, db: Any) -> None:
    store.write(bars("A", [100.0] * 48, "1h", "h"), source="raw")
    store.write_actions([split("2024-01-02", 2)], source="vendor")
    assert int((store.read("A", "1h", adjust="splits").close == 50).sum()) == 24
    found = db.run("series.find", symbol="A", timeframe="1h")
    place = {"timezone": "America/New_York", "calendar": None}
    db.run("replica.set_place", series_id=found.series_id, **place)
    assert int((store.read("A", "1h", adjust="splits").close == 50).sum()) == 29


def test_several_symbols_and_decimals_and_warmup(store: BarStore) -> None:
    store.write(Bars.concat([bars("A", [10, 5]), bars("B", [7, 8])]), source="raw")
    store.write_actions([split("2024-01-02", 2)], source="vendor")
    got = store.read(["B", "A"], "1D", adjust="splits", as_decimal=True)
    assert got.close.tolist() == [Decimal(7), Decimal(8), Decimal(5), Decimal(5)]
    warm = store.read("A", "1D", "2024-01-02", warmup=1, adjust="splits")
    assert warm.close.tolist() == [5, 5]


def test_what_cannot_be_adjusted_is_refused(store: BarStore) -> None:
    store.write(Bars.concat([bars("A", [10, 5]), bars("A", [10], "1W")]), source="raw")
    store.write_actions([dividend("2024-01-02", 10)], source="vendor")
    with pytest.raises(BarsError, match=r"dividend of A on 2024-01-02 is not less .*\(10\)"):
        store.read("A", "1D", adjust="all")
    with pytest.raises(BarsError, match="inside a 1W bar"):
        store.read("A", "1W", adjust="splits")
    with pytest.raises(ValueError, match='"splits" or "all"'):
        store.read("A", "1D", adjust="everything")  # type: ignore[arg-type]


def test_a_split_that_is_announced_changes_nothing_yet(store: BarStore) -> None:
    store.write(bars("A", [10, 5]), source="raw")
    soon = datetime.now(UTC).date() + timedelta(days=3)
    store.write_actions([split(soon.isoformat(), 2)], source="vendor")
    assert store.read("A", "1D", adjust="splits").close.tolist() == [10, 5]
    later = datetime.now(UTC) + timedelta(days=5)
    assert store.read("A", "1D", adjust="splits", as_of=later).close.tolist() == [5, 2.5]


# --- point in time --------------------------------------------------------------------------------


def test_reads_as_of_a_time_know_what_was_known_then(store: BarStore) -> None:
    store.write(bars("A", [100, 80, 79]), source="raw")
    wrong = store.write_actions([split("2024-01-03", 2), dividend("2024-01-03", 4)], source="v")
    times = [load.finished_at for load in store.loads(2)][::-1]
    store.write_actions([split("2024-01-03", 4)], source="v")
    store.write(bars("A", [100, 40]), source="raw")
    warm = store.read("A", "1D", "2024-01-03", warmup=1, as_of=times[1], adjust="all")
    assert warm.close.tolist() == [36, 79]
    assert store.read("A", "1D", adjust="all").close.tolist() == [15, 6, 79]
    before, then = (store.read("A", "1D", adjust="all", as_of=at) for at in times)
    assert before.close.tolist() == [100, 80, 79]
    assert then.close.tolist() == [45, 36, 79]
    assert listed(store, as_of=times[0]) == []
    assert listed(store, symbol="A", as_of=times[1]) == [
        ("A", date(2024, 1, 3), "dividend", 4.0),
        ("A", date(2024, 1, 3), "split", 2.0),
    ]
    assert listed(store, symbol="B") == []
    assert store.actions()[0].load_id == wrong.load_id


def test_the_close_before_is_found_however_long_ago(store: BarStore) -> None:
    store.write(bars("A", [80, 79]), source="raw")
    store.write_actions([dividend("2024-12-30", 7.9)], source="vendor")
    for as_of in (None, datetime.now(UTC) + timedelta(minutes=1)):
        adjusted = store.read("A", "1D", adjust="all", as_of=as_of)
        np.testing.assert_allclose(adjusted.close, [72, 71.1])


# --- the ledger -----------------------------------------------------------------------------------


def test_a_replay_changes_nothing_and_the_later_observation_wins(store: BarStore) -> None:
    old, new = datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)
    one, two = split("2024-01-03", 2), dividend("2024-01-04", 0.1)
    assert counts(store.write_actions([one, two], source="v", observed_at=new)) == (2, 2, 0, 0, 0)
    again = [one._asdict(), SimpleNamespace(**two._asdict())]
    assert counts(store.write_actions(again, source="v", observed_at=old)) == (2, 0, 0, 2, 0)
    changed = {**one._asdict(), "value": Decimal(3), "ex_date": "2024-01-03"}
    assert counts(store.write_actions([changed], source="v", observed_at=old)) == (1, 0, 0, 0, 1)
    assert counts(store.write_actions([changed], source="v", observed_at=new)) == (1, 0, 1, 0, 0)
    assert [row.value for row in store.actions()] == [3.0, 0.1]
    assert counts(store.write_actions([], source="v")) == (0, 0, 0, 0, 0)
    load = store.loads(3)[1]
    assert (load.kind, load.source, load.rows_updated) == ("write", "v", 1)


def test_an_undo_takes_actions_back_and_can_be_undone(store: BarStore) -> None:
    first, second = split("2024-01-03", 2), split("2024-01-03", 3)
    store.write_actions([first], source="v")
    load = store.write_actions([second, dividend("2024-01-04", 1)], source="v")
    undone = store.undo(load.load_id)
    assert (undone.restored, undone.reinserted, undone.deleted) == (0, 1, 2)
    assert listed(store) == [tuple(first)]
    store.undo(undone.load_id)
    assert listed(store) == [tuple(second), ("A", date(2024, 1, 4), "dividend", 1.0)]
    later = store.write_actions([split("2024-01-03", 5)], source="v")
    assert store.undo(load.load_id).reinserted == 0  # all that it wrote has been replaced since
    assert [row.value for row in store.actions()] == [5.0, 1.0]
    assert store.actions()[0].load_id == later.load_id


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"symbol": "A", "ex_date": "2024-01-03", "kind": "split"}, "row 1: .*'value'"),
        (split("2024-01-03", 2, symbol=""), "row 1: '' is no symbol"),
        (Action("A", datetime(2024, 1, 3), "split", 2), "row 1: the ex-date .* is no date"),
        (Action("A", date(2024, 1, 3), "merger", 2), "row 1: the kind is split or dividend"),
        (split("2024-01-03", 0), "row 1: the value of a split is above 0"),
        (dividend("2024-01-03", float("nan")), "row 1: the value of a dividend"),
        (split("2024-01-02", 2), "row 1: a second split of A on 2024-01-02"),
    ],
)
def test_a_bad_action_refuses_the_whole_load(
    sqlite_store: BarStore, given: Any, message: str
) -> None:
    with pytest.raises(BarsError, match=message):
        sqlite_store.write_actions([split("2024-01-02", 2), given], source="v")
    assert sqlite_store.actions() == sqlite_store.loads() == []


# --- the command ----------------------------------------------------------------------------------


def test_actions_from_the_shell(migrated_url: str, tmp_path: Path) -> None:
    def run(*words: str, status: int = 0) -> Any:
        done = CliRunner().invoke(main, [*words, "--url", migrated_url], catch_exceptions=False)
        assert done.exit_code == status, done.output
        return done

    with jutsu_sql.connect(migrated_url) as db:
        BarStore(db).write(bars("A", [100, 104, 26]), source="raw")
    file = tmp_path / "actions.csv"
    file.write_text("Ticker,Date,Type,Amount\nA,2024-01-03,Split,4:1\n\nA,2024-01-02,dividend,1\n")
    done = run("actions", "--load", str(file), "--observed-at", "2024-02-01T12:00Z")
    assert done.stdout.startswith("Load 2: 2 inserted, 0 updated")
    assert [each["value"] for each in json.loads(run("actions", "--json").stdout)] == [1.0, 4.0]
    assert "2024-01-03  split" in run("actions", "--symbol", "A").stdout
    assert json.loads(run("actions", "--as-of", "2024-01-01", "--json").stdout) == []
    shown = json.loads(run("bars", "A", "1D", "--adjust", "splits", "--last", "2", "--json").stdout)
    assert [bar["close"] for bar in shown] == [26.0, 26.0]
    run("actions", "--load", str(file), "--symbol", "A", status=2)
    run("actions", "--observed-at", "2024-02-01", status=2)


def test_a_bad_file_names_its_line(tmp_path: Path) -> None:
    file = tmp_path / "actions.csv"
    with pytest.raises(SourceError, match="cannot be read"):
        read_actions(file)
    for text, message in (
        ("symbol,date,kind\n", r"actions\.csv:1: there is no column value"),
        (
            "symbol,date,kind,value\nA,2024-01-03,split,4\nA,soon,split,4\n",
            r"csv:3: 'A,soon,split,4'",
        ),
        ("symbol,date,kind,value\nA,2024-01-03,split,4:0\n", r"csv:2: .* division by zero"),
        ("symbol,date,kind,value\nA,2024-01-03\n", r"csv:2: "),
    ):
        file.write_text(text)
        with pytest.raises(SourceError, match=message):
            read_actions(file)
