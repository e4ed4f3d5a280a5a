"""One load over several connections.

No transaction spans connections, so the load is written in parts, each a transaction of its own.
This holds it together:

- The row of ``loads`` is committed first, without ``finished_at``; every bar is stored under its
  id. ``as_of`` sees all of it from ``finished_at`` on, and nothing of it before.
- One transaction, the coordinator's, has the series locked from the first part to the end. Whoever
  gets the lock of a series that an unfinished load has touched knows that its writer is gone, and
  closes that load.
- A part adds its figures and its series to the load in its own transaction, and only while the load
  is unfinished. So ``loads`` and ``load_series`` say at every moment what is in.
- When anything fails, what is in is taken back by an undo.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import datetime
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

from jutsu_sql.bars import Bars
from jutsu_sql.database import Connection, Database
from jutsu_sql.errors import ConfigError, DatabaseError, TransactionError
from jutsu_sql.store.batches import Batch, BatchWriter, batches_of
from jutsu_sql.store.loads import Load, find_series, finish_load, insert_series, start_load
from jutsu_sql.store.undo import undo_load
from jutsu_sql.store.writer import Writer

_log = logging.getLogger("jutsu_sql")
# The coordinator has one, and creates series on another one.
_OWN_CONNECTIONS = 2


@contextmanager
def parallel_writer(
    db: Database,
    connections: int,
    on_conflict: str,
    *,
    source: str,
    observed_at: datetime | None,
    uri: str | None,
    content_sha256: str | None,
) -> Iterator[Writer]:
    """A writer of one load over ``connections``: complete at the end, or else taken back.

    Raises:
        ConfigError: the pool has not so many connections.
        OutcomeUnknownError: the connection was lost at the last COMMIT; all bars are in.
    """
    most = db.config.pool_size + db.config.max_overflow
    if connections + _OWN_CONNECTIONS > most:
        raise ConfigError(
            f"parallel={connections} takes {connections + _OWN_CONNECTIONS} connections, and the"
            f" pool has {most}: raise pool_size or max_overflow"
        )
    with db.transaction() as tx:
        load = start_load(tx, "write", source, observed_at=observed_at, uri=uri)
    try:
        with (
            db.transaction() as tx,
            ThreadPoolExecutor(connections, "jutsu_sql-load") as threads,
        ):
            writer = _ParallelWriter(db, tx, load, on_conflict, threads, connections)
            try:
                yield writer
                writer.finish()
            except BaseException:
                threads.shutdown(wait=True, cancel_futures=True)
                raise
            # Not before: what is not complete is not the content.
            tx.run("loads.set_content", load_id=load.load_id, content_sha256=content_sha256)
            finish_load(tx, load)
    except BaseException as error:
        _take_back(db, load, error)
        raise


def _take_back(db: Database, load: Load, error: BaseException) -> None:
    """Leave nothing of a load that failed; if that fails too, the error says what to do."""
    try:
        found = db.run("loads.find", load_id=load.load_id)
        if found.finished_at is not None:
            return  # only the answer to the last COMMIT was lost
        if not db.run("loads.discard", load_id=load.load_id):
            undone = undo_load(db, load.load_id)
            _log.warning("load %d failed: load %d took it back", load.load_id, undone.load_id)
    except DatabaseError:
        error.add_note(
            f"load {load.load_id} is not complete, and could not be taken back: `jutsu-sql undo"
            f" {load.load_id}` does that, and the same write again completes it"
        )


class _ParallelWriter(Writer):
    """Validates on the coordinator's connection, and has its parts stored by threads."""

    def __init__(
        self,
        db: Database,
        tx: Connection,
        load: Load,
        on_conflict: str,
        threads: ThreadPoolExecutor,
        connections: int,
    ) -> None:
        super().__init__(tx, load, on_conflict)
        self._db = db
        self._on_conflict = on_conflict
        self._threads = threads
        self._connections = connections
        self._running: set[Future[Load]] = set()

    def finish(self) -> None:
        self._collect(keep=0)
        super().finish()

    def _store(self, bars: Bars, order: npt.NDArray[np.intp]) -> None:
        names = list({bars.series[code] for code in np.unique(bars.series_index[order]).tolist()})
        # Committed, so that no part can leave bars of a series that is not there.
        found = find_series(self._db, names)
        if missing := [name for name in names if name not in found]:
            with self._db.transaction() as tx:
                insert_series(tx, missing)
        batches = batches_of(self._tx, self.load, bars, order)
        for share in _shares(bars, batches, self._connections):
            self._collect(keep=self._connections)
            self._running.add(self._threads.submit(self._write_part, bars, share))

    def _write_part(self, bars: Bars, batches: Sequence[Batch]) -> Load:
        load = self.load
        part = Load(load.load_id, load.observed_at, load.started_at)
        part.received = sum(len(batch.rows) for batch in batches)
        with self._db.transaction() as tx:
            writer = BatchWriter(tx, part, self._on_conflict, may_be_bare=False)
            writer.write(bars, batches)
            writer.finish()
            if not tx.run(
                "loads.add_part",
                load_id=part.load_id,
                received=part.received,
                inserted=part.inserted,
                updated=part.updated,
                unchanged=part.unchanged,
                kept=part.kept,
            ):
                raise TransactionError(f"load {part.load_id} was closed by another one")
        return part

    def _collect(self, keep: int) -> None:
        """Wait until no more than ``keep`` parts are running, and count those that are in."""
        while len(self._running) > keep:
            done, self._running = wait(self._running, return_when=FIRST_COMPLETED)
            for part in (each.result() for each in done):
                self.load.inserted += part.inserted
                self.load.updated += part.updated
                self.load.kept += part.kept
                self.load.kept_from_partial += part.kept_from_partial
                self.load.changed_ids |= part.changed_ids


def _shares(bars: Bars, batches: Sequence[Batch], number: int) -> Iterator[list[Batch]]:
    """The batches cut into so many shares of equally many rows."""
    stops = list(accumulate(len(batch.rows) for batch in batches))
    edges = np.linspace(0, stops[-1], number + 1).astype(int).tolist()
    for first, last in pairwise(edges):
        share = []
        for batch, stop in zip(batches, stops, strict=True):
            start = stop - len(batch.rows)
            rows = batch.rows[max(first - start, 0) : max(last - start, 0)]
            if len(rows):
                share.append(batch.of_rows(rows, bars))
        if share:
            yield share
