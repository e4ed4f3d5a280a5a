"""The ledger: every correction kept, every past state readable, every load undoable."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from jutsu_sql import Bars, BarStore, Database, errors

START = datetime(2024, 1, 2, tzinfo=UTC)
NOW = datetime(2024, 6, 1, tzinfo=UTC)
EXAMPLES = itertools.count()

Key = tuple[str, int]


def bars_of(rows: dict[Key, float], prefix: str = "") -> Bars:
    """Flat minute bars by (symbol, minute), with their close."""
    us = np.array([minute for _, minute in rows]).astype("m8[m]") + np.datetime64("2024-01-02", "m")
    x = np.array(list(rows.values()), dtype=np.float64)
    symbols = [prefix + symbol for symbol, _ in rows]
    prices = (x.copy() for _ in range(4))
    return Bars.from_arrays(symbols, "1m", us.astype("M8[us]"), *prices, np.abs(x))


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


def closes(bars: Bars, prefix: str = "") -> dict[Key, float]:
    return {
        (bar.symbol.removeprefix(prefix), (bar.ts - START) // timedelta(minutes=1)): bar.close
        for bar in bars
    }


class Model:
    """What the ledger must say, in plain Python: each key's versions, newest last."""

    def __init__(self) -> None:
        self.versions: dict[Key, list[tuple[int, datetime, float | None]]] = {}

    def current(self) -> dict[Key, float]:
        latest = {key: versions[-1][2] for key, versions in self.versions.items()}
        return {key: value for key, value in latest.items() if value is not None}

    def write(
        self, load_id: int, observed: datetime, rows: dict[Key, float], policy: str
    ) -> dict[str, int]:
        counts = dict.fromkeys(("inserted", "updated", "unchanged", "kept"), 0)
        for key, value in rows.items():
            versions = self.versions.setdefault(key, [])
            stored = versions[-1] if versions else (0, observed, None)
            if stored[2] is None:
                what = "inserted"
            elif stored[2] == value or policy == "ignore":
                what = "unchanged"
            elif stored[1] > observed:
                what = "kept"
            else:
                what = "updated"
            counts[what] += 1
            if what in {"inserted", "updated"}:
                versions.append((load_id, observed, value))
        return counts

    def delete(self, load_id: int, symbol: str, first: int, last: int) -> int:
        keys = [k for k in self.current() if k[0] == symbol and first <= k[1] <= last]
        for key in keys:
            self.versions[key].append((load_id, NOW, None))
        return len(keys)

    def undo(self, undo_id: int, load_id: int, observed: datetime) -> datetime:
        """What comes back counts as observed when the oldest of it was."""
        replaced = [
            before[1]
            for versions in self.versions.values()
            for before, after in itertools.pairwise(versions)
            if after[0] == load_id and before[2] is not None
        ]
        observed = min(replaced, default=observed)
        for versions in self.versions.values():
            if versions and versions[-1][0] == load_id:
                before = versions[-2][2] if len(versions) > 1 else None
                versions.append((undo_id, observed, before))
        return observed


keys = st.tuples(st.sampled_from("AB"), st.integers(0, 4))
writes = st.tuples(
    st.just("write"),
    st.dictionaries(keys, st.sampled_from([1.0, 2.0, 3.0]), min_size=1, max_size=6),
    st.integers(0, 3),
    st.sampled_from(["update", "update", "ignore"]),
)
deletes = st.tuples(st.just("delete"), st.sampled_from("AB"), st.integers(0, 4), st.integers(0, 4))
undos = st.tuples(st.just("undo"), st.integers(0, 9))


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(st.one_of(writes, writes, deletes, undos), min_size=1, max_size=8))
def test_the_ledger_agrees_with_a_plain_model(
    db: Database, store: BarStore, steps: list[tuple[Any, ...]]
) -> None:
    prefix = f"{next(EXAMPLES)}-"
    symbols = [f"{prefix}A", f"{prefix}B"]
    model = Model()
    loads: list[tuple[int, datetime]] = []
    past: dict[int, dict[Key, float]] = {}
    for step in steps:
        if step[0] == "write":
            _, rows, age, policy = step
            observed = NOW - timedelta(days=age)
            report = store.write(
                bars_of(rows, prefix), source="m", observed_at=observed, on_conflict=policy
            )
            counts = model.write(report.load_id, observed, rows, policy)
            assert {name: getattr(report, name) for name in counts} == counts
        elif step[0] == "delete":
            _, symbol, first, last = step
            first, last = sorted((first, last))
            report = store.delete(prefix + symbol, "1m", minute(first), minute(last))
            observed = NOW
            assert report.deleted == model.delete(report.load_id, symbol, first, last)
        elif not loads:
            continue
        else:
            load_id, observed = loads[step[1] % len(loads)]
            report = store.undo(load_id)
            observed = model.undo(report.load_id, load_id, observed)
        loads.append((report.load_id, observed))
        note(f"{report}")
        past[report.load_id] = model.current()
        assert closes(store.read(symbols, "1m"), prefix) == model.current()
    for load_id, expected in past.items():
        known = db.run("loads.find", load_id=load_id).finished_at
        assert closes(store.read(symbols, "1m", as_of=known), prefix) == expected
    before = db.run("loads.find", load_id=min(past, default=1)) if past else None
    if before is not None:
        earlier = before.finished_at - timedelta(microseconds=1)
        assert len(store.read(symbols, "1m", as_of=earlier)) == 0


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


def test_an_iterator_of_many_parts(store: BarStore) -> None:
    """More of them than SQLite attaches files, some of them new and some of them corrections."""
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
