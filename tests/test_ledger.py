"""The ledger: every correction kept, every past state readable, every load undoable."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from faults.steps import fault_at
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from ledger_model import (
    MINUTE,
    NOW,
    Action,
    Delete,
    Key,
    Model,
    Undo,
    Write,
    bars_of,
    check_ledger,
    check_report,
    closes,
    minute,
)

from jutsu_sql import BarStore, Database, errors

EXAMPLES = itertools.count()


class CrashError(Exception):
    """Something goes wrong between two statements of a load."""


def crash() -> None:
    raise CrashError


keys = st.tuples(st.sampled_from("AB"), st.integers(0, 4))
batches = st.dictionaries(keys, st.sampled_from([1.0, 2.0, 3.0]), min_size=1, max_size=6)
# Days later; or while the bar of minute 2 was not over, and those after it had not begun.
observations = st.sampled_from(
    [*(NOW - timedelta(days=age) for age in range(3)), minute(2) + MINUTE / 2]
)
writes = st.builds(
    Write,
    st.one_of(st.tuples(batches), st.lists(batches, min_size=2, max_size=3).map(tuple)),
    observations,
    st.sampled_from(["update", "update", "update", "ignore", "error"]),
)
deletes = st.builds(
    lambda symbol, ends: Delete(symbol, *sorted(ends)),
    st.sampled_from("AB"),
    st.tuples(st.integers(0, 4), st.integers(0, 4)),
)
# Of the load of that number so far: of undos as well.
undos = st.builds(Undo, st.integers(0, 9))


@pytest.fixture
def small_spools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that gather, where they do, are loaded by size as well as by what follows."""
    monkeypatch.setattr("jutsu_sql.store.batches._SPOOL_ROWS", 4)


# Before which statement a load crashes, if at all.
crashes = st.one_of(st.none(), st.none(), st.integers(0, 15))


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.tuples(st.one_of(writes, writes, deletes, undos), crashes), min_size=1, max_size=8
    ),
    span=st.tuples(st.integers(0, 5), st.integers(0, 5)).map(sorted),
    warmup=st.integers(1, 4),
)
@pytest.mark.usefixtures("small_spools")
def test_the_ledger_agrees_with_a_plain_model(
    db: Database,
    store: BarStore,
    steps: list[tuple[Action, int | None]],
    span: list[int],
    warmup: int,
) -> None:
    prefix = f"{next(EXAMPLES)}-"
    symbols = [f"{prefix}A", f"{prefix}B"]
    model, loads = Model(), list[int]()
    for action, crashes_at in steps:
        if isinstance(action, Undo):
            if not loads:
                continue
            action = Undo(loads[action.load_id % len(loads)])  # noqa: PLW2901
        before = len(db.run("testing.loads"))
        try:
            with fault_at(crashes_at, crash):
                report = action.run(store, prefix)
        except CrashError:
            assert len(db.run("testing.loads")) == before
        except errors.BarConflictError:
            assert model.refuses(action)
        else:
            assert not model.refuses(action)
            note(f"{report}")
            check_report(report, model.run(report.load_id, action))
            loads.append(report.load_id)
        assert closes(store.read(symbols, "1m"), prefix) == model.current()
    check_ledger(db, model, "AB", prefix)
    first, last = span
    for load_id, known in model.known.items():
        then = db.run("loads.find", load_id=load_id).finished_at
        bars = store.read(symbols, "1m", minute(first), minute(last), warmup=warmup, as_of=then)
        assert list(closes(bars, prefix).items()) == list(_warm(known, first, last, warmup))


def _warm(
    known: Mapping[Key, float], first: int, last: int, warmup: int
) -> Iterator[tuple[Key, float]]:
    for symbol in "AB":
        of_symbol = sorted(item for item in known.items() if item[0][0] == symbol)
        yield from [item for item in of_symbol if item[0][1] < first][-warmup:]
        yield from (item for item in of_symbol if first <= item[0][1] <= last)


