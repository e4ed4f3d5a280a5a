"""Batches of one load into ``bars``: straight in where nothing overlaps, else through a stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from jutsu_sql.bars import VALUES, Bars, Series
from jutsu_sql.database import Call, Connection
from jutsu_sql.dialects.base import Spool
from jutsu_sql.errors import BarConflictError, DatabaseLockedError, IntegrityError
from jutsu_sql.instants import ends_of, us_from_datetime
from jutsu_sql.store.loads import Load, Touched, resolve_series, series_note
from jutsu_sql.timeframe import interval_end, parse_timeframe

# Large enough for SQLite's images and small enough to bound memory; binary COPY cuts it further.
_BLOCK_ROWS = 32_768
# A batch that has this share of its range's intervals, or more, is compared with what is stored
# there before anything is staged. A stock's minutes are a fifth of all minutes.
_DENSE_SHARE = 1 / 8
# So many bars gather before they are loaded, then twice as many as are in: few files carry all.
_SPOOL_ROWS, _SPOOL_GROWTH = 1_000_000, 2


@dataclass(frozen=True, slots=True)
class Batch:
    """Valid rows of one series, in time order: ``rows`` indexes the Bars they are in."""

    series_id: int
    series: Series
    is_new: bool
    rows: npt.NDArray[np.intp]
    first: datetime
    last: datetime

    def of_rows(self, rows: npt.NDArray[np.intp], bars: Bars) -> Batch:
        """The batch with some of its rows only."""
        first, last = ends_of(bars.ts[rows[[0, -1]]].view(np.int64))
        return replace(self, rows=rows, first=first, last=last)


def batches_of(tx: Connection, load: Load, bars: Bars, order: npt.NDArray[np.intp]) -> list[Batch]:
    """The rows of ``order`` as batches, by series id; the series are there, and locked."""
    parts = np.split(order, np.flatnonzero(np.diff(bars.series_index[order])) + 1)
    names = [bars.series[bars.series_index[part[0]]] for part in parts]
    ids, new = resolve_series(tx, load, names)
    us = bars.ts.view(np.int64)
    batches = [
        Batch(ids[name], name, name in new, part, *ends_of(us[part[[0, -1]]]))
        for name, part in zip(names, parts, strict=True)
    ]
    # Loaders that take keys in one order cannot deadlock.
    return sorted(batches, key=lambda batch: batch.series_id)


class BatchWriter:
    """Batches into ``bars``, in a transaction that has their series locked, or whose caller has."""

    def __init__(
        self, tx: Connection, load: Load, on_conflict: str, *, may_be_bare: bool = True
    ) -> None:
        self._tx = tx
        self._load = load
        self._on_conflict = on_conflict
        self._may_be_bare = may_be_bare
        self._has_stage = False
        self._spool: Spool | None = None
        # The first and the last time of what has gathered there, by series.
        self._gathered: dict[int, tuple[datetime, datetime]] = {}

    def write(self, bars: Bars, batches: Sequence[Batch]) -> None:
        """Store what is new or changed, keep what that replaces, and count."""
        if any(self._meets_gathered(batch) for batch in batches):
            self._load_gathered()
        overlapping = self._note(batches)
        direct, staged = [], []
        for batch in batches:
            if batch.series_id not in overlapping:
                direct.append(batch)
            elif self._on_conflict == "error" or not _is_dense(batch):
                staged.append(batch)
            else:
                fresh, changed = self._compare_with_stored(bars, batch)
                direct.append(fresh)
                if self._on_conflict == "update":
                    staged.append(changed)
        direct = [batch for batch in direct if len(batch.rows)]
        staged = [batch for batch in staged if len(batch.rows)]
        if direct and not (self._gather(bars, direct) or self._load_directly(bars, direct)):
            staged += direct
        if staged:
            self._load_staged(bars, staged)

    def finish(self) -> None:
        """Load what has gathered, and leave no stage behind."""
        self._load_gathered()
        if self._has_stage:
            self._tx.run("stage.drop")

    def _note(self, batches: Sequence[Batch]) -> set[int]:
        """Note the series of the batches; gives those with a stored bar in their batch's range."""
        touched = [Touched(batch.series_id, batch.first, batch.last) for batch in batches]
        older = [batch for batch in batches if not batch.is_new]
        probes: list[Call] = [
            ("bars.overlaps", {"series_id": b.series_id, "first": b.first, "last": b.last})
            for b in older
        ]
        _, *found = self._tx.run_all([series_note(self._load, touched), *probes])
        return {b.series_id for b, overlaps in zip(older, found, strict=True) if overlaps}

    def _meets_gathered(self, batch: Batch) -> bool:
        first, last = self._gathered.get(batch.series_id, (batch.last, batch.first))
        return batch.series_id in self._gathered and first <= batch.last and batch.first <= last

    def _gather(self, bars: Bars, batches: Sequence[Batch]) -> bool:
        """Whether the batches wait to be loaded with what follows, as the engine gains by it."""
        self._spool = self._spool or self._tx.spool("bars.load")
        if self._spool is None:
            return False
        self._spool.add(_blocks(bars, batches, self._load.load_id))
        for batch in batches:
            first, last = self._gathered.get(batch.series_id, (batch.first, batch.last))
            self._gathered[batch.series_id] = min(first, batch.first), max(last, batch.last)
        if self._spool.rows >= max(_SPOOL_ROWS, _SPOOL_GROWTH * self._load.inserted):
            self._load_gathered()
        return True

    def _load_gathered(self) -> None:
        """In an engine that spools nobody else writes: what met no stored bar meets none now."""
        spool, self._spool = self._spool, None
        if spool is None:
            return
        if self._may_be_bare and self._tx.run("bars.bare_pays", rows=spool.rows):
            self._tx.run("bars.make_bare")
            self._tx.load_spool(spool)
            self._tx.run("bars.make_whole")
        else:
            self._tx.load_spool(spool)
        self._load.inserted += spool.rows
        self._load.changed_ids.update(self._gathered)
        self._gathered.clear()

    def _load_directly(self, bars: Bars, batches: Sequence[Batch]) -> bool:
        """Whether it could be done: plain SQL by someone who takes no lock may come in between."""
        rows = sum(len(batch.rows) for batch in batches)
        bare_pays = self._may_be_bare and self._tx.run("bars.bare_pays", rows=rows)
        try:
            if not (bare_pays and self._load_bare(bars, batches)):
                with self._tx.transaction():
                    self._tx.bulk_load("bars.load", _blocks(bars, batches, self._load.load_id))
        except IntegrityError:
            return False
        self._load.inserted += rows
        self._load.changed_ids.update(batch.series_id for batch in batches)
        return True

    def _load_bare(self, bars: Bars, batches: Sequence[Batch]) -> bool:
        """Load without what each row would pay for: PostgreSQL's key, SQLite's triggers.

        Gives whether it could be done: somebody else may be using the table.
        """
        tx = self._tx
        try:
            with tx.transaction():
                tx.run("bars.make_bare")
                tx.bulk_load("bars.load", _blocks(bars, batches, self._load.load_id))
                tx.run("bars.make_whole")
        except DatabaseLockedError:
            return False
        return True

    def _load_staged(self, bars: Bars, batches: Sequence[Batch]) -> None:
        tx, load = self._tx, self._load
        tx.run("stage.clear" if self._has_stage else "stage.create")
        self._has_stage = True
        tx.bulk_load("stage.load", _blocks(bars, batches, load.load_id))
        new_only = self._on_conflict == "ignore"
        while True:
            self._refuse_conflict()
            tx.run("stage.compare", observed_at=load.observed_at)
            changed = tx.run("stage.changed_series", new_only=int(new_only))
            inserted = tx.run("stage.merge_new") if changed else 0
            load.inserted += inserted
            load.changed_ids.update(row.series_id for row in changed)
            if inserted == sum(row.new_bars for row in changed):
                break
            # Plain SQL by someone who takes no lock has stored one of them since the comparison.
            tx.run("stage.forget_changes")
        if not new_only:
            if changed:
                tx.run("stage.revise")
                load.updated += tx.run("stage.merge_changed")
            self._count_kept(tx.run("stage.kept"), batches)

    def _refuse_conflict(self) -> None:
        if self._on_conflict == "error" and (met := self._tx.run("stage.conflict")):
            raise BarConflictError(
                f"{met.symbol} {met.timeframe} {met.ts:%Y-%m-%d %H:%M:%S} UTC is stored already"
                ' (on_conflict="error"): nothing was written'
            )

    def _compare_with_stored(self, bars: Bars, batch: Batch) -> tuple[Batch, Batch]:
        """The bars of the batch that are not stored, and those that are stored with other values.

        Reading columns back costs less than staging and joining rows that are the same: a replay
        of 1 M bars takes 0.8 of the time that it takes to COPY them, not 1.3.
        """
        fresh, changed = [], []
        for start in range(0, len(batch.rows), _BLOCK_ROWS):
            rows = batch.rows[start : start + _BLOCK_ROWS]
            ts = bars.ts[rows]
            first, last = ends_of(ts.view(np.int64))
            stored = self._tx.run("bars.read", series_id=batch.series_id, start=first, end=last)
            if not len(stored["ts"]):
                fresh.append(rows)
                continue
            at = np.minimum(np.searchsorted(stored["ts"], ts), len(stored["ts"]) - 1)
            is_stored = stored["ts"][at] == ts
            is_same = is_stored.copy()
            for name in VALUES:
                is_same &= stored[name][at] == getattr(bars, name)[rows]
            fresh.append(rows[~is_stored])
            changed.append(rows[is_stored & ~is_same])
        none = batch.rows[:0]
        return (
            replace(batch, rows=np.concatenate([none, *fresh])),
            replace(batch, rows=np.concatenate([none, *changed])),
        )

    def _count_kept(self, kept: dict[str, npt.NDArray[Any]], batches: Sequence[Batch]) -> None:
        self._load.kept += len(kept["ts"])
        observed_us = us_from_datetime(self._load.observed_at)
        series = {batch.series_id: batch.series for batch in batches}
        for series_id in np.unique(kept["series_id"]).tolist():
            us = kept["ts"][kept["series_id"] == series_id].view(np.int64)
            ends = interval_end(us, parse_timeframe(series[series_id].timeframe))
            self._load.kept_from_partial += int((ends > observed_us).sum())


