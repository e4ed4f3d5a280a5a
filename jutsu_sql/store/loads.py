"""The audit trail: one row of ``loads`` for each write, delete or undo, and what it touched."""

from __future__ import annotations

import getpass
import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from typing import NamedTuple

import jutsu_sql
from jutsu_sql.bars import Series
from jutsu_sql.database import Call, Connection, Database
from jutsu_sql.errors import ConnectionFailedError, DatabaseError, OutcomeUnknownError

_log = logging.getLogger("jutsu_sql")
# How long a database is asked what became of a COMMIT: a server is back from a crash in seconds,
# a standby is promoted in less than a minute.
_SETTLE_WITHIN_S = 60.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0


@dataclass(slots=True)
class Load:
    """A load under way: its id, and what it has done so far, in rows."""

    load_id: int
    observed_at: datetime
    started_at: datetime
    received: int = 0
    inserted: int = 0
    updated: int = 0
    kept: int = 0
    kept_from_partial: int = 0
    rejected: int = 0
    deleted: int = 0
    changed_ids: set[int] = field(default_factory=set)

    @property
    def unchanged(self) -> int:
        """Rows that were stored already, and stay as they are."""
        return self.received - self.inserted - self.updated - self.kept - self.rejected


class Touched(NamedTuple):
    """One series, and between which times a load touches it."""

    series_id: int
    first_ts: datetime
    last_ts: datetime


@contextmanager
def recorded_load(
    db: Database,
    kind: str,
    source: str,
    *,
    observed_at: datetime | None = None,
    uri: str | None = None,
    content_sha256: str | None = None,
) -> Iterator[tuple[Connection, Load]]:
    """Some work as one transaction with one row of ``loads``: all of it, or nothing.

    If the connection is lost at COMMIT, the database is asked whether the load happened. It ends
    well then, with a warning in the log.

    Raises:
        ConnectionFailedError: the connection was lost, and nothing was written.
        OutcomeUnknownError: it was lost at COMMIT, and the database cannot be asked.
    """
    is_done = False
    try:
        with db.transaction() as tx:
            load = start_load(
                tx, kind, source, observed_at=observed_at, uri=uri, content_sha256=content_sha256
            )
            yield tx, load
            finish_load(tx, load)
            is_done = True
    except OutcomeUnknownError as error:
        if not is_done:
            raise  # of another load, one that the caller's iterator makes
        _settle(db, load, error)


def start_load(
    tx: Connection,
    kind: str,
    source: str,
    *,
    observed_at: datetime | None = None,
    uri: str | None = None,
    content_sha256: str | None = None,
) -> Load:
    """A new row of ``loads``; observed now, if not told otherwise."""
    now = datetime.now(UTC)
    row = {
        "kind": kind,
        "source": source,
        "uri": uri,
        "content_sha256": content_sha256,
        "observed_at": observed_at or now,
        "started_at": now,
        "actor": _actor(),
        "tool_version": f"jutsu_sql {jutsu_sql.__version__}",
    }
    _, load_id = tx.run_all([("bars.claim", {}), ("loads.start", row)])
    return Load(load_id, observed_at or now, now)


def finish_load(tx: Connection, load: Load) -> None:
    """What a load did, in its row and on the series that it changed: from the commit on, known."""
    row = {
        "load_id": load.load_id,
        "received": load.received,
        "inserted": load.inserted,
        "updated": load.updated,
        "unchanged": load.unchanged,
        "kept": load.kept,
        "rejected": load.rejected,
        "deleted": load.deleted,
    }
    changed = {"load_id": load.load_id, "series_ids": sorted(load.changed_ids)}
    tx.run_all([*([("series.touch", changed)] if load.changed_ids else []), ("loads.finish", row)])