def test_a_partial_bar_gives_way_to_the_final_one_and_never_comes_back(store: BarStore) -> None:
    during, after = minute(0) + timedelta(seconds=30), minute(1)
    assert store.write(bars_of({("A", 0): 1.0}), source="m", observed_at=during).inserted == 1
    assert store.write(bars_of({("A", 0): 2.0}), source="m", observed_at=after).updated == 1
    late = store.write(bars_of({("A", 0): 1.5}), source="m", observed_at=during)
    assert (late.kept, late.kept_from_partial, late.updated) == (1, 1, 0)
    assert closes(store.read("A", "1m")) == {("A", 0): 2.0}
    final = store.write(bars_of({("A", 0): 2.5}), source="m", observed_at=after)
    assert (final.updated, final.kept) == (1, 0)


def test_an_older_final_observation_is_kept_back_but_is_not_partial(store: BarStore) -> None:
    store.write(bars_of({("A", 0): 1.0}), source="m", observed_at=NOW)
    old = store.write(bars_of({("A", 0): 2.0}), source="m", observed_at=NOW - timedelta(days=1))
    assert (old.kept, old.kept_from_partial) == (1, 0)


def test_a_naive_observation_time_is_refused(store: BarStore) -> None:
    with pytest.raises(errors.NaiveTimestampError):
        store.write(bars_of({("A", 0): 1.0}), source="m", observed_at=datetime(2024, 1, 1))


def test_an_observation_from_the_future_is_refused(store: BarStore) -> None:
    future = datetime.now(UTC) + timedelta(days=2)
    with pytest.raises(errors.BarsError, match="lies in the future"):
        store.write(bars_of({("A", 0): 1.0}), source="m", observed_at=future)
    assert store.series() == []


def test_history(store: BarStore) -> None:
    ids = [store.write(bars_of({("A", 0): x}), source=f"s{x}").load_id for x in (1.0, 2.0)]
    ids.append(store.delete("A").load_id)
    ids.append(store.undo(ids[-1]).load_id)
    rows = store.history("A", "1m", minute(0))
    assert [(r.load_id, r.close, r.superseded_by) for r in rows] == [
        (ids[0], 1.0, ids[1]),
        (ids[1], 2.0, ids[2]),
        (ids[3], 2.0, None),
    ]
    assert [r.source for r in rows[:2]] == ["s1.0", "s2.0"]
    assert rows[0].known_until == rows[1].known_from
    assert rows[2].known_until is None
    assert store.history("A", "1m", minute(1)) == store.history("B", "1m", minute(0)) == []


def test_undo_of_an_undo(store: BarStore) -> None:
    store.write(bars_of({("A", 0): 1.0, ("A", 1): 1.0}), source="m")
    second = store.write(bars_of({("A", 1): 2.0, ("A", 2): 2.0}), source="m")
    undone = store.undo(second.load_id)
    assert (undone.restored, undone.reinserted, undone.deleted) == (1, 0, 1)
    assert closes(store.read("A", "1m")) == {("A", 0): 1.0, ("A", 1): 1.0}
    again = store.undo(undone.load_id)
    assert (again.restored, again.reinserted, again.deleted) == (1, 1, 0)
    assert closes(store.read("A", "1m")) == {("A", 0): 1.0, ("A", 1): 2.0, ("A", 2): 2.0}
    with pytest.raises(errors.BarsError, match="there is no load 999999"):
        store.undo(999_999)


def test_refused_rows_are_kept(store: BarStore) -> None:
    rows = bars_of({("A", 0): 1.0, ("A", 1): 2.0, ("B", 2): 3.0})
    rows.high[1], rows.volume[2] = 0.0, np.nan
    report = store.write(rows, source="m")
    kept = store.rejected(report.load_id)
    assert [(r.position, r.symbol, r.ts, r.reason) for r in kept] == [
        (1, "A", minute(1), "high 0.0 is below low 2.0"),
        (2, "B", minute(2), "volume missing or not finite"),
    ]
    assert (
        kept[1].raw
        == '{"open": "3.0", "high": "3.0", "low": "3.0", "close": "3.0", "volume": "nan"}'
    )
    assert store.rejected() == kept
    assert store.rejected(report.load_id + 1) == []