def _is_dense(batch: Batch) -> bool:
    """Whether a batch has a good share of the bars that may be stored in its range."""
    first_us, last_us = us_from_datetime(batch.first), us_from_datetime(batch.last)
    end = interval_end(np.array([first_us]), parse_timeframe(batch.series.timeframe))
    interval_us = int(end[0]) - first_us
    return (last_us - first_us) * _DENSE_SHARE <= len(batch.rows) * interval_us


def _blocks(bars: Bars, batches: Sequence[Batch], load_id: int) -> Iterator[dict[str, Any]]:
    """The rows of the batches as blocks of the columns of ``bars``, copied block by block."""
    columns = {name: getattr(bars, name) for name in ("ts", *VALUES)}
    rows = np.concatenate([batch.rows for batch in batches])
    lengths = [len(batch.rows) for batch in batches]
    ids = np.repeat(np.array([batch.series_id for batch in batches], dtype=np.int32), lengths)
    load_ids = np.full(min(len(rows), _BLOCK_ROWS), load_id, dtype=np.int32)
    for start in range(0, len(rows), _BLOCK_ROWS):
        part = rows[start : start + _BLOCK_ROWS]
        # Consecutive rows need no copy.
        is_run = part[-1] - part[0] == len(part) - 1 and (np.diff(part) == 1).all()
        index: Any = slice(part[0], part[-1] + 1) if is_run else part
        yield {
            "series_id": ids[start : start + len(part)],
            "load_id": load_ids[: len(part)],
            **{name: column[index] for name, column in columns.items()},
        }
