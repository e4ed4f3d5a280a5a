"""Taking a load back, as a load of its own."""

from __future__ import annotations

from dataclasses import dataclass

from jutsu_sql.database import Database
from jutsu_sql.errors import BarsError
from jutsu_sql.store.loads import Touched, lock_series, recorded_load, series_note


@dataclass(frozen=True, slots=True)
class UndoReport:
    """What one undo did: bars put back as they were, brought back, and taken away.

    A corporate action that is put back as it was counts as brought back and taken away.
    """

    load_id: int
    restored: int
    reinserted: int
    deleted: int


def undo_load(db: Database, load_id: int) -> UndoReport:
    """See :meth:`jutsu_sql.BarStore.undo`."""
    undone = db.run("loads.find", load_id=load_id)
    if undone is None:
        raise BarsError(f"there is no load {load_id}")
    if undone.finished_at is None:
        _await_end(db, load_id)
    # What a finished load has touched and replaced does not change any more.
    touched = db.run("loads.series", load_id=load_id)
    series_ids = [row.series_id for row in touched]
    spans = [
        {"series_id": row.series_id, "start": row.first_ts, "end": row.last_ts} for row in touched
    ]
    # What comes back was observed when it was, so that whatever is newer may be loaded again.
    replaced = [db.run("revisions.replaced_observed_at", load_id=load_id, **span) for span in spans]
    observed_at = min(filter(None, replaced), default=undone.observed_at)
    source = f"undo of load {load_id}"
    with recorded_load(db, "undo", source, observed_at=observed_at) as (tx, load):
        lock_series(tx, load, series_ids)
        tx.run("stage.create")
        for span in spans:
            tx.run("revisions.undo_stage", undone=load_id, load_id=load.load_id, **span)
        tx.run("revisions.revise_gone")
        load.deleted = tx.run("revisions.delete_gone")
        tx.run("stage.revise_changed")
        restored = tx.run("stage.merge_changed")
        reinserted = tx.run("stage.merge_new")
        tx.run("stage.drop")
        actions = {"undone": load_id, "load_id": load.load_id}
        load.deleted += tx.run("actions.revoke", **actions)
        reinserted += tx.run("actions.restore", **actions)
        tx.run("coverage.note_undone", **actions)
        load.received = restored + reinserted
        load.updated, load.inserted = restored, reinserted
        tx.run_all([series_note(load, [Touched(*row) for row in touched])])
        load.changed_ids.update(series_ids)
    return UndoReport(load.load_id, restored, reinserted, load.deleted)


def _await_end(db: Database, load_id: int) -> None:
    """Wait for a load over several connections, or close it if nobody writes it any more."""
    with db.transaction() as tx:
        touched = tx.run("loads.series", load_id=load_id)
        lock_series(tx, None, [row.series_id for row in touched])
