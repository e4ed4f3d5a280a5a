"""Writing bars: straight into the table where nothing overlaps, through a stage where it does."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from jutsu_sql.bars import VALUES, Bars, Rejection, Series
from jutsu_sql.database import Connection, Database
from jutsu_sql.errors import (
    BarConflictError,
    BarsError,
    DatabaseLockedError,
    IntegrityError,
    RejectedBarsError,
)
from jutsu_sql.instants import datetime_from_us, us_from_datetime
from jutsu_sql.store.loads import (
    Load,
    Touched,
    note_series,
    recorded_load,
    resolve_series,
    touch_series,
)
from jutsu_sql.timeframe import interval_end, parse_timeframe

_log = logging.getLogger("jutsu_sql")
# Large enough for SQLite's images and small enough to bound memory; binary COPY cuts it further.
_BLOCK_ROWS = 32_768
_SHOWN_REJECTIONS = 5
# How far the clock that an observation was stamped with may run ahead of ours.
_CLOCK_SKEW = timedelta(days=1)
# A batch that has this share of its range's intervals, or more, is compared with what is stored
# there before anything is staged. A stock's minutes are a fifth of all minutes.
_DENSE_SHARE = 1 / 8

# What a rejected row is called where it came from: its position there, the reason, its raw text.
DescribeRejection = Callable[[Rejection], tuple[int, str, str]]


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What one write did, in rows.

    ``received = inserted + updated + unchanged + kept + rejected``. ``unchanged`` counts the bars
    that were stored already and stay as they are; ``kept`` those that were observed later than
    this batch and differ from it, ``kept_from_partial`` of them because the batch has them from
    before their interval ended. ``rejections`` are the rows that validation refused, as they came.
    ``skipped``: the same content was loaded before by the load ``load_id``, nothing has touched its
    series since, and nothing was done; the other figures are then 0.
    """

    load_id: int
    received: int
    inserted: int
    updated: int
    unchanged: int
    kept: int
    kept_from_partial: int
    rejected: int
    rejections: list[Rejection]
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class _Batch:
    """Valid rows of one series, in time order: ``rows`` indexes the Bars they are in."""

    series_id: int
    rows: npt.NDArray[np.intp]
    first: datetime
    last: datetime


def write_bars(
    db: Database,
    parts: Iterable[Bars],
    *,
    source: str,
    on_conflict: str,
    strict: bool,
    observed_at: datetime | None,
    uri: str | None,
    content_sha256: str | None,
    force: bool,
    describe: DescribeRejection | None,
    progress: Callable[[int], None] | None,
) -> LoadReport:
    """See :meth:`jutsu_sql.BarStore.write`."""
    if on_conflict not in {"update", "ignore", "error"}:
        raise ValueError(f'on_conflict is "update", "ignore" or "error", not {on_conflict!r}')
    if observed_at is not None:
        us_from_datetime(observed_at)  # refuses a naive one
        if observed_at > datetime.now(UTC) + _CLOCK_SKEW:
            # It would keep every later correction back until that day comes.
            raise BarsError(f"observed_at {observed_at.isoformat()} lies in the future")
    if content_sha256 is not None and not force:
        load_id = db.run("loads.with_content", content_sha256=content_sha256)
        if load_id is not None:
            return LoadReport(load_id, 0, 0, 0, 0, 0, 0, 0, [], skipped=True)
    with (
        db.transaction() as tx,
        recorded_load(
            tx,
            "write",
            source,
            observed_at=observed_at,
            uri=uri,
            content_sha256=content_sha256,
        ) as load,
    ):
        writer = _Writer(tx, load, on_conflict)
        rejections: list[Rejection] = []
        for bars in parts:
            rejections += writer.write(bars, strict=strict, describe=describe)
            if progress is not None:
                progress(load.received)
        writer.finish()
    if rejections:
        _log.warning(_summary(rejections))
    return LoadReport(
        load.load_id,
        load.received,
        load.inserted,
        load.updated,
        load.unchanged,
        load.kept,
        writer.kept_from_partial,
        load.rejected,
        rejections,
    )