def test_the_caller_can_say_where_a_refused_row_came_from(store: BarStore) -> None:
    rows = bars_of({("A", 0): -1.0, ("A", 1): 2.0})
    rows.volume[0] = -1
    report = store.write(
        rows, source="m", describe=lambda r: (r.row + 10, f"see {r.reason}", "a;b'c\u00fc")
    )
    (kept,) = store.rejected(report.load_id)
    assert (kept.position, kept.reason, kept.raw) == (
        10,
        "see volume -1.0 is negative",
        "a;b'c\u00fc",
    )


def test_content_that_is_in_is_skipped(store: BarStore, db: Database) -> None:
    rows = bars_of({("A", 0): 1.0, ("B", 0): 1.0})
    first = store.write(rows, source="m", content_sha256="aa")
    again = store.write(rows, source="m", content_sha256="aa")
    assert (again.skipped, again.load_id, again.received) == (True, first.load_id, 0)
    forced = store.write(rows, source="m", content_sha256="aa", force=True)
    assert (forced.skipped, forced.unchanged) == (False, 2)
    assert len(db.run("testing.loads")) == 2
    # Whatever touches a series of it makes the content worth another look.
    store.write(bars_of({("B", 0): 2.0}), source="m")
    repaired = store.write(rows, source="m", content_sha256="aa")
    assert (repaired.skipped, repaired.updated) == (False, 1)
    store.undo(repaired.load_id)
    assert not store.write(rows, source="m", content_sha256="aa").skipped


@pytest.mark.parametrize("spool_rows", [1, 20, 1_000])
def test_an_iterator_of_many_parts(
    store: BarStore, monkeypatch: pytest.MonkeyPatch, spool_rows: int
) -> None:
    """More of them than SQLite attaches files, some of them new and some of them corrections."""
    monkeypatch.setattr("jutsu_sql.store.batches._SPOOL_ROWS", spool_rows)
    first = {("A", i): 1.0 for i in range(30)}
    store.write(bars_of(first), source="m")
    parts = [bars_of({("A", i): 2.0, (f"N{i}", 0): 3.0}) for i in range(30)]
    report = store.write(iter(parts), source="m")
    assert (report.inserted, report.updated) == (30, 30)
    assert set(closes(store.read("A", "1m")).values()) == {2.0}
    assert len(store.read([f"N{i}" for i in range(30)], "1m")) == 30


def test_an_iterator_of_bars_is_one_load(store: BarStore, db: Database) -> None:
    parts = [bars_of({("A", i): float(i), ("B", i): float(i)}) for i in range(5)]
    seen: list[int] = []
    report = store.write(iter(parts), source="m", progress=seen.append)
    assert (report.inserted, seen) == (10, [2, 4, 6, 8, 10])
    assert len(db.run("testing.loads")) == 1
    # One part corrects another of the same load: the last one counts, and was never known before.
    twice = store.write(iter([bars_of({("C", 0): 1.0}), bars_of({("C", 0): 2.0})]), source="m")
    assert (twice.inserted, twice.updated) == (1, 1)
    assert [row.close for row in store.history("C", "1m", minute(0))] == [2.0]
    bad = bars_of({("D", 0): 1.0})
    bad.volume[0] = -1
    with pytest.raises(errors.RejectedBarsError, match="row 2: volume"):
        store.write(iter([*parts[:1], bad]), source="m", strict=True)
    assert len(db.run("testing.loads")) == 2


def test_an_arrow_reader_is_written_batch_by_batch(
    store: BarStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jutsu_sql.interchange._JOINED_ROWS", 100)
    bars = bars_of({("A", i): float(i % 7) for i in range(1000)})
    seen: list[int] = []
    reader = bars.to_arrow().to_reader(max_chunksize=30)
    assert store.write(reader, source="m", progress=seen.append).inserted == 1000
    assert seen == [*range(120, 961, 120), 1000]
    chunks = (bars[start : start + 250].to_pandas() for start in range(0, 1000, 250))
    assert store.write(chunks, source="m").unchanged == 1000
    with pytest.raises(errors.BarsError, match="there is no column close"):
        store.write(iter([bars.to_arrow(), bars.to_arrow().drop_columns(["close"])]), source="m")
