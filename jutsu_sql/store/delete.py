"""Deleting bars, by filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
        touched = []
        for series_id in _lock_matching(tx, load, symbol, frame):
            tx.run("bars.revise", series_id=series_id, superseded_by=load.load_id, **span)
            if deleted := tx.run("bars.delete", series_id=series_id, **span):
                load.deleted += deleted
                touched.append(Touched(series_id, span["start"], span["end"]))
        tx.run_all([series_note(load, touched)])
        load.changed_ids.update(row.series_id for row in touched)
    return DeleteReport(load.load_id, load.deleted)


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
