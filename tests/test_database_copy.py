"""A database copied to the other engine: compared by checksums, resumed, and never overdone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import jutsu_sql
from jutsu_sql import Bars, BarStore, Database
from jutsu_sql.bars import Series
from jutsu_sql.cli import main
from jutsu_sql.database_copy import Checksum, copy_actions, copy_claims, copy_database
from jutsu_sql.errors import NotMigratedError
from jutsu_sql.store import scan

THEN = datetime(2024, 2, 1, tzinfo=UTC)


def bars(symbol: str, rows: int, timeframe: str = "1m", first: int = 0) -> Bars:
    ts = np.datetime64("2024-01-02", "us") + np.arange(first, first + rows) * np.timedelta64(1, "D")
    x = 100.0 + np.arange(first, first + rows) / 3
    return Bars.from_arrays(symbol, timeframe, ts, x, x + 0.1, x - 0.1, x, x * 1e-9)


@pytest.fixture(params=["to postgresql", "to sqlite"])
def urls(request: pytest.FixtureRequest, migrated_sqlite: str, migrated_postgres: str) -> list[str]:
    both = [migrated_sqlite, migrated_postgres]
    return both if request.param == "to postgresql" else both[::-1]


@pytest.fixture
def databases(urls: list[str]) -> Iterator[tuple[Database, Database]]:
    """A database with three series of 17 bars, and an empty one of the other engine."""
    with jutsu_sql.connect(urls[0]) as one, jutsu_sql.connect(urls[1]) as two:
        store = BarStore(one)
        wanted = Bars.concat([bars("A", 9), bars("A", 3, "1D"), bars("B", 5)])
        store.write(wanted, source="vendor", observed_at=THEN)
        found = one.run("series.find", symbol="B", timeframe="1m")
        place = {"timezone": "Asia/Tokyo", "calendar": "XTKS"}
        one.run("replica.set_place", series_id=found.series_id, **place)
        yield one, two


def everything(db: Database) -> list[Any]:
    places = [tuple(row)[1:5] for row in db.run("replica.series")]
    return [places, list(Bars.concat(BarStore(db).scan()))]


def states(copies: Any) -> list[str]:
    return [each.state for each in copies]


def test_a_copy_is_the_same_and_a_second_one_writes_nothing(
    databases: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = databases
    monkeypatch.setattr(scan, "_PIECE_BARS", 4)
    seen: list[int] = []
    first = copy_database(source, target, progress=seen.append)
    assert states(first) == ["copied"] * 3
    assert [(each.symbol, each.timeframe, each.bars, each.inserted) for each in first] == [
        ("A", "1D", 3, 3),
        ("A", "1m", 9, 9),
        ("B", "1m", 5, 5),
    ]
    assert seen == [3, 12, 17]
    assert everything(source) == everything(target)
    monkeypatch.setattr(scan, "_PIECE_BARS", 3)
    second = copy_database(source, target)
    assert states(second) == ["same"] * 3
    assert [each.sha256 for each in second] == [each.sha256 for each in first]
    loads = BarStore(target).loads()
    assert len(loads) == 3
    assert {load.observed_at for load in loads} == {THEN}
    assert {load.source for load in loads} == {f"copy of {source.config.display_url}"}


def test_only_what_differs_is_copied_again(databases: tuple[Database, Database]) -> None:
    source, target = databases
    copy_database(source, target)
    corrected = bars("A", 9)
    corrected.close[4] += 0.05
    BarStore(source).write(corrected, source="vendor")
    BarStore(source).write(bars("B", 2, first=5), source="vendor")
    (daily, changed, grown) = copy_database(source, target)
    assert (daily.state, changed.updated, grown.inserted) == ("same", 1, 2)
    assert everything(source) == everything(target)


def test_an_interrupted_copy_goes_on(databases: tuple[Database, Database]) -> None:
    source, target = databases

    def stop(count: int) -> None:
        if count > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_database(source, target, progress=stop)
    assert states(copy_database(source, target)) == ["same", "same", "copied"]
    assert everything(source) == everything(target)


def test_what_only_the_target_has_stays_unless_told(databases: tuple[Database, Database]) -> None:
    source, target = databases
    BarStore(target).write(
        Bars.concat([bars("A", 12), bars("Z", 1)]), source="own", observed_at=THEN
    )
    BarStore(source).delete("A", "1m", "2024-01-04", "2024-01-05")
    _, one, _ = copy_database(source, target)
    assert (one.state, one.bars, one.extra) == ("differs", 7, 5)
    _, one, _ = copy_database(source, target, delete=True)
    assert (one.state, one.deleted, one.extra) == ("copied", 5, 0)
    store = BarStore(target)
    assert list(store.read("A", "1m")) == list(BarStore(source).read("A", "1m"))
    assert len(store.read("Z", "1m")) == 1
    assert store.undo(store.loads(1)[0].load_id).reinserted == 5


def test_a_later_observation_is_kept_and_said(databases: tuple[Database, Database]) -> None:
    source, target = databases
    newer = bars("B", 5)
    newer.close[0] += 0.05
    BarStore(target).write(newer, source="own")
    *_, one = copy_database(source, target)
    assert (one.state, one.kept, one.updated) == ("differs", 1, 0)
    assert BarStore(target).read("B", "1m").close[0] == newer.close[0]


def test_a_checksum_tells_every_bit_but_the_sign_of_zero() -> None:
    one = bars("A", 4)
    whole = Checksum.of([one])
    assert Checksum.of([one[:1], one[1:]]) == whole
    for name in ("ts", "open", "high", "low", "close", "volume"):
        other = one[np.arange(4)]
        column = getattr(other, name)
        column.view(np.int64)[2] += 1
        assert Checksum.of([other]) != whole
    zero = one[:1]
    zero.low[0] = 0.0
    minus = one[:1]
    minus.low[0] = -0.0
    assert Checksum.of([zero]) == Checksum.of([minus])


def test_corporate_actions_are_copied(databases: tuple[Database, Database]) -> None:
    source, target = databases
    split = {"symbol": "A", "ex_date": "2024-01-04", "kind": "split", "value": 2}
    BarStore(source).write_actions([split], source="vendor", observed_at=THEN)
    report = copy_actions(source, target)
    assert report is not None
    assert report.inserted == 1
    (row,) = BarStore(target).actions()
    assert (row.symbol, str(row.ex_date), row.kind, row.value, row.observed_at) == (
        *("A", "2024-01-04", "split", 2.0),
        THEN,
    )
    assert copy_actions(source, target) is None


def test_what_was_asked_for_is_copied_but_not_of_refused_bars(
    databases: tuple[Database, Database],
) -> None:
    source, target = databases
    bad = np.array([2.0])
    one = np.ones(1)
    day = np.array(["2024-03-05"], dtype="M8[us]")
    rows = Bars((Series("N", "1D"),), np.zeros(1, np.int32), day, one, one, one, bad, one)
    asked = date(2024, 3, 4), date(2024, 3, 9)
    BarStore(source).write(
        rows, source="v", symbol="N", timeframe="1D", asked=asked, calendar="24/7"
    )
    undone = date(2024, 3, 1), date(2024, 4, 1)
    load = BarStore(source).write([], source="v", symbol="N", timeframe="1D", asked=undone)
    BarStore(source).undo(load.load_id)
    copy_database(source, target)
    assert copy_claims(source, target) == 1
    (found,) = BarStore(target).coverage("N").series
    assert (found.expected, found.empty, found.never_fetched) == (5, 4, 1)
    assert copy_claims(source, target) == 0


def test_a_series_without_bars_is_a_series(databases: tuple[Database, Database]) -> None:
    source, target = databases
    BarStore(source).delete("B")
    assert states(copy_database(source, target)) == ["copied", "copied", "same"]
    assert everything(source) == everything(target)


@pytest.mark.usefixtures("databases")
def test_the_command_migrates_an_empty_target(
    urls: list[str], postgres_database: str, tmp_path: Any
) -> None:
    from_url, full = urls
    target = postgres_database if full.startswith("postgres") else f"sqlite:///{tmp_path}/new.db"
    done = CliRunner().invoke(main, ["copy", from_url, target], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "3 series of 17 bars" in done.stdout
    assert "3 copied, 0 same, 0 differs" in done.stdout
    assert "ledger was not copied" in done.stdout
    with jutsu_sql.connect(target) as db:
        BarStore(db).write(bars("B", 1, first=50), source="own")
    done = CliRunner().invoke(main, ["copy", from_url, target, "--json"])
    assert done.exit_code == 3
    said = json.loads(done.stdout)
    assert [each["state"] for each in said["series"]] == ["same", "same", "differs"]
    assert said["actions"] is None
    done = CliRunner().invoke(main, ["copy", from_url, target, "--delete"])
    assert done.exit_code == 0


def test_an_original_that_is_not_there_is_not_made(tmp_path: Any) -> None:
    missing = tmp_path / "none.db"
    done = CliRunner().invoke(main, ["copy", f"sqlite:///{missing}", f"sqlite:///{tmp_path}/b.db"])
    assert done.exit_code == 1
    assert not missing.exists()
    with jutsu_sql.connect("sqlite://") as empty, pytest.raises(NotMigratedError):
        copy_database(empty, empty)