def _summary(rejections: Sequence[Rejection]) -> str:
    shown = "; ".join(f"row {r.row}: {r.reason}" for r in rejections[:_SHOWN_REJECTIONS])
    more = len(rejections) - _SHOWN_REJECTIONS
    return f"{len(rejections)} rows refused: {shown}" + (f"; and {more} more" if more > 0 else "")


class _Writer:
    """The parts of one load, one after the other, in the load's transaction."""

    def __init__(self, tx: Connection, load: Load, on_conflict: str) -> None:
        self._tx = tx
        self._load = load
        self._on_conflict = on_conflict
        self._has_stage = False
        self.kept_from_partial = 0

    def write(
        self, bars: Bars, *, strict: bool, describe: DescribeRejection | None
    ) -> list[Rejection]:
        if bars.open.dtype == object:
            bars = bars.as_double()
        validation = bars.validate()
        first_row = self._load.received
        rejections = [r.moved(first_row) for r in validation.rejections]
        if rejections and strict:
            raise RejectedBarsError(_summary(rejections), rejections=rejections)
        self._load.received += len(bars)
        self._load.rejected += len(rejections)
        self._quarantine(rejections, describe or _describe)
        if len(validation.order):
            self._write_valid(bars, validation.order)
        return rejections

    def finish(self) -> None:
        if self._has_stage:
            self._tx.run("stage.drop")

    def _quarantine(self, rejections: Sequence[Rejection], describe: DescribeRejection) -> None:
        rows = []
        for rejection in rejections:
            position, reason, raw = describe(rejection)
            iso = rejection.ts and rejection.ts.isoformat()
            us = rejection.ts and us_from_datetime(rejection.ts)
            series = (rejection.symbol, rejection.timeframe)
            rows.append([position, *series, iso, us, reason, raw])
        if rows:
            self._tx.run("rejected.insert", load_id=self._load.load_id, rows=json.dumps(rows))

    def _write_valid(self, bars: Bars, order: npt.NDArray[np.intp]) -> None:
        parts = np.split(order, np.flatnonzero(np.diff(bars.series_index[order])) + 1)
        names = [bars.series[bars.series_index[part[0]]] for part in parts]
        ids, new = resolve_series(self._tx, names)
        us = bars.ts.view(np.int64)
        batches = [
            _Batch(
                ids[name],
                part,
                datetime_from_us(int(us[part[0]])),
                datetime_from_us(int(us[part[-1]])),
            )
            for name, part in zip(names, parts, strict=True)
        ]
        # Loaders that take keys in one order cannot deadlock.
        batches.sort(key=lambda batch: batch.series_id)
        note_series(self._tx, self._load, [Touched(b.series_id, b.first, b.last) for b in batches])
        new_ids = {ids[name] for name in new}
        overlapping = self._overlapping([b for b in batches if b.series_id not in new_ids])
        staged = [batch for batch in batches if batch.series_id in overlapping]
        direct = [batch for batch in batches if batch.series_id not in overlapping]
        if direct and not self._load_directly(bars, direct):
            staged = batches
        if staged:
            self._load_staged(bars, staged, {ids[name]: name for name in names})

    def _overlapping(self, batches: Sequence[_Batch]) -> set[int]:
        """The series that have a stored bar between the first and the last of their batch."""
        calls = [{"series_id": b.series_id, "first": b.first, "last": b.last} for b in batches]
        found = self._tx.run_each("bars.overlaps", calls) if calls else []
        return {b.series_id for b, overlaps in zip(batches, found, strict=True) if overlaps}

    def _load_directly(self, bars: Bars, batches: Sequence[_Batch]) -> bool:
        """Whether it could be done: plain SQL by someone who takes no lock may come in between."""
        rows = sum(len(batch.rows) for batch in batches)
        bare_pays = self._tx.run("bars.bare_pays", rows=rows)
        try:
            if not (bare_pays and self._load_bare(bars, batches)):
                with self._tx.transaction():
                    self._tx.bulk_load("bars.load", _blocks(bars, batches, self._load.load_id))
        except IntegrityError:
            return False
        self._load.inserted += rows
        touch_series(self._tx, self._load, [batch.series_id for batch in batches])
        return True

    def _load_bare(self, bars: Bars, batches: Sequence[_Batch]) -> bool:
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

    def _load_staged(self, bars: Bars, batches: Sequence[_Batch], names: dict[int, Series]) -> None:
        tx, load = self._tx, self._load
        if self._on_conflict != "error":
            batches = [self._without_stored(bars, b, names[b.series_id]) for b in batches]
            batches = [batch for batch in batches if len(batch.rows)]
            if not batches:
                return
        tx.run("stage.clear" if self._has_stage else "stage.create")
        self._has_stage = True
        tx.bulk_load("stage.load", _blocks(bars, batches, load.load_id))
        if self._on_conflict == "error" and (met := tx.run("stage.conflict")):
            raise BarConflictError(
                f"{met.symbol} {met.timeframe} {met.ts:%Y-%m-%d %H:%M:%S} UTC is stored already"
                ' (on_conflict="error"): nothing was written'
            )
        tx.run("stage.compare", observed_at=load.observed_at)
        new_only = self._on_conflict == "ignore"
        changed = tx.run("stage.changed_series", new_only=int(new_only))
        if changed:
            load.inserted += tx.run("stage.merge_new")
        if not new_only:
            if changed:
                tx.run("stage.revise_changed")
                load.updated += tx.run("stage.merge_changed")
            self._count_kept(tx.run("stage.kept"), names)
        touch_series(tx, load, [row.series_id for row in changed])

    def _without_stored(self, bars: Bars, batch: _Batch, series: Series) -> _Batch:
        """The batch without the bars that are stored just so.

        Reading columns back costs less than staging and joining rows that are the same: a replay
        of 1 M bars takes 0.8 of the time that it takes to COPY them, not 1.3.
        """
        timeframe = parse_timeframe(series.timeframe)
        first_us, last_us = us_from_datetime(batch.first), us_from_datetime(batch.last)
        interval_us = int(interval_end(np.array([first_us]), timeframe)[0]) - first_us
        if (last_us - first_us) * _DENSE_SHARE > len(batch.rows) * interval_us:
            return batch
        news = []
        for start in range(0, len(batch.rows), _BLOCK_ROWS):
            rows = batch.rows[start : start + _BLOCK_ROWS]
            ts = bars.ts[rows]
            first, last = (datetime_from_us(int(x)) for x in ts[[0, -1]].view(np.int64))
            stored = self._tx.run("bars.read", series_id=batch.series_id, start=first, end=last)
            if not len(stored["ts"]):
                news.append(rows)
                continue
            at = np.minimum(np.searchsorted(stored["ts"], ts), len(stored["ts"]) - 1)
            same = stored["ts"][at] == ts
            for name in VALUES:
                same &= stored[name][at] == getattr(bars, name)[rows]
            news.append(rows[~same])
        return replace(batch, rows=np.concatenate(news))

    def _count_kept(self, kept: dict[str, npt.NDArray[Any]], names: dict[int, Series]) -> None:
        self._load.kept += len(kept["ts"])
        observed_us = us_from_datetime(self._load.observed_at)
        for series_id in np.unique(kept["series_id"]).tolist():
            us = kept["ts"][kept["series_id"] == series_id].view(np.int64)
            ends = interval_end(us, parse_timeframe(names[series_id].timeframe))
            self.kept_from_partial += int((ends > observed_us).sum())


def _describe(rejection: Rejection) -> tuple[int, str, str]:
    values = dict(zip(VALUES, map(repr, rejection.values), strict=True))
    return rejection.row, rejection.reason, json.dumps(values)


def _blocks(bars: Bars, batches: Sequence[_Batch], load_id: int) -> Iterator[dict[str, Any]]:
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