def _settle(db: Database, load: Load, error: OutcomeUnknownError) -> None:
    """Return if a load has happened whose COMMIT was not answered, else raise."""
    lost = f"the connection was lost at COMMIT of load {load.load_id}"
    has_happened = _has_happened(db, load)
    if has_happened is None:
        raise OutcomeUnknownError(
            f"{lost}, and the database could not be asked within {_SETTLE_WITHIN_S:g} s whether it"
            " happened: `jutsu-sql loads` lists it if it did. The same may safely be done again",
            sqlstate=error.sqlstate,
        ) from error
    if not has_happened:
        raise ConnectionFailedError(f"{lost}: nothing was written") from error
    _log.warning("%s, which has happened", lost)


def _has_happened(db: Database, load: Load) -> bool | None:
    """Whether a load has happened; None if that cannot be found out in time."""
    deadline_s = time.monotonic() + _SETTLE_WITHIN_S
    pause_s = _FIRST_PAUSE_S
    while (left_s := deadline_s - time.monotonic()) > 0:
        try:
            with db.transaction() as tx:
                tx.run("transaction.limit_waits", timeout_ms=ceil(left_s * 1000))
                return _is_stored(tx, load)
        except DatabaseError as error:  # it may be starting, or about to become the primary
            _log.info("load %d: %s", load.load_id, error)
            time.sleep(min(pause_s, left_s))
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    return None


def _is_stored(tx: Connection, load: Load) -> bool:
    """Whether a load has been committed; waits until its transaction is over.

    Until then nobody can take the load's id: that needs neither the server's process, which a
    pooler may share, nor its transaction's number, which a crash can give to another one.
    """
    if tx.run("loads.take_id", load_id=load.load_id):
        tx.run("loads.return_id", load_id=load.load_id)
        return False
    # A crash can give the id to another load as well.
    is_same: bool = tx.run("loads.find", load_id=load.load_id).started_at == load.started_at
    return is_same


def series_note(load: Load, touched: Sequence[Touched]) -> Call:
    """The query that notes which series a load is about, and where in them."""
    series_ids, firsts, lasts = zip(*touched, strict=True) if touched else ((), (), ())
    return "loads.note_series", {
        "load_id": load.load_id,
        "series_ids": list(series_ids),
        "firsts": list(firsts),
        "lasts": list(lasts),
    }


def _actor() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user without a name
        return "unknown"


def resolve_series(
    tx: Connection, load: Load, names: Sequence[Series]
) -> tuple[dict[Series, int], set[Series]]:
    """The id of each series, locked until the transaction ends, and which of them are new."""
    found = find_series(tx, names)
    new = [name for name in names if name not in found]
    if new:
        insert_series(tx, new)
        found = find_series(tx, names)
    lock_series(tx, load, list(found.values()))
    return found, set(new)


def insert_series(tx: Connection, names: Sequence[Series]) -> None:
    """Series that are not there: an upsert of all would burn an id for each that is."""
    tx.run("series.insert", names=json.dumps(names))


def lock_series(tx: Connection, load: Load | None, series_ids: Sequence[int]) -> None:
    """Have series until the transaction ends; two loads of one series take turns.

    A load that is not finished, and whose series can be had, lost its writer: what it stored by
    then is what it did.
    """
    own_id = 0 if load is None else load.load_id
    _, unfinished = tx.run_all(
        [
            ("series.lock", {"series_ids": list(series_ids)}),
            ("loads.unfinished", {"own_id": own_id}),
        ]
    )
    for load_id in {row.load_id for row in unfinished if row.series_id in set(series_ids)}:
        tx.run("loads.close", load_id=load_id)
        _log.warning("load %d was interrupted: it counts with what it had stored", load_id)


def find_series(source: Database | Connection, names: Sequence[Series]) -> dict[Series, int]:
    """The id of each series that exists, in the order of ``names``."""
    rows = source.run("series.named", names=json.dumps(names))
    ids = {Series(row.symbol, row.timeframe): row.series_id for row in rows}
    return {name: ids[name] for name in names if name in ids}
