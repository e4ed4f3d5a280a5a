"""Writing bars: straight into the table where nothing overlaps, through a stage where it does."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from jutsu_sql.bars import VALUES, Bars, Rejection
from jutsu_sql.database import Connection, Database
from jutsu_sql.errors import BarConflictError, IntegrityError, RejectedBarsError
from jutsu_sql.instants import datetime_from_us
from jutsu_sql.store.loads import Load, recorded_load, resolve_series

_log = logging.getLogger("jutsu_sql")
# Large enough for SQLite's images and small enough to bound memory; binary COPY cuts it further.
_BLOCK_ROWS = 32_768
_SHOWN_REJECTIONS = 5


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What one write did, in rows: received = inserted + updated + unchanged + rejected.

    ``unchanged`` counts the bars that were stored already and stay as they are. ``rejections``
    are the rows that validation refused, as they came, with their reasons.
    """

    load_id: int
    received: int
    inserted: int
    updated: int
    unchanged: int
    rejected: int
    rejections: list[Rejection]


@dataclass(frozen=True, slots=True)
class _Batch:
    """Valid rows of one series, in time order: ``rows`` indexes the Bars they are in."""

    series_id: int
    rows: npt.NDArray[np.intp]
    first_us: int
    last_us: int


def write_bars(
    db: Database,
    bars: Bars,
    *,
    source: str,
    on_conflict: str,
    strict: bool,
    uri: str | None,
    content_sha256: str | None,
) -> LoadReport:
    """See :meth:`jutsu_sql.BarStore.write`."""
    if on_conflict not in {"update", "ignore", "error"}:
        raise ValueError(f'on_conflict is "update", "ignore" or "error", not {on_conflict!r}')
    if bars.open.dtype == object:
        bars = bars.as_double()
    validation = bars.validate()
    rejections = validation.rejections
    if rejections:
        _report(rejections, strict=strict)
    with (
        db.transaction() as tx,
        recorded_load(tx, "write", source, uri=uri, content_sha256=content_sha256) as load,
    ):
        load.received, load.rejected = len(bars), len(rejections)
        _write(tx, load, bars, validation.order, on_conflict)
    return LoadReport(
        load.load_id,
        load.received,
        load.inserted,
        load.updated,
        load.unchanged,
        load.rejected,
        rejections,
    )


def _report(rejections: Sequence[Rejection], *, strict: bool) -> None:
    shown = "; ".join(f"row {r.row}: {r.reason}" for r in rejections[:_SHOWN_REJECTIONS])
    more = len(rejections) - _SHOWN_REJECTIONS
    text = f"{len(rejections)} rows refused: {shown}" + (f"; and {more} more" if more > 0 else "")
    if strict:
        raise RejectedBarsError(text, rejections=rejections)
    _log.warning(text)


def _write(
    tx: Connection, load: Load, bars: Bars, order: npt.NDArray[np.intp], on_conflict: str
) -> None:
    if not len(order):
        return
    codes = bars.series_index[order]
    edges = np.flatnonzero(np.diff(codes)) + 1
    parts = np.split(order, edges)
    names = [bars.series[bars.series_index[part[0]]] for part in parts]
    ids, new = resolve_series(tx, names)
    us = bars.ts.view(np.int64)
    batches = [
        _Batch(ids[name], part, int(us[part[0]]), int(us[part[-1]]))
        for name, part in zip(names, parts, strict=True)
    ]
    # Loaders that take keys in one order cannot deadlock.
    batches.sort(key=lambda batch: batch.series_id)
    new_ids = {ids[name] for name in new}
    overlapping = _overlapping(tx, [b for b in batches if b.series_id not in new_ids])
    direct = [batch for batch in batches if batch.series_id not in overlapping]
    staged = [batch for batch in batches if batch.series_id in overlapping]
    if direct:
        try:
            with tx.transaction():
                load.inserted += tx.bulk_load("bars.load", _blocks(bars, direct, load.load_id))
                _touch(tx, load, [batch.series_id for batch in direct])
        except IntegrityError:
            # Plain SQL by someone who takes no lock on the series came in between.
            staged = batches
            load.inserted = 0
    if staged:
        _write_staged(tx, load, _blocks(bars, staged, load.load_id), on_conflict)


def _overlapping(tx: Connection, batches: Sequence[_Batch]) -> set[int]:
    """The series that have a stored bar between the first and the last of their batch."""
    calls = [
        {
            "series_id": batch.series_id,
            "first": datetime_from_us(batch.first_us),
            "last": datetime_from_us(batch.last_us),
        }
        for batch in batches
    ]
    found = tx.run_each("bars.overlaps", calls) if calls else []
    return {batch.series_id for batch, overlaps in zip(batches, found, strict=True) if overlaps}


def _write_staged(
    tx: Connection, load: Load, blocks: Iterator[dict[str, Any]], on_conflict: str
) -> None:
    tx.run("stage.create")
    tx.bulk_load("stage.load", blocks)
    if on_conflict == "error" and (met := tx.run("stage.conflict")):
        raise BarConflictError(
            f"{met.symbol} {met.timeframe} {met.ts:%Y-%m-%d %H:%M:%S} UTC is stored already"
            ' (on_conflict="error"): nothing was written'
        )
    tx.run("stage.compare")
    new_only = on_conflict == "ignore"
    if touched := tx.run("stage.changed_series", new_only=int(new_only)):
        load.inserted += tx.run("stage.merge_new")
        if not new_only:
            load.updated += tx.run("stage.merge_changed")
        _touch(tx, load, [row.series_id for row in touched])
    tx.run("stage.drop")


def _touch(tx: Connection, load: Load, series_ids: list[int]) -> None:
    tx.run("series.touch", load_id=load.load_id, series_ids=series_ids)


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
