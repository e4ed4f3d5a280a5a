"""What the ledger must say, in plain Python, and the actions that both it and a store can do."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from jutsu_sql import Bars, BarStore, Database

START = datetime(2024, 1, 2, tzinfo=UTC)
NOW = datetime(2024, 6, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

Key = tuple[str, int]


def minute(number: int) -> datetime:
    return START + number * MINUTE


def bars_of(rows: Mapping[Key, float], prefix: str = "") -> Bars:
    """Flat minute bars by (symbol, minute), with their close."""
    us = np.array([minute for _, minute in rows]).astype("m8[m]") + np.datetime64("2024-01-02", "m")
    x = np.array(list(rows.values()), dtype=np.float64)
    symbols = [prefix + symbol for symbol, _ in rows]
    prices = (x.copy() for _ in range(4))
    return Bars.from_arrays(symbols, "1m", us.astype("M8[us]"), *prices, np.abs(x))


def key_of(symbol: str, ts: datetime, prefix: str = "") -> Key:
    return symbol.removeprefix(prefix), (ts - START) // MINUTE


def closes(bars: Bars, prefix: str = "") -> dict[Key, float]:
    return {key_of(bar.symbol, bar.ts, prefix): bar.close for bar in bars}


@dataclass(frozen=True)
class Write:
    """One load, of one part or of several."""

    parts: tuple[Mapping[Key, float], ...]
    observed: datetime = NOW
    policy: str = "update"

    def run(self, store: BarStore, prefix: str = "") -> Any:
        bars = [bars_of(part, prefix) for part in self.parts]
        return store.write(
            bars[0] if len(bars) == 1 else iter(bars),
            source="model",
            observed_at=self.observed,
            on_conflict=self.policy,  # type: ignore[arg-type]
        )


@dataclass(frozen=True)
class Delete:
    """The bars of one symbol between two minutes, both inclusive."""

    symbol: str
    first: int
    last: int

    def run(self, store: BarStore, prefix: str = "") -> Any:
        return store.delete(prefix + self.symbol, "1m", minute(self.first), minute(self.last))


@dataclass(frozen=True)
class Undo:
    load_id: int

    def run(self, store: BarStore, prefix: str = "") -> Any:
        return store.undo(self.load_id)


Action = Write | Delete | Undo


class Version(NamedTuple):
    """What a load made of one bar; no value if it took it away."""

    load_id: int
    observed: datetime
    value: float | None


class Model:
    """Each key's versions, newest last, and what was known after each load."""

    def __init__(self) -> None:
        self.versions: dict[Key, list[Version]] = {}
        self.known: dict[int, dict[Key, float]] = {}

    def current(self) -> dict[Key, float]:
        latest = {key: versions[-1].value for key, versions in self.versions.items()}
        return {key: value for key, value in latest.items() if value is not None}

    def stored(self) -> set[tuple[Key, int, float, int | None]]:
        """Every version, with the load that wrote it and the one that superseded it, if any."""
        return {
            (key, version.load_id, version.value, later and later.load_id)
            for key, versions in self.versions.items()
            for version, later in itertools.zip_longest(versions, versions[1:])
            if version.value is not None
        }

    def refuses(self, action: Action) -> bool:
        """Whether a load with ``on_conflict="error"`` meets a stored bar, or one of its own."""
        if not isinstance(action, Write) or action.policy != "error":
            return False
        keys = [key for part in action.parts for key in part]
        return len(set(keys)) < len(keys) or not self.current().keys().isdisjoint(keys)

    def run(self, load_id: int, action: Action) -> dict[str, int]:
        """What the action's report must say."""
        if isinstance(action, Write):
            counts = self._write(load_id, action)
        elif isinstance(action, Delete):
            counts = self._delete(load_id, action)
        else:
            counts = self._undo(load_id, action)
        self.known[load_id] = self.current()
        return counts

    def _put(self, key: Key, version: Version) -> None:
        versions = self.versions.setdefault(key, [])
        if versions and versions[-1].load_id == version.load_id:
            versions.pop()  # nobody has ever known it
        versions.append(version)

    def _write(self, load_id: int, action: Write) -> dict[str, int]:
        names = ("inserted", "updated", "unchanged", "kept", "kept_from_partial")
        counts = dict.fromkeys(names, 0)
        for key, value in (item for part in action.parts for item in part.items()):
            stored = self.versions.get(key, [Version(0, NOW, None)])[-1]
            if stored.value is None:
                what = "inserted"
            elif stored.value == value or action.policy == "ignore":
                what = "unchanged"
            elif stored.observed > action.observed:
                what = "kept"
                counts["kept_from_partial"] += minute(key[1] + 1) > action.observed
            else:
                what = "updated"
            counts[what] += 1
            if what in {"inserted", "updated"}:
                self._put(key, Version(load_id, action.observed, value))
        counts["received"] = sum(len(part) for part in action.parts)
        return counts

    def _delete(self, load_id: int, action: Delete) -> dict[str, int]:
        span = range(action.first, action.last + 1)
        keys = [k for k in self.current() if k[0] == action.symbol and k[1] in span]
        for key in keys:
            self._put(key, Version(load_id, NOW, None))
        return {"deleted": len(keys)}

    def _undo(self, load_id: int, action: Undo) -> dict[str, int]:
        """What comes back counts as observed when the oldest of what was replaced was."""
        counts = dict.fromkeys(("restored", "reinserted", "deleted"), 0)
        undone = action.load_id
        steps = [
            pair for versions in self.versions.values() for pair in itertools.pairwise(versions)
        ]
        observed = min(
            (old.observed for old, new in steps if new.load_id == undone and old.value is not None),
            default=NOW,
        )
        for key, versions in self.versions.items():
            if versions[-1].load_id != undone:
                continue
            now, before = versions[-1].value, versions[-2].value if len(versions) > 1 else None
            what = "deleted" if before is None else "reinserted" if now is None else "restored"
            counts[what] += 1
            self._put(key, Version(load_id, observed, before))
        return counts


def check_report(report: Any, expected: Mapping[str, int]) -> None:
    assert {name: getattr(report, name) for name in expected} == expected


def check_ledger(db: Database, model: Model, symbols: Iterable[str], prefix: str = "") -> None:
    """That the database says what the model says: now, at every load, and of every version."""
    store, names = BarStore(db), [prefix + symbol for symbol in symbols]
    assert closes(store.read(names, "1m"), prefix) == model.current()
    for load_id, expected in model.known.items():
        known = db.run("loads.find", load_id=load_id).finished_at
        assert closes(store.read(names, "1m", as_of=known), prefix) == expected
    if model.known:
        first = min(db.run("loads.find", load_id=load_id).finished_at for load_id in model.known)
        assert len(store.read(names, "1m", as_of=first - timedelta(microseconds=1))) == 0
    rows = [row for row in db.run("testing.versions") if row.symbol in names]
    assert {
        (key_of(r.symbol, r.ts, prefix), r.load_id, r.close, r.superseded_by) for r in rows
    } == model.stored()


def contents(db: Database) -> list[Any]:
    """Everything that loads write, to be compared with what was there before."""
    names = ("testing.versions", "testing.loads", "testing.load_series", "testing.series")
    return [db.run(name) for name in names] + [db.run("rejected.list", load_id=None)]
