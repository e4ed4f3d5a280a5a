"""Deleting bars, by filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jutsu_sql.bars import Series
from jutsu_sql.database import Connection, Database
from jutsu_sql.errors import BarsError
from jutsu_sql.store.loads import Load, Touched, lock_series, recorded_load, series_note
from jutsu_sql.store.read import bounds
from jutsu_sql.timeframe import parse_timeframe


@dataclass(frozen=True, slots=True)
class DeleteReport:
    """What one delete did."""

    load_id: int
    deleted: int


def delete_bars(
    db: Database,
    symbol: str | None,
    timeframe: str | None,
    start: Any,
    end: Any,
    *,
    everything: bool,
    source: str,
) -> DeleteReport:
    """See :meth:`jutsu_sql.BarStore.delete`."""
    has_filter = any(value is not None for value in (symbol, timeframe, start, end))
    if has_filter == everything:
        raise BarsError(
            "everything=True goes without filters"
            if everything
            else "this would delete every bar: give a filter, or say everything=True"
        )
    frame = None if timeframe is None else str(parse_timeframe(timeframe))
    span = bounds(start, end)
    with recorded_load(db, "delete", source) as (tx, load):
        series_ids = _lock_matching(tx, load, symbol, frame)
        touched = [
            Touched(series_id, span["start"], span["end"])
            for series_id in series_ids
            if _delete_span(tx, load, series_id, **span)
        ]
        _note(tx, load, touched)
    return DeleteReport(load.load_id, load.deleted)


def delete_spans(
    db: Database, name: Series, spans: Sequence[tuple[datetime, datetime]], *, source: str
) -> DeleteReport:
    """Delete the bars of one series in spans of time, given in their order, as one load."""
    with recorded_load(db, "delete", source) as (tx, load):
        (series_id,) = _lock_matching(tx, load, *name)
        for start, end in spans:
            _delete_span(tx, load, series_id, start, end)
        _note(tx, load, [Touched(series_id, spans[0][0], spans[-1][1])])
    return DeleteReport(load.load_id, load.deleted)


def _delete_span(
    tx: Connection, load: Load, series_id: int, start: datetime, end: datetime
) -> bool:
    """Whether there were any bars to delete."""
    span = {"series_id": series_id, "start": start, "end": end}
    tx.run("bars.revise", superseded_by=load.load_id, **span)
    deleted: int = tx.run("bars.delete", **span)
    load.deleted += deleted
    return deleted > 0


def _note(tx: Connection, load: Load, touched: Sequence[Touched]) -> None:
    tx.run_all([series_note(load, touched)])
    load.changed_ids.update(row.series_id for row in touched)


def _lock_matching(
    tx: Connection, load: Load, symbol: str | None, timeframe: str | None
) -> list[int]:
    """The series that match, locked, with those that others have made while this one waited."""
    locked: list[int] = []
    while True:
        rows = tx.run("series.matching", symbol=symbol, timeframe=timeframe)
        if len(rows) == len(locked):
            return locked
        locked = [row.series_id for row in rows]
        lock_series(tx, load, locked)
